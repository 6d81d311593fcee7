"""Runs the command in this process, with a clock that never waits."""

from __future__ import annotations

import importlib
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from airbyte_cdk.logger import AirbyteLogFormatter
from airbyte_cdk.utils import AirbyteTracedException
from quick import QuickClock

from source_streak import SourceStreak
from source_streak.api.clock import Clock
from source_streak.command import Entrypoint

PROCESS = importlib.import_module("source_streak.run")  # the package exports its function `run`


@dataclass
class Outcome:
    """The result of one command."""

    code: int
    out: str
    err: str = ""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All lines of stdout; asserts that each is a message of the protocol."""
        messages = [json.loads(line) for line in self.out.split("\n") if line]
        assert all("type" in message for message in messages)
        return messages

    def of_type(self, wanted: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == wanted]

    @property
    def logs(self) -> list[str]:
        return [message["log"]["message"] for message in self.of_type("LOG")]

    @property
    def warnings(self) -> list[str]:
        logs = [message["log"] for message in self.of_type("LOG")]
        return [log["message"] for log in logs if log["level"] == "WARN"]

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The error traces in order, each with its `emitted_at`."""
        traces = [message["trace"] for message in self.of_type("TRACE")]
        return [
            {**trace["error"], "emitted_at": trace["emitted_at"]}
            for trace in traces
            if trace["type"] == "ERROR"
        ]

    @property
    def said(self) -> str:
        """Logs, errors and the message of the connection status, as a user reads them."""
        statuses = [message["connectionStatus"] for message in self.of_type("CONNECTION_STATUS")]
        return "\n".join(
            [
                *self.logs,
                *(error["message"] for error in self.errors),
                *(status.get("message", "") for status in statuses),
            ]
        )

    @property
    def statuses(self) -> dict[str, str]:
        """The last status of each stream."""
        traces = [message["trace"] for message in self.of_type("TRACE")]
        found = [trace["stream_status"] for trace in traces if trace["type"] == "STREAM_STATUS"]
        return {status["stream_descriptor"]["name"]: status["status"] for status in found}

    def count(self, stream: str) -> int:
        return sum(message["record"]["stream"] == stream for message in self.of_type("RECORD"))

    def verdict(self) -> tuple[str, str]:
        """Status and message of a check that was possible; asserts that it printed no error."""
        (message,) = self.of_type("CONNECTION_STATUS")
        assert (self.code, self.err) == (0, "")
        assert not self.errors
        self.assert_no_traceback()
        status = message["connectionStatus"]
        return status["status"], status.get("message") or ""

    def outage(self) -> str:
        """The message of a check that was impossible; asserts one transient error and no status."""
        assert not self.of_type("CONNECTION_STATUS")
        (error,) = self.errors
        assert (self.code, self.err) == (1, "")
        assert error["failure_type"] == "transient_error"
        assert not error.get("stack_trace")
        self.assert_no_traceback()
        return str(error["message"])

    def assert_no_traceback(self) -> None:
        assert "Traceback" not in self.err
        for log in (message["log"] for message in self.of_type("LOG")):
            assert "Traceback" not in log["message"]
            assert not log.get("stack_trace")


def here(*arguments: str, clock: Clock | None = None) -> Outcome:
    """Run the command to its end in this process, as run.py does."""
    source = SourceStreak(clock or QuickClock())
    with _printed() as lines:
        entrypoint = Entrypoint(source)
        try:
            lines.extend(entrypoint.run(entrypoint.parse_args(list(arguments))))
            code = 0
        except AirbyteTracedException as failure:
            closing = StringIO()
            with redirect_stdout(closing):
                sys.excepthook(type(failure), failure, failure.__traceback__)
            lines.extend(filter(None, closing.getvalue().split("\n")))
            code = 1
    return Outcome(code, "\n".join(lines))


def check(folder: Path, clock: Clock | None = None, **settings: Any) -> Outcome:
    """Run `check` with these settings."""
    path = folder / "config.json"
    path.write_text(json.dumps(settings))
    return here("check", "--config", str(path), clock=clock)


@contextmanager
def _printed() -> Iterator[list[str]]:
    """Collects the log lines as the command prints them."""
    lines: list[str] = []
    handler = logging.StreamHandler(_Lines(lines))
    handler.setFormatter(AirbyteLogFormatter())
    handler.addFilter(PROCESS._presentable)
    logging.getLogger().handlers.insert(0, handler)  # as the first handler, as in the command
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(handler)


class _Lines(StringIO):
    """A text stream that appends its lines to a list."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.extend(filter(None, text.split("\n")))
        return len(text)
