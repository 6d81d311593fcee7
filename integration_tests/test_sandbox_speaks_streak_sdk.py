"""The sandbox, called through Streak's own Python SDK (`streak-crm`).

Every response must have exactly the SDK's types.

The SDK itself is lenient: enums are `Literal[…] | Any`, and numbers may come as text. These tests
read its models and check each object against them strictly: required properties present, types
exact, enums known, at every depth.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from streak_sandbox import Sandbox

streak_crm = pytest.importorskip("streak_crm")
api_error = pytest.importorskip("streak_crm.core.api_error")
httpx = pytest.importorskip("httpx")  # the SDK's own dependencies
pydantic = pytest.importorskip("pydantic")


# --- The strict check -----------------------------------------------------------------------------


def faults_of(value: Any, expected: Any, place: str = "") -> Iterator[str]:
    """Yield what is wrong with a JSON value that should have one of the SDK's types."""
    origin, arguments = typing.get_origin(expected), typing.get_args(expected)
    if origin is typing.Annotated:
        yield from faults_of(value, arguments[0], place)
    elif origin in (typing.Union, types.UnionType):
        yield from _faults_of_union(value, arguments, place)
    elif origin is typing.Literal:
        if value not in arguments:
            yield f"{place}: {value!r} is none of {arguments}"
    elif origin is list:
        yield from _faults_of_list(value, arguments[0], place)
    elif origin is dict:
        yield from _faults_of_dict(value, arguments[1], place)
    elif isinstance(expected, type) and issubclass(expected, pydantic.BaseModel):
        yield from _faults_of_object(value, expected, place)
    elif (
        expected is not Any and type(value) is not expected
    ):  # exact: neither true nor "1" is a number
        yield f"{place}: {value!r} is not {expected.__name__}"


def _faults_of_union(value: Any, arguments: tuple[Any, ...], place: str) -> Iterator[str]:
    """Optional[X] is X or null.

    The SDK writes an enum as Literal[…] | Any, where Any stands for future values.
    """
    if value is None and type(None) in arguments:
        return
    choices = [choice for choice in arguments if choice is not type(None)]
    if len(choices) > 1:
        choices = [choice for choice in choices if choice is not Any]
    assert len(choices) == 1, f"a union that this test does not know: {arguments}"
    yield from faults_of(value, choices[0], place)


def _faults_of_list(value: Any, item: Any, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place}: {value!r} is not a list"
        return
    for number, element in enumerate(value):
        yield from faults_of(element, item, f"{place}[{number}]")


def _faults_of_dict(value: Any, item: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is not an object"
        return
    for name, element in value.items():
        yield from faults_of(element, item, f"{place}.{name}")


def _faults_of_object(value: Any, model: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is not a {model.__name__}"
        return
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if alias in value:
            yield from faults_of(value[alias], field.annotation, f"{place}.{alias}")
        elif field.is_required():
            yield f"{place}: no {alias}"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"key": None}, "key"),
        ({"startTimestamp": "1780272000000"}, "startTimestamp"),
        ({"meetingType": "PICNIC"}, "PICNIC"),
        ({"taskKeys": [7]}, r"taskKeys\[0\]"),
        ({"isDraft": 1}, "isDraft"),
    ],
)
def test_the_strict_check_finds_faults_that_the_sdk_accepts(
    broken: dict[str, Any], said: str
) -> None:
    whole = {
        **dict.fromkeys(("key", "boxKey", "pipelineKey", "creatorKey", "notes"), "x"),
        **dict.fromkeys(("creationDate", "startTimestamp", "lastSavedTimestamp"), 1),
        "taskKeys": [],
        "meetingType": "CALL_LOG",
    }
    missing = {name: value for name, value in whole.items() if name != "notes"}

    assert list(faults_of(whole, streak_crm.Meeting)) == []
    assert list(faults_of(missing, streak_crm.Meeting)) == [": no notes"]
    with pytest.raises(AssertionError, match=said):
        assert_is(streak_crm.Meeting, whole | broken)


def assert_is(expected: Any, value: Any) -> None:
    faults = list(faults_of(value, expected))
    assert not faults, "\n".join(faults[:20])


# --- Requests through the SDK ---------------------------------------------------------------------


