"""What check and read do when Streak refuses, fails or sends nonsense.

These are the rows of the table in errors.py, tested over real sockets. Each test asserts what a
user gets (records, statuses), what a user reads, and which requests were made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import commands
import pytest
from airbyte_cdk.sources.utils.casing import camel_to_snake
from commands import Outcome
from conftest import Read, Reading
from quick import QuickClock
from streak_sandbox import KEY_ISSUE, Account, Sandbox
from watches import OneClock

from source_streak.api.clock import Clock
from source_streak.api.errors import Level
from source_streak.streams import STREAMS

Fault = tuple[str, dict[str, Any]]

NEW_KEY = "Gmail > Streak > Integrations > Custom integrations > Create new key"
REFUSED = "Support 🎧"
BOX_STREAMS = [camel_to_snake(one.__name__) for one in STREAMS if one.parent is Level.BOX]
PIPELINE_STREAMS = ("pipelines", "pipeline_stages", "pipeline_fields", "pipeline_members")

# The ways in which a request can fail, by their row in the table.
FAULTS: dict[str, dict[str, Fault]] = {
    "no access": {
        "401": ("status", {"status": 401, "body": {"error": "no such luck"}}),
        "403": ("status", {"status": 403, "body": {"error": "no such luck"}}),
        "403 in HTML": ("status", {"status": 403, "body": "<html>Forbidden by the gateway</html>"}),
    },
    "gone": {
        "404": ("status", {"status": 404, "body": {"error": "Not found"}}),
        "400 key issue": ("status", {"status": 400, "body": {"error": KEY_ISSUE}}),
    },
    "retired": {"410": ("status", {"status": 410, "body": {"error": "This API is switched off"}})},
    "other": {
        "400": ("status", {"status": 400, "body": {"error": "odd question"}}),
        "422": ("status", {"status": 422, "body": {"error": "odd question"}}),
        "302": ("redirect", {"location": "http://127.0.0.1:9/elsewhere"}),
        "308": ("status", {"status": 308, "headers": {"Location": "http://127.0.0.1:9/elsewhere"}}),
    },
    "unanswered": {
        "500": ("status", {"status": 500}),
        "503 with Retry-After": ("status", {"status": 503, "retry_after": 5}),
        "408": ("status", {"status": 408}),
        "429": ("status", {"status": 429, "retry_after": 2}),
        "429 without Retry-After": ("status", {"status": 429}),
        "500 in HTML": ("html", {}),
        "login page": ("not_json", {}),
        "wrong shape": ("wrong_shape", {}),
        "list of numbers": ("wrong_shape", {"body": [1, 2]}),
        "null": ("wrong_shape", {"body": None}),
        "half JSON": ("half_json", {}),
        "half body": ("half_body", {}),
        "reset": ("reset", {}),
        "reset in the body": ("reset_in_body", {}),
        "hang": ("hang", {}),
    },
}
EVERY_FAULT = [
    pytest.param(row, fault, id=f"{row}-{name}")
    for row, faults in FAULTS.items()
    for name, fault in faults.items()
]
ONE_OF_EACH = [
    pytest.param(row, next(iter(faults.values())), id=row) for row, faults in FAULTS.items()
]
TELLING = (
    "403 in HTML",
    "400 key issue",
    "302",
    "429",
    "login page",
    "wrong shape",
    "half body",
    "reset",
    "hang",
)
SOME = ONE_OF_EACH + [
    fault for fault in EVERY_FAULT if str(fault.id).endswith(tuple(f"-{name}" for name in TELLING))
]
# Requests for a list that is tried again at the end; after a 401 or 403 it is also tried twice.
TWICE = {"no access": 4, "gone": 2}
STATUS = {
    "no access": "config_error",
    "gone": "system_error",
    "retired": "system_error",
    "other": "system_error",
    "unanswered": "transient_error",
}


Check = Callable[..., Outcome]


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox with fewer boxes than elsewhere; half of them have comments."""
    with Sandbox(**getattr(request, "param", {"boxes": 100})) as sandbox:
        yield sandbox


@pytest.fixture
def check(streak: Sandbox, read: Read, tmp_path: Path) -> Check:
    """Runs the command `check`."""

    def check_streak(clock: Clock | None = None, **settings: Any) -> Outcome:
        return commands.check(tmp_path, clock, **{"api_key": streak.key, **settings})

    return check_streak


def clock_for(fault: Fault) -> Clock:
    """For a hanging request, a clock on which a minute takes 0.2 seconds."""
    return QuickClock(speed=300.0 if fault[0] == "hang" else 1.0)


def for_ever(streak: Sandbox, path: str, fault: Fault) -> None:
    streak.fault(path, fault[0], times=None, **fault[1])


modes = pytest.mark.parametrize("incremental", [False, True], ids=["full refresh", "incremental"])


def assert_ends_without(reading: Reading, stream: str, boxes: int, failure: str) -> None:
    """Assert how a stream ends that lacks the rows of so many boxes.

    A full refresh fails at its end: otherwise the destination would erase those rows. An
    incremental sync succeeds with a warning.
    """
    if not reading.incremental:
        error = reading.error_of(stream)
        assert error.failure_type.value == failure
        assert f" of {boxes} boxes could not be read, even on a second try." in error.message
        assert "A full refresh without them would erase their rows" in error.message
    else:
        assert reading.statuses[stream] == "COMPLETE"
        assert reading.ok
    assert left_out(reading, stream, "refused or failed, even on a second try") == boxes


def refuse(streak: Sandbox, path: str, status: int = 401, times: int | None = None) -> None:
    streak.fault(path, "status", times=times, status=status, body={"error": "no such luck"})


def key_of(streak: Sandbox, pipeline: str = REFUSED) -> str:
    return str(streak.account.pipeline_named(pipeline)["key"])


