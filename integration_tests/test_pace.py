"""The rate limit as Streak sees it: counted from the log of a server with real sockets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from airbyte_cdk.test import entrypoint_wrapper
from conftest import Read
from streak_sandbox import Account, Sandbox

from source_streak import SourceStreak, budget, client

WIDER = budget.WIDER  # as it is in use: `read` takes the pace out of the way of other tests
COMMENTS = "v2/boxes/*/comments"


def few(times: int = 1, **moods: Any) -> dict[str, Any]:
    """What Sandbox() takes for 25 boxes (or so many times that), each with one comment."""
    account = Account()
    account.add_team("Team")
    for name, boxes in (("Sales", 15 * times), ("Hiring", 10 * times)):
        for box in account.boxes_of(account.add_pipeline(name, boxes=boxes)["key"]):
            account.add_comment(box["key"], "Hello")
    return {"account": account, **moods}


boxes_with_a_comment = functools.partial(
    pytest.mark.parametrize, "streak", indirect=True, ids=["25 boxes"]
)


@pytest.fixture
def paced(read: Read, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Reads at the pace that a user would have."""
    monkeypatch.setattr(budget, "WIDER", WIDER)
    return read


@pytest.fixture
def check(streak: Sandbox, paced: Read, tmp_path: Any) -> Callable[[int], str]:
    """The command `check` at so many requests a second; its status."""

    def check_streak(rate: int) -> str:
        path = tmp_path / "config.json"
        path.write_bytes(orjson.dumps({"api_key": streak.key, "requests_per_second": rate}))
        output = entrypoint_wrapper._run_command(SourceStreak(), ["check", "--config", str(path)])
        return str(output.connection_status_messages[0].connectionStatus.status.value)

    return check_streak


@boxes_with_a_comment([few()])
def test_no_second_of_a_read_holds_more_requests_than_are_set_retries_of_all_kinds_included(
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
        "teams",
        "users",
        "contacts",
        "organizations",
        "pipelines",
        "boxes",
        "box_files",
        "snippets",
        "newsfeed",
    )

    reading = paced(*streams, requests_per_second=20)

    assert reading.ok
    assert len(streak.log) >= 55
    assert streak.busiest_second() <= 20


def test_the_budget_hears_of_every_request_when_it_is_on_the_wire(
    streak: Sandbox, paced: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that fail: what counts is when they arrive."""
    heard: list[budget.Budget] = []

    def on_the_wire(self: budget.Budget) -> None:
        heard.append(self)

    monkeypatch.setattr(budget.Budget, "on_the_wire", on_the_wire)
    streak.fault("v1/snippets", "reset", times=2)

    assert paced("snippets", "teams", requests_per_second=20).ok
    assert len(heard) == len(streak.log) >= 4


@boxes_with_a_comment([few(latency_ms=400)])
def test_slow_answers_do_not_bunch_requests_up(streak: Sandbox, paced: Read) -> None:
    assert paced("box_comments", requests_per_second=20).ok
    assert streak.busiest_second() <= 20


@pytest.mark.parametrize("streak", [few(times=3, latency_ms=1500)], indirect=True, ids=["75 boxes"])
def test_forty_threads_that_fail_and_try_again_and_ask_about_the_key_stay_within_the_limit(
    streak: Sandbox, paced: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So slow are the answers that thirty requests are under way at a time."""
    clients: list[client.Client] = []
    monkeypatch.setattr(
        client.Client, "_note", functools.partialmethod(noted, client.Client._note, clients)
    )
    for place, kind in enumerate(("reset", "html", "half_body", "half_json")):
        streak.fault(COMMENTS, kind, times=3, after=15 * place)
    streak.fault(COMMENTS, "status", times=1, after=20, status=403)

    reading = paced("box_comments", requests_per_second=20)

    assert reading.ok
    assert {one.threads for one in clients} == {40}
    assert len(reading.records["box_comments"]) == 75
    assert len(streak.requests("v1/users/me")) >= 1
    assert streak.busiest_second() <= 20


def noted(
    self: client.Client, note: Callable[..., None], clients: list[client.Client], **outcome: bool
) -> None:
    clients.append(self)
    note(self, **outcome)


def test_the_tries_of_a_check_count_too(streak: Sandbox, check: Callable[[int], str]) -> None:
    streak.fault("v1/users/me", "reset", times=2)
    streak.fault("v2/pipelines", "html", times=2)

    assert check(2) == "SUCCEEDED"
    assert len(streak.log) == 6
    assert streak.busiest_second() <= 2


@boxes_with_a_comment([few()])
def test_a_429_stops_every_thread_until_the_time_it_names(streak: Sandbox, paced: Read) -> None:
    streak.fault(COMMENTS, "status", after=9, times=1, status=429, retry_after=1)

    reading = paced("box_comments", requests_per_second=20)

    refused = next(entry.time for entry in streak.log if entry.status == 429)
    under_way = 0.4  # seconds: whatever had been let go when the answer came has arrived by then
    assert reading.ok
    assert not [
        entry.time - refused
        for entry in streak.log
        if refused + under_way < entry.time < refused + 1
    ]
    assert len([entry for entry in streak.log if entry.time > refused + 1]) > 10


def test_a_429_stops_the_lists_of_other_pipelines_too(streak: Sandbox, paced: Read) -> None:
    streak.fault("v1/pipelines/*/boxes", "status", times=1, status=429, retry_after=1)

    assert set(paced("boxes", requests_per_second=20).keys("boxes")) == set(streak.account.boxes)

    refused = next(entry.time for entry in streak.log if entry.status == 429)
    assert not [
        entry.time - refused for entry in streak.log if refused + 0.4 < entry.time < refused + 1
    ]


@boxes_with_a_comment([few(rate_limit_per_second=12, retry_after=1)])
def test_a_server_that_allows_less_than_is_set_still_gives_everything_and_is_not_stormed(
    streak: Sandbox, paced: Read
) -> None:
    assert (
        len(paced("box_comments", requests_per_second=20).keys("box_comments", "boxKey", "key"))
        == 25
    )
    limited = [entry for entry in streak.log if entry.status == 429]
    assert 0 < len(limited) <= 16, (
        "more than the threads that were under way when the limit was met"
    )
