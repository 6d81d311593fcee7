"""The connector as Airbyte sees it: check, discover, read, and the list of streams."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from airbyte_cdk.models import (
    AirbyteCatalog,
    AirbyteConnectionStatus,
    AirbyteMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    AirbyteStateType,
    AirbyteStreamState,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteCatalogSerializer,
    FailureType,
    Status,
    StreamDescriptor,
    SyncMode,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.utils.casing import camel_to_snake
from airbyte_cdk.utils import AirbyteTracedException
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets

from source_streak.api.account import Account
from source_streak.api.clock import Clock
from source_streak.api.errors import StreakError
from source_streak.api.parsing import parse_json
from source_streak.config import SHORTEST_SECRET, STREAK, Config
from source_streak.incremental.state import shortfalls_in
from source_streak.reading.parents import ENTITIES
from source_streak.reading.plan import Plan
from source_streak.records.columns import PREFIX
from source_streak.stream import Failure, StreakStream
from source_streak.streams import STREAMS
from source_streak.tables import PipelineTable, tables_of

LOGGER = logging.getLogger("airbyte.source-streak")
LINE = 160  # characters kept of a long log line
STATE_TYPES = {
    "stream": "STREAM",
    "global": "GLOBAL",
    "data": "LEGACY",
}  # by the property that holds the content


class SourceStreak(AbstractSource):
    """Reads a Streak account through its HTTP API."""

    def __init__(self, clock: Clock | None = None) -> None:
        """`clock`: tests pass one that does not wait."""
        self._clock = clock or Clock()
        self._configured: dict[str, Mapping[str, Any]] = {}  # name -> JSON schema
        self._incremental: frozenset[str] = frozenset()
        self._shortfalls: Mapping[str, tuple[int, bool]] = {}
        self._accounts: list[Account] = []  # used by the read under way
        LOGGER.addFilter(_shorten)

    @property
    def name(self) -> str:
        return "source-streak"

    @property
    def message_repository(self) -> None:
        """None: streams yield their messages, so there is no queue to check after each record."""

    @classmethod
    def read_config(cls, config_path: str) -> MutableMapping[str, Any]:
        """The settings. Raises Failure (config_error) for a file that cannot be used."""
        settings: Any = _file("the settings", "--config", config_path)
        if not isinstance(settings, dict):
            sentence = f"The settings in {config_path} (--config) are not a JSON object."
            raise Failure(StreakError(sentence, "config_error"))
        return settings

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The settings, unchanged. The framework would write them to a file, with the API key."""
        return config

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        """The streams to read. Raises Failure (config_error) as read_config does."""
        what = "a configured catalog"
        found: ConfiguredAirbyteCatalog = _file(what, "--catalog", catalog_path, _catalog)
        return found

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        """The state of an earlier sync.

        If it cannot be parsed, everything is read whole. An unreadable file raises Failure.
        """
        try:
            found = _json(state_path) if state_path else None
            messages = found if isinstance(found, list) else [found] if found else []
            return [AirbyteStateMessageSerializer.load(_typed(message)) for message in messages]
        except OSError as error:
            sentence = f"The file {state_path} (--state) cannot be read: {error.strerror}."
            raise Failure(StreakError(sentence, "config_error")) from error
        except Exception as error:  # whatever the framework's parsers raise
            LOGGER.warning(
                "The state in %s (--state) cannot be read (%s): everything is read again.",
                *(state_path, str(error)[:300]),
            )
            return []

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """SUCCEEDED, or FAILED with a sentence.

        Raises Failure during an outage, since the settings are not to blame for that.
        """
        ok, sentence = self.check_connection(logger, config)
        return AirbyteConnectionStatus(
            status=Status.SUCCEEDED if ok else Status.FAILED, message=sentence
        )

    def check_connection(
        self, logger: logging.Logger, config: Mapping[str, Any]
    ) -> tuple[bool, str | None]:
        """Whether the key works and sees the pipelines that the settings name.

        A person is waiting, so failed requests are only repeated for a short time.
        """
        try:
            account = self._reached(_config(config))
        except StreakError as error:
            if error.failure == "transient_error":
                raise Failure(error) from error
            return False, error.sentence
        self._say_what_it_found(account)
        account.close()
        return True, None

    def _say_what_it_found(self, account: Account) -> None:
        for sentence in account.config.without_effect(self._clock.now()):
            LOGGER.warning(sentence)
        found = {"pipeline": len(account.pipelines())}
        try:
            found["team"] = len(account.teams())
        except StreakError as error:  # other streams can be read all the same
            LOGGER.warning(error.sentence)
        if nothing := [what for what, count in found.items() if not count]:
            LOGGER.warning(
                "The API key works, but its user sees no %s: there is nothing to read there. "
                "Share one with this user in Streak, or use another user's key.",
                " and no ".join(nothing),
            )
        counts = [f"{count} {what}{'s' * (count != 1)}" for what, count in found.items()]
        LOGGER.info("The API key works. It gives access to %s.", " and ".join(counts))

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """All streams, and a table for each pipeline.

        Only the tables need requests. Raises Failure with the sentence that check gives.
        """
        try:
            settings = _config(config)
            account = (
                self._reached(settings)
                if settings.pipeline_tables
                else Account(settings, self._clock)
            )
            tables = tables_of(account, NAMES) if settings.pipeline_tables else []
        except StreakError as error:
            raise Failure(error) from error
        streams = [*(stream(account) for stream in STREAMS), *tables]
        catalog = AirbyteCatalog(streams=[stream.as_airbyte_stream() for stream in streams])
        account.close()
        return catalog

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """Read the configured streams, as the framework does.

        A stream that does not exist fails with a sentence. The framework would skip it silently.
        """
        self._configured = {one.stream.name: one.stream.json_schema for one in catalog.streams}
        self._incremental = frozenset(
            one.stream.name for one in catalog.streams if one.sync_mode is SyncMode.incremental
        )
        states = _by_stream(state or [])
        found = (one.stream.stream_state for one in states if one.stream)
        blobs = (blob.__dict__ for blob in found if blob)
        self._shortfalls = shortfalls_in(blobs, self._clock.now())
        try:
            yield from _config_errors_last(
                super().read(logger, config, catalog, states), self._clock
            )
        finally:
            while self._accounts:
                account = self._accounts.pop()
                _say_what_was_taken_out(account.client.nul_characters)
                account.close()

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """The fixed streams, the configured tables, and a Missing for each unknown stream.

        All share one account. Makes no request.
        """
        try:
            settings = _config(config)
        except StreakError as error:
            raise Failure(error) from error
        account = Account(settings, self._clock, known_shortfalls=self._shortfalls)
        _hide_key(account)
        self._accounts.append(account)
        others = {name: schema for name, schema in self._configured.items() if name not in NAMES}
        plan = Plan()
        streams: list[StreakStream] = [stream(account, plan) for stream in STREAMS]
        tables = [
            PipelineTable(account, name, schema, NAMES, plan)
            for name, schema in others.items()
            if name.startswith(PREFIX)
        ]
        plan.streams = [
            stream for stream in (*streams, *tables) if stream.name in self._incremental
        ]
        keys = {table.pipeline_key for table in tables}
        if None not in keys and not any(
            _wants_boxes(stream) for stream in streams if stream.name in self._configured
        ):
            account.needed_pipelines = frozenset(map(str, keys))
        return [
            *streams,
            *tables,
            *(Missing(name) for name in others if not name.startswith(PREFIX)),
        ]

    def _reached(self, config: Config) -> Account:
        """An account whose key works and whose pipelines exist. Raises StreakError otherwise."""
        account = Account(config, self._clock, hurried=True)
        _hide_key(account)
        account.access.me()
        account.pipelines()
        return account