def boxes_with(streak: Sandbox, counter: str = "commentCount") -> list[str]:
    """Keys of the boxes whose children of that kind are requested."""
    return [box["key"] for box in streak.account.boxes.values() if box.get(counter) != 0]


def second_team(streak: Sandbox) -> dict[str, Any]:
    return list(streak.account.teams.values())[1]


def box_keys_outside(streak: Sandbox, pipeline: str = REFUSED) -> set[str]:
    return {
        box["key"]
        for box in streak.account.boxes.values()
        if box["pipelineKey"] != key_of(streak, pipeline)
    }


def rows(reading: Reading, stream: str) -> list[dict[str, Any]]:
    """The records of a stream without the time of reading."""
    return [
        {name: value for name, value in record.items() if name != "readAt"}
        for record in reading.records[stream]
    ]


def warnings(reading: Reading) -> str:
    return "\n".join(
        message.log.message
        for message in reading.messages
        if message.log and message.log.level.value == "WARN"
    )


def left_out(reading: Reading, stream: str, why: str) -> int:
    """The number of boxes in the stream's only warning that gives this reason."""
    (line,) = [
        line
        for line in warnings(reading).splitlines()
        if line.startswith(f"{stream}:") and why in line and "box" in line
    ]
    (count,) = re.findall(r"\d+", line)
    return int(count)


# --- A wrong key ----------------------------------------------------------------------------------


def test_check_with_a_wrong_key_says_where_to_make_a_new_one_and_asks_twice(
    streak: Sandbox, check: Check
) -> None:
    status, sentence = check(api_key="wrong-key-000").verdict()

    assert status == "FAILED"
    assert NEW_KEY in sentence
    assert "invalid api key" in sentence, "Streak's own words are missing"
    assert len(streak.log) == 2


def test_a_read_with_a_wrong_key_fails_every_stream_within_three_requests(
    streak: Sandbox, read: Read
) -> None:
    reading = read(api_key="wrong-key-000")

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    assert len(reading.statuses) == len(STREAMS)
    for stream in reading.statuses:
        assert reading.error_of(stream).failure_type.value == "config_error"
        assert NEW_KEY in reading.error_of(stream).message
    assert not reading.records
    assert len(streak.log) <= 3


@pytest.mark.parametrize("stream", ["teams", "snippets", "boxes", "users", "newsfeed"])
def test_each_stream_alone_recognises_a_wrong_key(streak: Sandbox, read: Read, stream: str) -> None:
    reading = read(stream, api_key="wrong-key-000")

    assert reading.error_of(stream).failure_type.value == "config_error"
    assert NEW_KEY in reading.error_of(stream).message
    assert len(streak.log) <= 3


def test_a_key_revoked_during_a_sync_fails_all_streams_after_checking_it_twice(
    streak: Sandbox, read: Read
) -> None:
    def revoke(sandbox: Sandbox) -> None:
        sandbox.key = "another"

    streak.on("v2/boxes/*/comments", revoke, after=30)

    reading = read("box_comments", "box_files", "snippets")

    assert reading.error_of("box_comments").failure_type.value == "config_error"
    for stream in ("box_comments", "box_files", "snippets"):
        assert NEW_KEY in reading.error_of(stream).message
    assert len(streak.requests("v1/users/me")) == 2, "one thread asks, and asks once again"
    assert not streak.requests("v1/boxes/*/files")


# --- Check ----------------------------------------------------------------------------------------


def test_check_succeeds_with_three_requests(streak: Sandbox, check: Check) -> None:
    assert check().verdict() == ("SUCCEEDED", "")
    assert [entry.path for entry in streak.log] == [
        *("v1/users/me", "v2/pipelines", "v2/users/me/teams")
    ]


@pytest.mark.parametrize(("row", "fault"), SOME)
def test_check_explains_every_kind_of_failure_in_a_sentence(
    streak: Sandbox, check: Check, row: str, fault: Fault
) -> None:
    for_ever(streak, "v1/users/me", fault)

    outcome = check(clock_for(fault))

    if row == "unanswered":
        sentence = outcome.outage()
        assert fault[0] == "hang" or len(streak.log) > 1
    else:
        status, sentence = outcome.verdict()
        assert status == "FAILED"
        assert len(streak.log) == 1 + (row == "no access")
    assert "Streak" in sentence
    assert sentence.endswith((".", ")"))


@pytest.mark.parametrize(("row", "fault"), ONE_OF_EACH)
def test_check_fails_when_the_pipelines_cannot_be_listed(
    streak: Sandbox, check: Check, row: str, fault: Fault
) -> None:
    for_ever(streak, "v[12]/pipelines", fault)

    outcome = check()

    status, sentence = ("FAILED", outcome.outage()) if row == "unanswered" else outcome.verdict()
    assert status == "FAILED"
    assert "list of pipelines" in sentence.lower()


def test_check_survives_a_temporary_failure(streak: Sandbox, check: Check) -> None:
    streak.fault("v1/users/me", "reset", times=2)
    streak.fault("v2/pipelines", "html", times=2)

    assert check().verdict() == ("SUCCEEDED", "")


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (("team", "Sales", "Hiring"), "It gives access to 2 pipelines and 1 team."),
        (("team", "Sales"), "It gives access to 1 pipeline and 1 team."),
        (("team",), "its user sees no pipeline: there is nothing to read there"),
        (("", "Sales"), "its user sees no team: there is nothing to read there"),
        (("",), "its user sees no pipeline and no team: there is nothing to read there"),
    ],
)
@pytest.mark.parametrize("streak", [{"account": "empty"}], indirect=True, ids=[""])
def test_check_says_what_the_key_sees(
    streak: Sandbox, check: Check, account: tuple[str, ...], words: str
) -> None:
    team, *pipelines = account
    if team:
        streak.account.add_team("Team")
    for name in pipelines:
        streak.account.add_pipeline(name, boxes=1)

    outcome = check()

    assert outcome.verdict() == ("SUCCEEDED", "")
    assert words in outcome.said
    assert bool(outcome.warnings) == ("nothing" in words)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"start_date": "2999-01-01"}, ["start date is in the future"]),
        ({"pipelines": ["Sales", "Sales ", REFUSED]}, ['names "Sales" more than once']),
        ({"pipelines": ["Sales"], "start_date": "2024-01-01"}, []),
    ],
)
def test_check_says_which_settings_have_no_effect(
    streak: Sandbox, check: Check, settings: dict[str, Any], words: list[str]
) -> None:
    outcome = check(**settings)

    assert outcome.verdict() == ("SUCCEEDED", "")
    assert len(outcome.warnings) == len(words)
    assert not [text for text in words if text not in outcome.said]


