"""The budget, on a clock that the tests drive: nothing here waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from source_streak.budget import LONGEST_GUESS, SLOW_FOR, Budget

NOON = datetime(2026, 9, 21, 12, 0, 0, tzinfo=timezone.utc)


class Clock:
    """Time goes by only in `sleep`, and for each thread it is known at which moment it looked last."""

    def __init__(self, slept: Callable[[float], float] = lambda seconds: seconds) -> None:
        self.now = 1000.0
        self.looked: dict[int, float] = {}
        self.on_sleep: Callable[[], None] = lambda: None
        self._slept = slept
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self.looked[threading.get_ident()] = self.now
            return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        with self._lock:
            self.now += max(0.001, self._slept(seconds))
        self.on_sleep()

    def wall(self) -> datetime:
        return NOON + timedelta(seconds=self.now - 1000.0)


def budget(rate: float, clock: Clock) -> Budget:
    return Budget(rate, clock=clock, sleep=clock.sleep, wall_clock=clock.wall)


def start(of: Budget, clock: Clock) -> float:
    """The moment at which the next request is let go."""
    of.acquire_call(None)
    return clock.looked[threading.get_ident()]


def answer(of: Budget, status: int = 200, retry_after: str | None = None) -> None:
    of.update_from_response(None, SimpleNamespace(status_code=status, headers={"Retry-After": retry_after} if retry_after else {}))


def elsewhere(work: Callable[[], Any]) -> Any:
    """Does it in a thread of its own."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    thread.join()
    return results[0]


def busiest_second(starts: list[float]) -> int:
    starts = sorted(starts)
    return max(sum(begin <= moment < begin + 1 for moment in starts) for begin in starts)


def pause_after(header: str | None) -> float:
    """How long nothing is asked after a 429 with this Retry-After."""
    clock = Clock()
    limited = budget(10, clock)
    before = start(limited, clock)
    answer(limited, 429, header)
    return start(limited, clock) - before


