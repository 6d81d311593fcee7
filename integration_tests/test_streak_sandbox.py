"""The sandbox itself: a wrong stand-in would be worse than none."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from streak_sandbox import KEY_ISSUE, Account, Sandbox, keys, objects
from streak_sandbox.seed import default_account

SANDBOX = Path(__file__).parents[1] / "sandbox"
BOX_LISTS = "v1/pipelines/*/boxes"


@pytest.fixture
def streak() -> Iterator[Sandbox]:
    """The default account."""
    with Sandbox(boxes=150) as sandbox:
        yield sandbox


@pytest.fixture
def small() -> Iterator[Sandbox]:
    """One team, one pipeline, five plain boxes."""
    with Sandbox(account="empty") as sandbox:
        sandbox.account.add_team("Team")
        sandbox.account.add_pipeline("Sales", boxes=5)
        yield sandbox


def ask(streak: Sandbox, path: str, **query: Any) -> requests.Response:
    return requests.get(
        streak.url + path, params=query, auth=(streak.key, ""), timeout=20, allow_redirects=False
    )


def answer(streak: Sandbox, path: str, **query: Any) -> Any:
    response = ask(streak, path, **query)
    assert response.status_code == 200, response.text
    return response.json()


def pipeline_of(streak: Sandbox) -> str:
    return next(iter(streak.account.pipelines))


def box_list(streak: Sandbox, **query: Any) -> Any:
    return answer(streak, f"v1/pipelines/{pipeline_of(streak)}/boxes", **query)


def first_box(streak: Sandbox) -> str:
    return next(iter(streak.account.boxes))


# --- Authentication and invalid requests ----------------------------------------------------------


def test_a_request_without_a_key_is_refused_in_streaks_own_words(small: Sandbox) -> None:
    response = requests.get(small.url + "v1/users/me", timeout=20)

    assert (response.status_code, response.json()) == (401, {"error": "Authentication required"})


@pytest.mark.parametrize("credentials", [("wrong", ""), ("{key}", "another password")])
def test_a_wrong_key_is_refused_in_streaks_own_words(
    small: Sandbox, credentials: tuple[str, str]
) -> None:
    name, password = credentials
    auth = (name.format(key=small.key), password)
    response = requests.get(small.url + "v1/users/me", auth=auth, timeout=20)

    assert (response.status_code, response.json()) == (
        401,
        {"success": False, "error": "invalid api key"},
    )


@pytest.mark.parametrize("password", ["", "{key}"])
def test_basic_authentication_accepts_an_empty_password_or_the_key_again(
    small: Sandbox, password: str
) -> None:
    auth = (small.key, password.format(key=small.key))

    assert (
        requests.get(small.url + "v1/users/me", auth=auth, timeout=20).json()["email"]
        == "ada@example.com"
    )


def test_a_bearer_token_is_accepted_too(small: Sandbox) -> None:
    headers = {"Authorization": f"Bearer {small.key}"}

    assert requests.get(small.url + "v1/users/me", headers=headers, timeout=20).status_code == 200


def test_a_sandbox_can_be_given_a_key() -> None:
    with Sandbox(account="empty", key="abc") as streak:
        assert streak.key == "abc"
        assert answer(streak, "v1/users/me")["key"] == streak.account.my_key


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("v1/pipelines?colour=red", 400),
        ("v1/pipelines?limit=5", 400),
        ("v2/pipelines?limit=many", 400),
        ("v2/pipelines?limit=0", 400),
        ("v2/pipelines?page=-1", 400),
        ("v2/pipelines?page=1&page=2", 400),
        ("v1/pipelines?sortBy=name", 400),
        ("v3/pipelines", 404),
        ("v1/pipelines/", 404),
        ("v1/pipelines/12345", 400),
        ("v1/pipelines/a%20b", 400),
        (f"v1/pipelines/{keys.pipeline_key(987)}", 404),
        (f"v1/boxes/{keys.box_key(987)}", 404),
        (f"v2/comments/{keys.child_key('Comment', keys.box_key(987), 1)}", 404),
        (f"v2/contacts/{keys.contact_key(987)}", 404),
    ],
)
def test_an_invalid_request_gets_an_error(small: Sandbox, path: str, status: int) -> None:
    response = ask(small, path)

    assert response.status_code == status
    assert response.json()["error"]


def test_the_error_names_the_unknown_parameter(small: Sandbox) -> None:
    assert "colour" in ask(small, "v1/pipelines", colour="red").json()["error"]


def test_a_malformed_key_is_called_a_key_issue(small: Sandbox) -> None:
    assert ask(small, "v1/boxes/12345").json() == {"error": KEY_ISSUE}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
def test_nothing_but_get_is_served(small: Sandbox, method: str) -> None:
    response = requests.request(
        method, small.url + "v1/pipelines", auth=(small.key, ""), timeout=20
    )

    assert response.status_code == 405


# --- Lists ----------------------------------------------------------------------------------------


def test_a_box_list_without_parameters_is_an_array_of_all_boxes(small: Sandbox) -> None:
    assert [box["name"] for box in box_list(small)] == [f"Sales {number}" for number in range(1, 6)]


@pytest.mark.parametrize(
    "query", [{"sortBy": "creationTimestamp"}, {"limit": 2}, {"limit": 2, "page": 0}]
)
def test_a_box_list_is_an_array_unless_page_limit_and_order_are_all_given(
    small: Sandbox, query: dict[str, Any]
) -> None:
    assert isinstance(box_list(small, **query), list)


@pytest.mark.parametrize("shape", ["by_call", "envelope"])
def test_a_box_list_in_an_envelope_says_whether_there_is_more(small: Sandbox, shape: str) -> None:
    small.moods.box_list_shape = shape
    pages = [box_list(small, limit=2, page=page, sortBy="creationTimestamp") for page in range(4)]

    assert [len(page["results"]) for page in pages] == [2, 2, 1, 0]
    assert [page["hasNextPage"] for page in pages] == [True, True, False, False]


def test_box_lists_can_be_set_to_be_always_arrays(small: Sandbox) -> None:
    small.moods.box_list_shape = "array"

    assert isinstance(box_list(small, limit=2, page=0, sortBy="creationTimestamp"), list)


@pytest.mark.parametrize("order", ["creationTimestamp", "lastUpdatedTimestamp"])
def test_both_orders_are_descending(streak: Sandbox, order: str) -> None:
    stamps = [box[order] for box in box_list(streak, sortBy=order)]

    assert stamps == sorted(stamps, reverse=True)


def test_an_edited_box_comes_first_in_the_order_of_updates(small: Sandbox) -> None:
    small.account.edit_box(first_box(small), name="Edited")

    assert box_list(small, sortBy="lastUpdatedTimestamp")[0]["name"] == "Edited"


def test_boxes_can_be_filtered_by_stage(small: Sandbox) -> None:
    small.account.edit_box(first_box(small), stageKey="5003")

    assert [box["name"] for box in box_list(small, stageKey="5003")] == ["Sales 1"]


def test_the_limit_of_a_page_can_be_capped(small: Sandbox) -> None:
    small.moods.limit_cap = 2
    pages = [box_list(small, limit=100, page=page, sortBy="creationTimestamp") for page in range(3)]

    assert [len(page["results"]) for page in pages] == [2, 2, 1]
    assert len(box_list(small)) == 2


def test_the_parameter_page_can_be_ignored_in_two_ways(small: Sandbox) -> None:
    small.moods.page_ignored = "first"
    first, second = (box_list(small, limit=2, page=page) for page in (0, 1))
    assert first == second
    assert len(first) == 2

    small.moods.page_ignored = "whole"
    assert len(box_list(small, limit=2, page=7)) == 5


def test_lists_of_v2_can_be_capped_and_ignore_the_parameter_page_too(streak: Sandbox) -> None:
    streak.moods.v2_limit_cap = 1
    assert len(answer(streak, "v2/pipelines")["results"]) == 1
    assert answer(streak, "v2/users/me/teams", limit=50)["hasNextPage"] is True

    streak.moods.v2_page_ignored = "first"
    assert answer(streak, "v2/pipelines", page=1) == answer(streak, "v2/pipelines", page=0)

    streak.moods.v2_page_ignored = "whole"
    assert len(answer(streak, "v2/pipelines", page=3, limit=1)["results"]) == 5


def test_has_next_page_can_be_absent(small: Sandbox) -> None:
    small.moods.flag_absent = True

    assert set(box_list(small, limit=2, page=0, sortBy="creationTimestamp")) == {"results"}
    assert set(answer(small, "v2/pipelines")) == {"results"}


def test_the_box_list_of_a_full_pipeline_can_be_empty(small: Sandbox) -> None:
    small.moods.empty_pipelines.add(pipeline_of(small))

    assert box_list(small) == []
    assert answer(small, f"v2/pipelines/{pipeline_of(small)}")["boxCount"] == 5


def test_box_counts_and_child_counters_can_be_absent(small: Sandbox) -> None:
    small.moods.box_count_absent = small.moods.counters_absent = True

    assert not {"boxCount", "boxCountHint"} & set(answer(small, "v1/pipelines")[0])
    assert not set(objects.CHILD_COUNTERS) & set(box_list(small)[0])
    assert "commentCount" not in answer(small, f"v1/boxes/{first_box(small)}")


def test_a_newsfeed_holds_the_newest_50_events(streak: Sandbox) -> None:
    events = answer(streak, f"v1/pipelines/{pipeline_of(streak)}/newsfeed", detailLevel="ALL")

    assert len(streak.account.newsfeed[pipeline_of(streak)]) > 50
    assert len(events) == 50
    assert events[0]["newsfeedEntryOperation"] == "DELETE"


def test_cursors_lead_through_all_contacts(streak: Sandbox) -> None:
    team = next(iter(streak.account.teams))
    page = answer(streak, f"v2/teams/{team}/contacts", limit=4)
    found = list(page["results"])
    while "cursor" in page:
        page = answer(streak, f"v2/teams/{team}/contacts", limit=4, cursor=page["cursor"])
        found += page["results"]

    assert sorted(row["key"] for row in found) == sorted(
        row["key"] for row in streak.account.contacts[team]
    )


def test_a_full_last_page_of_contacts_is_followed_by_an_empty_one(small: Sandbox) -> None:
    team = next(iter(small.account.teams))
    small.account.add_contact(team)
    page = answer(small, f"v2/teams/{team}/contacts", limit=1)

    assert answer(small, f"v2/teams/{team}/contacts", limit=1, cursor=page["cursor"]) == {
        "results": []
    }


def test_the_parameter_after_is_in_seconds_and_inclusive(small: Sandbox) -> None:
    team = next(iter(small.account.teams))
    for stamp in (1_999, 2_000, 2_001):
        small.account.add_contact(team, lastSavedTimestamp=stamp)
    small.account.add_contact(team, lastSavedTimestamp=None)

    rows = answer(small, f"v2/teams/{team}/contacts", after=2)["results"]
    assert [row["lastSavedTimestamp"] for row in rows] == [2_000, 2_001]


def test_a_contact_edited_while_its_list_is_read_comes_twice(small: Sandbox) -> None:
    team = next(iter(small.account.teams))
    first = small.account.add_contact(team)
    small.account.add_contact(team)
    page = answer(small, f"v2/teams/{team}/contacts", limit=1)
    small.account.edit_contact(first["key"], title="Boss")
    rest = answer(small, f"v2/teams/{team}/contacts", limit=9, cursor=page["cursor"])

    assert page["results"][0]["key"] == first["key"] == rest["results"][-1]["key"]


def test_a_cursor_can_be_forgotten_once(small: Sandbox) -> None:
    team = next(iter(small.account.teams))
    for _ in range(3):
        small.account.add_contact(team)
    cursor = answer(small, f"v2/teams/{team}/contacts", limit=1)["cursor"]
    small.moods.forget_page_cursor = True

    assert ask(small, f"v2/teams/{team}/contacts", limit=1, cursor=cursor).status_code == 400
    assert ask(small, f"v2/teams/{team}/contacts", limit=1, cursor=cursor).status_code == 200
    assert ask(small, f"v2/teams/{team}/contacts", cursor="nonsense").status_code == 400


# --- Moods ----------------------------------------------------------------------------------------


def test_a_refused_pipeline_is_listed_but_cannot_be_read(small: Sandbox) -> None:
    small.moods.refused_pipelines = {pipeline_of(small)}

    assert len(answer(small, "v2/pipelines")["results"]) == 1
    for path in (
        f"v1/pipelines/{pipeline_of(small)}/boxes",
        f"v2/boxes/{first_box(small)}/comments",
    ):
        assert ask(small, path).status_code == 401


def test_a_gone_box_is_listed_but_answers_404(small: Sandbox) -> None:
    small.moods.gone_boxes.add(first_box(small))

    assert first_box(small) in [box["key"] for box in box_list(small)]
    assert ask(small, f"v1/boxes/{first_box(small)}").status_code == 404
    assert ask(small, f"v2/boxes/{first_box(small)}/tasks").status_code == 404


def test_a_failing_box_fails_for_its_children_only(small: Sandbox) -> None:
    small.moods.failing_boxes.add(first_box(small))

    assert ask(small, f"v2/boxes/{first_box(small)}/tasks").status_code == 500
    assert ask(small, f"v1/boxes/{first_box(small)}/files").status_code == 500
    assert ask(small, f"v1/boxes/{first_box(small)}").status_code == 200


def test_the_v2_list_of_pipelines_can_be_missing(small: Sandbox) -> None:
    small.moods.v2_pipelines_missing = True

    assert ask(small, "v2/pipelines").status_code == 404
    assert ask(small, "v1/pipelines").status_code == 200


def test_the_rate_limit_answers_429_with_or_without_retry_after(small: Sandbox) -> None:
    small.moods.rate_limit_per_second = 0
    assert "Retry-After" not in ask(small, "v1/users/me").headers

    small.moods.retry_after = 3
    response = ask(small, "v1/users/me")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")


def test_latency_delays_responses(small: Sandbox) -> None:
    small.moods.latency_ms = 3_600_000
    with pytest.raises(requests.Timeout):
        requests.get(small.url + "v1/users/me", auth=(small.key, ""), timeout=0.2)

    assert small.requests("v1/users/me")[0].path == "v1/users/me"


def test_an_unknown_mood_or_value_is_an_error(small: Sandbox) -> None:
    with pytest.raises(AttributeError):
        small.moods.latncy_ms = 3
    with pytest.raises(ValueError, match="box_list_shape"):
        small.moods.box_list_shape = "round"
    with pytest.raises(TypeError):
        Sandbox(account="empty", cheerful=True)


def test_moods_can_be_changed_from_another_process(small: Sandbox) -> None:
    control = small.url.replace("/api/", "/_sandbox/")
    told = requests.post(
        control + "moods", json={"limit_cap": 3, "gone_boxes": ["a"]}, timeout=20
    ).json()

    assert told == requests.get(control + "moods", timeout=20).json()
    assert (small.moods.limit_cap, small.moods.gone_boxes) == (3, {"a"})
    assert requests.post(control + "moods", json={"cheerful": True}, timeout=20).status_code == 400


def test_the_account_can_be_changed_from_another_process(small: Sandbox) -> None:
    control = small.url.replace("/api/", "/_sandbox/account")
    change = {"call": "edit_box", "args": [first_box(small)], "kwargs": {"name": "New"}}

    assert requests.post(control, json=change, timeout=20).json()["name"] == "New"
    assert answer(small, f"v1/boxes/{first_box(small)}")["name"] == "New"
    assert requests.post(control, json={"call": "_stamps"}, timeout=20).status_code == 400
    assert (
        requests.post(control, json={"call": "delete_box", "args": ["x"]}, timeout=20).status_code
        == 400
    )


# --- The log --------------------------------------------------------------------------------------


def test_the_log_holds_each_request_with_its_status(small: Sandbox) -> None:
    headers = {"User-Agent": "tester/1"}
    requests.get(
        small.url + "v2/pipelines?limit=3", auth=(small.key, ""), headers=headers, timeout=20
    )
    requests.get(small.url + "v1/boxes/12345", timeout=20)
    known, unknown = small.log

    assert (known.method, known.path, known.query, known.status) == (
        "GET",
        "v2/pipelines",
        {"limit": "3"},
        200,
    )
    assert (known.user_agent, known.authorized, known.fault) == ("tester/1", True, None)
    assert (unknown.status, unknown.authorized) == (401, False)
    assert known.time <= unknown.time


def test_the_log_can_be_searched_and_over_http_read_and_cleared(small: Sandbox) -> None:
    control = small.url.replace("/api/", "/_sandbox/log")
    box_list(small)
    answer(small, "v1/users/me")

    assert len(small.requests(BOX_LISTS)) == 1
    assert [entry["path"] for entry in requests.get(control, timeout=20).json()][1] == "v1/users/me"
    assert requests.delete(control, timeout=20).status_code == 200
    assert small.log == []


def test_the_busiest_second_may_begin_at_any_moment(small: Sandbox) -> None:
    for _ in range(5):
        answer(small, "v1/users/me")
    for entry, time in zip(small.log, (0.0, 0.6, 1.1, 1.5, 2.2), strict=True):
        entry.time = time

    assert small.busiest_second() == 3


# --- Faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 429, 503])
def test_a_fault_can_answer_with_any_status(small: Sandbox, status: int) -> None:
    small.fault(
        "v1/users/me", "status", status=status, body={"error": "as told"}, headers={"X-Told": "yes"}
    )
    response = ask(small, "v1/users/me")

    assert (response.status_code, response.json(), response.headers["X-Told"]) == (
        status,
        {"error": "as told"},
        "yes",
    )
    assert (small.log[0].status, small.log[0].fault) == (status, "status")
    assert ask(small, "v1/users/me").status_code == 200


@pytest.mark.parametrize("retry_after", [7, "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_retry_after_is_seconds_or_a_date(small: Sandbox, retry_after: int | str) -> None:
    small.fault("v1/users/me", "status", status=429, retry_after=retry_after)

    assert ask(small, "v1/users/me").headers["Retry-After"] == str(retry_after)


def test_an_error_body_can_be_empty(small: Sandbox) -> None:
    small.fault("v1/users/me", "status", status=400, body="")

    assert ask(small, "v1/users/me").content == b""


def test_a_fault_can_be_a_page_a_wrong_shape_a_redirect_or_an_empty_list(small: Sandbox) -> None:
    small.fault("v1/users/me", "html")
    page = ask(small, "v1/users/me")
    assert (page.status_code, page.headers["Content-Type"].split(";")[0]) == (500, "text/html")
    assert "Error: Server Error" in page.text

    small.fault("v1/users/me", "not_json")
    page = ask(small, "v1/users/me")
    assert (page.status_code, page.text[:9]) == (200, "<!doctype")

    small.fault("v1/users/me", "wrong_shape")
    assert answer(small, "v1/users/me") == {"surprise": 1}
    small.fault("v1/users/me", "wrong_shape", body="a text")
    assert answer(small, "v1/users/me") == "a text"

    small.fault("v1/users/me", "redirect", location="https://www.example.com/")
    moved = ask(small, "v1/users/me")
    assert (moved.status_code, moved.headers["Location"]) == (302, "https://www.example.com/")

    small.fault("*", "empty", times=None)
    assert box_list(small) == []
    assert answer(small, "v2/pipelines") == {"results": [], "hasNextPage": False}


def test_half_json_is_cut_but_has_the_right_content_length(small: Sandbox) -> None:
    small.fault("v1/users/me", "half_json")
    response = ask(small, "v1/users/me")

    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) == len(response.content)
    with pytest.raises(ValueError, match=r"char \d+"):
        json.loads(response.text)


@pytest.mark.parametrize("kind", ["reset", "reset_in_body", "half_body"])
def test_a_connection_can_break(streak: Sandbox, kind: str) -> None:
    streak.fault(BOX_LISTS, kind)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        box_list(streak)

    assert (streak.log[0].status, streak.log[0].fault) == (None, kind)
    assert box_list(streak)


@pytest.mark.parametrize(("kind", "seconds"), [("slow", 0.01), ("drip", 0.0001)])
def test_a_slow_response_is_still_correct(small: Sandbox, kind: str, seconds: float) -> None:
    small.fault("v1/users/me", kind, seconds=seconds)

    assert answer(small, "v1/users/me")["email"] == "ada@example.com"


def test_a_hanging_request_ends_without_a_response_when_the_sandbox_stops() -> None:
    seen, ended = threading.Event(), threading.Event()
    broken: list[requests.RequestException] = []

    def wait_for_nothing(url: str, key: str) -> None:
        try:
            requests.get(url + "v1/users/me", auth=(key, ""), timeout=60)
        except requests.RequestException as error:
            broken.append(error)
        ended.set()

    with Sandbox(account="empty") as streak:
        streak.fault("v1/users/me", "hang", times=None)
        streak.on("v1/users/me", lambda _: seen.set())
        threading.Thread(
            target=wait_for_nothing, args=(streak.url, streak.key), daemon=True
        ).start()
        assert seen.wait(20)

    assert ended.wait(20)
    assert [type(error) for error in broken] == [requests.ConnectionError]


def test_a_hanging_request_ends_when_the_client_gives_up(small: Sandbox) -> None:
    small.fault("v1/users/me", "hang")
    with pytest.raises(requests.Timeout):
        requests.get(small.url + "v1/users/me", auth=(small.key, ""), timeout=0.2)

    assert answer(small, "v1/users/me")


def test_faults_can_begin_later_end_after_a_count_and_be_cleared(small: Sandbox) -> None:
    small.fault("v1/users/me", "status", status=503, times=2, after=1)
    assert [ask(small, "v1/users/me").status_code for _ in range(4)] == [200, 503, 503, 200]

    small.fault("v1/users/*", "status", status=410, times=None)
    assert [ask(small, "v1/users/me").status_code for _ in range(3)] == [410, 410, 410]

    small.clear_faults()
    assert ask(small, "v1/users/me").status_code == 200


def test_a_fault_can_be_meant_for_one_page(small: Sandbox) -> None:
    small.fault(BOX_LISTS, "status", status=503, where={"page": "1"})

    assert len(box_list(small, limit=2, page=0)) == 2
    assert (
        ask(small, f"v1/pipelines/{pipeline_of(small)}/boxes", limit=2, page=1).status_code == 503
    )


def test_an_unknown_kind_of_fault_is_an_error(small: Sandbox) -> None:
    with pytest.raises(ValueError, match="half_body"):
        small.fault("*", "explode")


# --- Changes while a list is read -----------------------------------------------------------------


def test_an_action_runs_once_before_the_answer(small: Sandbox) -> None:
    small.on(BOX_LISTS, lambda streak: streak.account.add_box(pipeline_of(streak), "Late"), after=1)

    assert [len(box_list(small)) for _ in range(3)] == [5, 6, 6]


def test_an_action_can_run_after_the_answer(small: Sandbox) -> None:
    done = threading.Event()
    small.on("v1/users/me", lambda _: done.set(), before_answer=False)

    assert answer(small, "v1/users/me")
    assert done.wait(20)


def test_an_action_may_ask_the_sandbox_itself(small: Sandbox) -> None:
    small.on(BOX_LISTS, lambda streak: answer(streak, "v1/users/me"))
    box_list(small)

    assert [entry.path[:8] for entry in small.log] == ["v1/pipel", "v1/users"]


def test_an_action_that_fails_raises_its_error_when_the_sandbox_stops() -> None:
    def fail(_: Sandbox) -> None:
        raise LookupError("in the action")

    streak = Sandbox(account="empty")
    streak.on("v1/users/me", fail)
    with pytest.raises(LookupError, match="in the action"), streak:
        answer(streak, "v1/users/me")


# --- Changes in the account -----------------------------------------------------------------------


def test_a_new_comment_changes_last_saved_but_not_last_updated(small: Sandbox) -> None:
    box = small.account.boxes[first_box(small)]
    before = dict(box)
    comment = small.account.add_comment(box["key"], "Hello")
    told = answer(small, f"v1/boxes/{box['key']}")

    assert (told["commentCount"], told["lastCommentTimestamp"]) == (1, comment["timestamp"])
    assert told["lastSavedTimestamp"] > before["lastSavedTimestamp"]
    assert told["lastUpdatedTimestamp"] == before["lastUpdatedTimestamp"]
    assert answer(small, f"v2/boxes/{box['key']}/comments")["results"] == [comment]
    assert answer(small, f"v2/comments/{comment['key']}") == comment


def test_deleting_comments_turns_back_and_then_removes_the_last_comments_time(
    small: Sandbox,
) -> None:
    account, key = small.account, first_box(small)
    first, second = (account.add_comment(key, text) for text in ("one", "two"))

    account.delete_comment(key, second["key"])
    assert account.boxes[key]["lastCommentTimestamp"] == first["timestamp"]
    account.delete_comment(key, first["key"])
    assert "lastCommentTimestamp" not in account.boxes[key]
    assert account.boxes[key]["commentCount"] == 0


def test_an_edited_comment_leaves_its_box_as_it_was(small: Sandbox) -> None:
    account, key = small.account, first_box(small)
    comment = account.add_comment(key, "one")
    before = dict(account.boxes[key])
    account.edit_comment(key, comment["key"], "changed")

    assert account.boxes[key] == before
    assert answer(small, f"v2/comments/{comment['key']}")["message"] == "changed"


def test_every_kind_of_child_is_counted(small: Sandbox) -> None:
    account, key = small.account, first_box(small)
    account.add_task(key, "Call", status="DONE")
    account.add_meeting(key, "Notes", meetingType="MEETING_NOTES")
    account.add_thread(key)
    account.add_file(key)
    box = account.boxes[key]

    assert (box["taskTotal"], box["taskCompleteCount"], box["taskPercentageComplete"]) == (
        1,
        1,
        1.0,
    )
    assert (box["meetingNotesCount"], box["callLogCount"]) == (1, 0)
    assert (box["gmailThreadCount"], box["fileCount"]) == (1, 1)


def test_counters_agree_with_the_children_on_every_box(streak: Sandbox) -> None:
    for box in streak.account.boxes.values():
        for kind, tally in objects.TALLIES.items():
            expected = {
                name: value
                for name, value in tally(streak.account.children[kind][box["key"]]).items()
                if value
            }
            assert {name: box.get(name) for name in expected} == expected
            assert len(streak.account.children[kind][box["key"]]) == objects.child_count(kind, box)


def test_untouched_children_are_the_same_in_every_response(streak: Sandbox) -> None:
    box = next(box for box in reversed(streak.account.boxes.values()) if box["commentCount"] == 3)
    path = f"v2/boxes/{box['key']}/comments"
    before = answer(streak, path)
    streak.account.delete_comment(box["key"], before["results"][0]["key"])

    assert answer(streak, path)["results"] == before["results"][1:]
    assert (box["key"], before["results"][1]["key"]) in [
        (owner["key"], row["key"]) for owner, row in streak.account.all("comments")
    ]


def test_box_counts_follow_the_boxes(small: Sandbox) -> None:
    account, sales = small.account, pipeline_of(small)
    other = account.add_pipeline("Other")["key"]
    one, two, *_ = list(account.boxes)
    account.edit_box(one, stageKey="5002")
    account.move_box(two, other)
    account.add_box(other, "New")
    account.delete_box(one)

    counts = {row["name"]: row["boxCount"] for row in answer(small, "v2/pipelines")["results"]}
    assert counts == {"Sales": 3, "Other": 2}
    assert [len(account.boxes_of(key)) for key in (sales, other)] == [3, 2]
    assert {key: stage["boxCount"] for key, stage in account.pipelines[sales]["stages"].items()}[
        "5001"
    ] == 3


def test_a_moved_box_takes_its_children_along(small: Sandbox) -> None:
    account, key = small.account, first_box(small)
    account.add_comment(key, "Hello")
    other = account.add_pipeline("Other", stages=["Only"])["key"]
    account.move_box(key, other)

    assert answer(small, f"v2/boxes/{key}/comments")["results"][0]["pipelineKey"] == other
    assert answer(small, f"v1/pipelines/{other}/boxes")[0]["key"] == key


def test_editing_a_field_keeps_the_others_and_none_clears_it(small: Sandbox) -> None:
    account, key = small.account, first_box(small)
    account.edit_box(key, fields={"1001": "a", "1002": "b"}, notes="x")
    account.edit_box(key, fields={"1001": None}, notes=None)

    assert answer(small, f"v1/boxes/{key}/fields") == [{"key": "1002", "value": "b"}]
    assert "notes" not in account.boxes[key]


def test_a_change_of_stage_enters_the_history_and_the_newsfeed(small: Sandbox) -> None:
    account, key = small.account, first_box(small)
    account.edit_box(key, stageKey="5002")
    box = answer(small, f"v1/boxes/{key}")
    newest = answer(small, f"v1/pipelines/{pipeline_of(small)}/newsfeed")[0]

    assert [entry["stageKey"] for entry in box["stageHistoryEntries"]] == ["5001", "5002"]
    assert box["lastStageChangeTimestamp"] == box["lastUpdatedTimestamp"]
    assert (newest["newsfeedEntrySpecific"], newest["boxKey"]) == ("EDIT_STAGE", key)


def test_the_drift_of_a_day_changes_no_timestamp(streak: Sandbox) -> None:
    key = first_box(streak)
    before = json.loads(json.dumps(streak.account.boxes[key]))
    streak.account.drift()
    after = streak.account.boxes[key]

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"freshness", "stageHistoryEntries", "totalNumberOfSentEmailsViews"}


def test_renaming_a_stage_touches_no_box(small: Sandbox) -> None:
    before = box_list(small)
    small.account.rename_stage(pipeline_of(small), "5001", "Prospect")

    assert box_list(small) == before
    assert answer(small, f"v1/pipelines/{pipeline_of(small)}/stages")["5001"] == {
        "key": "5001",
        "name": "Prospect",
    }


def test_a_deleted_pipeline_takes_its_boxes_along(small: Sandbox) -> None:
    key = pipeline_of(small)
    small.account.delete_pipeline(key)

    assert small.account.boxes == {}
    assert ask(small, f"v1/pipelines/{key}").status_code == 404


def test_an_empty_account_has_its_user_and_nothing_else() -> None:
    with Sandbox(account=Account()) as streak:
        assert answer(streak, "v1/users/me")["userType"] == "HUMAN"
        assert answer(streak, "v1/pipelines") == answer(streak, "v1/snippets") == []
        assert answer(streak, "v2/users/me/teams") == {"results": [], "hasNextPage": False}


# --- The default account --------------------------------------------------------------------------


def every_object(streak: Sandbox) -> dict[str, list[dict[str, Any]]]:
    """All objects in the sandbox's lists, by type."""
    teams = answer(streak, "v2/users/me/teams")["results"]
    v1, v2 = answer(streak, "v1/pipelines"), answer(streak, "v2/pipelines")["results"]
    boxes = [box for row in v2 for box in answer(streak, f"v1/pipelines/{row['key']}/boxes")]
    found = {
        "team": teams,
        "member": [member for team in teams for member in team["members"]],
        "team_field": [row for team in teams for row in team["contactSettings"]["fields"].values()],
        "user": [
            row
            for team in teams
            for row in answer(streak, f"v2/teams/{team['key']}/users")["results"]
        ],
        "pipeline_v1": v1,
        "pipeline_v2": v2,
        "acl_v1": [entry for row in v1 for entry in row["aclEntries"]],
        "acl_v2": [entry for row in v2 for entry in row["aclEntries"]],
        "stage": [stage for row in v2 for stage in row["stages"].values()],
        "field": [field for row in v2 for field in row["fields"]],
        "box": boxes,
        "snippet": answer(streak, "v1/snippets"),
        "newsfeed": [
            row for p in v2 for row in answer(streak, f"v1/pipelines/{p['key']}/newsfeed")
        ],
    }
    for kind in ("contacts", "organizations"):
        pages = [answer(streak, f"v2/teams/{team['key']}/{kind}", limit=1000) for team in teams]
        found[kind] = [row for page in pages for row in page["results"]]
    for kind in ("comments", "meetings", "tasks"):
        lists = [answer(streak, f"v2/boxes/{box['key']}/{kind}")["results"] for box in boxes[:40]]
        found[kind] = [row for rows in lists for row in rows]
    for kind in ("threads", "files"):
        found[kind] = [
            row for box in boxes[:40] for row in answer(streak, f"v1/boxes/{box['key']}/{kind}")
        ]
    return found