NAMES = frozenset(camel_to_snake(stream.__name__) for stream in STREAMS)


class Missing(Stream):
    """Stands for a configured stream that this connector does not have."""

    primary_key = None

    def __init__(self, name: str) -> None:
        self.__dict__["name"] = name  # a cached property in the framework

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override] # no need to cache nothing
        return {}

    def read_records(self, *_: Any, **__: Any) -> Iterator[Mapping[str, Any]]:
        raise Failure(
            StreakError(
                f'This connector has no stream "{self.name}". Refresh the connection\'s schema '
                "(Schema > Refresh source schema, "
                "or discover again), and leave this stream out.",
                "config_error",
            )
        )


def _typed(state: dict[str, Any]) -> dict[str, Any]:
    """A state from a file, with its type.

    A plain object of streams and their states is of the oldest type, LEGACY.
    """
    kind = next((kind for name, kind in STATE_TYPES.items() if name in state), None)
    return {"type": kind, **state} if kind or "type" in state else {"type": "LEGACY", "data": state}


def _by_stream(states: list[AirbyteStateMessage]) -> list[AirbyteStateMessage]:
    """Convert states of any type to one state per stream.

    A client may return this connector's states as one GLOBAL state, or as a LEGACY one.
    The shared part of a GLOBAL state is ignored, because this connector never writes one.
    """
    streams: list[AirbyteStreamState] = []
    for state in states:
        streams += [state.stream] if state.stream else []
        streams += state.global_.stream_states if state.global_ else []
        known = {name: blob for name, blob in (state.data or {}).items() if isinstance(blob, dict)}
        streams += [
            AirbyteStreamState(StreamDescriptor(name), AirbyteStateBlob(blob))
            for name, blob in known.items()
        ]
    return [AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream) for stream in streams]


