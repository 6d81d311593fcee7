"""Runs the command in a separate process, without the second that its imports take.

One process imports everything and is forked (os.fork) for each command.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from commands import Outcome

ROOT = Path(__file__).parents[1]
FAR = 60.0  # seconds to wait for a command that should end
ORIGINAL = """
import json, os, signal, sys, tempfile
import source_streak.command, quick
from source_streak.run import run

for line in sys.stdin:
    job = json.loads(line)
    if "wait" in job:
        print(os.waitstatus_to_exitcode(os.waitpid(job["wait"], 0)[1]), flush=True)
        continue
    process = os.fork()
    if process:
        print(process, flush=True)
        continue
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    tempfile.tempdir = None
    for number, path in enumerate(job["outputs"], 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    (run if job["waits"] else quick.main)(job["arguments"])
"""


class Running:
    """A running copy, with the interface of subprocess.Popen."""

    def __init__(self, original: Copies, pid: int, pipes: list[Path]) -> None:
        self.pid, self.returncode = pid, None
        self._original = original
        self.stdout, self.stderr = (path.open("rb") for path in pipes)

    returncode: int | None

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = FAR) -> int:
        if self.returncode is None:
            self.returncode = self._original.wait(self.pid, timeout)
        return self.returncode

    def communicate(self, timeout: float = FAR) -> tuple[bytes, bytes]:
        """Wait for its end; returns the rest of its stdout and stderr."""
        read: dict[int, bytes] = {}
        pipes = (self.stdout, self.stderr)
        threads = [
            threading.Thread(target=lambda at=at, pipe=pipe: read.update({at: pipe.read()}))
            for at, pipe in enumerate(pipes)
        ]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join()
        return read[0], read[1]


class Copies:
    """A context manager for the process that is forked for each command."""

    def __init__(self, folder: Path) -> None:
        """`folder`: for the files that hold the commands' output."""
        self._folder = folder
        self._numbers = itertools.count()

    def __enter__(self) -> Copies:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
        self._original = subprocess.Popen(
            [sys.executable, "-c", ORIGINAL],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,  # a pipe, so not seekable, like the stderr of a copy
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        with self._original as process:
            if kind:
                process.kill()

    def type(
        self, *arguments: str, environment: Mapping[str, str], folder: Path | None = None
    ) -> Outcome:
        """Run one command to its end, with a clock that never waits."""
        outputs = self._outputs()
        pid = self._start(arguments, environment, folder, outputs, waits=False)
        code = self.wait(pid, FAR)
        out, err = (path.read_bytes().decode() for path in outputs)
        return Outcome(code, out, err)

    @contextmanager
    def running(
        self,
        *arguments: str,
        environment: Mapping[str, str],
        folder: Path | None = None,
        waits: bool = True,
    ) -> Iterator[Running]:
        """One running command; it is killed at the end of the block if it still runs.

        `waits`: use the real clock.
        """
        outputs = self._outputs()
        for path in outputs:
            os.mkfifo(path)
        pid = self._start(arguments, environment, folder, outputs, waits)
        process = Running(self, pid, outputs)
        try:
            yield process
        finally:
            process.kill()
            process.stdout.close()
            process.stderr.close()
            process.wait()

    def wait(self, pid: int, timeout: float) -> int:
        """Wait for a copy's end; returns its exit status as subprocess does."""
        self._send({"wait": pid})
        return self._answer(timeout)

    def _outputs(self) -> list[Path]:
        number = next(self._numbers)
        return [self._folder / f"{name}.{number}" for name in ("stdout", "stderr")]

    def _start(
        self,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        folder: Path | None,
        outputs: list[Path],
        waits: bool,
    ) -> int:
        job = {"folder": str(folder or self._folder), "environment": dict(environment)}
        printed = {"outputs": list(map(str, outputs)), "arguments": arguments, "waits": waits}
        self._send({**job, **printed})
        return self._answer(FAR)

    def _send(self, job: Mapping[str, object]) -> None:
        assert self._original.stdin
        self._original.stdin.write(json.dumps(job).encode() + b"\n")
        self._original.stdin.flush()

    def _answer(self, timeout: float) -> int:
        assert self._original.stdout
        ready, _, _ = select.select([self._original.stdout], [], [], timeout)
        assert ready, f"it did not end within {timeout} seconds"
        return int(self._original.stdout.readline())