BOTH_PIPELINES = (
    "key name description icon creatorKey teamKey fields stages stageOrder stageColorTheme "
    "aclEntries "
    "sharingRestrictedToTeam customPermissionSets defaultPermissionSetName boxCount "
    "creationSourceType "
    "creationTimestamp lastUpdatedTimestamp lastSavedTimestamp formulasLastUpdatedTimestamp"
)
DIRECTORY = (
    "key teamKey other phoneNumbers addresses domains normalizedDomains twitterHandle "
    "facebookHandle linkedinHandle "
    "instagramHandle creatorKey lastSavedUserKey creationDate versionTimestamp lastSavedTimestamp "
    "lastEnrichmentTimestamp contactLinks orgLinks fields"
)

# The properties that the API notes document for each object (sections 2 to 15).
DOCUMENTED = {
    "user": "key userKey email lowercaseEmail displayName creationTimestamp "
    "lastUpdatedTimestamp lastSavedTimestamp "
    "lastSeenTimestamp isOauthComplete firstOauthTimestamp orgKey googleProfileId "
    "googleProfilePhotoUrl "
    "googleProfileLink googleProfileFullName googleProfileFirstName googleProfileLastName "
    "googleProfileGender "
    "googleProfileLocale timezoneId timezoneOffset userType wantsTaskDigestEmail "
    "securityReportOnTeamsPipelines "
    "externalSharingRestrictionOnTeamsPipelines automaticallySendInvoiceEmails "
    "emailsToSendInvoiceTo "
    "customerSpecifiedInvoiceData tourId userSettingsKey userSource usedPlatforms "
    "lastTrialStart lastProPlusTrialStart "
    "lastTrialLength canceledTrial onTrialWithoutCreditCard hasCancellationDiscount intercomHmac "
    "googleAnalyticsClientId firstExtension installAppId contextIOStatus experiments",
    "team": "key name creator creationDate lastSavedTimestamp members sharingRestrictedToTeam "
    "automaticallyApproveJoinRequests automaticallySendInvoiceEmails emailsToSendInvoiceTo "
    "billingAdmin "
    "contactOrgListPermissions contactSettings organizationSettings billingInfo hasStripeCustomer",
    "member": "userKey role inviteDate inviteStatus emailSharing displayName email fullName "
    "givenName image userType orgKey",
    "team_field": "name key type defaultValue lastDefaultValueUpdatedTimestamp "
    "lastUpdatedTimestamp dropdownSettings tagSettings",
    "pipeline_v1": BOTH_PIPELINES
    + " pipelineKey owner orgWide teamWide sharingRestrictedToOrg boxCountHint",
    "pipeline_v2": BOTH_PIPELINES,
    "acl_v1": "email fullName displayName isOwner image permissionSetName userKey",
    "acl_v2": "userKey permissionSetName email displayName fullName givenName image userType "
    "isReadOnly",
    "stage": "key name color isColorFromTheme boxCount",
    "field": "key name type lastUpdatedTimestamp defaultValue lastDefaultValueUpdatedTimestamp "
    "dropdownSettings tagSettings aiSettings",
    "box": "key boxKey pipelineKey creatorKey name notes stageKey fields creationSourceType "
    "fieldsAutofillStatus "
    "violations freshness linkedBoxKeys followerKeys contacts organizations emailAddresses "
    "emailAddressesAutoExtracted "
    "emailAddressesBlacklist emailAddressesWhitelist stageHistoryEntries "
    "assignedToSharingEntries creatorSharingEntry "
    "followerSharingEntries taskAssigneeSharingEntrySet incompleteTaskAssigneeSharingEntrySet "
    "overdueTaskAssigneeSharingEntrySet taskAssigneeKeySet incompleteTaskAssigneeKeySet "
    "overdueTaskAssigneeKeySet "
    "creationTimestamp lastUpdatedTimestamp lastSavedTimestamp lastStageChangeTimestamp "
    "lastEmailUpdatedTimestamp "
    "firstEmailTimestamp firstEmailReceivedTimestamp lastEmailReceivedTimestamp "
    "firstEmailSentTimestamp "
    "lastEmailSentTimestamp mostRecentLastSentEmailViewsTimestamp "
    "mostRecentSentEmailsViewsTimestamp "
    "lastCommentTimestamp firstCallLogTimestamp mostRecentCallLogTimestamp "
    "firstMeetingNotesTimestamp "
    "mostRecentMeetingNotesTimestamp lastTouchpointTimestamp lastTouchpointType soonestTaskDueDate "
    "earliestOverdueTaskDueDate firstEmailFrom lastEmailFrom commentCount taskTotal "
    "taskCompleteCount "
    "taskIncompleteCount taskOverdueCount taskPercentageComplete callLogCount "
    "meetingNotesCount totalCallLogDuration "
    "totalMeetingNotesDuration gmailThreadCount fileCount followerCount totalNumberOfEmails "
    "totalNumberOfSentEmails "
    "totalNumberOfReceivedEmails totalNumberOfSentEmailsViews totalNumberOfLastSentEmailViews "
    "totalNumberOfLastSentEmailLinksClicks",
    "threads": "key gmailThreadKey boxKey boxKeys pipelineKey creatorKey threadGmailId "
    "creationTimestamp "
    "lastUpdatedTimestamp lastSavedTimestamp lastEmailTimestamp subject names emailAddresses "
    "fileKeys files "
    "numberOfEmails lastEmailFrom messageSentTimestamps senderEmailSendTimestampPairs autoboxLinks "
    "unifiedMessageThreads sources isRequestingUserOwner doesRequestingUserHaveThread "
    "requestingUserThreadGmailId",
    "files": "key fileKey boxKey fileType fileOwner fileName mainFileName mimeType size "
    "creationTimestamp "
    "lastUpdatedTimestamp lastSavedTimestamp gmailAPIFileId gmailMessageId "
    "isCurrentUserOwnerInDrive directUrl",
    "tasks": "key boxKey pipelineKey creatorKey creator assignedTo creatorSharingEntry "
    "assignedToSharingEntries "
    "creationDate lastStatusChangeDate lastSavedTimestamp dueDate text status reminderStatus "
    "actions meetingKey "
    "sortOrder isDraft",
    "comments": "key boxKey pipelineKey creatorKey commentKey message timestamp "
    "lastSavedTimestamp newsfeedEntryKey "
    "mentions parent children reactionSummary",
    "meetings": "key boxKey pipelineKey creatorKey meetingType startTimestamp duration notes "
    "creationDate "
    "lastSavedTimestamp taskKeys isDraft",
    "newsfeed": "key newsfeedItemKey boxKey pipelineKey creatorKey timestamp "
    "lastSavedTimestamp newsfeedEntryScope "
    "newsfeedEntryOperation newsfeedEntrySpecific specificVariables storyTextBox "
    "storyTextPipeline storyTextGlobal "
    "moved collapsedEntries",
    "snippet": "key snippetKey userKey creationDate lastSavedTimestamp partOfPipeline pipelineKey "
    "snippetName snippetText snippetType snippetKeyShortcut subject",
    "contacts": DIRECTORY + " givenName familyName title emailAddresses photoUrl",
    "organizations": DIRECTORY + " name industry employeeCount logoURL",
}