def _shorten(record: logging.LogRecord) -> bool:
    """Shorten two of the framework's log lines.

    It logs each incoming state whole, up to 2 MB, and after each stream the time of all so far.
    """
    if isinstance(record.msg, str) and (
        record.msg.startswith("Setting state of ") or " runtimes:\n" in record.msg
    ):
        record.msg = record.msg if len(record.msg) <= LINE else record.msg[:LINE] + " ..."
    return True


def _json(path: str) -> Any:
    """Parse a file as leniently as Streak's responses: what UTF-8 cannot hold is replaced."""
    return parse_json(Path(path).read_bytes())


def _file(what: str, option: str, path: str, load: Callable[[Any], Any] = lambda it: it) -> Any:
    try:
        return load(_json(path))
    except OSError as error:
        sentence = f"The file {path} ({option}) cannot be read: {error.strerror}."
    except Exception as error:  # whatever the framework's parsers raise
        why = str(error)[:300].rstrip(".")
        sentence = f"The file {path} ({option}) does not contain {what} as JSON: {why}."
    raise Failure(StreakError(sentence, "config_error"))


def _catalog(found: Any) -> ConfiguredAirbyteCatalog:
    """Load a catalog. The platform has a destination mode that the framework does not know.

    It makes no difference to a source, so the framework gets another one.
    """
    for one in found["streams"]:
        if one.get("destination_sync_mode") == "overwrite_dedup":
            one["destination_sync_mode"] = "overwrite"
    catalog: ConfiguredAirbyteCatalog = ConfiguredAirbyteCatalogSerializer.load(found)
    return catalog


def _config(settings: Mapping[str, Any]) -> Config:
    config = Config.from_settings(settings)
    if config.api_url != STREAK:
        LOGGER.info("STREAK_API_URL is set: requests go to %s, not to Streak.", config.api_url)
    return config


def _hide_key(account: Account) -> None:
    for form in account.client.secrets:
        if len(form) >= SHORTEST_SECRET:
            add_to_secrets(form)


def _say_what_was_taken_out(nul_characters: int) -> None:
    if nul_characters:
        LOGGER.warning(
            "%s NUL characters (U+0000) removed from texts: databases do not accept them.",
            f"{nul_characters:,}",
        )


def _wants_boxes(stream: StreakStream) -> bool:
    return stream.parent in ENTITIES and stream.parent.value == "box"


def _config_errors_last(
    messages: Iterable[AirbyteMessage], clock: Clock
) -> Iterator[AirbyteMessage]:
    """Hold config_errors back to the end and stamp them anew.

    The platform retries a sync unless its earliest error is a config_error. The log has their
    sentences at once. The closing error is a config_error only if all errors are.
    """
    held: list[AirbyteMessage] = []
    others: list[FailureType] = []
    try:
        for message in messages:
            error = message.trace.error if message.trace else None
            if error is None:
                yield message
            elif error.failure_type is FailureType.config_error:
                held.append(message)
            else:
                others.append(error.failure_type or FailureType.system_error)
                yield message
    except AirbyteTracedException as closing:  # names the streams that failed; each has said why
        yield from _stamped(held, clock)
        kind = others[0] if others else FailureType.config_error
        raise Failure(StreakError(str(closing.message), kind.value)) from closing
    yield from _stamped(held, clock)


def _stamped(messages: list[AirbyteMessage], clock: Clock) -> Iterator[AirbyteMessage]:
    for message in messages:
        if message.trace:
            message.trace.emitted_at = float(clock.now())
        yield message
