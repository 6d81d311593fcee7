"""The endpoints: strict checks of each request, and its response. server.py has the sockets.

Each endpoint is a function under `@get(path, query parameters)`. Any other parameter is a 400.
"""

from __future__ import annotations

from . import (
    history,  # noqa: F401 - its endpoints
    objects,
)
from .asking import (
    KEY_ISSUE,
    ROUTES,
    SORTINGS,
    Call,
    Refusal,
    Route,
    Text,
    child,
    children,
    cursor_page,
    descending,
    directory_entry,
    envelope,
    found,
    get,
    key_place,
    open_box,
    open_pipeline,
    open_team,
    page_of,
    reads_by_post,
    saved_place,
    served_box,
    served_pipeline,
    sorted_boxes,
    sorted_pipelines,
    v2_page,
    visible_pipeline,
)
from .objects import Row

NEWSFEED_LENGTH = 50
TASK_LIMIT_MOST = 1_000

__all__ = ["KEY_ISSUE", "ROUTES", "Call", "Refusal", "Route", "Text"]


# --- Users and teams (2) --------------------------------------------------------------------------


@get("v1/users/me")
def my_user(call: Call) -> Row:
    return call.account.me


@get("v1/users/{key}")
def one_user(call: Call) -> Row:
    return found(call.account.users, call)


@get("v2/users/me/teams", query="limit page")
def my_teams(call: Call) -> Row:
    """Newest first."""
    return v2_page(call, descending(call.account.visible(call.account.teams), "creationDate"))


@get("v2/teams/{key}")
def one_team(call: Call) -> Row:
    return open_team(call)


@get("v2/teams/{key}/users")
def users_of_team(call: Call) -> Row:
    """All users, archived ones and agents included; no paging."""
    people = [call.account.users.get(member["userKey"]) for member in open_team(call)["members"]]
    return envelope(call, [person for person in people if person], more=False)


# --- Contacts and organizations (15) --------------------------------------------------------------


@get("v2/teams/{key}/contacts", query="limit cursor after")
def contacts_of_team(call: Call) -> Row:
    """`after` counts seconds, is inclusive, and is compared with when the contact was last saved.

    The order in which Streak lists contacts is not documented. Here the latest saved come last,
    so a contact that is edited while the list is read comes twice.
    """
    team = found(call.account.teams, call)["key"]
    after = call.whole_number("after")
    rows = call.account.ordered(
        ("contacts", team), lambda: sorted(call.account.contacts[team], key=saved_place)
    )
    if after is not None:
        rows = [row for row in rows if (row.get("lastSavedTimestamp") or 0) >= after * 1_000]
    return cursor_page(call, rows, saved_place)


@get("v2/teams/{key}/organizations", query="limit cursor")
def organizations_of_team(call: Call) -> Row:
    """Ordered by key."""
    team = found(call.account.teams, call)["key"]
    rows = call.account.ordered(
        ("organizations", team), lambda: sorted(call.account.organizations[team], key=key_place)
    )
    return cursor_page(call, rows, key_place)


@get("v2/contacts/{key}")
def one_contact(call: Call) -> Row:
    return directory_entry(call, "contacts")


@get("v2/organizations/{key}")
def one_organization(call: Call) -> Row:
    return directory_entry(call, "organizations")


# --- Pipelines, stages, fields (3) ----------------------------------------------------------------


@get("v1/pipelines", query="sortBy")
def pipelines_v1(call: Call) -> list[Row]:
    """A bare array, no paging."""
    return [served_pipeline(call, objects.pipeline_as_v1(row)) for row in sorted_pipelines(call)]


@get("v2/pipelines", query="sortBy limit page")
def pipelines_v2(call: Call) -> Row:
    if call.moods.v2_pipelines_missing:
        raise Refusal(404, "Not found")
    return v2_page(call, [served_pipeline(call, row) for row in sorted_pipelines(call)])


@get("v1/pipelines/{key}")
def one_pipeline_v1(call: Call) -> Row:
    return served_pipeline(call, objects.pipeline_as_v1(visible_pipeline(call)))


@get("v2/pipelines/{key}")
def one_pipeline_v2(call: Call) -> Row:
    return served_pipeline(call, visible_pipeline(call))


@get("v1/pipelines/{key}/stages")
def stages_v1(call: Call) -> Row:
    """An object by stage key, not an array."""
    return {key: objects.stage_as_v1(stage) for key, stage in open_pipeline(call)["stages"].items()}


@get("v2/pipelines/{key}/stages")
def stages_v2(call: Call) -> Row:
    return open_pipeline(call)["stages"]


@get("v1/pipelines/{key}/stages/{stage}")
def one_stage_v1(call: Call) -> Row:
    return objects.stage_as_v1(one_stage_v2(call))


@get("v2/pipelines/{key}/stages/{stage}")
def one_stage_v2(call: Call) -> Row:
    stages = open_pipeline(call)["stages"]
    if call.keys["stage"] not in stages:
        raise Refusal(400, KEY_ISSUE)
    return stages[call.keys["stage"]]


@get("v1/pipelines/{key}/fields")
def fields_of_pipeline(call: Call) -> list[Row]:
    return open_pipeline(call)["fields"]


@get("v1/pipelines/{key}/fields/{field}")
def one_field(call: Call) -> Row:
    for field in open_pipeline(call)["fields"]:
        if field["key"] == call.keys["field"]:
            return field
    raise Refusal(400, KEY_ISSUE)