@pytest.mark.parametrize(("row", "fault"), ONE_OF_EACH)
def test_check_succeeds_with_a_warning_if_the_teams_cannot_be_listed(
    streak: Sandbox, check: Check, row: str, fault: Fault
) -> None:
    for_ever(streak, "v2/users/me/teams", fault)

    outcome = check()

    assert outcome.verdict() == ("SUCCEEDED", "")
    assert "list of teams" in outcome.warnings[-1].lower()
    assert "It gives access to 5 pipelines." in outcome.said


# --- A list of the account fails ------------------------------------------------------------------


@pytest.mark.parametrize(("row", "fault"), EVERY_FAULT)
def test_a_failing_list_of_teams_ends_only_the_stream_teams(
    streak: Sandbox, read: Read, row: str, fault: Fault
) -> None:
    for_ever(streak, "v2/users/me/teams", fault)

    reading = read("teams", "snippets", clock=clock_for(fault))

    assert reading.error_of("teams").failure_type.value == STATUS[row]
    assert "list of teams" in reading.error_of("teams").message.lower()
    assert reading.statuses["snippets"] == "COMPLETE"
    assert reading.records["snippets"]
    asked = len(streak.requests("v2/users/me/teams"))
    assert asked > 1 if row == "unanswered" else asked == 1 + (row == "no access")
    assert len(streak.requests("v1/users/me")) == (row == "no access")


@pytest.mark.parametrize(("row", "fault"), ONE_OF_EACH)
def test_a_failing_list_of_snippets_ends_only_the_stream_snippets(
    streak: Sandbox, read: Read, row: str, fault: Fault
) -> None:
    for_ever(streak, "v1/snippets", fault)

    reading = read("snippets", "teams")

    assert reading.error_of("snippets").failure_type.value == STATUS[row]
    assert "snippets" in reading.error_of("snippets").message.lower()
    assert reading.statuses["teams"] == "COMPLETE"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("no access", ["although the key itself is valid", "no such luck", NEW_KEY]),
        ("gone", ["404", "Not found"]),
        ("retired", ["retired", "This API is switched off", "update this connector"]),
        ("other", ["400", "odd question"]),
        ("unanswered", ["500", "Gave up after", "again later"]),
    ],
)
def test_an_error_message_quotes_streak_and_says_what_to_do(
    streak: Sandbox, read: Read, row: str, words: list[str]
) -> None:
    for_ever(streak, "v2/users/me/teams", next(iter(FAULTS[row].values())))

    message = read("teams").error_of("teams").message

    assert not [word for word in words if word not in message], message


def test_a_failing_list_is_requested_once_however_many_streams_need_it(
    streak: Sandbox, read: Read
) -> None:
    refuse(streak, "v2/users/me/teams", 422)

    reading = read("teams", "team_members", "users", "contacts", "organizations")

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    assert len(streak.requests("v2/users/me/teams")) == 1


def test_a_retired_api_fails_every_stream_instead_of_looking_empty(
    streak: Sandbox, read: Read
) -> None:
    refuse(streak, "*", 410)

    reading = read()

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    assert not [
        stream for stream in reading.statuses if "retired" not in reading.error_of(stream).message
    ]


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ({"timeline": "gone"}, 'has retired the endpoint for box changes (410: "'),
        ({"timeline": "other_envelope"}, "came as an object with hasNextPage, results, not"),
        ({"timeline": "filters_refused"}, 'last answer was 400: "filters is not valid"'),
        ({"documents": "html"}, "with a web page instead of data"),
        ({"documents": "json"}, "answer was not the data that was expected"),
    ],
    ids=str,
)
def test_an_unexpected_timeline_or_document_fails_only_its_stream_and_says_what_came(
    streak: Sandbox, read: Read, mood: dict[str, str], words: str
) -> None:
    ((title, kind),) = mood.items()
    setattr(streak.moods, title, kind)
    fails, others = (
        ("box_changes", "box_documents")
        if title == "timeline"
        else ("box_documents", "box_changes")
    )

    reading = read("box_changes", "box_documents", "boxes")

    assert words in reading.error_of(fails).message
    assert (reading.statuses[others], reading.statuses["boxes"]) == ("COMPLETE", "COMPLETE")
    assert reading.records[others]
    assert not reading.records[fails]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"results": None},
        {"results": {}},
        {"results": [None]},
        [[]],
        "text",
        7,
        True,
        {"error": "in a 200"},
    ],
)
def test_a_200_without_a_list_is_never_taken_for_an_empty_list(
    streak: Sandbox, read: Read, body: object
) -> None:
    streak.fault("v2/users/me/teams", "wrong_shape", times=None, body=body)

    assert read("teams").error_of("teams").failure_type.value == "transient_error"


# --- A list of a pipeline or a team fails ---------------------------------------------------------


