"""The command, run as the platform runs it, and its complete output kept.

It hardly waits: launch.py.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from replay.output import Message, Run

CONSOLE = (str(Path(sys.executable).with_name("source-streak")),)
TOOLS = Path(__file__).parents[1]
QUICK = (sys.executable, "-m", "replay.launch")
LONGEST = 120.0  # seconds, after which a run is stuck


@dataclass
class Command:
    """The command with one configuration, its files in one folder."""

    folder: Path
    url: str
    config: Mapping[str, Any]
    launch: Sequence[str] = QUICK
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)  # of subprocess.Popen
    secrets: Sequence[str] = ()
    copies: Copies | None = None  # what runs commands that nothing needs to be done to meanwhile

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.secrets = self.secrets or forms_of(str(self.config.get("api_key", "")).strip())

    def spec(self) -> Run:
        """spec."""
        return self.run("spec")

    def check(self, unreachable: bool = False) -> Run:
        """check."""
        return self.run("check", unreachable=unreachable)

    def discover(self, unreachable: bool = False) -> Run:
        """discover."""
        return self.run("discover", unreachable=unreachable)

    def read(
        self,
        catalog: Message,
        state: Sequence[Message] = (),
        kill_after: int | None = None,
        unreachable: bool = False,
    ) -> Run:
        """read; ended by SIGKILL when so many lines are written, of which alone is told then."""
        return self.run("read", catalog, state, kill_after, unreachable)

    def run(
        self,
        command: str,
        catalog: Message | None = None,
        state: Sequence[Message] = (),
        kill_after: int | None = None,
        unreachable: bool = False,
    ) -> Run:
        """Any of them."""
        arguments = self.arguments(command, catalog, state)
        began = time.monotonic()
        stdout, stderr, code = self._finish(arguments, kill_after)
        return Run(
            command,
            stdout,
            stderr,
            code,
            config=self.config,
            catalog=catalog or {"streams": []},
            state=state,
            secrets=self.secrets,
            seconds=time.monotonic() - began,
            unreachable=unreachable,
        )

    def arguments(
        self, command: str, catalog: Message | None = None, state: Sequence[Message] = ()
    ) -> list[str]:
        """What is typed. No state, no --state, as the platform does it."""
        found = [command]
        if command != "spec":
            found += ["--config", self.file("config.json", dict(self.config))]
        if catalog is not None:
            found += ["--catalog", self.file("catalog.json", catalog)]
        if state:
            found += ["--state", self.file("state.json", list(state))]
        return [*self.launch, *found]

    def file(self, name: str, content: Any) -> str:
        """A file of JSON; its path."""
        path = self.folder / name
        path.write_bytes(orjson.dumps(content))
        return str(path)

    def executable(self) -> Path:
        """A file that starts the same, for clients that want one."""
        path = self.folder / "source-streak"
        start = f"import sys; sys.path.insert(0, {str(TOOLS)!r}); from replay.launch import main"
        path.write_text(f"#!{sys.executable}\n{start}; main(sys.argv[1:])\n")
        path.chmod(0o755)
        return path

    def start(self, arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """A process whose stdout is a pipe."""
        wanted = {"cwd": self.folder, "stdin": subprocess.DEVNULL, **self.options, **options}
        return subprocess.Popen(arguments, env=self._place(), stdout=subprocess.PIPE, **wanted)

    def _place(self) -> dict[str, str]:
        ours = {"STREAK_API_URL": self.url, "PYTHONPATH": str(TOOLS)}
        return {**os.environ, **ours, **self.environment}

    def _finish(self, arguments: Sequence[str], kill_after: int | None) -> tuple[bytes, bytes, int]:
        if self.copies and self.launch == QUICK and not self.options and kill_after is None:
            typed = arguments[len(self.launch) :]
            return self.copies.run(typed, self._place(), self.folder)
        said: list[bytes] = []
        with self.start(arguments, stderr=subprocess.PIPE) as process:
            output, errors = process.stdout, process.stderr
            assert output is not None
            assert errors is not None
            listening = threading.Thread(target=lambda: said.append(errors.read()))
            listening.start()
            stuck = threading.Timer(LONGEST, process.kill)
            stuck.start()
            if kill_after is None:
                written = output.read()
            else:
                written = b"".join(line for _, line in zip(range(kill_after), output, strict=False))
                process.kill()
            code = process.wait()
            stuck.cancel()
            listening.join()
        return written, b"".join(said), code


class Copies:
    """As a context: a process that has imported everything, and is copied for each command."""

    def __enter__(self) -> Copies:
        self._running = threading.Lock()
        self._original = subprocess.Popen(
            [*QUICK, "copies"],
            env={**os.environ, "PYTHONPATH": str(TOOLS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._original.kill()
        self._original.communicate()

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> tuple[bytes, bytes, int]:
        """One command to its end: stdout, stderr, exit status."""
        outputs = [folder / "stdout.txt", folder / "stderr.txt"]
        job = {"arguments": list(arguments), "environment": environment, "folder": str(folder)}
        job |= {"outputs": list(map(str, outputs))}
        asked, told = self._original.stdin, self._original.stdout
        assert asked is not None
        assert told is not None
        with self._running:
            print(orjson.dumps(job).decode(), file=asked, flush=True)
            code = int(told.readline())
        return outputs[0].read_bytes(), outputs[1].read_bytes(), code


def forms_of(key: str) -> tuple[str, ...]:
    """A key, and every form in which a header or an address carries it."""
    if not key:
        return ()
    plain = base64.b64encode(key.encode()).decode().rstrip("=")
    basic = base64.b64encode(f"{key}:".encode()).decode().rstrip("=")
    return tuple(dict.fromkeys([key, plain, basic, quote(key, safe="")]))


def configured(found: Run, *names: str, incremental: bool = True) -> Message:
    """What discover found, or these streams of it, as the form configures them at first.

    Incremental with Append + Deduped where a stream can, else Full refresh with Overwrite.
    """
    catalog = next(catalog for _, catalog in found.bodies("CATALOG", "catalog"))
    return {
        "streams": [
            as_preselected(stream, incremental)
            for stream in catalog["streams"]
            if not names or stream["name"] in names
        ]
    }


def as_preselected(stream: Message, incremental: bool = True) -> Message:
    """One configured stream with all that the platform puts beside it."""
    key = stream.get("source_defined_primary_key") or []
    common = {"stream": stream, "primary_key": key, "generation_id": 1, "sync_id": 1}
    if incremental and "incremental" in stream["supported_sync_modes"]:
        return common | {
            "sync_mode": "incremental",
            "destination_sync_mode": "append_dedup",
            "cursor_field": stream["default_cursor_field"],
            "minimum_generation_id": 0,
        }
    return common | {
        "sync_mode": "full_refresh",
        "destination_sync_mode": "overwrite",
        "cursor_field": [],
        "minimum_generation_id": 1,
    }