def has_a_value(value: Any) -> bool:
    """Whether a value shows its type: an empty list or object does not."""
    return value not in (None, [], {})


def test_every_object_has_all_documented_properties_and_an_undocumented_one(
    streak: Sandbox,
) -> None:
    for kind, rows in every_object(streak).items():
        names = {name for row in rows for name, value in row.items() if has_a_value(value)}
        assert set(DOCUMENTED[kind].split()) - names == set(), kind
        assert names - set(DOCUMENTED[kind].split()), f"nothing undocumented on any {kind}"


def test_the_default_account_has_the_oddities_of_real_ones(streak: Sandbox) -> None:
    account = streak.account
    sales = account.pipeline_named("Sales")
    values = [value for box in account.boxes_of(sales["key"]) for value in box["fields"].values()]
    names = [field["name"] for field in sales["fields"]]

    assert {field["type"] for field in sales["fields"]} == {
        *(
            "TEXT_INPUT",
            "DROPDOWN",
            "CHECKBOX",
            "DATE",
            "PERSON",
            "FORMULA",
            "TAG",
            "TEAM_CONTACT",
            "TEAM_ORGANIZATION",
        )
    }
    assert len(names) > len(set(names))
    assert {42, 16.8, "", "n/a", "9099"} <= {
        value for value in values if not isinstance(value, list)
    }
    assert any(row["boxCount"] == 0 for row in account.pipelines.values())
    assert any(len(row["boxKeys"]) == 2 for _, row in account.all("threads"))
    assert any(row["startTimestamp"] > 3_900_000_000_000 for _, row in account.all("meetings"))
    assert any(box.get("lastEmailUpdatedTimestamp") == -1 for box in account.boxes.values())
    assert {type(row["snippetText"]) for row in account.snippets} == {dict, str}
    assert {type(row["size"]) for _, row in account.all("files")} == {str}


