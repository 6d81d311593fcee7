"""A connection in this process: its syncs, what its destination holds, and what it should hold.

    connection = Connection(streak, "boxes", "box_comments")
    connection.sync()
    streak.account.delete_box(key)
    connection.sync(hours=1)
    assert not connection.differences()

Nothing waits (quick.py) and nothing is printed: the connector is called as the framework calls it.
"""

from __future__ import annotations

import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from unittest import mock

import orjson
from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
    Type,
)
from airbyte_cdk.utils import AirbyteTracedException
from destination import DELETED_AT, Destination, Difference, Record, differences
from quick import QuickClock
from streak_sandbox import Sandbox

from source_streak import SourceStreak

LOGGER = logging.getLogger("airbyte")
TABLE_IS_GONE = "no longer exists"
DAY_SECONDS = 86_400


def hours_to_the_next_day() -> float:
    """How long it is until a few minutes past midnight, UTC."""
    return (DAY_SECONDS - time.time() % DAY_SECONDS) / 3600 + 0.1


@dataclass
class Sync:
    """The messages of one sync, as far as they arrived."""

    messages: list[AirbyteMessage]
    catalog: ConfiguredAirbyteCatalog
    logs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # the requested paths, in order

    @cached_property
    def records(self) -> Mapping[str, list[Record]]:
        """The records by stream, in order."""
        found: dict[str, list[Record]] = defaultdict(list)
        for message in self.messages:
            if message.record:
                found[message.record.stream].append(message.record.data)
        return found

    @property
    def failed(self) -> dict[str, str]:
        """The sentence of each stream that failed; under "" that of the whole sync."""
        errors = [
            message.trace.error
            for message in self.messages
            if message.trace and message.trace.error
        ]
        return {
            error.stream_descriptor.name if error.stream_descriptor else "": error.message
            for error in errors
        }

    @property
    def ok(self) -> bool:
        """Whether it ended green."""
        return not self.failed

    def live(self, stream: str) -> list[Record]:
        """The records that are not deletions."""
        return [record for record in self.records[stream] if not record.get(DELETED_AT)]

    def deleted(self, stream: str) -> list[Record]:
        """The records that report a deletion."""
        return [record for record in self.records[stream] if record.get(DELETED_AT)]

    def states(self) -> dict[str, AirbyteStateMessage]:
        """The last state of each stream, as it comes back after being stored."""
        found = {}
        for message in self.messages:
            if message.state and message.state.stream:
                found[message.state.stream.stream_descriptor.name] = message.state
        return {name: _kept(state) for name, state in found.items()}

    def until(self, count: int) -> Sync:
        """The same sync, killed after `count` messages."""
        return replace(self, messages=self.messages[:count])

    def covered(self) -> Sync:
        """What a destination keeps that commits only on a state: nothing after the last state."""
        last = {
            name_of(message): place for place, message in enumerate(self.messages) if message.state
        }
        arrived = [
            message
            for place, message in enumerate(self.messages)
            if not message.record or place < last.get(message.record.stream, -1)
        ]
        return replace(self, messages=arrived)


