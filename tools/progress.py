"""What a person sees while a tool works: a live line in a terminal, plain lines elsewhere.

    with Progress("Reading the account") as progress:
        progress.update(stream="box_comments", rows=1200, requests=400, done=400, total=3000)
        progress.add(rows=1)                 # cheap: may be called for each row
        progress.follow(message)             # or: takes all that an Airbyte message tells
        progress.say("A line that stays.")   # print() would write into the live line

prints `⠋ box_comments · 1,201 rows · 400 requests · 13% · 12 s, about 78 s to go`. It goes to
stderr, so that a table on stdout can be pasted or piped. Everything is optional: what is unknown
is left out.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

try:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
except ImportError:  # an environment without the tools' libraries: plain lines
    Console = None  # type: ignore[misc,assignment]

EVERY = 30.0  # seconds between plain lines
FRAMES = 8  # a second, of the live line
OF = re.compile(
    r"([\d,]+) of ([\d,]+) "
)  # the connector's own log: "1,200 of 3,000 boxes read, … so far."
SOON = 3.0  # seconds before a first estimate


class Progress:
    """One line about the work under way. All methods may be called from any thread."""

    def __init__(
        self,
        title: str,
        *,
        total: float | None = None,
        out: TextIO | None = None,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title, self._out = title, out or sys.stderr
        self._every, self._clock = every, clock
        self._facts: dict[str, Any] = {"total": total}
        self._began = self._last = clock()
        self._stage_began = self._began
        self._live: Any = None

    def __enter__(self) -> Progress:
        """Starts the live line, in a terminal that can show one."""
        self._began = self._last = self._stage_began = self._clock()
        if Console and self._out.isatty() and os.environ.get("TERM") != "dumb":
            console = Console(file=self._out, highlight=False)
            spinner = Spinner("dots")

            def line() -> Spinner:
                spinner.update(text=self.line())
                return spinner

            self._live = Live(
                get_renderable=line,
                console=console,
                transient=True,
                refresh_per_second=FRAMES,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes the live line away; the tool's own output follows."""
        if self._live:
            self._live.stop()
            self._live = None

    def update(self, **facts: Any) -> None:
        """Sets what is known now.

        stream: what is read or done; a new one restarts the estimate. rows, requests: so far.
        done, total: of the things that decide how long it takes. left: seconds to go, if known
        better. Any other name with a number is shown as it is, such as rounds=12. None takes a
        fact away.
        """
        if "stream" in facts and facts["stream"] != self._facts.get("stream"):
            self._stage_began = self._clock()
        self._facts.update(facts)
        self._tick()

    def add(self, **facts: float) -> None:
        """Adds to counts: add(rows=1)."""
        for name, more in facts.items():
            self._facts[name] = (self._facts.get(name) or 0) + more
        self._tick()

    def follow(self, message: dict[str, Any]) -> None:
        """Takes what an Airbyte message tells: stream, one more row, how many boxes are read."""
        if message["type"] == "RECORD":
            self.add(rows=1)
        elif status := (message.get("trace") or {}).get("stream_status"):
            if status["status"] == "STARTED":
                self.update(stream=status["stream_descriptor"]["name"], done=None, total=None)
        elif found := OF.search((message.get("log") or {}).get("message", "")):
            done, total = (int(number.replace(",", "")) for number in found.groups())
            self.update(done=done, total=total)

    def say(self, line: str, out: TextIO | None = None) -> None:
        """A line that stays. `out`: sys.stdout for what is to be pasted or piped."""
        if self._live:
            self._live.stop()
        print(line, file=out or self._out, flush=True)
        if self._live:
            self._live.start()

    def line(self) -> str:
        """What is shown now."""
        facts = {name: value for name, value in self._facts.items() if value is not None}
        done, total = facts.pop("done", None), facts.pop("total", None)
        left = facts.pop("left", None)
        stream = facts.pop("stream", self._title)
        parts = [str(stream), *(counted(name, value) for name, value in facts.items())]
        now = self._clock()
        if done is not None and total:
            parts.append(f"{min(1, done / total):.0%}")
            passed = now - (self._stage_began if "stream" in self._facts else self._began)
            if left is None and done and passed >= SOON:
                left = passed / done * (total - done)
        time_left = f", about {duration(left)} to go" if left is not None else ""
        return " · ".join([*parts, f"{duration(now - self._began)}{time_left}"])

    def _tick(self) -> None:
        if self._live:
            return  # it draws itself
        now = self._clock()
        if now - self._last >= self._every:
            self._last = now
            print(self.line(), file=self._out, flush=True)


def duration(seconds: float) -> str:
    """A duration in short words: 78 s, 12 min, 3.5 h."""
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def counted(name: str, value: Any) -> str:
    """A count with its noun: 1,234 rows, 1 row. What is not a number stands alone."""
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,} {name.removesuffix('s') if value == 1 else name}"