def test_the_same_seed_gives_the_same_account() -> None:
    one, two = default_account(boxes=200, seed=4), default_account(boxes=200, seed=4)

    for name in (
        "users",
        "teams",
        "pipelines",
        "boxes",
        "contacts",
        "organizations",
        "snippets",
        "newsfeed",
    ):
        assert getattr(one, name) == getattr(two, name)
    assert one.boxes != default_account(boxes=200, seed=5).boxes


def test_only_example_domains_occur(streak: Sandbox) -> None:
    text = json.dumps(every_object(streak))

    assert {part.split('"')[0].split(".")[0] for part in text.split("@example")[1:]} <= {""}
    assert text.count("@example.") == text.count("@") - text.count("@Bj")


def test_the_boxes_of_a_large_account_are_spread_over_its_pipelines() -> None:
    account = default_account(boxes=20_000, pipelines=12)

    assert (
        len(account.boxes) == sum(row["boxCount"] for row in account.pipelines.values()) == 20_000
    )
    assert sum(row["boxCount"] > 1_000 for row in account.pipelines.values()) == 12
    with_children = sum(
        any(objects.child_count(kind, box) for kind in objects.CHILD_KINDS)
        for box in account.boxes.values()
    )
    assert 0.55 < with_children / 20_000 < 0.65
    assert 2 < sum(1 for kind in objects.CHILD_KINDS for _ in account.all(kind)) / 20_000 < 4