class Connection:
    """Incremental syncs of some streams (none named: all). Each starts from the state before."""

    def __init__(
        self,
        streak: Sandbox,
        *names: str,
        catalog: AirbyteCatalog | None = None,
        hours: float = 0.0,
        clock: type[QuickClock] = QuickClock,
        **settings: Any,
    ) -> None:
        """`catalog`: what discover found; `hours`: how far the clock is ahead.

        It always begins just after midnight, because each new day brings other rechecks.
        """
        self.streak, self.settings, self._clock = streak, settings, clock
        self.hours = hours + hours_to_the_next_day()
        streams = (catalog or discover(streak, **settings)).streams
        incremental = [one for one in streams if SyncMode.incremental in one.supported_sync_modes]
        self.streams = [one for one in incremental if not names or one.name in names]
        self.destination = Destination()
        self.states: dict[str, AirbyteStateMessage] = {}

    @property
    def names(self) -> list[str]:
        """The names of its streams, without the logs."""
        return [
            stream.name for stream in self.streams if stream.name not in ("newsfeed", "box_changes")
        ]

    def sync(self, hours: float = 0.0, **settings: Any) -> Sync:
        """One more sync, `hours` after the last one. The destination takes all of it."""
        sync = self.read(hours, **settings)
        self.take(sync)
        return sync

    def read(self, hours: float = 0.0, **settings: Any) -> Sync:
        """The same, but the destination does not take it yet."""
        self.hours += hours
        return self._read(SyncMode.incremental, list(self.states.values()), settings)

    def take(self, sync: Sync, rows: Sync | None = None) -> None:
        """Keep the states and rows of a sync; only those in `rows` if not all rows arrived."""
        for stream, records in (rows or sync).records.items():
            self.destination.take(stream, records)
        self.states |= sync.states()

    def differences(self, **settings: Any) -> list[Difference]:
        """The differences between the destination and a full refresh made now."""
        return differences(self.destination, self.whole(**settings), self.names)

    def whole(self, **settings: Any) -> Destination:
        """A full refresh made now. Tables of pipelines that are gone are empty."""
        whole = self._read(SyncMode.full_refresh, [], settings)
        failed = {name: words for name, words in whole.failed.items() if TABLE_IS_GONE not in words}
        assert not failed.keys() - {""}, failed
        right = Destination()
        for stream, records in whole.records.items():
            right.take(stream, records)
        return right

    def state(self, stream: str) -> dict[str, Any]:
        """The state of a stream."""
        found: dict[str, Any] = orjson.loads(
            orjson.dumps(vars(self.states[stream].stream.stream_state))
        )
        return found

    def _read(
        self, mode: SyncMode, states: list[AirbyteStateMessage], settings: Mapping[str, Any]
    ) -> Sync:
        catalog = ConfiguredAirbyteCatalog([configured(stream, mode) for stream in self.streams])
        config = {"api_key": self.streak.key, **self.settings, **settings}
        asked = len(self.streak.log)
        with asking(self.streak), _logs() as logs:
            messages = list(
                _messages(SourceStreak(self._clock(self.hours)), config, catalog, states)
            )
        paths = [entry.path for entry in self.streak.log[asked:]]
        return Sync(messages, catalog, logs, paths)


def configured(stream: AirbyteStream, mode: SyncMode) -> ConfiguredAirbyteStream:
    """A stream as the platform pre-selects it in this mode."""
    incremental = mode is SyncMode.incremental
    into = DestinationSyncMode.append_dedup if incremental else DestinationSyncMode.overwrite
    return ConfiguredAirbyteStream(
        stream,
        mode,
        into,
        cursor_field=stream.default_cursor_field if incremental else None,
        primary_key=stream.source_defined_primary_key,
        generation_id=1,
        minimum_generation_id=0 if incremental else 1,
        sync_id=1,
    )


@contextmanager
def asking(streak: Sandbox) -> Iterator[None]:
    """Makes the connector send its requests to this sandbox."""
    with mock.patch.dict(os.environ, {"STREAK_API_URL": streak.url}):
        yield


def discover(streak: Sandbox, **settings: Any) -> AirbyteCatalog:
    """Discovers the running Streak as it is now, with a table for each pipeline."""
    with asking(streak):
        return SourceStreak(QuickClock()).discover(LOGGER, {"api_key": streak.key, **settings})


def name_of(message: AirbyteMessage) -> str | None:
    """The stream of a RECORD or STATE message; None for others."""
    if message.record:
        return message.record.stream
    return (
        message.state.stream.stream_descriptor.name
        if message.state and message.state.stream
        else None
    )


def _messages(
    source: SourceStreak,
    config: Mapping[str, Any],
    catalog: ConfiguredAirbyteCatalog,
    states: list[AirbyteStateMessage],
) -> Iterator[AirbyteMessage]:
    try:
        yield from source.read(LOGGER, config, catalog, states)
    except AirbyteTracedException as closing:  # names the streams that failed; each has said why
        yield closing.as_airbyte_message()


def _kept(state: AirbyteStateMessage) -> AirbyteStateMessage:
    message = AirbyteMessage(type=Type.STATE, state=state)
    text = orjson.dumps(AirbyteMessageSerializer.dump(message))
    return AirbyteStateMessageSerializer.load(orjson.loads(text)["state"])


class _Handler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def _logs() -> Iterator[list[str]]:
    """Catches what the connector logs meanwhile, so that nobody else sees it."""
    handler, before, loud = _Handler(), LOGGER.handlers, LOGGER.propagate
    LOGGER.handlers, LOGGER.propagate = [handler], False
    try:
        yield handler.lines
    finally:
        LOGGER.handlers, LOGGER.propagate = before, loud
