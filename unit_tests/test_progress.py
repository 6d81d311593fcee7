"""What a person reads while a long stream is under way."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import cast

import pytest
from clocks import FakeClock

from source_streak.api.account import Account
from source_streak.reading.heartbeat import LOOK_EVERY, Heartbeat, Limited, Signal


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client() -> SimpleNamespace:
    """What a heartbeat knows of a client."""
    return SimpleNamespace(rate_limited_until=None)


@pytest.fixture
def heart(clock: FakeClock, client: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> Heartbeat:
    caplog.set_level(logging.INFO, "heart")
    account = SimpleNamespace(clock=clock, client=client)
    return Heartbeat(cast(Account, account), logging.getLogger("heart"))


def beat_for(heart: Heartbeat, clock: FakeClock, seconds: float, step: float = 1.0) -> list[object]:
    """What it yields, beating at every step."""
    yielded: list[object] = []
    for _ in range(round(seconds / step)):
        clock.go(step)
        yielded += heart.beat()
    return yielded


def test_a_short_stream_says_nothing(
    heart: Heartbeat, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    beat_for(heart, clock, 29)

    assert caplog.messages == []


def test_a_long_stream_speaks_every_half_minute_however_often_it_could(
    heart: Heartbeat, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    beat_for(heart, clock, 120, step=0.1)

    assert len(caplog.messages) in (3, 4)


def test_a_line_says_how_many_of_how_many_and_about_how_long_still(
    heart: Heartbeat, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    heart.begin("boxes", 4000)
    heart.done, heart.records = 1000, 12345
    beat_for(heart, clock, 60, step=60)

    assert caplog.messages == [
        "1,000 of 4,000 boxes read, 12,345 records so far. About 3 minutes still."
    ]


def test_before_anything_is_done_no_time_is_guessed(heart: Heartbeat, clock: FakeClock) -> None:
    heart.begin("boxes", 4000)
    clock.go(30)

    assert heart.sentence(clock.time) == "0 of 4,000 boxes read, 0 records so far."


def test_waiting_is_said_in_words(
    heart: Heartbeat, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.go(30)
    list(heart.beat("Listing boxes, 1,500 so far"))

    assert caplog.messages == ["Listing boxes, 1,500 so far; 0 records so far."]


def test_the_time_spent_waiting_before_the_boxes_does_not_make_the_guess_longer(
    heart: Heartbeat, clock: FakeClock
) -> None:
    clock.go(3600)
    heart.begin("boxes", 100)
    clock.go(30)
    heart.done = 50

    assert heart.sentence(clock.time).endswith("About 30 seconds still.")


def test_a_stream_of_unknown_length_counts_its_records(heart: Heartbeat, clock: FakeClock) -> None:
    heart.records = 2000

    assert heart.sentence(clock.time) == "2,000 records so far."


@pytest.mark.parametrize("done", [100, 101])
def test_the_end_is_never_a_negative_time_away(
    heart: Heartbeat, clock: FakeClock, done: int
) -> None:
    heart.begin("boxes", 100)
    clock.go(30)
    heart.done = done

    assert "-" not in heart.sentence(clock.time)


# --- State, and Streak's limit --------------------------------------------------------------------


def test_state_comes_soon_and_then_every_minute(heart: Heartbeat, clock: FakeClock) -> None:
    moments = [second for second in range(1, 301) if Signal.CHECKPOINT in beat_for(heart, clock, 1)]

    assert moments[:4] == [4, 12, 28, 60]
    assert moments[4:] == list(range(120, 301, 60))


def test_a_checkpoint_that_was_made_for_another_reason_counts(
    heart: Heartbeat, clock: FakeClock
) -> None:
    clock.go(3)
    heart.checkpoint()

    assert beat_for(heart, clock, 3) == []
    assert beat_for(heart, clock, 1) == [Signal.CHECKPOINT]


def test_it_is_due_every_half_second(heart: Heartbeat, clock: FakeClock) -> None:
    assert heart.is_due
    list(heart.beat())
    assert not heart.is_due
    clock.go(LOOK_EVERY)
    assert heart.is_due


def limits(yielded: list[object]) -> list[object]:
    return [one for one in yielded if one is not Signal.CHECKPOINT]


def test_a_wait_is_said_once_and_that_it_is_over_once(
    heart: Heartbeat, clock: FakeClock, client: SimpleNamespace
) -> None:
    client.rate_limited_until = until = clock.now() + 40_000
    assert limits(beat_for(heart, clock, 39)) == [Limited(until)]

    client.rate_limited_until = None
    assert limits(beat_for(heart, clock, 60)) == [Signal.RESUMED]


def test_a_wait_that_answers_under_way_prolong_is_said_once(
    heart: Heartbeat, clock: FakeClock, client: SimpleNamespace
) -> None:
    client.rate_limited_until = until = clock.now() + 40_000
    assert limits(beat_for(heart, clock, 1)) == [Limited(until)]
    client.rate_limited_until = until + 15

    assert limits(beat_for(heart, clock, 38)) == []


def test_a_wait_that_follows_another_at_once_is_said_too(
    heart: Heartbeat, clock: FakeClock, client: SimpleNamespace
) -> None:
    client.rate_limited_until = first = clock.now() + 40_000
    assert limits(beat_for(heart, clock, 39)) == [Limited(first)]
    client.rate_limited_until = second = first + 40_000

    assert limits(beat_for(heart, clock, 20)) == [Limited(second)]
