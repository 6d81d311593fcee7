"""The rate limit as Streak sees it: counted from the log of a server with real sockets.

Server and connector share one clock, and no test waits for it. The clock moves when the budget
makes requests wait, but not before all requests with a slot have arrived. So each request arrives
in its own slot.
"""

from __future__ import annotations

import functools
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import commands
import pytest
from conftest import Read, Reading
from pytest_mock import MockerFixture
from streak_sandbox import Account, Sandbox
from watches import OneClock

from source_streak.api.budget import Budget

COMMENTS = "v2/boxes/*/comments"
FAR = 30.0  # seconds after which a test that waits for a request has failed


def few(times: int = 1, **moods: Any) -> dict[str, Any]:
    """Arguments of Sandbox() for 25 boxes (or a multiple of that), each with one comment."""
    account = Account()
    account.add_team("Team")
    for name, boxes in (("Sales", 15 * times), ("Hiring", 10 * times)):
        for box in account.boxes_of(account.add_pipeline(name, boxes=boxes)["key"]):
            account.add_comment(box["key"], "Hello")
    return {"account": account, **moods}


boxes_with_a_comment = functools.partial(
    pytest.mark.parametrize, "streak", indirect=True, ids=["25 boxes"]
)


class Slots(OneClock):
    """A clock that moves only when every request with a slot has arrived."""

    def __init__(self, streak: Sandbox) -> None:
        super().__init__()
        self.handed_out = 0
        self._streak = streak
        self._changed = threading.Condition()
        streak.monotonic = self.monotonic
        streak.on("*", lambda _: self._notify(), times=None)

    def sleep(self, seconds: float) -> None:
        with self._changed:
            assert self._changed.wait_for(self._all_arrived, FAR), "a request got lost"
        super().sleep(seconds)

    def hand_out(self) -> None:
        with self._changed:
            self.handed_out += 1

    def _all_arrived(self) -> bool:
        return len(self._streak.log) >= self.handed_out

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


@pytest.fixture
def slots(streak: Sandbox, mocker: MockerFixture) -> Slots:
    slots = Slots(streak)
    known = Budget.acquire

    def acquire(budget: Budget, **how: bool) -> float:
        slot = known(budget, **how)
        slots.hand_out()
        return slot

    mocker.patch.object(Budget, "acquire", acquire)
    return slots


@pytest.fixture
def paced(read: Read, slots: Slots) -> Read:
    """Reads with that clock, and checks that every request had a slot of its own."""

    def read_paced(*streams: str, **settings: Any) -> Reading:
        reading: Reading = read(*streams, clock=slots, **settings)
        assert slots.handed_out == len(slots._streak.log)
        return reading

    return read_paced


@boxes_with_a_comment([few()])
def test_no_second_has_more_requests_than_the_set_rate_retries_included(
    streak: Sandbox, paced: Read
) -> None:
    for place, kind in enumerate(("reset", "html", "half_body", "not_json", "half_json")):
        streak.fault(COMMENTS, kind, times=2, after=4 * place)
    streak.fault("v1/pipelines/*/boxes", "reset", times=2)

    reading = paced("boxes", "box_comments", requests_per_second=10)

    assert reading.ok
    assert len(streak.log) - len(streak.requests("v1/users/me")) == 3 + 2 + 25 + 10
    assert streak.busiest_second() <= 10


def test_all_streams_share_one_budget(streak: Sandbox, paced: Read) -> None:
    streams = (
        *("teams", "users", "contacts", "organizations", "pipelines", "boxes", "box_files"),
        *("snippets", "newsfeed"),
    )

    reading = paced(*streams, requests_per_second=20)

    assert reading.ok
    assert len(streak.log) >= 55
    assert streak.busiest_second() == 20, "no slower than it may be, either"


def test_every_request_tells_the_budget_when_it_is_sent(
    streak: Sandbox, paced: Read, mocker: MockerFixture
) -> None:
    """Requests that fail count too: what matters is when they arrive."""
    heard: list[Budget] = []

    def on_the_wire(budget: Budget) -> None:
        heard.append(budget)

    mocker.patch.object(Budget, "on_the_wire", on_the_wire)
    streak.fault("v1/snippets", "reset", times=2)

    assert paced("snippets", "teams", requests_per_second=20).ok
    assert len(heard) == len(streak.log) >= 4


