"""What a person reads while a long stream is under way."""

from __future__ import annotations

import pytest

from source_streak.progress import Progress


class Watch:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def progress(watch: Watch, said: list[str]) -> Progress:
    return Progress(said.append, watch)


def test_a_short_stream_says_nothing(progress: Progress, watch: Watch, said: list[str]) -> None:
    for _ in range(29):
        watch.now += 1
        progress.tick()

    assert said == []


def test_a_long_stream_speaks_every_half_minute_however_often_it_could(
    progress: Progress, watch: Watch, said: list[str]
) -> None:
    for _ in range(1200):
        watch.now += 0.1
        progress.tick()

    assert len(said) in (3, 4)


def test_a_line_says_how_many_of_how_many_and_about_how_long_still(
    progress: Progress, watch: Watch, said: list[str]
) -> None:
    progress.begin("boxes", 4000)
    watch.now += 60
    progress.done, progress.records = 1000, 12345
    progress.tick()

    assert said == ["1,000 of 4,000 boxes read, 12,345 records so far. About 3 minutes still."]


def test_before_anything_is_done_no_time_is_guessed(
    progress: Progress, watch: Watch, said: list[str]
) -> None:
    progress.begin("boxes", 4000)
    watch.now += 30
    progress.tick()

    assert said == ["0 of 4,000 boxes read, 0 records so far."]


def test_waiting_is_said_in_words(progress: Progress, watch: Watch, said: list[str]) -> None:
    watch.now += 30
    progress.tick("Listing boxes, 1,500 so far")

    assert said == ["Listing boxes, 1,500 so far; 0 records so far."]


def test_the_time_spent_waiting_before_the_boxes_does_not_make_the_guess_longer(
    progress: Progress, watch: Watch, said: list[str]
) -> None:
    watch.now += 3600
    progress.begin("boxes", 100)
    watch.now += 30
    progress.done = 50
    progress.tick()

    assert said[-1].endswith("About 30 seconds still.")


def test_a_stream_of_unknown_length_counts_its_records(
    progress: Progress, watch: Watch, said: list[str]
) -> None:
    progress.records = 2000
    watch.now += 31
    progress.tick()

    assert said == ["2,000 records so far."]


@pytest.mark.parametrize("done", [100, 101])
def test_the_end_is_never_a_negative_time_away(
    progress: Progress, watch: Watch, said: list[str], done: int
) -> None:
    progress.begin("boxes", 100)
    watch.now += 30
    progress.done = done
    progress.tick()

    assert "-" not in said[0]