def test_a_sandbox_of_twenty_thousand_boxes_answers_page_by_page() -> None:
    with Sandbox(boxes=20_000, pipelines=1) as streak:
        pages = [
            box_list(streak, limit=500, page=page, sortBy="creationTimestamp") for page in range(41)
        ]
        count = answer(streak, f"v2/pipelines/{pipeline_of(streak)}")["boxCount"]

    assert [page["hasNextPage"] for page in pages] == [True] * 39 + [False] * 2
    assert len({box["key"] for page in pages for box in page["results"]}) == count > 19_900


# --- As a program ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_prints_its_address_and_ends_cleanly_on_a_signal(
    number: signal.Signals,
) -> None:
    command = [
        sys.executable,
        "-m",
        "streak_sandbox",
        "--port",
        "0",
        "--boxes",
        "30",
        "--api-key",
        "abc",
    ]
    command += ["--latency-ms", "1", "--mood", "limit_cap=7", "--mood", "box_list_shape=array"]
    process = subprocess.Popen(
        command,
        cwd=SANDBOX,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": ""},
    )
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("Streak sandbox: http://127.0.0.1:")
    assert line.endswith("  key: abc  boxes: 30\n")
    url = line.split()[2]
    moods = requests.get(url.replace("/api/", "/_sandbox/moods"), timeout=20).json()
    assert (moods["limit_cap"], moods["box_list_shape"], moods["latency_ms"]) == (7, "array", 1)

    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


def test_a_port_that_is_taken_is_an_error_and_not_a_hang() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="address already in use"):
            Sandbox(account="empty", port=taken.getsockname()[1]).start()
