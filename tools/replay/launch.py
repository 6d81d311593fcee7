"""The command `source-streak` with a clock that hardly waits: `python -m replay.launch read …`.

Each thread has a time of its own, which goes on when it sleeps. The main thread, which writes
states and says what is waited for, sees the furthest of them, and looks often. Pace and patience
are what they are in earnest, and an outage of minutes takes a second.

Whoever runs it may write numbers to its stdin, one a line: so many seconds go by at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, NoReturn

from source_streak import SourceStreak, command
from source_streak.api.clock import Clock
from source_streak.run import run

LONG = 1.5  # seconds; a wait that the main thread may have something to say of
MOMENT = 0.05  # real seconds that such a wait takes, so that it has the time to
LOOK = 0.01  # real seconds at most for which the main thread does not look


class ReplayClock(Clock):
    """See above. `ahead`: seconds that went by for all threads."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._slept: dict[int, float] = {}  # by thread

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead + self._mine()

    def sleep(self, seconds: float) -> None:
        until = self._mine() + max(0.0, seconds)
        if until - self._furthest() >= LONG:  # else it only catches up with the others
            time.sleep(MOMENT)
        self._slept[threading.get_ident()] = until

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + round((self.ahead + self._mine()) * 1000)

    def wait(self, work: Future[Any], seconds: float) -> bool:
        return bool(wait([work], min(seconds, LOOK)).done)

    def _mine(self) -> float:
        if threading.current_thread() is threading.main_thread():
            return self._furthest()
        return self._slept.get(threading.get_ident(), 0.0)

    def _furthest(self) -> float:
        return max(self._slept.copy().values(), default=0.0)

    def listen(self) -> None:
        """Let as many seconds go by as stdin says."""
        for line in sys.stdin:
            self.ahead += float(line)


def main(arguments: list[str]) -> NoReturn:
    """One command."""
    clock = ReplayClock()
    command.SourceStreak = partial(SourceStreak, clock)  # type: ignore[assignment, misc]
    threading.Thread(target=clock.listen, daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has none
    run(arguments)


def copies() -> None:
    """Commands in copies of this process (os.fork): they need not import anything again.

    stdin has a job in each line: arguments, environment, folder, outputs (the files for stdout and
    stderr). stdout says the status of each when it has ended.
    """
    for line in sys.stdin:
        job = json.loads(line)
        process = os.fork()
        if not process:
            os.chdir(job["folder"])
            os.environ.clear()
            os.environ.update(job["environment"])
            nothing = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nothing, 0)
            for number, path in enumerate(job["outputs"], 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            sys.stdin = os.fdopen(nothing)
            main(job["arguments"])
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    copies() if sys.argv[1:] == ["copies"] else main(sys.argv[1:])
