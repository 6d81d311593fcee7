"""The budget of requests, on a clock that the tests drive: no test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from clocks import NOON, START, FakeClock

from source_streak.api.budget import LONGEST_GUESS, LONGEST_PAUSE, SLOW_FOR, Budget, seconds_of

GAP = 0.102  # seconds between requests at ten requests a second


def ask(budget: Budget, status: int = 200, retry_after: str | None = None) -> float:
    """Send one request and note its response; returns the time at which it may go out."""
    slot = budget.acquire()
    budget.note_answer(slot, status, retry_after)
    return slot


def pause_after(header: str | None) -> float:
    """The seconds from a 429 with this Retry-After to the next request."""
    limited = Budget(10, FakeClock())
    before = ask(limited, 429, header)
    return ask(limited) - before


def side_by_side(count: int, work: Callable[[], Any]) -> None:
    """Do `work` in this many threads at once."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def busiest_second(starts: list[float]) -> int:
    """The most requests within any one second."""
    starts = sorted(starts)
    most, begin = 0, 0
    for end, moment in enumerate(starts):
        while moment - starts[begin] >= 1:
            begin += 1
        most = max(most, end - begin + 1)
    return most


# --- The pace -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1, 3, 8, 10, 20])
@pytest.mark.parametrize("wakes", ["on time", "early", "late"])
def test_no_second_holds_more_requests_than_the_rate_however_many_threads_ask(
    rate: int, wakes: str
) -> None:
    factor = {"on time": 1.0, "early": 0.7, "late": 1.2}[wakes]
    shared = Budget(rate, FakeClock(lambda seconds: seconds * factor))
    starts: list[float] = []

    side_by_side(16, lambda: starts.extend(shared.acquire() for _ in range(20)))

    assert len(starts) == len(set(starts)) == 320, "a slot was handed out twice"
    assert busiest_second(starts) <= rate


def test_the_pace_is_two_percent_slower_than_the_rate_so_that_jitter_breaks_no_limit() -> None:
    ten = Budget(10, FakeClock())

    starts = [ask(ten) for _ in range(101)]

    assert starts[-1] - starts[0] == pytest.approx(10.2)


def test_the_first_request_does_not_wait() -> None:
    assert ask(Budget(10, FakeClock())) == START


def test_an_idle_minute_does_not_save_up_a_burst() -> None:
    clock = FakeClock()
    ten = Budget(10, clock)
    ask(ten)
    clock.go(60)

    assert busiest_second([ask(ten) for _ in range(20)]) <= 10


def test_a_request_that_is_sent_later_than_its_slot_pushes_the_next_one_back() -> None:
    clock = FakeClock()
    ten = Budget(10, clock)
    first = ten.acquire()
    ten.on_the_wire()
    ten.acquire()
    clock.go(0.09)  # a handshake
    ten.on_the_wire()
    written = clock.time

    third = ten.acquire()

    assert third - written == pytest.approx(GAP, abs=0.006)
    assert third - first > 0.28


def test_a_request_that_is_sent_promptly_delays_no_other() -> None:
    clock = FakeClock()
    ten = Budget(10, clock)
    starts = []
    for _ in range(11):
        starts.append(ten.acquire())
        clock.go(0.004)
        ten.on_the_wire()

    assert starts[-1] - starts[0] == pytest.approx(1.02, abs=0.012)


# --- Retry-After ----------------------------------------------------------------------------------


def test_a_retry_after_in_seconds_is_waited_for() -> None:
    assert pause_after("7") == pytest.approx(7, abs=0.3)


def test_a_retry_after_with_a_fraction_is_waited_for() -> None:
    assert pause_after("2.5") == pytest.approx(2.5, abs=0.3)


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_a_retry_after_that_is_a_date_is_waited_for(zone: str) -> None:
    assert pause_after(f"Mon, 21 Sep 2026 12:00:30 {zone}") == pytest.approx(30, abs=0.3)


