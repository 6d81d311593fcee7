"""A RECORD or STATE at least every five minutes, and a status while a rate limit is waited for.

The platform considers a source dead if it is silent for longer. The clocks here advance only while
something takes time: a request, a pause that Streak asked for, or processing a box.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from airbyte_cdk.models import AirbyteMessage, AirbyteMessageSerializer
from conftest import Read, catalog_of
from quick import HurryingClock
from streak_sandbox import Account, Sandbox
from watches import SteppingClock

from source_streak import SourceStreak

MOST = 300.0  # seconds
COMMENTS = "v2/boxes/*/comments"
modes = pytest.mark.parametrize("incremental", [True, False], ids=["incremental", "full refresh"])

Ticking = SteppingClock | HurryingClock


class Heard(NamedTuple):
    """A message, and its time in seconds since the read began."""

    at: float
    message: AirbyteMessage


Listen = Callable[..., list[Heard]]


@pytest.fixture
def listen(streak: Sandbox, read: Read) -> Listen:
    """Reads the streams, asserts that all complete, and returns every message with its time."""

    def listen_to(
        clock: Ticking, *streams: str, incremental: bool, state: Any = None, **settings: Any
    ) -> list[Heard]:
        catalog = catalog_of(*streams, incremental=incremental)
        config = {"api_key": streak.key, "recheck_days": 0, **settings}
        messages = SourceStreak(clock).read(
            logging.getLogger("airbyte"), config, catalog, state or []
        )
        began = clock.seconds
        heard = [Heard(clock.seconds - began, message) for message in messages]
        ended = [one.message.trace for one in heard if one.message.trace]
        statuses = [trace.stream_status.status.value for trace in ended if trace.stream_status]
        assert statuses.count("COMPLETE") == len(streams)
        return heard

    return listen_to


def longest_silence(heard: list[Heard], clock: Ticking) -> float:
    moments = [one.at for one in heard if one.message.record or one.message.state]
    return max(later - before for before, later in pairwise([0.0, *moments, clock.seconds]))


def records_in(heard: list[Heard]) -> list[dict[str, Any]]:
    return [dict(one.message.record.data) for one in heard if one.message.record]


def boxes_without_anything(number: int) -> Account:
    """An account in which all counters of all boxes are 0."""
    account = Account()
    account.add_team("Team")
    account.add_pipeline("Sales", boxes=number)
    return account


CHILDREN = ("box_comments", "box_meetings", "box_tasks", "box_threads", "box_files")


@pytest.mark.parametrize(
    "streak", [{"account": boxes_without_anything(2_000)}], indirect=True, ids=["2000 boxes"]
)
@modes
def test_thousands_of_boxes_without_comments_cause_no_long_silence(
    streak: Sandbox, listen: Listen, incremental: bool
) -> None:
    """On a machine so slow that processing them alone takes more than half an hour."""
    clock = HurryingClock(step=1.0)

    heard = listen(clock, "box_comments", incremental=incremental)

    assert not records_in(heard)
    assert not streak.requests("v2/boxes/*")
    assert clock.seconds >= 2_000
    assert longest_silence(heard, clock) <= MOST


@pytest.mark.parametrize(
    "streak", [{"account": boxes_without_anything(30)}], indirect=True, ids=["30 boxes"]
)
@modes
def test_several_streams_without_records_cause_no_long_silence_together(
    listen: Listen, incremental: bool
) -> None:
    """Each takes less than five minutes, but all of them together take more."""
    clock = HurryingClock(step=5.0)

    heard = listen(clock, *CHILDREN, incremental=incremental)

    assert not records_in(heard)
    assert clock.seconds >= 150 * len(CHILDREN)
    assert longest_silence(heard, clock) <= MOST


def every_request_takes(streak: Sandbox, clock: SteppingClock, seconds: float) -> None:
    streak.on("*", lambda _: clock.passes(seconds), times=None)


@pytest.mark.parametrize(
    "streak",
    [{"account": boxes_without_anything(100), "limit_cap": 2}],
    indirect=True,
    ids=["50 pages"],
)
@pytest.mark.parametrize("stream", ["boxes", "box_comments", "box_links"])
@modes
def test_a_list_that_takes_more_than_an_hour_causes_no_long_silence(
    streak: Sandbox, listen: Listen, stream: str, incremental: bool
) -> None:
    """Fifty pages, as for 25,000 boxes, at 80 seconds each.

    That is longer than 250,000 boxes take at eight requests a second.
    """
    clock = SteppingClock()
    every_request_takes(streak, clock, 80.0)

    heard = listen(clock, stream, incremental=incremental)

    assert clock.seconds >= 50 * 80
    assert longest_silence(heard, clock) <= MOST


PLACES = {
    "teams": "v2/users/me/teams",
    "boxes": "v1/pipelines/*/boxes",
    "box_comments": COMMENTS,
    "contacts": "v2/teams/*/contacts",
    "newsfeed": "v1/pipelines/*/newsfeed",
    "snippets": "v1/snippets",
}
small = pytest.mark.parametrize("streak", [{"boxes": 60}], indirect=True, ids=["60 boxes"])


@small
@pytest.mark.parametrize("stream", PLACES)
@modes
def test_a_rate_limit_pause_of_half_an_hour_causes_no_long_silence_and_is_reported(
    streak: Sandbox, listen: Listen, stream: str, incremental: bool
) -> None:
    clock = SteppingClock()
    streak.fault(PLACES[stream], "status", times=1, status=429, retry_after=1800)
    began = clock.now()

    heard = listen(clock, stream, incremental=incremental)

    assert clock.seconds >= 1799
    assert longest_silence(heard, clock) <= MOST
    (wait,) = waits_in(heard)
    assert wait.stream == stream
    assert 0 <= wait.until - began - 1_800_000 < 60_000
    assert wait.at < 60
    assert 1_790 <= wait.resumed_at < 2_000


@small
@modes
def test_boxes_requested_again_at_the_end_cause_no_long_silence(
    streak: Sandbox, listen: Listen, incremental: bool
) -> None:
    """On the second attempt, each request waits for a pause of twenty minutes."""
    clock = SteppingClock()
    box = next(box["key"] for box in streak.account.boxes.values() if box.get("commentCount"))
    path = f"v2/boxes/{box}/comments"
    streak.fault(path, "status", times=2, status=403)
    streak.fault("v1/users/me", "status", after=incremental, status=429, retry_after=1200)
    streak.fault(path, "status", times=1, status=429, retry_after=1200)

    heard = listen(clock, "box_comments", incremental=incremental)

    assert len(streak.requests(path)) == 4
    assert clock.seconds >= 2400
    assert longest_silence(heard, clock) <= MOST
    assert len(waits_in(heard)) == 2, "each wait is said once"


@small
def test_looking_up_missing_boxes_causes_no_long_silence(
    streak: Sandbox, read: Read, listen: Listen
) -> None:
    first = read("boxes", incremental=True)
    for key in list(streak.account.boxes)[:6]:
        streak.account.delete_box(key)
    clock = SteppingClock()
    every_request_takes(streak, clock, 100.0)

    heard = listen(clock, "boxes", incremental=True, state=first.last_states)

    gone = [record for record in records_in(heard) if record.get("_ab_cdc_deleted_at")]
    assert len(gone) == 6
    assert clock.seconds >= 1000
    assert longest_silence(heard, clock) <= MOST


# --- Waiting for Streak's rate limit --------------------------------------------------------------


class Wait(NamedTuple):
    """One rate limit wait, as reported to the platform."""

    stream: str
    at: float  # seconds since the read began
    until: int  # epoch milliseconds
    resumed_at: float


def waits_in(heard: list[Heard]) -> list[Wait]:
    """Each RUNNING with the reason RATE_LIMITED, with the last RECORD or plain RUNNING after it."""
    found: list[Wait] = []
    for one in heard:
        if reason := limit_in(one.message):
            stream = one.message.trace.stream_status.stream_descriptor.name
            found.append(Wait(stream, one.at, reason["quota_reset"], resumed_at=-1))
        elif found and says_running(one.message):
            found[-1] = found[-1]._replace(resumed_at=one.at)
    return found


def status_in(message: AirbyteMessage) -> dict[str, Any]:
    """The stream status of a message as it is written; empty if it has none."""
    trace = AirbyteMessageSerializer.dump(message).get("trace") or {}
    return dict(trace.get("stream_status") or {})


def limit_in(message: AirbyteMessage) -> dict[str, Any]:
    status = status_in(message)
    reasons = status.get("reasons") or []
    if not reasons:
        return {}
    assert status["status"] == "RUNNING"
    (reason,) = reasons
    assert reason["type"] == "RATE_LIMITED"
    return dict(reason["rate_limited"])


def says_running(message: AirbyteMessage) -> bool:
    status = status_in(message)
    return bool(message.record) or (status.get("status") == "RUNNING" and not status.get("reasons"))


def test_without_a_rate_limit_no_wait_is_reported(streak: Sandbox, listen: Listen) -> None:
    streak.fault(COMMENTS, "status", times=3, status=503)

    heard = listen(SteppingClock(), "box_comments", incremental=False)

    assert not waits_in(heard)
    assert sum(status_in(one.message).get("status") == "RUNNING" for one in heard) == 1


@small
def test_only_the_stream_being_read_reports_a_rate_limit_wait(
    streak: Sandbox, listen: Listen
) -> None:
    streak.fault("v1/snippets", "status", times=1, status=429, retry_after=600)

    heard = listen(SteppingClock(), "teams", "snippets", "newsfeed", incremental=False)

    assert [wait.stream for wait in waits_in(heard)] == ["snippets"]


@small
def test_two_rate_limit_waits_are_reported_one_by_one(streak: Sandbox, listen: Listen) -> None:
    """Streak asks for the second wait after the first one, in response to the same request."""
    streak.fault("v1/snippets", "status", times=2, status=429, retry_after=600)

    heard = listen(SteppingClock(), "snippets", incremental=False)

    first, second = waits_in(heard)
    assert first.at < 60
    assert second.resumed_at >= 1_190
    assert second.at >= 600
    assert second.until >= first.until + 599_000