@get("v1/pipelines/{key}/newsfeed", query="detailLevel")
def newsfeed_of_pipeline(call: Call) -> list[Row]:
    """The newest 50 events, with no way to get more (13)."""
    pipeline = open_pipeline(call)
    call.one_of("detailLevel", ("ALL", "CONDENSED"))
    return descending(call.account.newsfeed[pipeline["key"]], "timestamp")[:NEWSFEED_LENGTH]


# --- Boxes (4, 5) ---------------------------------------------------------------------------------


@get("v1/pipelines/{key}/boxes", query="sortBy limit page stageKey")
def boxes_of_pipeline(call: Call) -> Row | list[Row]:
    """An array or an envelope, depending on the call (4.1). Without limit, all boxes."""
    pipeline = open_pipeline(call)["key"]
    order = call.one_of("sortBy", SORTINGS)
    limit, page = call.whole_number("limit", least=1), call.whole_number("page")
    rows = (
        []
        if pipeline in call.moods.empty_pipelines
        else sorted_boxes(call.account, pipeline, order)
    )
    if "stageKey" in call.query:
        rows = [row for row in rows if row["stageKey"] == call.query["stageKey"]]
    rows, more = page_of(rows, limit, page, call.moods.limit_cap, call.moods.page_ignored)
    rows = [served_box(call, row) for row in rows] if call.moods.counters_absent else rows
    rows = rows[::-1] + rows[:1] if call.moods.pages_disordered else rows
    if call.moods.box_list_shape == "array":
        return rows
    if call.moods.box_list_shape == "by_call" and not {"page", "limit", "sortBy"} <= set(
        call.query
    ):
        return rows
    return envelope(call, rows, more)


@get("v2/pipelines/{key}/boxes", query="limit page")
def boxes_of_pipeline_v2(call: Call) -> Row:
    """Undocumented, but seen in use (4.2)."""
    pipeline = open_pipeline(call)["key"]
    return v2_page(call, sorted_boxes(call.account, pipeline, None))


@reads_by_post("v1/pipelines/{key}/boxes/batch/")
def several_boxes(call: Call) -> list[Row]:
    """4.4: takes a JSON array of keys. Missing boxes and those in other pipelines are left out."""
    pipeline = open_pipeline(call)["key"]
    if not isinstance(call.content, list):
        raise Refusal(400, "a JSON array of box keys is expected")
    found = [call.account.boxes.get(key) for key in call.content if isinstance(key, str)]
    return [served_box(call, box) for box in found if box and box["pipelineKey"] == pipeline]


@get("v1/boxes/{key}")
def one_box(call: Call) -> Row:
    """For a box that was merged: the box that it was merged into."""
    call.keys["key"] = call.account.kept_key(call.keys["key"])
    return served_box(call, open_box(call))


@get("v1/boxes/{key}/fields")
def fields_of_box(call: Call) -> list[Row]:
    """6: values only; unset fields are absent."""
    return [{"key": key, "value": value} for key, value in open_box(call)["fields"].items()]


@get("v1/boxes/{key}/threads")
def threads_of_box(call: Call) -> list[Row]:
    return children(call, "threads")


@get("v1/boxes/{key}/files")
def files_of_box(call: Call) -> list[Row]:
    return children(call, "files")


@get("v2/boxes/{key}/comments")
def comments_of_box(call: Call) -> Row:
    """No paging parameters: always complete."""
    return envelope(call, children(call, "comments"), more=False)


@get("v2/boxes/{key}/meetings", query="limit page")
def meetings_of_box(call: Call) -> Row:
    return v2_page(call, children(call, "meetings"))


@get("v2/boxes/{key}/tasks", query="limit page")
def tasks_of_box(call: Call) -> Row:
    """By creation date; never more than 1,000 at once."""
    return v2_page(
        call,
        sorted(children(call, "tasks"), key=lambda row: row["creationDate"]),
        most=TASK_LIMIT_MOST,
    )


@get("v2/tasks", query="userKeys pipelineKey includeCompleted direction limit sortOrder")
def agenda(call: Call) -> Row:
    """Open tasks of one user that are due, the latest first; an agenda, not an export (9)."""
    call.one_of("direction", ("desc", "past", "asc", "future"))
    done = call.one_of("includeCompleted", ("true", "false")) == "true"
    user = call.query.get("userKeys", call.account.my_key)
    rows = [
        row
        for _, row in call.account.all("tasks")
        if (done or row["status"] == "NOT_DONE")
        and user in [person["userKey"] for person in row.get("assignedTo", [])]
        and call.query.get("pipelineKey", row["pipelineKey"]) == row["pipelineKey"]
        and (row.get("dueDate") or 0) < call.account.clock()
    ]
    rows = descending(rows, "dueDate")
    limit = call.whole_number("limit", least=1)
    return envelope(call, rows[:limit], more=limit is not None and len(rows) > limit)


@get("v2/comments/{key}")
def one_comment(call: Call) -> Row:
    return child(call, "comments")


@get("v2/meetings/{key}")
def one_meeting(call: Call) -> Row:
    return child(call, "meetings")


@get("v2/tasks/{key}")
def one_task(call: Call) -> Row:
    return child(call, "tasks")


# --- Snippets (14) --------------------------------------------------------------------------------


@get("v1/snippets")
def my_snippets(call: Call) -> list[Row]:
    return call.account.snippets


@get("v1/snippets/{key}")
def one_snippet(call: Call) -> list[Row]:
    """The documentation's example wraps the one object in an array."""
    rows = {row["key"]: row for row in call.account.snippets}
    return [found(rows, call)]
