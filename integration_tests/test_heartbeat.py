"""RECORD or STATE at least every five minutes while work goes on: the platform takes a source that is silent for longer for a dead one.

The clock here goes on only while something takes time: a request, a pause that Streak asked for, a box that is looked at.  It moves in
steps, after each of which the connector's main thread has to have looked at it twice, so that the moment of each message is known.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any

import pytest
from conftest import Read, catalog_of
from streak_sandbox import Account, Sandbox

from source_streak import SourceStreak, base, budget, client
from source_streak.reading.parents import Parent
from source_streak.stream import StreakStream

MOST = 300.0  # seconds
STEP = 10.0
modes = pytest.mark.parametrize("incremental", [True, False], ids=["incremental", "full refresh"])


class Clock:
    """In the place of base.monotonic, and of the budget's clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self._moving = threading.Lock()
        self._looks = threading.Semaphore(0)
        self._owed = 0.0
        self._main = threading.get_ident()

    def __call__(self) -> float:
        if threading.get_ident() == self._main:
            self._looks.release()
        return self.now

    def passes(self, seconds: float) -> None:
        """In a thread of the connector's: so much time goes by. Gives up waiting where the main thread looks at no clock."""
        with self._moving:
            until = self.now + seconds
            while self.now < until:
                self.now = min(self.now + STEP, until)
                while self._looks.acquire(blocking=False):
                    pass
                for _ in range(2):
                    self._looks.acquire(timeout=1.0)

    def passes_anywhere(self, seconds: float) -> None:
        """In any thread, and in small pieces."""
        if threading.get_ident() == self._main:
            self.now += seconds
            return
        self._owed += seconds
        if self._owed >= STEP:
            self.passes(self._owed)
            self._owed = 0.0

    def wall(self) -> datetime:
        return datetime.fromtimestamp(1_795_284_000 + self.now, timezone.utc)