@pytest.mark.parametrize("rate", [1, 3, 8, 10, 20])
@pytest.mark.parametrize("wakes", ["on time", "early", "late"])
def test_no_sliding_second_holds_more_requests_than_the_rate_however_many_threads_ask(rate: int, wakes: str) -> None:
    factor = {"on time": 1.0, "early": 0.7, "late": 1.2}[wakes]
    clock = Clock(lambda seconds: seconds * factor)
    shared = budget(rate, clock)
    starts: list[float] = []

    def work() -> None:
        starts.extend(start(shared, clock) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(starts) == len(set(starts)) == 320, "a turn was handed out twice"
    assert busiest_second(starts) <= rate


def test_the_pace_is_two_percent_wider_than_the_rate_so_that_jitter_on_the_way_breaks_no_limit() -> None:
    clock = Clock()
    ten = budget(10, clock)

    starts = [start(ten, clock) for _ in range(101)]

    assert starts[-1] - starts[0] == pytest.approx(10.2)


def test_the_first_request_does_not_wait_and_a_long_rest_saves_up_no_burst() -> None:
    clock = Clock()
    ten = budget(10, clock)
    first = start(ten, clock)
    clock.sleep(60)

    starts = [start(ten, clock) for _ in range(20)]

    assert first == 1000.0
    assert busiest_second(starts) <= 10


def test_a_retry_after_in_seconds_is_waited_for() -> None:
    assert pause_after("7") == pytest.approx(7, abs=0.3)


@pytest.mark.parametrize("zone", ["GMT", "+0000"])
def test_a_retry_after_that_is_a_date_is_waited_for(zone: str) -> None:
    assert pause_after(f"Mon, 21 Sep 2026 12:00:30 {zone}") == pytest.approx(30, abs=0.3)


def test_a_retry_after_in_another_time_zone_is_understood() -> None:
    assert pause_after("Mon, 21 Sep 2026 14:00:30 +0200") == pytest.approx(30, abs=0.3)


def test_a_retry_after_that_is_over_already_costs_no_more_than_the_slower_pace() -> None:
    assert pause_after("Mon, 21 Sep 2026 11:00:00 GMT") < 1


@pytest.mark.parametrize("header", [None, "", "soon", "1.5.2", "-", "Mon, 99 Sep 2026 12:00:30 GMT", "{}", "∞", "²"])
def test_a_429_without_a_usable_retry_after_is_waited_out_all_the_same(header: str | None) -> None:
    assert 0.5 <= pause_after(header) <= 2


@pytest.mark.parametrize(
    "header", ["-5", "1e400", "nan", "inf", "99999999999999999999 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "\x00", "5, 7"]
)
def test_no_retry_after_whatsoever_raises_or_goes_back_in_time(header: str) -> None:
    assert pause_after(header) >= 0


@pytest.mark.parametrize("header", ["999999999", "9" * 400, "Mon, 21 Sep 2099 12:00:30 GMT"], ids=["30 years", "endless", "a date"])
def test_a_retry_after_of_years_does_not_stop_a_sync_for_years(header: str) -> None:
    assert pause_after(header) <= 3600


def test_429s_without_retry_after_are_waited_out_longer_each_time_but_never_longer_than_a_minute() -> None:
    clock = Clock()
    limited = budget(10, clock)
    start(limited, clock)
    pauses = []
    for _ in range(10):
        answer(limited, 429)
        pauses.append(limited.pause)
        start(limited, clock)

    assert pauses[:4] == pytest.approx([1, 2, 4, 8])
    assert max(pauses) == LONGEST_GUESS


def test_an_answer_ends_the_row_of_429s_so_that_the_next_pause_is_short_again() -> None:
    clock = Clock()
    limited = budget(10, clock)
    for status in (429, 429, 429, 200, 429):
        start(limited, clock)
        answer(limited, status)

    assert limited.pause == pytest.approx(1)


@pytest.mark.parametrize("header", [None, "3"])
def test_late_429s_of_requests_already_under_way_do_not_multiply_the_pause_or_the_pace(header: str | None) -> None:
    clock = Clock()
    limited = budget(10, clock)
    under_way, released = threading.Barrier(8), threading.Event()

    def late() -> None:
        start(limited, clock)
        under_way.wait(10)
        released.wait(10)
        answer(limited, 429, header)

    threads = [threading.Thread(target=late) for _ in range(7)]
    for thread in threads:
        thread.start()
    under_way.wait(10)
    start(limited, clock)
    answer(limited, 429, header)
    expected = limited.pause
    released.set()
    for thread in threads:
        thread.join()

    assert limited.pause == pytest.approx(expected)
    start(limited, clock)
    first, second = start(limited, clock), start(limited, clock)
    assert second - first == pytest.approx(2 * 0.102), "the pace is to be halved once, not once for each late answer"


def test_a_pause_that_comes_while_a_thread_is_waiting_for_its_turn_holds_for_that_thread_too() -> None:
    clock = Clock()
    limited = budget(1, clock)
    start(limited, clock)

    def interrupt() -> None:
        clock.on_sleep = lambda: None
        elsewhere(lambda: answer(limited, 429, "30"))

    clock.on_sleep = interrupt

    assert start(limited, clock) >= 1000 + 1.02 + 30


def test_after_a_429_the_pace_is_half_and_after_a_while_the_old_one_again() -> None:
    clock = Clock()
    limited = budget(10, clock)
    start(limited, clock)
    answer(limited, 429, "1")
    slow = [start(limited, clock) for _ in range(3)]
    clock.sleep(SLOW_FOR + 1)
    start(limited, clock)
    quick = [start(limited, clock) for _ in range(3)]

    assert slow[2] - slow[1] == pytest.approx(0.204)
    assert quick[2] - quick[1] == pytest.approx(0.102)


def test_the_pace_never_falls_below_an_eighth_however_many_429s_come() -> None:
    clock = Clock()
    limited = budget(10, clock)
    for _ in range(30):
        start(limited, clock)
        answer(limited, 429, "1")
    start(limited, clock)
    first, second = start(limited, clock), start(limited, clock)

    assert second - first == pytest.approx(8 * 0.102)


# --- An hour, forty threads -------------------------------------------------------------------------------------------

HOUR = 3600.0
THREADS = 40


def an_hour(of: Budget, clock: Clock, answered: Callable[[float], tuple[int, str | None]]) -> list[float]:
    """The moments at which forty threads let their requests go within an hour; `answered` says what each is answered with."""
    starts: list[float] = []
    first = clock.now
    one_at_a_time = threading.Lock()

    def work() -> None:
        while (moment := start(of, clock)) < first + HOUR:
            starts.append(moment)
            with one_at_a_time:
                answer(of, *answered(moment - first))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(starts)


def busiest_second_of_many(starts: list[float]) -> int:
    """The same as busiest_second, for tens of thousands."""
    most, begin = 0, 0
    for end, moment in enumerate(starts):
        while moment - starts[begin] >= 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most


@pytest.mark.parametrize("rate", [1, 8, 10, 20])
@pytest.mark.parametrize("wakes", ["on time", "early"])
def test_in_an_hour_with_forty_threads_the_limit_is_never_passed_and_more_than_95_percent_of_it_are_used(rate: int, wakes: str) -> None:
    clock = Clock(lambda seconds: seconds * {"on time": 1.0, "early": 0.7}[wakes])

    starts = an_hour(budget(rate, clock), clock, lambda _: (200, None))

    assert busiest_second_of_many(starts) <= rate
    assert len(starts) > 0.95 * rate * HOUR


@pytest.mark.parametrize("retry_after", ["5", None])
def test_two_429s_in_an_hour_leave_more_than_95_percent_of_it_to_be_used(retry_after: str | None) -> None:
    clock = Clock()
    due = [1200.0, 2400.0]

    def answered(moment: float) -> tuple[int, str | None]:
        if due and moment >= due[0]:
            due.pop(0)
            return 429, retry_after
        return 200, None

    starts = an_hour(budget(10, clock), clock, answered)

    assert not due
    assert busiest_second_of_many(starts) <= 10
    assert len(starts) > 0.95 * 10 * HOUR


def test_many_429s_in_an_hour_never_lead_past_the_limit_nor_into_a_pause() -> None:
    clock = Clock()
    refused: list[float] = []

    def answered(moment: float) -> tuple[int, str | None]:
        if moment >= 40 * (len(refused) + 1):
            refused.append(moment)
            return 429, "7"
        return 200, None

    starts = an_hour(budget(10, clock), clock, answered)

    assert len(refused) > 80
    assert busiest_second_of_many(starts) <= 10
    moments = [moment - 1000.0 for moment in starts]
    for pause in refused:
        within = [moment for moment in moments if pause < moment < pause + 7]
        assert len(within) < THREADS, "only what was under way when the pause began"


def test_a_request_that_was_held_up_after_its_turn_takes_the_place_of_the_next() -> None:
    clock = Clock()
    one = budget(10, clock)
    first = start(one, clock)
    one.on_the_wire()
    start(one, clock)
    clock.now += 0.09  # a handshake
    one.on_the_wire()
    written = clock.now

    third = start(one, clock)

    assert third - written == pytest.approx(0.102, abs=0.006)
    assert third - first > 0.28


def test_a_request_that_is_written_at_once_holds_up_nobody() -> None:
    clock = Clock()
    one = budget(10, clock)
    starts = []
    for _ in range(11):
        starts.append(start(one, clock))
        clock.now += 0.004
        one.on_the_wire()

    assert starts[-1] - starts[0] == pytest.approx(1.02, abs=0.012)
