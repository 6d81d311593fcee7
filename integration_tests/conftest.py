"""Shared fixtures: a running Streak sandbox, and the connector read as Airbyte reads it.

    def test_…(streak, read):
        streak.moods.limit_cap = 37
        assert len(read("boxes").records["boxes"]) == 150

`streak` has the sandbox's default account; for another one use
`@pytest.mark.parametrize("streak", [{"boxes": 1000}], indirect=True)`.
"""

from __future__ import annotations

import base64
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteErrorTraceMessage,
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.models.scenario import ExpectedOutcome
from copies import Copies
from destination import Record, discovered
from pytest_mock import MockerFixture
from quick import QuickClock
from streak_sandbox import Sandbox

from source_streak import SourceStreak
from source_streak.api.clock import Clock

Read = Callable[..., "Reading"]


class Reading:
    """The result of one read: what a destination gets, and what the user sees."""

    def __init__(
        self,
        output: entrypoint_wrapper.EntrypointOutput,
        secrets: tuple[str, ...],
        incremental: bool = False,
    ) -> None:
        self.incremental = incremental
        self.messages: list[AirbyteMessage] = list(output.get_message_iterator())
        self.records: dict[str, list[Record]] = defaultdict(list)
        for message in output.records:
            self.records[message.record.stream].append(dict(message.record.data))
        self.states = [message.state for message in output.state_messages]
        self.logs: list[str] = [message.log.message for message in output.logs]
        self.errors: list[AirbyteErrorTraceMessage] = [
            message.trace.error for message in output.errors
        ]
        self.statuses: dict[str, str] = {}  # the last status of each stream
        for message in output.trace_messages:
            if status := message.trace.stream_status:
                self.statuses[status.stream_descriptor.name] = status.status.value
        for secret in secrets:
            assert not [text for text in self.texts() if secret in text], (
                "the API key can be read in what the connector says"
            )

    @property
    def last_states(self) -> list[AirbyteStateMessage]:
        """What the platform passes to the next sync: the last STATE of each stream."""
        return list({state.stream.stream_descriptor.name: state for state in self.states}.values())

    @property
    def ok(self) -> bool:
        """Whether the sync succeeded, with exit status 0."""
        return not self.errors

    def error_of(self, stream: str) -> AirbyteErrorTraceMessage:
        """The error because of which that stream ended INCOMPLETE."""
        assert self.statuses[stream] == "INCOMPLETE"
        return next(
            error
            for error in self.errors
            if error.stream_descriptor and error.stream_descriptor.name == stream
        )

    def texts(self) -> Iterator[str]:
        """All messages as they are written to stdout."""
        return (
            orjson.dumps(AirbyteMessageSerializer.dump(message)).decode()
            for message in self.messages
        )

    def keys(self, stream: str, *columns: str) -> list[Any]:
        """The primary keys of a stream's records, in order; asserts that none repeats."""
        found = [
            tuple(record[column] for column in columns or ("key",))
            for record in self.records[stream]
        ]
        assert len(found) == len(set(found)), f"{stream} has a primary key twice"
        return found if columns else [key for (key,) in found]


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A running sandbox. A parameter holds the arguments of Sandbox().

    Tests change it through .moods, .account, .fault and .on.
    """
    with Sandbox(**getattr(request, "param", {})) as sandbox:
        yield sandbox


@pytest.fixture
def read(streak: Sandbox) -> Iterator[Read]:
    """Reads the streams named, all if none are, from the sandbox.

    Asserts that no message contains the API key.
    """
    with reading(streak) as read_from_streak:
        yield read_from_streak


@contextmanager
def reading(streak: Sandbox) -> Iterator[Read]:
    """The fixture `read`, for fixtures of a whole module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAK_API_URL", streak.url)

        def read_from_streak(
            *names: str,
            debug: bool = False,
            incremental: bool = False,
            state: list[AirbyteStateMessage] | None = None,
            catalog: AirbyteCatalog | None = None,
            clock: Clock | None = None,
            **settings: Any,
        ) -> Reading:
            """`catalog`: what discover found when the connection was set up.

            Without it there are no pipeline tables.
            """
            config = {"api_key": streak.key, **settings}
            configured = catalog_of(*names, incremental=incremental, found=catalog)
            anything = ExpectedOutcome.ALLOW_ANY
            output = entrypoint_wrapper.read(
                SourceStreak(clock or QuickClock()),
                config,
                configured,
                state,
                debug=debug,
                expected_outcome=anything,
            )
            return Reading(output, secrets_of(config["api_key"]), incremental)

        yield read_from_streak


Discover = Callable[..., AirbyteCatalog]


@pytest.fixture
def discover(streak: Sandbox, read: Read) -> Discover:
    """Discovers the streams of the sandbox now, with a table for each pipeline."""

    def discover_streak(**settings: Any) -> AirbyteCatalog:
        return SourceStreak(QuickClock()).discover(
            logging.getLogger("airbyte"), {"api_key": streak.key, **settings}
        )

    return discover_streak


def catalog_of(
    *names: str, incremental: bool = False, found: AirbyteCatalog | None = None
) -> ConfiguredAirbyteCatalog:
    """A catalog of the streams named, all if none are, in full refresh.

    With `incremental`, streams that support it are incremental. `found`: what discover found.
    """
    streams = {stream.name: stream for stream in (found or discovered()).streams}
    return ConfiguredAirbyteCatalog(
        [
            ConfiguredAirbyteStream(
                streams[name],
                SyncMode.incremental,
                DestinationSyncMode.append_dedup,
                primary_key=None,
            )
            if incremental and SyncMode.incremental in streams[name].supported_sync_modes
            else ConfiguredAirbyteStream(
                streams[name],
                SyncMode.full_refresh,
                DestinationSyncMode.overwrite,
                primary_key=None,
            )
            for name in names or streams
        ]
    )


def secrets_of(key: str) -> tuple[str, ...]:
    """The key, and the encoded forms in which a header may carry it."""
    return (
        key,
        base64.b64encode(f"{key}:".encode()).decode().rstrip("="),
        base64.b64encode(key.encode()).decode().rstrip("="),
    )


@pytest.fixture
def give_room(mocker: MockerFixture) -> Callable[[int], None]:
    """Sets the state limit: the bytes for all states of a sync, from now on."""
    return partial(mocker.patch, "source_streak.reading.plan.TOTAL")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    with Copies(tmp_path_factory.mktemp("copies")) as copies:
        yield copies