def test_a_retry_after_in_another_time_zone_is_understood() -> None:
    assert pause_after("Mon, 21 Sep 2026 14:00:30 +0200") == pytest.approx(30, abs=0.3)


def test_a_retry_after_in_the_past_pauses_for_less_than_a_second() -> None:
    assert pause_after("Mon, 21 Sep 2026 11:00:00 GMT") < 1


NO_TIME = [
    *(None, "", "soon", "1.5.2", "-", "-5", "-0.5", "nan", "{}", "∞", "²", "5, 7", "\x00"),
    *("Mon, 99 Sep 2026 12:00:30 GMT", "99999999999999999999 GMT"),
]


@pytest.mark.parametrize("header", NO_TIME, ids=repr)
def test_a_429_without_a_usable_retry_after_pauses_for_about_a_second(header: str | None) -> None:
    assert 0.5 <= pause_after(header) <= 2


YEARS = [
    *("999999999", "9" * 5000, "1e400", "inf"),
    *("Mon, 21 Sep 2099 12:00:30 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"),
]


@pytest.mark.parametrize("header", YEARS, ids=lambda header: header[:20])
def test_a_retry_after_of_years_is_cut_to_the_longest_pause(header: str) -> None:
    assert pause_after(header) == pytest.approx(LONGEST_PAUSE, abs=1)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), (" 7 ", 7), ("0", 0), ("Mon, 21 Sep 2026 12:00:30 GMT", 30), ("soon", None)],
)
def test_a_retry_after_is_read_as_seconds_from_now(header: str, seconds: float | None) -> None:
    assert seconds_of(header, NOON) == seconds


# --- After a 429 ----------------------------------------------------------------------------------


def test_each_429_without_retry_after_doubles_the_pause_up_to_a_minute() -> None:
    limited = Budget(10, FakeClock())
    pauses = []
    for _ in range(10):
        ask(limited, 429)
        pauses.append(limited.pause)

    assert pauses[:4] == pytest.approx([1, 2, 4, 8])
    assert max(pauses) == LONGEST_GUESS


def test_after_another_response_the_next_429_pauses_only_briefly_again() -> None:
    limited = Budget(10, FakeClock())
    for status in (429, 429, 429, 200, 429):
        ask(limited, status)

    assert limited.pause == pytest.approx(1)


@pytest.mark.parametrize("header", [None, "3"])
def test_late_429s_of_requests_under_way_extend_no_pause_and_halve_the_pace_only_once(
    header: str | None,
) -> None:
    clock = FakeClock()
    limited = Budget(10, clock)
    under_way = [limited.acquire() for _ in range(7)]
    ask(limited, 429, header)
    expected = limited.pause
    for slot in under_way:
        limited.note_answer(slot, 429, header)
        clock.go(0.01)

    late = 0.07 if header is None else 0.01  # a late 429 with a Retry-After sets the pause anew
    assert limited.pause == pytest.approx(expected - late)
    ask(limited)
    assert -ask(limited) + ask(limited) == pytest.approx(2 * GAP), "halved more than once"


def test_a_late_response_to_an_earlier_request_does_not_end_the_run_of_429s() -> None:
    limited = Budget(10, FakeClock())
    under_way = limited.acquire()
    ask(limited, 429)
    limited.note_answer(under_way, 200)
    ask(limited, 429)

    assert limited.pause == pytest.approx(2)


def test_a_pause_also_holds_back_a_thread_that_already_waits_for_its_slot() -> None:
    clock = FakeClock()
    limited = Budget(1, clock)
    slot = limited.acquire()

    def interrupt() -> None:
        clock.on_sleep = lambda: None
        limited.note_answer(slot, 429, "30")

    clock.on_sleep = interrupt

    assert limited.acquire() >= START + 1.02 + 30


def test_a_request_that_is_let_through_the_pause_still_keeps_to_the_pace() -> None:
    limited = Budget(10, FakeClock())
    first = ask(limited, 429, "3600")

    second = limited.acquire(through_pause=True)
    third = limited.acquire(through_pause=True)

    assert (second - first, third - second) == (pytest.approx(GAP), pytest.approx(2 * GAP))