@pytest.mark.parametrize(("row", "fault"), SOME)
def test_a_failing_box_list_loses_no_other_pipelines_boxes_and_fails_no_other_stream(
    streak: Sandbox, read: Read, row: str, fault: Fault
) -> None:
    path = f"v1/pipelines/{key_of(streak)}/boxes"
    for_ever(streak, path, fault)

    reading = read("boxes", "snippets", clock=clock_for(fault))

    error = reading.error_of("boxes")
    assert error.failure_type.value == (
        "config_error" if row in ("no access", "gone") else STATUS[row]
    )
    assert reading.statuses["snippets"] == "COMPLETE"
    if row != "retired":
        assert f'"{REFUSED}"' in error.message
        assert set(reading.keys("boxes")) == box_keys_outside(streak)
    if row in TWICE:
        assert len(streak.requests(path)) == TWICE[row]
    if row != "unanswered":  # then it may be requested to find out whether Streak answers at all
        assert len(streak.requests("v1/users/me")) == (row == "no access")


@pytest.mark.parametrize(("row", "fault"), ONE_OF_EACH)
def test_a_failing_newsfeed_of_one_pipeline_ends_only_the_stream_newsfeed(
    streak: Sandbox, read: Read, row: str, fault: Fault
) -> None:
    path = f"v1/pipelines/{key_of(streak)}/newsfeed"
    for_ever(streak, path, fault)

    reading = read("newsfeed", "boxes")

    assert reading.error_of("newsfeed").failure_type.value == (
        "config_error" if row in ("no access", "gone") else STATUS[row]
    )
    assert reading.statuses["boxes"] == "COMPLETE"
    assert len(reading.keys("boxes")) == len(streak.account.boxes)
    if row in ("no access", "gone"):
        others = {
            event["key"]
            for key, events in streak.account.newsfeed.items()
            if key != key_of(streak)
            for event in events[-50:]
        }
        assert f'"{REFUSED}"' in reading.error_of("newsfeed").message
        assert set(reading.keys("newsfeed")) == others
        assert len(streak.requests(path)) == TWICE[row]


@pytest.mark.parametrize(("row", "fault"), ONE_OF_EACH)
@pytest.mark.parametrize("stream", ["users", "contacts", "organizations"])
def test_a_failing_list_of_one_team_ends_only_its_stream(
    streak: Sandbox, read: Read, stream: str, row: str, fault: Fault
) -> None:
    team = second_team(streak)
    path = f"v2/teams/{team['key']}/{stream}"
    for_ever(streak, path, fault)

    reading = read(stream, "teams")

    error = reading.error_of(stream)
    assert error.failure_type.value == (
        "config_error" if row in ("no access", "gone") else STATUS[row]
    )
    assert reading.statuses["teams"] == "COMPLETE"
    if row in ("no access", "gone"):
        assert f'"{team["name"]}"' in error.message
        assert '"Pipelines"' not in error.message
        assert reading.records[stream], "the other team's rows are missing"
        assert len(streak.requests(path)) == TWICE[row]


# --- Lists of single boxes fail -------------------------------------------------------------------


@modes
@pytest.mark.parametrize(("row", "fault"), SOME)
def test_a_box_whose_comments_fail_loses_only_its_own_rows(
    streak: Sandbox, read: Read, row: str, fault: Fault, incremental: bool
) -> None:
    boxes = boxes_with(streak)
    bad = boxes[20]
    for_ever(streak, f"v2/boxes/{bad}/comments", fault)

    reading = read("box_comments", "snippets", incremental=incremental, clock=clock_for(fault))

    assert reading.statuses["snippets"] == "COMPLETE"
    if row == "retired":
        assert reading.error_of("box_comments").failure_type.value == "system_error"
        assert "retired" in reading.error_of("box_comments").message
        return
    wanted = {
        (box["key"], comment["key"])
        for box, comment in streak.account.all("comments")
        if box["key"] != bad
    }
    assert set(reading.keys("box_comments", "boxKey", "key")) == wanted
    asked = len(streak.requests(f"v2/boxes/{bad}/comments"))
    if row == "gone":
        assert reading.ok
        assert left_out(reading, "box_comments", "left out: deleted") == 1
        assert asked == 2, "once more at the end: a 404 may be a proxy's fluke"
    else:
        later = "transient_error" if row == "unanswered" else "system_error"
        assert_ends_without(reading, "box_comments", 1, later)
        assert asked >= 2


@modes
@pytest.mark.parametrize(
    ("stream", "path"),
    [("box_meetings", "v2"), ("box_tasks", "v2"), ("box_threads", "v1"), ("box_files", "v1")],
)
def test_a_failing_box_loses_only_its_own_rows_in_every_other_stream_of_children(
    streak: Sandbox, read: Read, stream: str, path: str, incremental: bool
) -> None:
    kind = stream.removeprefix("box_")
    bad = next(box["key"] for box, _ in streak.account.all(kind))
    streak.moods.failing_boxes = {bad}

    reading = read(stream, incremental=incremental)

    others = {box["key"] for box, _ in streak.account.all(kind)} - {bad}
    assert {record["boxKey"] for record in reading.records[stream]} == others
    assert_ends_without(reading, stream, 1, "transient_error")
    assert streak.requests(f"{path}/boxes/{bad}/{kind}")


def test_a_box_that_failed_is_read_in_the_next_incremental_sync(
    streak: Sandbox, read: Read
) -> None:
    """Boxes that were delivered are not requested again."""
    bad = boxes_with(streak)[20]
    streak.moods.failing_boxes = {bad}
    first = read("box_comments", incremental=True)
    streak.moods.failing_boxes = set()
    streak.clear_log()

    second = read("box_comments", incremental=True, state=first.last_states)

    assert {record["boxKey"] for record in second.records["box_comments"]} == {bad}
    assert len(streak.requests("v2/boxes/*/comments")) == 1


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("status", {"status": 401}),
        ("status", {"status": 503}),
        ("status", {"status": 422}),
        ("reset", {}),
    ],
)
def test_a_box_that_answers_the_second_time_is_delivered_without_a_warning(
    streak: Sandbox, read: Read, kind: str, details: dict[str, Any]
) -> None:
    bad = boxes_with(streak)[20]
    streak.fault(f"v2/boxes/{bad}/comments", kind, times=1, **details)

    reading = read("box_comments")

    assert len(reading.keys("box_comments", "boxKey", "key")) == len(
        list(streak.account.all("comments"))
    )
    assert "missing" not in warnings(reading)


