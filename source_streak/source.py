"""The connector as Airbyte sees it: spec.json, check, and which streams there are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER
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
    ConnectorSpecification,
    Status,
    StreamDescriptor,
)
from airbyte_cdk.sources import AbstractSource
from airbyte_cdk.sources.streams import Stream
from airbyte_cdk.sources.utils.casing import camel_to_snake
from airbyte_cdk.sources.utils.schema_helpers import split_config
from airbyte_cdk.utils import AirbyteTracedException
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from source_streak.account import Account, Level
from source_streak.base import Failure, StreakStream
from source_streak.columns import PREFIX
from source_streak.config import STREAK, Config
from source_streak.errors import StreakError
from source_streak.streams import STREAMS
from source_streak.tables import PipelineTable, tables_of

T = TypeVar("T")
LOGGER = logging.getLogger("airbyte.source-streak")
LINE = 300  # characters
STATE_TYPES = {"stream": "STREAM", "global": "GLOBAL", "data": "LEGACY"}  # by the property that holds what they say


class SourceStreak(AbstractSource):
    """Reads a Streak account through its HTTP API."""

    def __init__(self) -> None:
        self._configured: dict[str, Mapping[str, Any]] = {}  # name -> JSON schema
        self._accounts: list[Account] = []  # of the read under way
        LOGGER.addFilter(_shorten)

    @property
    def name(self) -> str:
        return "source-streak"

    @classmethod
    def read_config(cls, config_path: str) -> MutableMapping[str, Any]:
        """The settings; a file that cannot be used is the user's to mend."""
        settings = _file("the settings", "--config", config_path, super().read_config)
        if not isinstance(settings, dict):
            raise Failure(StreakError(f"The settings in {config_path} (--config) are not a JSON object.", "config_error"))
        return settings

    def configure(self, config: Mapping[str, Any], temp_dir: str) -> Mapping[str, Any]:
        """The settings as they are. The framework would write them to a file, with the key."""
        return config

    @classmethod
    def read_catalog(cls, catalog_path: str) -> ConfiguredAirbyteCatalog:
        """The streams to read."""
        return _file("a configured catalog", "--catalog", catalog_path, super().read_catalog)

    @classmethod
    def read_state(cls, state_path: str) -> list[AirbyteStateMessage]:
        """The state of an earlier sync. One that cannot be read costs a whole read, and nothing else."""
        try:
            found = cls._read_json_file(state_path) if state_path else None
            messages = found if isinstance(found, list) else [found] if found else []
            return [AirbyteStateMessageSerializer.load(_typed(message)) for message in messages]
        except OSError as error:
            raise Failure(StreakError(f"The file {state_path} (--state) cannot be read: {error.strerror}.", "config_error")) from error
        except Exception as error:  # whatever the framework's parsers raise
            LOGGER.warning("The state in %s (--state) cannot be read (%s): everything is read whole.", state_path, str(error)[:300])
            return []

    def check(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteConnectionStatus:
        """SUCCEEDED, or FAILED with a sentence; a person waits, so the patience is short."""
        ok, sentence = self.check_connection(logger, config)
        return AirbyteConnectionStatus(status=Status.SUCCEEDED if ok else Status.FAILED, message=sentence)

    def check_connection(self, logger: logging.Logger, config: Mapping[str, Any]) -> tuple[bool, str | None]:
        """Whether the key works and sees the pipelines that the settings name."""
        try:
            _reached(_config(config))
        except StreakError as error:
            return False, error.sentence
        return True, None

    def discover(self, logger: logging.Logger, config: Mapping[str, Any]) -> AirbyteCatalog:
        """All streams, and a table for each pipeline: for those Streak is asked. Fails with the sentence that check gives."""
        try:
            settings = _config(config)
            account = _reached(settings) if settings.pipeline_tables else Account(settings)
            tables = tables_of(account, NAMES) if settings.pipeline_tables else []
        except StreakError as error:
            raise Failure(error) from error
        streams = [*(stream(account) for stream in STREAMS), *tables]
        return AirbyteCatalog(streams=[stream.as_airbyte_stream() for stream in streams])

    def read(
        self,
        logger: logging.Logger,
        config: Mapping[str, Any],
        catalog: ConfiguredAirbyteCatalog,
        state: list[AirbyteStateMessage] | None = None,
    ) -> Iterator[AirbyteMessage]:
        """As the framework does it; a configured stream that does not exist fails with a sentence instead of silently."""
        self._configured = {configured.stream.name: configured.stream.json_schema for configured in catalog.streams}
        try:
            yield from super().read(logger, config, catalog, _by_stream(state or []))
        except AirbyteTracedException as closing:  # names the streams that failed; each has said why, a stack trace adds nothing
            raise Failure(StreakError(str(closing.message), "config_error")) from closing
        finally:
            while self._accounts:
                self._accounts.pop().close()

    def streams(self, config: Mapping[str, Any]) -> list[Stream]:
        """All that there are without asking, and the configured tables, over one account; makes no request."""
        try:
            account = Account(_config(config))
        except StreakError as error:
            raise Failure(error) from error
        self._accounts.append(account)
        streams: list[StreakStream] = [stream(account) for stream in STREAMS]
        others = {name: schema for name, schema in self._configured.items() if name not in NAMES}
        tables = [PipelineTable(account, name, schema, NAMES) for name, schema in others.items() if name.startswith(PREFIX)]
        keys = {table.pipeline_key for table in tables}
        if not any(stream.name in self._configured and stream.parent is Level.BOX for stream in streams):
            account.only = None if None in keys else frozenset(map(str, keys))
        return [*streams, *tables, *(Missing(name) for name in others if not name.startswith(PREFIX))]


NAMES = frozenset(camel_to_snake(stream.__name__) for stream in STREAMS)


class Entrypoint(AirbyteEntrypoint):
    """The framework's, but a setting of the wrong type is named in the sentence that says so."""

    @staticmethod
    def validate_connection(source_spec: ConnectorSpecification, config: Mapping[str, Any]) -> None:
        schema = source_spec.connectionSpecification
        settings = split_config(config)[0]
        if unknown := sorted(name for name in settings if name not in schema["properties"] and not name.startswith("_")):
            LOGGER.warning(
                "There is no such setting: %s. It has no effect; those that there are: %s.",
                *map(", ".join, (unknown, schema["properties"])),
            )
        for error in Draft7Validator(schema).iter_errors(settings):
            raise Failure(StreakError(_wrong_setting(error, schema["properties"]), "config_error"))


def launch(arguments: list[str]) -> None:
    """Run one command, as airbyte_cdk.entrypoint.launch does."""
    entrypoint = Entrypoint(SourceStreak())
    parsed = entrypoint.parse_args(arguments)
    with PRINT_BUFFER:
        for message in entrypoint.run(parsed):
            print(f"{message}\n", end="")  # noqa: T201 # the protocol's channel


class Missing(Stream):
    """Stands for a stream that the connection names and that this connector does not have."""

    primary_key = None

    def __init__(self, name: str) -> None:
        self.__dict__["name"] = name  # a cached property of the framework's

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override] # no need to cache nothing
        return {}

    def read_records(self, *_: Any, **__: Any) -> Iterator[Mapping[str, Any]]:
        raise Failure(
            StreakError(
                f'This connector has no stream "{self.name}". Refresh the connection\'s schema (Schema > Refresh source schema, '
                "or discover again), and leave this stream out.",
                "config_error",
            )
        )