class Asked:
    """The SDK's client, which also checks the JSON of each response."""

    def __init__(self, streak: Sandbox, connection: Any) -> None:
        self.streak, self.connection = streak, connection
        self.client = self.client_with(streak.key)

    def client_with(self, key: str) -> Any:
        url = self.streak.url.rstrip("/")
        return streak_crm.Streak(
            base_url=url, token=key, max_retries=0, httpx_client=self.connection
        )

    def __call__(self, expected: Any, method: Callable[..., Any], *keys: str, **query: Any) -> Any:
        """Call a method of the SDK and return its answer.

        The JSON that the sandbox sends must strictly match `expected`.
        """
        self.streak.clear_log()
        answer = method(*keys, **query)
        (entry,) = self.streak.log
        sent = requests.get(
            self.streak.url + entry.path, params=entry.query, auth=(self.streak.key, ""), timeout=20
        )
        assert_is(expected, sent.json())
        return answer


@pytest.fixture(scope="module")
def ask() -> Iterator[Asked]:
    """Calls the default account, without the task in the older shape that the SDK does not know.

    A test below covers that task.
    """
    with Sandbox(boxes=150) as streak, httpx.Client() as connection:
        for box, task in list(streak.account.all("tasks")):
            if "creator" not in task:
                streak.account.delete_child("tasks", box["key"], task["key"])
        yield Asked(streak, connection)


def test_users_match_the_sdks_types(ask: Asked) -> None:
    me = ask(streak_crm.User, ask.client.users.get_current_user)
    ask(streak_crm.User, ask.client.users.get_user, me.key)
    for team in ask.streak.account.teams:
        ask(streak_crm.UserListResponse, ask.client.users.get_users_on_team, team)

    assert me.email == "ada@example.com"


def test_teams_match_the_sdks_types(ask: Asked) -> None:
    page = ask(
        streak_crm.TeamListResponse, ask.client.teams.get_current_user_teams, limit=1, page=1
    )
    ask(streak_crm.TeamListResponse, ask.client.teams.get_current_user_teams)
    ask(streak_crm.Team, ask.client.teams.get_team, page.results[0].key)

    assert page.has_next_page is False


@pytest.mark.parametrize("sort_by", [None, "creationTimestamp", "lastUpdatedTimestamp"])
def test_pipelines_match_the_sdks_types(ask: Asked, sort_by: str | None) -> None:
    page = ask(
        streak_crm.PipelineListResponse, ask.client.pipelines.list_pipelines, sort_by=sort_by
    )
    for pipeline in page.results:
        ask(streak_crm.Pipeline, ask.client.pipelines.get_pipeline, pipeline.key)

    assert ask.client.pipelines.list_pipelines(limit=2, page=0).has_next_page is True


def test_stages_match_the_sdks_types(ask: Asked) -> None:
    for pipeline in ask.client.pipelines.list_pipelines().results:
        stages = ask(
            dict[str, streak_crm.PipelineStage],
            ask.client.pipeline_stages.list_stages,
            pipeline.key,
        )
        for stage in stages:
            ask(streak_crm.PipelineStage, ask.client.pipeline_stages.get_stage, pipeline.key, stage)


def test_fields_match_the_sdks_types(ask: Asked) -> None:
    for pipeline in ask.client.pipelines.list_pipelines().results:
        fields = ask(list[streak_crm.PipelineField], ask.client.pipelines.list_fields, pipeline.key)
        for field in fields:
            ask(streak_crm.PipelineField, ask.client.pipelines.get_field, pipeline.key, field.key)


def test_comments_match_the_sdks_types(ask: Asked) -> None:
    for box in ask.streak.account.boxes:
        page = ask(streak_crm.CommentListResponse, ask.client.comments.get_comments, box)
        for comment in page.results[:1]:
            ask(streak_crm.Comment, ask.client.comments.get_comment, comment.key)


def test_meetings_match_the_sdks_types(ask: Asked) -> None:
    for box in ask.streak.account.boxes:
        page = ask(
            streak_crm.MeetingListResponse, ask.client.meetings.get_meetings, box, limit=50, page=0
        )
        for meeting in page.results[:1]:
            ask(streak_crm.Meeting, ask.client.meetings.get_meeting, meeting.key)