def test_deleted_boxes_are_left_out_and_counted(streak: Sandbox, read: Read) -> None:
    gone = set(boxes_with(streak)[:3])
    streak.moods.gone_boxes = gone

    reading = read("box_comments")

    assert reading.statuses["box_comments"] == "COMPLETE"
    assert not gone & {record["boxKey"] for record in reading.records["box_comments"]}
    assert left_out(reading, "box_comments", "left out: deleted") == 3


@pytest.mark.parametrize("incremental", [False, True])
def test_a_single_404_loses_no_row(streak: Sandbox, read: Read, incremental: bool) -> None:
    """The box may be deleted, or a proxy may have failed: it is requested again."""
    box = boxes_with(streak)[0]
    streak.fault(f"v2/boxes/{box}/comments", "status", status=404)

    reading = read("box_comments", incremental=incremental)

    assert reading.ok
    assert box in {record["boxKey"] for record in reading.records["box_comments"]}
    assert "left out: deleted" not in warnings(reading)


def test_an_endpoint_that_answers_404_for_every_box_ends_its_stream_early(
    streak: Sandbox, read: Read
) -> None:
    refuse(streak, "v2/boxes/*/comments", 404)

    reading = read("box_comments", "box_files", requests_per_second=1)

    assert reading.error_of("box_comments").failure_type.value == "system_error"
    assert "too many to blame on single boxes" in reading.error_of("box_comments").message
    assert 20 <= len(streak.requests("v2/boxes/*/comments")) < len(boxes_with(streak))
    assert reading.statuses["box_files"] == "COMPLETE"


@pytest.mark.parametrize(
    ("status", "failure"), [(401, "system_error"), (422, "system_error"), (500, "transient_error")]
)
def test_twenty_boxes_refused_without_a_success_end_the_stream(
    streak: Sandbox, read: Read, status: int, failure: str
) -> None:
    refuse(streak, "v2/boxes/*/comments", status)

    reading = read("box_comments", "box_files")

    assert reading.error_of("box_comments").failure_type.value == failure
    assert "requests for box comments failed" in reading.error_of("box_comments").message
    assert str(status) in reading.error_of("box_comments").message
    assert not reading.records["box_comments"]
    assert reading.statuses["box_files"] == "COMPLETE"