@boxes_with_a_comment([few(latency_ms=50)])
def test_slow_responses_do_not_bunch_requests_up(streak: Sandbox, paced: Read) -> None:
    assert paced("box_comments", requests_per_second=20).ok
    assert streak.busiest_second() <= 20


@pytest.mark.parametrize("streak", [few(times=3, latency_ms=100)], indirect=True, ids=["75 boxes"])
def test_forty_threads_with_retries_and_key_checks_stay_within_the_rate(
    streak: Sandbox, paced: Read
) -> None:
    """Responses are so slow that at least twenty requests are under way at a time."""
    under_way = [0]
    streak.on(COMMENTS, lambda _: under_way.append(under_way[-1] + 1), times=None)
    streak.on(
        COMMENTS, lambda _: under_way.append(under_way[-1] - 1), times=None, before_answer=False
    )
    for place, kind in enumerate(("html", "not_json", "half_json")):
        streak.fault(COMMENTS, kind, times=3, after=15 * place)
    streak.fault(COMMENTS, "status", times=1, after=20, status=403)

    reading = paced("box_comments", requests_per_second=20)

    assert reading.ok
    assert max(under_way) >= 20
    assert len(reading.records["box_comments"]) == 75
    assert len(streak.requests("v1/users/me")) >= 1
    assert streak.busiest_second() <= 20


def test_retries_of_check_stay_within_the_rate_too(
    streak: Sandbox, slots: Slots, tmp_path: Path
) -> None:
    streak.fault("v1/users/me", "reset", times=2)
    streak.fault("v2/pipelines", "html", times=2)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STREAK_API_URL", streak.url)
        ran = commands.check(tmp_path, slots, api_key=streak.key, requests_per_second=2)

    assert ran.verdict() == ("SUCCEEDED", "")
    assert slots.handed_out == len(streak.log) == 3 + 3 + 1
    assert streak.busiest_second() <= 2


def longest_pause(streak: Sandbox) -> float:
    """The longest time in seconds without a request."""
    moments = [entry.time for entry in streak.log]
    return max(later - before for before, later in pairwise(moments))


def assert_a_pause_follows_the_429(streak: Sandbox, seconds: float, threads: int) -> None:
    """Except for requests that already had a slot when the 429 came."""
    moments = [entry.time for entry in streak.log]
    refused = next(place for place, entry in enumerate(streak.log) if entry.status == 429)
    pause = next(
        place for place, (one, later) in enumerate(pairwise(moments)) if later - one > seconds / 2
    )
    assert longest_pause(streak) >= seconds - 1
    assert refused <= pause <= refused + threads
    assert moments[pause + 1] >= moments[refused] + seconds


@boxes_with_a_comment([few()])
def test_a_429_stops_every_thread_until_the_time_it_names(streak: Sandbox, paced: Read) -> None:
    streak.fault(COMMENTS, "status", after=9, times=1, status=429, retry_after=100)

    reading = paced("box_comments", requests_per_second=4)

    assert reading.ok
    assert_a_pause_follows_the_429(streak, 100, threads=8)
    assert len(streak.log) == 2 + 1 + 25 + 1


def test_a_429_also_stops_the_box_lists_of_other_pipelines(streak: Sandbox, paced: Read) -> None:
    streak.fault("v1/pipelines/*/boxes", "status", times=1, status=429, retry_after=100)

    reading = paced("boxes", requests_per_second=4)

    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert_a_pause_follows_the_429(streak, 100, threads=8)


@boxes_with_a_comment([few(rate_limit_per_second=12, retry_after=1)])
def test_a_server_with_a_lower_limit_gives_every_row_after_few_429s(
    streak: Sandbox, paced: Read
) -> None:
    reading = paced("box_comments", requests_per_second=20)

    assert len(reading.keys("box_comments", "boxKey", "key")) == 25
    limited = [entry for entry in streak.log if entry.status == 429]
    assert 0 < len(limited) <= 16, "more than those that were under way when the limit was met"