def test_tasks_match_the_sdks_types(ask: Asked) -> None:
    for box in ask.streak.account.boxes:
        page = ask(
            streak_crm.TaskListResponse, ask.client.tasks.get_tasks_for_box, box, limit=1000, page=0
        )
        for task in page.results[:1]:
            ask(streak_crm.Task, ask.client.tasks.get_task, task.key)


def test_the_agenda_lists_the_users_own_tasks(ask: Asked) -> None:
    """The only list with tasks of several boxes."""
    page = ask(streak_crm.TaskListResponse, ask.client.tasks.get_assigned_tasks, limit=5)
    mine = [task.assigned_to[0].user_key for task in page.results]

    assert mine == [ask.streak.account.my_key] * 5


def test_documents_reach_the_sdk_as_text(ask: Asked) -> None:
    """The SDK returns them unchanged and has no type for them."""
    for box in list(ask.streak.account.boxes)[:5]:
        text = ask.client.boxes.get_box_markdown(box)
        assert text.startswith(f"# {ask.streak.account.boxes[box]['name']}")
        with pytest.raises(api_error.ApiError, match="at least"):
            ask.client.boxes.get_box_markdown(box, max_tokens=1)


def test_contacts_match_the_sdks_types(ask: Asked) -> None:
    for team in ask.streak.account.teams:
        page = ask(
            streak_crm.ContactPage, ask.client.contacts.list_contacts, team, limit=5, after=0
        )
        while page.cursor:
            for contact in page.results:
                ask(streak_crm.Contact, ask.client.contacts.get_contact, contact.key)
            page = ask(
                streak_crm.ContactPage,
                ask.client.contacts.list_contacts,
                team,
                limit=5,
                cursor=page.cursor,
            )


def test_organizations_match_the_sdks_types(ask: Asked) -> None:
    for team in ask.streak.account.teams:
        page = ask(
            streak_crm.OrganizationPage,
            ask.client.organizations.list_organizations,
            team,
            limit=1000,
        )
        for organization in page.results:
            ask(
                streak_crm.Organization, ask.client.organizations.get_organization, organization.key
            )


def test_objects_added_while_the_sandbox_runs_match_the_sdks_types(ask: Asked) -> None:
    account = ask.streak.account
    pipeline = account.add_pipeline("New")
    field = account.add_field(pipeline["key"], "Size", "DROPDOWN", ["S", "M"])
    box = account.add_box(pipeline["key"], "New", fields={field["key"]: "9001"})["key"]
    comment, meeting, task = (
        account.add_comment(box, "Hello"),
        account.add_meeting(box, "Notes"),
        account.add_task(box, "Call"),
    )
    team = account.add_team("New")["key"]
    contact, organization = account.add_contact(team), account.add_organization(team, name="New")

    ask(streak_crm.Pipeline, ask.client.pipelines.get_pipeline, pipeline["key"])
    ask(streak_crm.Comment, ask.client.comments.get_comment, comment["key"])
    ask(streak_crm.Meeting, ask.client.meetings.get_meeting, meeting["key"])
    ask(streak_crm.Task, ask.client.tasks.get_task, task["key"])
    ask(streak_crm.Team, ask.client.teams.get_team, team)
    ask(streak_crm.Contact, ask.client.contacts.get_contact, contact["key"])
    ask(streak_crm.Organization, ask.client.organizations.get_organization, organization["key"])


def test_the_sdk_does_not_know_the_older_shape_of_a_task() -> None:
    """It is in the default account because older payloads have it (API notes, section 9)."""
    with Sandbox(boxes=30) as streak:
        older = [task for _, task in streak.account.all("tasks") if "creator" not in task]

    assert [list(faults_of(task, streak_crm.Task)) for task in older] == [
        [": no creator", ": no assignedTo"]
    ]


def test_refusals_reach_the_sdk_as_its_own_errors(ask: Asked) -> None:
    """With the same status and body as from Streak."""
    stranger = ask.client_with("wrong")
    with pytest.raises(api_error.ApiError) as raised:
        stranger.users.get_current_user()

    assert (raised.value.status_code, raised.value.body) == (
        401,
        {"success": False, "error": "invalid api key"},
    )