@pytest.fixture
def clock(read: Read, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(base, "monotonic", clock)
    monkeypatch.setattr(base, "LOOK_UP", 0.001)
    made = functools.partial(
        budget.Budget, clock=lambda: clock.now, sleep=clock.passes, wall_clock=clock.wall
    )
    monkeypatch.setattr(client, "Budget", made)
    return clock


Beats = Callable[..., list[float]]


@pytest.fixture
def beats(streak: Sandbox, clock: Clock) -> Beats:
    """The moments of RECORD and STATE in a read of these streams, from its begin to its end; the read has to be whole."""

    def read_and_listen(
        *streams: str, incremental: bool, records: int | None = None, **settings: Any
    ) -> list[float]:
        moments, kinds, ended = [clock.now], [], []
        catalog = catalog_of(*streams, incremental=incremental)
        config = {"api_key": streak.key, "recheck_days": 0, **settings}
        for message in SourceStreak().read(logging.getLogger("airbyte"), config, catalog, []):
            if message.record or message.state:
                moments.append(clock.now)
                kinds.append("RECORD" if message.record else "STATE")
            if message.trace and message.trace.stream_status:
                ended.append(message.trace.stream_status.status.value)
        assert ended.count("COMPLETE") == len(streams)
        assert records is None or kinds.count("RECORD") == records
        return [*moments, clock.now]

    return read_and_listen


def longest_silence(moments: list[float]) -> float:
    return max(later - before for before, later in pairwise(moments))


def boxes_without_anything(number: int) -> Account:
    """All counters of all boxes are 0."""
    account = Account()
    account.add_team("Team")
    account.add_pipeline("Sales", boxes=number)
    return account


CHILDREN = ("box_comments", "box_meetings", "box_tasks", "box_threads", "box_files")
FEW = pytest.mark.parametrize("streak", [{"account": boxes_without_anything(30)}], indirect=True)


@pytest.fixture
def slow_boxes(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> float:
    """Seconds that it takes to look whether there is anything to ask for of one box."""
    seconds = 0.1
    known = StreakStream.to_ask

    def to_ask(stream: StreakStream, parent: Parent) -> bool:
        clock.passes_anywhere(seconds)
        return known(stream, parent)

    monkeypatch.setattr(StreakStream, "to_ask", to_ask)
    return seconds


@pytest.mark.parametrize("streak", [{"account": boxes_without_anything(20_000)}], indirect=True)
@modes
def test_twenty_thousand_boxes_without_any_comment_are_no_long_silence(
    streak: Sandbox, beats: Beats, clock: Clock, slow_boxes: float, incremental: bool
) -> None:
    """On a machine so slow that only to look at them takes more than half an hour."""
    moments = beats("box_comments", incremental=incremental, records=0)

    assert not streak.requests("v2/boxes/*")
    assert clock.now >= 20_000 * slow_boxes
    assert longest_silence(moments) <= MOST


@FEW
@modes
def test_streams_without_a_row_are_no_long_silence_together(
    streak: Sandbox, beats: Beats, clock: Clock, monkeypatch: pytest.MonkeyPatch, incremental: bool
) -> None:
    """Each of them takes less than five minutes, all of them more."""
    known = StreakStream.begin
    monkeypatch.setattr(
        StreakStream, "begin", lambda stream: (clock.passes(200.0), known(stream))[1]
    )

    moments = beats(*CHILDREN, incremental=incremental, records=0)

    assert clock.now >= 200 * len(CHILDREN)
    assert longest_silence(moments) <= MOST


@pytest.fixture
def slow_streak(
    streak: Sandbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], None]:
    """To be called with the seconds that each request takes from now on."""
    taken = [0.0]
    known = client.HttpClient.send_request

    def send_request(*args: Any, **kwargs: Any) -> Any:
        clock.passes(taken[0])
        return known(*args, **kwargs)

    monkeypatch.setattr(client.HttpClient, "send_request", send_request)
    return lambda seconds: taken.__setitem__(0, seconds)


@pytest.mark.parametrize(
    "streak", [{"account": boxes_without_anything(100), "limit_cap": 2}], indirect=True
)
@pytest.mark.parametrize("stream", ["boxes", "box_comments", "box_links"])
@modes
def test_a_listing_that_takes_more_than_an_hour_is_no_long_silence(
    beats: Beats, clock: Clock, slow_streak: Callable[[float], None], stream: str, incremental: bool
) -> None:
    """Fifty pages, as 25,000 boxes have, at 80 seconds each: longer than 250,000 take at the slowest pace of eight a second."""
    slow_streak(80.0)

    moments = beats(stream, incremental=incremental)

    assert clock.now >= 50 * 80
    assert longest_silence(moments) <= MOST


@pytest.mark.parametrize("streak", [{"boxes": 60}], indirect=True)
@pytest.mark.parametrize(
    "place",
    [
        ("teams", "v2/users/me/teams"),
        ("boxes", "v1/pipelines/*/boxes"),
        ("box_comments", "v2/boxes/*/comments"),
        ("contacts", "v2/teams/*/contacts"),
        ("newsfeed", "v1/pipelines/*/newsfeed"),
        ("snippets", "v1/snippets"),
    ],
)
@modes
def test_a_pause_of_half_an_hour_that_streak_asks_for_is_no_long_silence(
    streak: Sandbox, beats: Beats, clock: Clock, place: tuple[str, str], incremental: bool
) -> None:
    stream, pattern = place
    streak.fault(pattern, "status", times=1, status=429, retry_after=1800)

    moments = beats(stream, incremental=incremental)

    assert clock.now >= 1800
    assert longest_silence(moments) <= MOST


@pytest.mark.parametrize("streak", [{"boxes": 60}], indirect=True)
@modes
def test_boxes_that_are_asked_again_at_the_end_are_no_long_silence(
    streak: Sandbox, beats: Beats, clock: Clock, incremental: bool
) -> None:
    """The second time, each waits for a pause of twenty minutes."""
    box = next(box["key"] for box in streak.account.boxes.values() if box.get("commentCount"))
    streak.fault(f"v2/boxes/{box}/comments", "status", times=1, status=403)
    streak.fault("v1/users/me", "status", times=1, status=429, retry_after=1200)
    streak.fault(f"v2/boxes/{box}/comments", "status", times=1, status=429, retry_after=1200)

    moments = beats("box_comments", incremental=incremental)

    assert clock.now >= 2400
    assert longest_silence(moments) <= MOST


@pytest.mark.parametrize("streak", [{"boxes": 60}], indirect=True)
def test_boxes_that_may_have_been_deleted_are_asked_for_without_a_long_silence(
    streak: Sandbox, read: Read, clock: Clock, slow_streak: Callable[[float], None]
) -> None:
    first = read("boxes", incremental=True)
    for key in list(streak.account.boxes)[:6]:
        streak.account.delete_box(key)
    slow_streak(100.0)
    moments, deleted = [clock.now], 0

    catalog = catalog_of("boxes", incremental=True)
    for message in SourceStreak().read(
        logging.getLogger("airbyte"), {"api_key": streak.key}, catalog, first.last_states
    ):
        if message.record or message.state:
            moments.append(clock.now)
            deleted += bool(message.record and message.record.data.get("_ab_cdc_deleted_at"))

    assert deleted == 6
    assert clock.now >= moments[0] + 1000
    assert longest_silence([*moments, clock.now]) <= MOST
