"""What the demo and the benchmark share: the sandbox's process, the connector's messages."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

SANDBOX = Path(__file__).parents[1] / "sandbox"
COMMAND = str(Path(sys.executable).with_name("source-streak"))
RECORD = b'{"type":"RECORD"'  # how the line of a record begins, to parse only the others
Message = dict[str, Any]


@dataclass
class Sandbox:
    """A running sandbox, and its controls."""

    url: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the connector reads this sandbox."""
        return {**os.environ, "STREAK_API_URL": self.url}

    def moods(self, **moods: Any) -> None:
        """Set some moods of streak_sandbox/moods.py."""
        self._control("moods", "POST", orjson.dumps(moods))

    def log(self) -> list[dict[str, Any]]:
        """Every request since it started, or since forget()."""
        return orjson.loads(self._control("log", "GET"))

    def forget(self) -> None:
        """Empty the log."""
        self._control("log", "DELETE")

    def change(self, call: str, *args: Any) -> Any:
        """Call a method of streak_sandbox/account.py."""
        return orjson.loads(
            self._control("account", "POST", orjson.dumps({"call": call, "args": args}))
        )

    def _control(self, what: str, method: str, body: bytes | None = None) -> bytes:
        address = self.url.replace("/api/", f"/_sandbox/{what}")
        with urllib.request.urlopen(urllib.request.Request(address, body, method=method)) as answer:  # noqa: S310 # our own, on loopback
            return answer.read()


@contextmanager
def sandbox(
    boxes: int = 150, pipelines: int | None = None, account: str | None = None
) -> Iterator[Sandbox]:
    """A sandbox on a free port, until the block ends.

    It has `boxes` boxes in `pipelines` pipelines (None: a few). `account="demo"` is the account of
    `make demo`, which has its own number of boxes.
    """
    command = [sys.executable, "-m", "streak_sandbox", "--port", "0", "--boxes", str(boxes)]
    command += ["--pipelines", str(pipelines)] if pipelines else []
    command += ["--account", account] if account else []
    with subprocess.Popen(command, cwd=SANDBOX, stdout=subprocess.PIPE, text=True) as process:
        try:
            words = process.stdout.readline().split()  # Streak sandbox: URL  key: KEY  boxes: N
            if len(words) < 5:
                sys.exit("The sandbox did not start.")
            yield Sandbox(words[2], words[4])
        finally:
            process.terminate()


def configured(catalog: Message) -> Message:
    """A configured catalog for a full refresh of every stream that discover found."""
    return {
        "streams": [
            {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
            for stream in catalog["catalog"]["streams"]
        ]
    }


def only(wanted: str, lines: list[bytes]) -> Message:
    """The one message of that type (SPEC, CATALOG, CONNECTION_STATUS) in a command's output."""
    return next(message for message in map(orjson.loads, lines) if message["type"] == wanted)


def stream_status(message: Message) -> tuple[str, str, float] | None:
    """A stream's name, status and the time in seconds since 1970; None for other messages.

    The status is STARTED, RUNNING, COMPLETE or INCOMPLETE.
    """
    trace = message.get("trace") or {}
    if trace.get("type") != "STREAM_STATUS":
        return None
    status = trace["stream_status"]
    return status["stream_descriptor"]["name"], status["status"], trace["emitted_at"] / 1000


def finished(status: str) -> bool:
    """Whether a stream with this status has ended."""
    return status in ("COMPLETE", "INCOMPLETE")


def failure(message: Message) -> str | None:
    """The connector's own sentence in a message that says that something failed."""
    error = (message.get("trace") or {}).get("error") or {}
    return error.get("message")
