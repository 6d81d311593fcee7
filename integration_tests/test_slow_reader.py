"""A destination that reads nothing for minutes: the pipe is full, and the connector waits.

Meanwhile its memory does not grow, and no request fails because of the time that passed. Afterwards
it continues, even if connections were closed and cursors have expired.
"""

from __future__ import annotations

import array
import fcntl
import signal
import subprocess
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import replay
from replay import Message, Run
from replay.command import Command, Copies, configured
from streak_sandbox import Sandbox

MINUTES = 600.0  # seconds of the connector's clock
STEADY = 3  # checks, a tenth of a second apart, without a change
FAR = 60.0  # seconds after which the test fails
MORE = 8 * 1024  # KB of memory for the requests under way
UNDER_WAY = 100  # most requests that go out while nobody reads: one window
READ_AT = ("readAt", "read_at")
FROM_BOXES = ("boxes", "box_field_values", "box_comments")


@dataclass
class Blocked:
    """A read whose output nobody reads."""

    streak: Sandbox
    process: subprocess.Popen[bytes]
    catalog: Message
    written: list[bytes] = field(default_factory=list)

    def take_until(self, wanted: Callable[[bytes], bool]) -> None:
        """Read lines up to the first that is wanted."""
        output = self.process.stdout
        assert output is not None
        while not self.written or not wanted(self.written[-1]):
            line = output.readline()
            assert line, "it ended before"
            self.written.append(line)

    def wait(self) -> None:
        """Wait until no more bytes enter the pipe and no more requests arrive."""
        seen, steady, until = (-1, -1), 0, time.monotonic() + FAR
        while steady < STEADY:
            assert time.monotonic() < until, "it never came to rest"
            threading.Event().wait(0.1)
            now = (self.in_pipe(), len(self.streak.log))
            steady = steady + 1 if now == seen and now[0] else 0
            seen = now

    def in_pipe(self) -> int:
        """The number of bytes that were written but not read."""
        assert self.process.stdout is not None
        size = array.array("i", [0])
        fcntl.ioctl(self.process.stdout, termios.FIONREAD, size)
        return size[0]

    def memory(self) -> int:
        """The memory of the process in KB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def let_time_go_by(self) -> None:
        """Move the connector's clock by ten minutes at once."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{MINUTES}\n".encode())
        self.process.stdin.flush()
        self.wait()

    def finish(self) -> Run:
        """Read the rest of the output."""
        output = self.process.stdout
        assert output is not None
        self.written += output.readlines()
        code = self.process.wait(FAR)
        return Run("read", b"".join(self.written), code=code, catalog=self.catalog)


@pytest.fixture
def streak() -> Iterator[Sandbox]:
    with Sandbox(boxes=500) as sandbox:
        team = next(iter(sandbox.account.teams))
        for number in range(500):
            sandbox.account.add_contact(team, givenName=f"Contact {number}", title="x" * 300)
        yield sandbox


@pytest.fixture(scope="module")
def copies() -> Iterator[Copies]:
    with Copies() as running:
        yield running


@pytest.fixture
def command(streak: Sandbox, tmp_path: Path, copies: Copies) -> Command:
    config = {"api_key": streak.key, "requests_per_second": 20}
    return Command(tmp_path, streak.url, config, copies=copies)


@contextmanager
def reading(streak: Sandbox, command: Command, *names: str) -> Iterator[Blocked]:
    """Start a read of these streams. No output is read yet."""
    catalog = configured(command.discover(), *names)
    catalog["streams"].sort(key=lambda one: names.index(one["stream"]["name"]))
    arguments = command.arguments("read", catalog)
    with command.start(arguments, stdin=subprocess.PIPE) as process:
        try:
            yield Blocked(streak, process, catalog)
        finally:
            process.kill()


def of_stream(kind: str, name: str) -> Callable[[bytes], bool]:
    """A function of a line: whether it is a message of that type about that stream."""
    return lambda line: (
        line.startswith(f'{{"type":"{kind}"'.encode()) and f'"{name}"'.encode() in line
    )


def assert_whole(run: Run, command: Command) -> None:
    """Assert that the run delivered what an undisturbed one delivers, and broke no rule."""
    undisturbed = replay.rows_of([command.read(run.catalog)])

    assert run.code == 0
    assert [str(broken) for broken in replay.report(run)] == []
    assert replay.k1_nothing_is_lost_by_a_kill([run], undisturbed, READ_AT) == []


def test_boxes_and_their_comments_wait_for_a_slow_reader(streak: Sandbox, command: Command) -> None:
    slow = replace(command, config={**command.config, "requests_per_second": 1})
    with reading(streak, slow, *FROM_BOXES) as blocked:  # responses of a minute, then their rows
        blocked.take_until(of_stream("RECORD", "box_comments"))
        blocked.wait()
        requests, memory = len(streak.log), blocked.memory()
        blocked.let_time_go_by()

        assert len(streak.log) - requests <= UNDER_WAY
        assert blocked.memory() - memory < MORE
        streak.fault("*", "reset", times=10)  # as if the unused connections had been closed
        run = blocked.finish()
        assert len(streak.log) - requests > UNDER_WAY, "everything had been asked for before"

    assert_whole(run, command)


def test_a_reader_that_stops_again_and_again_costs_no_memory(
    streak: Sandbox, command: Command
) -> None:
    """Each time in another stream. In between it reads many times what the pipe holds."""
    found = []
    with reading(streak, command, "boxes", "box_field_values", "box_stage_history") as blocked:
        for stream in ("boxes", "box_field_values", "box_stage_history"):
            blocked.take_until(of_stream("RECORD", stream))
            blocked.wait()
            blocked.let_time_go_by()
            found.append(blocked.memory())
        run = blocked.finish()

    assert max(found) - found[0] < MORE, found
    assert_whole(run, command)


def test_cursors_of_pages_survive_a_slow_reader(streak: Sandbox, command: Command) -> None:
    """Each page of contacts has the cursor of the next one. An expired cursor is refused."""
    streak.moods.v2_limit_cap = 50
    with reading(streak, command, "contacts") as blocked:
        blocked.take_until(of_stream("RECORD", "contacts"))
        blocked.wait()
        streak.moods.forget_page_cursor = True
        blocked.let_time_go_by()
        run = blocked.finish()

    streak.moods.forget_page_cursor = False
    keys = Counter(record.data["key"] for record in run.records)
    assert max(keys.values()) == 1
    assert_whole(run, command)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_read_stopped_while_nobody_reads_writes_each_record_once(
    streak: Sandbox, command: Command, sent: signal.Signals
) -> None:
    with reading(streak, command, "boxes", "box_field_values") as blocked:
        blocked.take_until(of_stream("RECORD", "boxes"))
        blocked.wait()
        blocked.process.send_signal(sent)
        run = blocked.finish()

    times = Counter(line.raw for line in run.lines if line.raw.startswith(b'{"type":"RECORD"'))
    assert run.code == -sent
    assert [line for line in run.lines[:-1] if line.fault] == []  # only the last may be cut
    assert [raw[:100] for raw, often in times.items() if often > 1] == []