def _typed(state: dict[str, Any]) -> dict[str, Any]:
    """A state in a file, with its type; one that is nothing but streams and what they remember is of the oldest."""
    kind = next((kind for name, kind in STATE_TYPES.items() if name in state), None)
    return {"type": kind, **state} if kind or "type" in state else {"type": "LEGACY", "data": state}


def _by_stream(states: list[AirbyteStateMessage]) -> list[AirbyteStateMessage]:
    """States of any type as those of single streams; a client may hand ours back as one GLOBAL, or as the data of a LEGACY one.

    What streams share in a GLOBAL state is not ours, for we write none: it is left aside.
    """
    streams: list[AirbyteStreamState] = []
    for state in states:
        streams += [state.stream] if state.stream else []
        streams += state.global_.stream_states if state.global_ else []
        known = {name: blob for name, blob in (state.data or {}).items() if isinstance(blob, dict)}
        streams += [AirbyteStreamState(StreamDescriptor(name), AirbyteStateBlob(blob)) for name, blob in known.items()]
    return [AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream) for stream in streams]


def _shorten(record: logging.LogRecord) -> bool:
    """The framework logs the whole of each incoming state, up to 2 MB, in one line; and after each stream the time of all so far."""
    if isinstance(record.msg, str) and (record.msg.startswith("Setting state of ") or " runtimes:\n" in record.msg):
        record.msg = record.msg if len(record.msg) <= LINE else record.msg[:LINE] + " ..."
    return True


def _wrong_setting(error: ValidationError, properties: Mapping[str, Any]) -> str:
    if error.validator == "required":
        missing = next(name for name in properties if error.message.startswith(f"'{name}'"))
        return f'The setting "{properties[missing]["title"]}" ({missing}) is missing.'
    name = str(error.path[0]) if error.path else ""
    setting = properties.get(name, {})
    wrong = f"it has to be of the type {error.validator_value}" if setting.get("airbyte_secret") else error.message
    return f'The setting "{setting.get("title", name)}" ({name}) cannot be used: {wrong}.'


def _file(what: str, option: str, path: str, read: Callable[[str], T]) -> T:
    try:
        return read(path)
    except OSError as error:
        sentence = f"The file {path} ({option}) cannot be read: {error.strerror}."
    except Exception as error:  # whatever the framework's parsers raise: the file is not what it should be
        sentence = f"The file {path} ({option}) does not hold {what} in JSON: {str(error)[:300]}"
    raise Failure(StreakError(sentence, "config_error"))


def _reached(config: Config) -> Account:
    """An account whose key and pipelines were found to be there. Raises StreakError."""
    account = Account(config, hurried=True)
    account.me()
    account.pipelines()
    return account


def _config(settings: Mapping[str, Any]) -> Config:
    config = Config.of(settings)
    if config.api_url != STREAK:
        LOGGER.info("STREAK_API_URL is set: asking %s instead of Streak.", config.api_url)
    return config
