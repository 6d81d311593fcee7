"""The progress line of the tools: live in a terminal, every 30 seconds elsewhere."""

from __future__ import annotations

import io
import os
import pty
import select

import progress as module
import pytest
from progress import Progress, duration


class Watch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


def test_without_a_terminal_a_plain_line_comes_every_30_seconds(
    watch: Watch, out: io.StringIO
) -> None:
    with Progress("Reading", out=out, clock=watch) as progress:
        progress.update(stream="boxes")
        watch.now += 29
        progress.add(rows=1200)
        assert out.getvalue() == ""
        watch.now += 1
        progress.add(rows=34)
        watch.now += 1
        progress.add(rows=1)

    assert out.getvalue() == "boxes · 1,234 rows · 30 s\n"


def test_the_line_estimates_the_remaining_time(watch: Watch, out: io.StringIO) -> None:
    progress = Progress("Chaos", total=200, out=out, clock=watch)
    watch.now += 60
    progress.update(rounds=20, done=20)

    assert progress.line() == "Chaos · 20 rounds · 10% · 60 s, about 9 min to go"


def test_a_new_stream_begins_a_new_estimate(watch: Watch, out: io.StringIO) -> None:
    progress = Progress("Reading", out=out, clock=watch)
    watch.now += 1000
    progress.update(stream="box_files", done=0, total=100)
    watch.now += 10
    progress.update(done=50)

    assert progress.line() == "box_files · 50% · 17 min, about 10 s to go"


def test_the_line_follows_the_connectors_messages(watch: Watch, out: io.StringIO) -> None:
    progress = Progress("Reading", out=out, clock=watch)
    status = {"stream_descriptor": {"name": "box_comments"}, "status": "STARTED"}
    progress.follow({"type": "TRACE", "trace": {"type": "STREAM_STATUS", "stream_status": status}})
    progress.follow({"type": "RECORD", "record": {"stream": "box_comments", "data": {}}})
    watch.now += 10
    sentence = "1,000 of 3,000 boxes read, 2,345 records so far. About 20 seconds to go."
    progress.follow({"type": "LOG", "log": {"level": "INFO", "message": sentence}})

    assert progress.line() == "box_comments · 1 row · 33% · 10 s, about 20 s to go"


def test_say_prints_a_text_as_it_is_without_markup(out: io.StringIO) -> None:
    with Progress("Reading", out=out) as progress:
        progress.say("[bold] is no markup")

    assert out.getvalue() == "[bold] is no markup\n"


def everything(terminal: int) -> str:
    """All that was written to the terminal so far."""
    read = b""
    while select.select([terminal], [], [], 0.2)[0]:
        read += os.read(terminal, 65536)
    return read.decode()


def test_a_terminal_shows_one_live_line_that_is_erased_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        with Progress("Reading", out=terminal) as progress:
            progress.update(stream="boxes", rows=1234)
            progress.say("This stays.")
            progress._live.refresh()
        shown = everything(master)
    os.close(master)

    assert "boxes · 1,234 rows" in shown
    assert "This stays." in shown
    assert shown.rstrip().endswith("\x1b[2K"), "the last thing that it does is to erase its line"


def test_progress_works_without_rich(monkeypatch: pytest.MonkeyPatch, out: io.StringIO) -> None:
    monkeypatch.setattr(module, "Console", None)
    with Progress("Reading", out=out, every=0) as progress:
        progress.update(rows=1)

    assert out.getvalue() == "Reading · 1 row · 0 s\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (-1, "0 s"), (119, "119 s"), (150, "2 min"), (9000, "2.5 h")],
)
def test_durations_are_short(seconds: float, words: str) -> None:
    assert duration(seconds) == words
