"""The command in a process of its own, without the second that it takes to import.

One process has imported everything, and is copied (os.fork) for each command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from commands import Outcome

ROOT = Path(__file__).parents[1]
ORIGINAL = """
import json, os, sys
import source_streak.command, quick

for line in sys.stdin:
    job = json.loads(line)
    process = os.fork()
    if not process:
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        for number, path in enumerate(job["outputs"], 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        quick.main(job["arguments"])
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Copies:
    """As a context: the process that is copied. Its commands have a clock that never waits."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the commands are typed, and what they print is put."""
        self._folder = folder

    def __enter__(self) -> Copies:
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
        self._original = subprocess.Popen(
            [sys.executable, "-c", ORIGINAL],
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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

    def type(self, *arguments: str, environment: Mapping[str, str]) -> Outcome:
        """One command to its end. `environment`: the whole of it."""
        outputs = [str(self._folder / name) for name in ("stdout.txt", "stderr.txt")]
        job = {"folder": str(self._folder), "environment": dict(environment)}
        job |= {"outputs": outputs, "arguments": arguments}
        assert self._original.stdin
        assert self._original.stdout
        print(json.dumps(job), file=self._original.stdin, flush=True)
        code = int(self._original.stdout.readline())
        out, err = (Path(path).read_text() for path in outputs)
        return Outcome(code, out, err)