def test_the_budget_says_until_when_it_pauses() -> None:
    clock = FakeClock()
    limited = Budget(10, clock)
    assert limited.paused_until is None

    ask(limited, 429, "30")
    clock.go(10)

    assert limited.paused_until == NOON + 30_000
    assert limited.pause == pytest.approx(20)
    clock.go(20)
    assert limited.paused_until is None


def test_a_shorter_pause_does_not_cut_a_longer_one() -> None:
    limited = Budget(10, FakeClock())
    late = limited.acquire()
    ask(limited, 429, "30")
    limited.note_answer(late, 429, "1")

    assert limited.pause == pytest.approx(30, abs=0.3)


def test_a_429_halves_the_pace_for_a_while() -> None:
    clock = FakeClock()
    limited = Budget(10, clock)
    ask(limited, 429, "1")
    slow = [ask(limited) for _ in range(3)]
    clock.go(SLOW_FOR + 1)
    ask(limited)
    quick = [ask(limited) for _ in range(3)]

    assert slow[2] - slow[1] == pytest.approx(2 * GAP)
    assert quick[2] - quick[1] == pytest.approx(GAP)


def test_the_pace_never_falls_below_an_eighth_however_many_429s_come() -> None:
    limited = Budget(10, FakeClock())
    for _ in range(30):
        ask(limited, 429, "1")
    ask(limited)

    assert -ask(limited) + ask(limited) == pytest.approx(8 * GAP)


# --- An hour, forty threads -----------------------------------------------------------------------

HOUR = 3600.0
THREADS = 40


def an_hour(
    budget: Budget, clock: FakeClock, answer: Callable[[float], tuple[int, str | None]]
) -> list[float]:
    """When forty threads send their requests within an hour; `answer` gives each its response."""
    starts: list[float] = []
    first = clock.time
    one_at_a_time = threading.Lock()

    def work() -> None:
        while (slot := budget.acquire()) < first + HOUR:
            starts.append(slot)
            with one_at_a_time:
                budget.note_answer(slot, *answer(slot - first))

    side_by_side(THREADS, work)
    return sorted(starts)


@pytest.mark.parametrize("rate", [1, 8, 10, 20])
@pytest.mark.parametrize("wakes", ["on time", "early"])
def test_forty_threads_use_over_95_percent_of_the_limit_and_never_exceed_it(
    rate: int, wakes: str
) -> None:
    clock = FakeClock(lambda seconds: seconds * {"on time": 1.0, "early": 0.7}[wakes])

    starts = an_hour(Budget(rate, clock), clock, lambda _: (200, None))

    assert busiest_second(starts) <= rate
    assert len(starts) > 0.95 * rate * HOUR


@pytest.mark.parametrize("retry_after", ["5", None])
def test_two_429s_in_an_hour_cost_less_than_5_percent_of_its_requests(
    retry_after: str | None,
) -> None:
    clock = FakeClock()
    pending = [1200.0, 2400.0]

    def answer(moment: float) -> tuple[int, str | None]:
        if pending and moment >= pending[0]:
            pending.pop(0)
            return 429, retry_after
        return 200, None

    starts = an_hour(Budget(10, clock), clock, answer)

    assert not pending
    assert busiest_second(starts) <= 10
    assert len(starts) > 0.95 * 10 * HOUR


def test_through_many_429s_threads_keep_to_the_limit_and_to_every_pause() -> None:
    clock = FakeClock()
    refused: list[float] = []

    def answer(moment: float) -> tuple[int, str | None]:
        if moment >= 40 * (len(refused) + 1):
            refused.append(moment)
            return 429, "7"
        return 200, None

    starts = an_hour(Budget(10, clock), clock, answer)

    assert len(refused) > 80
    assert busiest_second(starts) <= 10
    moments = [moment - START for moment in starts]
    for pause in refused:
        within = [moment for moment in moments if pause < moment < pause + 7]
        assert len(within) < THREADS, "only what was under way when the pause began"
