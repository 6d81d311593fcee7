"""The command line: spec, check, discover and read.

Wrong settings and unusable files end in a sentence, never in a traceback.
"""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import orjson
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER, is_platform_debug_log_enabled
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteMessageSerializer,
    ConnectorSpecification,
    FailureType,
    Type,
)
from airbyte_cdk.sources import Source
from airbyte_cdk.sources.connector_state_manager import HashableStreamDescriptor
from airbyte_cdk.sources.utils.schema_helpers import split_config
from airbyte_cdk.utils import AirbyteTracedException
from airbyte_cdk.utils.airbyte_secrets_utils import update_secrets
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from source_streak.api.clock import Clock
from source_streak.api.errors import StreakError
from source_streak.config import SHORTEST_SECRET
from source_streak.source import SourceStreak
from source_streak.stream import Failure

T = TypeVar("T")
LONGEST_QUOTED = 300  # characters that say what is wrong with a setting
FULL, LONGEST_KEPT = 65_536, 0.1  # bytes and seconds after which kept lines are written
LOGGER = logging.getLogger("airbyte.source-streak")


class Entrypoint(AirbyteEntrypoint):
    """The framework's entrypoint, with error sentences that name the wrong setting."""

    @staticmethod
    def set_up_secret_filter(
        config: Mapping[str, Any], connection_specification: Mapping[str, Any]
    ) -> None:
        key = str(config.get("api_key")).strip()
        update_secrets([key] if len(key) >= SHORTEST_SECRET else [])

    @staticmethod
    def validate_connection(source_spec: ConnectorSpecification, config: Mapping[str, Any]) -> None:
        schema = source_spec.connectionSpecification
        settings, known = _without_internal(config), schema["properties"]
        if unknown := sorted(
            name for name in settings if name not in known and not name.startswith("_")
        ):
            LOGGER.warning(
                "Unknown settings have no effect: %s. Known settings: %s.",
                *map(", ".join, (unknown, known)),
            )
        for error in Draft7Validator(schema).iter_errors(settings):
            if error.validator == "pattern":
                continue  # the pattern is for the form; config.py explains it in words
            raise Failure(StreakError(_wrong_setting(error, known), "config_error"))

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._records: Counter[str] = Counter()  # by stream, since the last message of another type

    def handle_record_counts(  # type: ignore[override] # the framework's is static but called as a method
        self, message: AirbyteMessage, stream_message_count: defaultdict[Any, float]
    ) -> AirbyteMessage:
        """Count records by stream name; the framework hashes a new descriptor for each."""
        if message.record and message.record.namespace is None:
            self._records[message.record.stream] += 1
            return message
        for stream, count in self._records.items():
            stream_message_count[HashableStreamDescriptor(name=stream)] += count
        self._records.clear()
        return super().handle_record_counts(message, stream_message_count)

    def run(self, parsed_args: Namespace) -> Iterator[str]:
        """The output lines of one command, without line endings."""
        return (line_of(message)[:-1].decode() for message in self.messages(parsed_args))

    def messages(self, parsed: Namespace) -> Iterator[AirbyteMessage]:
        """Run one command as the framework does, but without its unused temporary folder."""
        debug = parsed.debug or is_platform_debug_log_enabled()
        self.logger.setLevel(logging.DEBUG if debug else logging.INFO)
        source, spec = self.source, self.source.spec(self.logger)
        if parsed.command == "spec":
            yield AirbyteMessage(type=Type.SPEC, spec=spec)
            return
        config = source.read_config(parsed.config)
        if parsed.command == "check":
            yield from self.check(spec, config)
        elif parsed.command == "discover":
            yield from self.discover(spec, config)
        else:
            catalog, state = source.read_catalog(parsed.catalog), source.read_state(parsed.state)
            yield from self.read(spec, config, catalog, state)

    def check(self, source_spec: ConnectorSpecification, config: Any) -> Iterator[AirbyteMessage]:
        """Report SUCCEEDED or FAILED. An outage is neither: it ends the command with one error."""
        messages: Iterator[AirbyteMessage] = iter(super().check(source_spec, config))
        try:
            for message in messages:
                if not (message.trace and message.trace.error):  # the framework emits it twice
                    yield message
        except AirbyteTracedException as failure:
            if failure.failure_type is not FailureType.config_error:
                LOGGER.error("The check could not be completed: %s", failure.message)
            raise


class Output:
    """Writes messages to stdout: whole lines, a few at a time, as bytes.

    The framework's own buffer would turn the bytes into text and back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: list[bytes] = []
        self._size, self._due = 0, 0.0

    def write(self, line: bytes) -> None:
        """Write a line at once, or together with those that follow within a moment."""
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FULL or self._clock.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Write the kept lines. Raises BrokenPipeError if the reader has gone."""
        whole, self._lines, self._size = b"".join(self._lines), [], 0
        self._due = self._clock.monotonic() + LONGEST_KEPT
        out: Any = sys.__stdout__  # run.py replaces it when a signal comes
        if channel := getattr(out, "buffer", None):
            channel.write(whole)
        else:
            out.write(whole.decode())
        out.flush()


def launch(arguments: list[str]) -> None:
    """Run one command, as airbyte_cdk.entrypoint.launch does."""
    entrypoint, output = Entrypoint(SourceStreak()), Output(Clock())
    parsed = entrypoint.parse_args(arguments)
    with PRINT_BUFFER:
        try:
            for message in entrypoint.messages(parsed):
                output.write(line_of(message))
        finally:
            output.flush()


def line_of(message: AirbyteMessage) -> bytes:
    """A message as the framework serializes it, with a line ending."""
    try:
        written = _plain_record(message) or AirbyteMessageSerializer.dump(message)
        return orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # not UTF-8, or nested too deeply: the framework has a fallback
        line = AirbyteEntrypoint.airbyte_message_to_string(message)
        return line.encode(errors="backslashreplace") + b"\n"


def _plain_record(message: AirbyteMessage) -> dict[str, Any] | None:
    """What the serializer returns for a record with only data, without the time that it takes.

    The serializer leaves out columns that are null. Shape has already done so.
    """
    record = message.record
    if record is None or (record.namespace, record.meta, record.file_reference) != (None,) * 3:
        return None
    content = {"stream": record.stream, "data": record.data, "emitted_at": record.emitted_at}
    return {"type": "RECORD", "record": content}


def _without_internal(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without the framework's internal ones."""
    try:
        return split_config(config)[0]
    except ValueError as error:
        sentence = "The settings _limit and _page_size are for tests: each must be a whole number."
        raise Failure(StreakError(sentence, "config_error")) from error


def _wrong_setting(error: ValidationError, properties: Mapping[str, Any]) -> str:
    if error.validator == "required":
        missing = next(name for name in properties if error.message.startswith(f"'{name}'"))
        return f'The setting "{properties[missing]["title"]}" ({missing}) is missing.'
    name = str(error.path[0]) if error.path else ""
    setting = properties.get(name, {})
    is_secret = setting.get("airbyte_secret")
    message = error.message[:LONGEST_QUOTED]
    wrong = f"it must be of type {error.validator_value}" if is_secret else message
    return f'The setting "{setting.get("title", name)}" ({name}) cannot be used: {wrong}.'