def test_a_stream_with_over_a_tenth_of_boxes_failing_delivers_the_rest_and_then_fails(
    streak: Sandbox, read: Read
) -> None:
    boxes = boxes_with(streak)
    bad = set(boxes[:: len(boxes) // 12])
    streak.moods.failing_boxes = bad

    reading = read("box_comments")

    assert len(bad) > len(boxes) / 10
    assert (
        f"{len(bad)} of {len(boxes)} requests for box comments failed"
        in reading.error_of("box_comments").message
    )
    assert {record["boxKey"] for record in reading.records["box_comments"]} == set(boxes) - bad


@modes
def test_a_stream_with_under_a_tenth_of_boxes_failing_delivers_the_rest(
    streak: Sandbox, read: Read, incremental: bool
) -> None:
    boxes = boxes_with(streak)
    bad = set(boxes[:5])
    streak.moods.failing_boxes = bad

    reading = read("box_comments", incremental=incremental)

    assert {record["boxKey"] for record in reading.records["box_comments"]} == set(boxes) - bad
    assert_ends_without(reading, "box_comments", 5, "transient_error")


# --- A proxy that sometimes refuses ---------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["v2/users/me/teams", "v1/pipelines/*/boxes", "v2/boxes/*/comments"]
)
def test_a_single_401_loses_nothing_even_if_the_key_check_gets_one_too(
    streak: Sandbox, read: Read, path: str
) -> None:
    refuse(streak, path, times=1)
    refuse(streak, "v1/users/me", times=1)

    reading = read("teams", "boxes", "box_comments")

    assert reading.ok
    assert len(streak.requests("v1/users/me")) == 2
    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert len(reading.keys("box_comments", "boxKey", "key")) == len(
        list(streak.account.all("comments"))
    )
    assert "missing" not in warnings(reading)


@pytest.mark.parametrize("streak", [{"boxes": 60}], indirect=True, ids=["60 boxes"])
def test_a_401_on_every_fiftieth_request_loses_no_row_in_24_syncs(
    streak: Sandbox, read: Read
) -> None:
    """Whichever request it hits: a list, a box, or the check of the key."""
    streams = (
        *("teams", "users", "contacts", "organizations", "pipelines", "boxes", "box_comments"),
        *("box_tasks", "snippets", "newsfeed"),
    )
    calm = read(*streams)
    keys = {stream: len(records) for stream, records in calm.records.items()}
    state = read(*streams, incremental=True).last_states
    streak.clear_log()
    for number in range(1, 101):
        fault = {"status": 401, "body": {"error": "flaky"}}
        streak.fault("*", "status", times=1, after=49 * number, **fault)

    for sync in range(24):
        if sync % 2:
            for box in list(streak.account.boxes)[sync::4]:
                streak.account.add_comment(box, "New")
            reading = read(*streams, incremental=True, state=state)
            state = reading.last_states
        else:
            reading = read(*streams)
            added = len(list(streak.account.all("comments"))) - keys["box_comments"]
            found = {stream: len(records) for stream, records in reading.records.items()}
            assert found == {**keys, "box_comments": keys["box_comments"] + added}
        assert reading.ok, reading.errors
        assert "missing" not in warnings(reading)

    met = [entry.path for entry in streak.log if entry.fault]
    assert len(met) > 25
    assert len(met) == len(streak.log) // 50


# --- A pipeline that is listed but refused --------------------------------------------------------


@pytest.fixture
def with_closed(streak: Sandbox) -> Sandbox:
    """The account with one more pipeline, "Closed", which refuses everything."""
    closed = streak.account.add_pipeline("Closed", boxes=7)
    streak.moods.refused_pipelines = {closed["key"]}
    return streak


def test_a_refused_pipeline_loses_no_row_of_the_others_in_any_stream(
    with_closed: Sandbox, read: Read
) -> None:
    reading = read()
    others = read(
        pipelines=[
            pipeline["name"]
            for pipeline in with_closed.account.pipelines.values()
            if pipeline["name"] != "Closed"
        ]
    )

    incomplete = {stream for stream, status in reading.statuses.items() if status == "INCOMPLETE"}
    assert incomplete == {*BOX_STREAMS, "newsfeed"}
    for stream in incomplete:
        assert rows(reading, stream) == rows(others, stream)
    assert others.ok


def test_errors_name_the_refused_pipeline_and_the_setting_that_leaves_it_out(
    with_closed: Sandbox, read: Read
) -> None:
    reading = read()

    for stream in (*BOX_STREAMS, "newsfeed"):
        error = reading.error_of(stream)
        assert error.failure_type.value == "config_error"
        for words in (
            '"Closed"',
            'the setting "Pipelines"',
            "User does not have access to this pipeline",
        ):
            assert words in error.message


def test_a_refused_pipeline_is_retried_once_a_sync_and_the_key_checked_once(
    with_closed: Sandbox, read: Read
) -> None:
    read()

    assert len(with_closed.requests(f"v1/pipelines/{key_of(with_closed, 'Closed')}/boxes")) == 4
    assert len(with_closed.requests(f"v1/pipelines/{key_of(with_closed, 'Closed')}/newsfeed")) == 4
    assert len(with_closed.requests("v1/users/me")) == 1
    assert all(
        len(with_closed.requests(f"v1/pipelines/{key_of(with_closed, name)}/boxes")) == 1
        for name in ("Sales", REFUSED)
    )


@pytest.mark.parametrize(
    ("kind", "details"), [("status", {"status": 401}), ("status", {"status": 404}), ("empty", {})]
)
def test_a_pipeline_that_answers_the_second_time_is_delivered(
    streak: Sandbox, read: Read, kind: str, details: dict[str, Any]
) -> None:
    streak.fault(f"v1/pipelines/{key_of(streak)}/boxes", kind, times=1, **details)
    streak.fault(
        f"v1/pipelines/{key_of(streak)}/newsfeed", kind if details else "reset", times=1, **details
    )

    reading = read("boxes", "box_comments", "newsfeed")

    assert reading.ok
    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert len(reading.keys("box_comments", "boxKey", "key")) == len(
        list(streak.account.all("comments"))
    )


def test_a_pipeline_deleted_during_a_sync_is_not_reported_as_refused(
    streak: Sandbox, read: Read
) -> None:
    deleted = key_of(streak)
    streak.on(
        "v2/pipelines",
        lambda sandbox: sandbox.account.delete_pipeline(deleted),
        before_answer=False,
    )

    reading = read("boxes", "box_comments", "newsfeed")

    assert reading.ok, reading.errors
    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert len(reading.keys("box_comments", "boxKey", "key")) == len(
        list(streak.account.all("comments"))
    )


def test_two_refused_pipelines_are_both_named(streak: Sandbox, read: Read) -> None:
    streak.moods.refused_pipelines = {key_of(streak), key_of(streak, "Sales")}

    reading = read("boxes")

    assert f'"{REFUSED}"' in reading.error_of("boxes").message
    assert '"Sales"' in reading.error_of("boxes").message
    assert len(streak.requests("v1/users/me")) == 1


def test_a_key_that_may_read_no_pipeline_fails_the_stream_boxes(
    streak: Sandbox, read: Read
) -> None:
    streak.moods.refused_pipelines = set(streak.account.pipelines)

    reading = read("pipelines", "boxes")

    assert reading.statuses == {"pipelines": "COMPLETE", "boxes": "INCOMPLETE"}
    assert reading.error_of("boxes").failure_type.value == "config_error"


def test_the_key_is_checked_again_after_a_minute(streak: Sandbox, read: Read) -> None:
    """Between the two tries of the refused list, more than a minute passes."""
    clock, path = OneClock(), f"v1/pipelines/{key_of(streak)}/boxes"
    streak.moods.refused_pipelines = {key_of(streak)}
    streak.on(path, lambda _: clock.go(61), after=2)

    read("boxes", clock=clock)

    assert len(streak.requests(path)) == 4
    assert len(streak.requests("v1/users/me")) == 2


# --- The setting "Pipelines" ----------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "key"])
def test_the_pipelines_setting_narrows_every_stream_and_requests_no_other_pipeline(
    streak: Sandbox, read: Read, by: str
) -> None:
    wanted = streak.account.pipeline_named(REFUSED)
    others = [
        key
        for key in [*streak.account.pipelines, *box_keys_outside(streak)]
        if key != wanted["key"]
    ]

    reading = read(*PIPELINE_STREAMS, *BOX_STREAMS, "newsfeed", pipelines=[f"  {wanted[by]} "])

    assert reading.ok
    for stream in (*PIPELINE_STREAMS, *BOX_STREAMS, "newsfeed"):
        column = "key" if stream == "pipelines" else "pipelineKey"
        assert {record[column] for record in reading.records[stream]} <= {wanted["key"]}
    assert reading.keys("boxes")
    assert not [entry.path for entry in streak.log for key in others if key in entry.path]


def test_two_pipelines_can_be_named(streak: Sandbox, read: Read) -> None:
    assert len(read("pipelines", pipelines=["Sales", key_of(streak)]).keys("pipelines")) == 2


@pytest.mark.parametrize("unknown", ["Slaes", "agxzfm1haWxmb29nYWVyLwsSDE9yZ2FuaXphdGlvbg"])
def test_an_unknown_pipeline_fails_check_with_the_list_of_those_that_exist(
    streak: Sandbox, check: Check, unknown: str
) -> None:
    status, sentence = check(pipelines=["Sales", unknown]).verdict()

    assert status == "FAILED"
    assert unknown in sentence
    assert all(
        f'"{pipeline["name"]}"' in sentence for pipeline in streak.account.pipelines.values()
    )


def test_an_unknown_pipeline_fails_its_streams_before_any_box_is_requested(
    streak: Sandbox, read: Read
) -> None:
    reading = read("pipelines", "boxes", "box_comments", "teams", pipelines=["Slaes"])

    for stream in ("pipelines", "boxes", "box_comments"):
        assert reading.error_of(stream).failure_type.value == "config_error"
        assert "Slaes" in reading.error_of(stream).message
        assert '"Sales"' in reading.error_of(stream).message
    assert reading.statuses["teams"] == "COMPLETE"
    assert not streak.requests("v1/pipelines/*")


def test_v1_pipelines_are_read_if_v2_pipelines_are_missing(
    streak: Sandbox, read: Read, check: Check
) -> None:
    usual = read(*PIPELINE_STREAMS, "boxes")
    streak.moods.v2_pipelines_missing = True

    reading = read(*PIPELINE_STREAMS, "boxes")

    assert reading.ok
    assert {stream: len(records) for stream, records in reading.records.items()} == {
        stream: len(records) for stream, records in usual.records.items()
    }
    assert reading.keys("pipelines") == usual.keys("pipelines")
    assert rows(reading, "boxes") == rows(usual, "boxes")
    assert check().verdict() == ("SUCCEEDED", "")


# --- An empty account -----------------------------------------------------------------------------


@pytest.mark.parametrize("streak", [{"account": "empty"}], indirect=True)
def test_an_empty_account_is_read_without_records_or_errors(
    streak: Sandbox, read: Read, check: Check
) -> None:
    reading = read()

    assert set(reading.statuses.values()) == {"COMPLETE"}
    assert len(reading.statuses) == len(STREAMS)
    assert not reading.records
    assert not reading.errors
    assert check().verdict() == ("SUCCEEDED", "")


# --- The rate limit -------------------------------------------------------------------------------


def retry_after(kind: str) -> str | int | None:
    at = datetime.now(timezone.utc) + timedelta(seconds=40)
    date = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {"seconds": 40, "date": date, "nothing": None}[kind]


@pytest.mark.parametrize(
    ("kind", "between"), [("seconds", (39.9, 46)), ("date", (20, 46)), ("nothing", (0.9, 7))]
)
def test_a_429_is_waited_out_for_as_long_as_it_says_without_losing_rows(
    streak: Sandbox, read: Read, kind: str, between: tuple[float, float]
) -> None:
    clock = OneClock()
    moments: list[float] = []
    streak.on("v2/boxes/*/comments", lambda _: moments.append(clock.seconds), times=None)
    limit = {"status": 429, "retry_after": retry_after(kind)}
    streak.fault("v2/boxes/*/comments", "status", after=20, times=1, **limit)

    reading = read("box_comments", clock=clock)

    assert reading.ok
    assert len(reading.keys("box_comments", "boxKey", "key")) == len(
        list(streak.account.all("comments"))
    )
    assert between[0] <= max(later - before for before, later in pairwise(moments)) <= between[1]
    assert len(streak.requests("v2/boxes/*/comments")) == len(boxes_with(streak)) + 1


def test_a_rate_limited_box_list_is_still_read_completely(streak: Sandbox, read: Read) -> None:
    streak.fault("v1/pipelines/*/boxes", "status", times=5, status=429, retry_after=30)

    assert set(read("boxes").keys("boxes")) == set(streak.account.boxes)


def test_check_waits_out_a_429(streak: Sandbox, check: Check) -> None:
    clock = OneClock()
    streak.fault("v1/users/me", "status", times=2, status=429, retry_after=2)

    assert check(clock).verdict() == ("SUCCEEDED", "")
    assert 4 <= clock.seconds < 6


def test_a_rate_limit_that_never_lifts_fails_the_stream_with_a_message(
    streak: Sandbox, read: Read
) -> None:
    streak.fault("*", "status", times=None, status=429, retry_after=60)

    reading = read("teams")

    assert reading.error_of("teams").failure_type.value == "transient_error"
    assert "rate limit was exceeded (429)" in reading.error_of("teams").message


# --- Forged keys and other hosts ------------------------------------------------------------------

NO_KEYS = [
    "../../evil",
    "a/b",
    "%2e%2e",
    "..",
    "x?limit=1",
    "x#y",
    "x y",
    "ключ",
    "x\n",
    "http://127.0.0.1:9/",
    "{key}",
    "%(key)s",
]


def forged() -> Account:
    """An account with keys that could lead a request elsewhere."""
    forger = Account()
    forger.add_team("Team", key="../../evil-team")
    sales = forger.add_pipeline("Sales", boxes=3)["key"]
    for place, key in enumerate(NO_KEYS):
        forger.add_pipeline(f"Forged {place}", key=key)
        forger.add_box(sales, f"Forged {place}", key=f"box{key}", commentCount=1, fileCount=1)
    return forger


@pytest.mark.parametrize("streak", [{"account": forged()}], indirect=True)
def test_forged_keys_lead_no_request_to_another_path(streak: Sandbox, read: Read) -> None:
    reading = read("boxes", "box_comments", "box_files", "newsfeed", "users")

    sales = streak.account.pipeline_named("Sales")["key"]
    assert {entry.path for entry in streak.log} == {
        *("v2/users/me/teams", "v2/pipelines"),
        *(f"v1/pipelines/{sales}/boxes", f"v1/pipelines/{sales}/newsfeed"),
    }
    assert all(set(entry.query) <= {"limit", "page", "sortBy"} for entry in streak.log)
    assert len(reading.keys("boxes")) == 3 + len(NO_KEYS)
    assert '"Forged 0"' in reading.error_of("boxes").message


@pytest.mark.parametrize("status", [301, 307])
@pytest.mark.parametrize(
    "path", ["v2/users/me/teams", "v1/pipelines/*/boxes", "v2/boxes/*/comments"]
)
def test_no_redirect_is_followed_to_another_host(
    streak: Sandbox, read: Read, path: str, status: int
) -> None:
    with Sandbox(account="empty") as other:
        streak.fault(
            path,
            "status",
            times=3,
            status=status,
            headers={"Location": f"{other.url}{path.replace('*', 'x')}"},
        )
        read("teams", "boxes", "box_comments")

        assert not other.log


# --- Privacy of logs and errors -------------------------------------------------------------------


@pytest.mark.parametrize("streak", [{"boxes": 150}], indirect=True, ids=["150 boxes"])
def test_logs_and_errors_name_no_box_person_or_address_whatever_fails(
    streak: Sandbox, read: Read
) -> None:
    boxes = boxes_with(streak)
    streak.moods.failing_boxes, streak.moods.gone_boxes = set(boxes[:3]), set(boxes[3:5])
    streak.moods.refused_pipelines = {key_of(streak, "Sales")}
    streak.fault("v2/teams/*/contacts", "status", times=None, status=422, body={"error": "odd"})
    streak.fault("v2/boxes/*/tasks", "half_body", times=9)

    reading = read()

    said = "\n".join(
        [
            *reading.logs,
            *(
                f"{error.message}{error.internal_message}{error.stack_trace}"
                for error in reading.errors
            ),
        ]
    )
    private = {
        *(box[name] for box in streak.account.boxes.values() for name in ("key", "name")),
        *(
            user[name]
            for user in streak.account.users.values()
            for name in ("key", "email", "displayName")
        ),
        *(
            address
            for rows in streak.account.contacts.values()
            for row in rows
            for address in row.get("emailAddresses") or ()
        ),
    }
    assert len(private) > 300
    assert not [text for text in private if text and len(text) > 3 and text in said]
    assert "@" not in said


def test_a_long_text_from_streak_is_shortened_in_the_error_message(
    streak: Sandbox, read: Read
) -> None:
    streak.fault("v1/snippets", "status", status=422, body={"error": "blah " * 5000})

    assert len(read("snippets").error_of("snippets").message) < 700


def test_no_error_message_holds_a_stack_trace(streak: Sandbox, read: Read) -> None:
    streak.moods.refused_pipelines = {key_of(streak)}
    refuse(streak, "v1/snippets", 410)
    refuse(streak, "v2/users/me/teams", 500)

    errors = [error for error in read().errors if error.stream_descriptor]

    assert len(errors) > 10
    assert not [
        error
        for error in errors
        if error.stack_trace or "Traceback" in f"{error.message}{error.internal_message}"
    ]


# --- The order of errors --------------------------------------------------------------------------


def told(reading: Reading) -> list[tuple[str, str]]:
    """Traces in order: (stream, status), (stream, kind of error), ("", kind of closing error)."""
    found = []
    for trace in (message.trace for message in reading.messages if message.trace):
        if status := trace.stream_status:
            found.append((status.stream_descriptor.name, status.status.value))
        elif error := trace.error:
            descriptor = error.stream_descriptor
            found.append((descriptor.name if descriptor else "", error.failure_type.value))
    return found


def stamps(reading: Reading) -> dict[str, float]:
    """The time of each stream's error in seconds; "" is the closing error."""
    errors = [
        message.trace for message in reading.messages if message.trace and message.trace.error
    ]
    return {
        one.error.stream_descriptor.name if one.error.stream_descriptor else "": one.emitted_at
        / 1000
        for one in errors
    }


def test_config_errors_are_reported_at_the_end_and_all_other_errors_at_once(
    streak: Sandbox, read: Read
) -> None:
    """The platform tries again unless the earliest error is a config_error."""
    clock = OneClock()
    streak.moods.refused_pipelines = {key_of(streak)}
    refuse(streak, "v1/snippets", 410)
    streak.on("v2/users/me/teams", lambda _: clock.go(600))

    reading = read("boxes", "snippets", "teams", clock=clock)

    assert [pair for pair in told(reading) if pair[1] not in ("STARTED", "RUNNING")] == [
        ("boxes", "INCOMPLETE"),
        ("snippets", "INCOMPLETE"),
        ("snippets", "system_error"),
        ("teams", "COMPLETE"),
        ("boxes", "config_error"),
        ("", "system_error"),
    ]
    assert stamps(reading)["boxes"] >= stamps(reading)["snippets"] + 600
    said = [line for line in reading.logs if f'"{REFUSED}"' in line]
    assert said, "until then it stands in the log"
    assert reading.logs.index(said[0]) < reading.logs.index("Marking stream teams as STARTED")


@pytest.mark.parametrize(
    ("snippets", "closing"),
    [(410, "system_error"), (503, "transient_error"), (401, "config_error")],
)
def test_the_closing_error_is_a_config_error_only_if_all_errors_are(
    streak: Sandbox, read: Read, snippets: int, closing: str
) -> None:
    streak.moods.refused_pipelines = {key_of(streak)}
    refuse(streak, "v1/snippets", snippets)

    reading = read("boxes", "snippets")

    *_, last = told(reading)
    assert last == ("", closing)
    assert reading.error_of("boxes").failure_type.value == "config_error"
