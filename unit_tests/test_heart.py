"""What the log and the platform are told while a long stream is read."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from source_streak.reading.heartbeat import Heartbeat, Item, Limited, Signal


class Watch:
    """A clock that the test sets."""

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


def test_a_stream_of_less_than_30_seconds_logs_nothing(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    for _ in range(29):
        watch.seconds += 1
        beat(heart)

    assert said == []


def test_a_long_stream_logs_its_progress_every_30_seconds(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    for _ in range(1200):
        watch.seconds += 0.1
        beat(heart)

    assert len(said) in (3, 4)


def test_a_line_says_how_many_boxes_of_all_are_read_and_how_long_the_rest_takes(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    heart.begin("boxes", 4000)
    watch.seconds += 60
    heart.done, heart.records = 1000, 12345
    beat(heart)

    assert said == ["1,000 of 4,000 boxes read, 12,345 records so far. About 3 minutes to go."]


def test_no_remaining_time_is_estimated_before_anything_is_done(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    heart.begin("boxes", 4000)
    watch.seconds += 30
    beat(heart)

    assert said == ["0 of 4,000 boxes read, 0 records so far."]


def test_a_line_says_what_the_stream_waits_for(
    heart: Heartbeat, watch: Watch, said: list[str]
) -> None:
    watch.seconds += 30
    beat(heart, "Listing boxes, 1,500 so far")

    assert said == ["Listing boxes, 1,500 so far; 0 records so far."]


def test_the_time_before_the_first_box_does_not_lengthen_the_estimate(
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
def test_the_remaining_time_is_never_negative(
    heart: Heartbeat, watch: Watch, said: list[str], done: int
) -> None:
    heart.begin("boxes", 100)
    watch.seconds += 30
    heart.done = done
    beat(heart)

    assert "-" not in said[0]


def test_a_rate_limit_and_its_end_are_each_announced_once(
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
    """Otherwise the platform would go on showing it as waiting."""
    client.rate_limited_until = 1_795_284_000_000
    watch.seconds += 1
    assert beat(heart) == [Limited(1_795_284_000_000)]

    assert list(heart.end()) == [Signal.RESUMED]
    assert list(heart.end()) == []


def test_checkpoints_come_early_and_then_about_every_minute(heart: Heartbeat, watch: Watch) -> None:
    times = []
    for _ in range(3_000):
        watch.seconds += 0.1
        if Signal.CHECKPOINT in beat(heart):
            times.append(round(watch.seconds - 50))

    assert times[:7] == pytest.approx([4, 12, 28, 60, 120, 180, 240], abs=2)
