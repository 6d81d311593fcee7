"""What people and the platform hear while a long stream is under way."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from source_streak.reading.heartbeat import Heartbeat, Item, Limited, Signal


class Watch:
    """A clock that a test winds."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> int:
        return 1_795_284_000_000


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def client() -> Any:
    return SimpleNamespace(rate_limited_until=None)


@pytest.fixture
def heart(watch: Watch, said: list[str], client: Any) -> Heartbeat:
    class Log(logging.Logger):
        def info(self, msg: object, *_: object, **__: Any) -> None:
            said.append(str(msg))

    return Heartbeat(SimpleNamespace(clock=watch, client=client), Log("heart"))  # type: ignore[arg-type]


def beat(heart: Heartbeat, waiting_for: str = "") -> list[Item]:
    return list(heart.beat(waiting_for))


def test_a_short_stream_says_nothing(heart: Heartbeat, watch: Watch, said: list[str]) -> None:
    for _ in range(29):
        watch.seconds += 1
        beat(heart)

    assert said == []


def test_a_long_stream_speaks_every_half_minute_however_often_it_could(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    for _ in range(1200):
        watch.seconds += 0.1
        beat(heart)

    assert len(said) in (3, 4)


def test_a_line_says_how_many_of_how_many_and_about_how_long_still(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    heart.begin("boxes", 4000)
    watch.seconds += 60
    heart.done, heart.records = 1000, 12345
    beat(heart)

    assert said == ["1,000 of 4,000 boxes read, 12,345 records so far. About 3 minutes to go."]


def test_before_anything_is_done_no_time_is_guessed(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    heart.begin("boxes", 4000)
    watch.seconds += 30
    beat(heart)

    assert said == ["0 of 4,000 boxes read, 0 records so far."]


def test_waiting_is_said_in_words(heart: Heartbeat, watch: Watch, said: list[str]) -> None:
    watch.seconds += 30
    beat(heart, "Listing boxes, 1,500 so far")

    assert said == ["Listing boxes, 1,500 so far; 0 records so far."]


def test_the_time_spent_waiting_before_the_boxes_does_not_make_the_guess_longer(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    watch.seconds += 3600
    heart.begin("boxes", 100)
    watch.seconds += 30
    heart.done = 50
    beat(heart)

    assert said[-1].endswith("About 30 seconds to go.")


def test_a_stream_of_unknown_length_counts_its_records(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    heart.records = 2000
    watch.seconds += 31
    beat(heart)

    assert said == ["2,000 records so far."]


@pytest.mark.parametrize("done", [100, 101])
def test_the_end_is_never_a_negative_time_away(
    heart: Heartbeat, watch: Watch, said: list[str], done: int
) -> None:
    heart.begin("boxes", 100)
    watch.seconds += 30
    heart.done = done
    beat(heart)

    assert "-" not in said[0]


def test_a_wait_that_streak_asks_for_is_said_once_and_so_is_its_end(
    heart: Heartbeat, watch: Watch, client: Any
) -> None:
    client.rate_limited_until = 1_795_284_003_000
    first, second = beat(heart), beat(heart)
    client.rate_limited_until = None
    third, fourth = beat(heart), beat(heart)

    assert first == [Limited(1_795_284_003_000)]
    assert second == []
    assert third == [Signal.RESUMED]
    assert fourth == []


def test_a_stream_that_ends_during_a_wait_ends_the_wait(
    heart: Heartbeat, watch: Watch, client: Any
) -> None:
    """The platform would go on showing it as waiting."""
    client.rate_limited_until = 1_795_284_000_000
    watch.seconds += 1
    assert beat(heart) == [Limited(1_795_284_000_000)]

    assert list(heart.end()) == [Signal.RESUMED]
    assert list(heart.end()) == []


def test_state_is_asked_for_early_and_then_about_every_minute(
    heart: Heartbeat, watch: Watch
) -> None:
    times = []
    for _ in range(3_000):
        watch.seconds += 0.1
        if Signal.CHECKPOINT in beat(heart):
            times.append(round(watch.seconds - 50))

    assert times[:7] == pytest.approx([4, 12, 28, 60, 120, 180, 240], abs=2)
