"""The endpoints: what is asked (strictly), and what is answered. No socket, no framework; server.py has those.

Each endpoint is a function under `@get(path, query parameters)`. A parameter it does not list is a 400.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

from . import keys, objects
from .account import Account
from .moods import Moods
from .objects import Row

KEY_ISSUE = "Illegal Argument Exception in GetEntities, usually a key issue"

NEWSFEED_LENGTH = 50
DIRECTORY_LIMIT, DIRECTORY_LIMIT_MOST = 100, 1_000
TASK_LIMIT_MOST = 1_000
SORTINGS = ("creationTimestamp", "lastUpdatedTimestamp")

Endpoint = Callable[["Call"], Any]


class Refusal(Exception):
    """An answer that is not a 200."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = more | {"error": error}


@dataclasses.dataclass
class Call:
    """One request, its credentials already accepted."""

    account: Account
    moods: Moods
    keys: dict[str, str]
    query: dict[str, str]

    def whole_number(self, name: str, least: int = 0) -> int | None:
        text = self.query.get(name)
        if text is None:
            return None
        if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < least:
            raise Refusal(400, f"{name} must be a whole number from {least} on, not {text!r}")
        return int(text)

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str | None:
        text = self.query.get(name)
        if text is not None and text not in allowed:
            raise Refusal(400, f"{name} must be one of {', '.join(allowed)}, not {text!r}")
        return text


@dataclasses.dataclass(frozen=True)
class Route:
    path: str
    parameters: frozenset[str]
    endpoint: Endpoint

    def answer(self, call: Call) -> Any:
        """What the endpoint answers, after the checks that all of them share."""
        unknown = set(call.query) - self.parameters
        if unknown:
            raise Refusal(400, f"unknown query parameter: {', '.join(sorted(unknown))}")
        for name, key in call.keys.items():
            if name == "key" and not keys.is_key(key):
                raise Refusal(400, KEY_ISSUE)
        with call.account.lock:
            return self.endpoint(call)


ROUTES: list[Route] = []


def get(*paths: str, query: str = "") -> Callable[[Endpoint], Endpoint]:
    def add(endpoint: Endpoint) -> Endpoint:
        ROUTES.extend(Route(path, frozenset(query.split()), endpoint) for path in paths)
        return endpoint

    return add


# --- Users and teams (2) --------------------------------------------------------------------------------------------


@get("v1/users/me")
def my_user(call: Call) -> Row:
    return call.account.me


@get("v1/users/{key}")
def one_user(call: Call) -> Row:
    return _found(call.account.users, call)


@get("v2/users/me/teams", query="limit page")
def my_teams(call: Call) -> Row:
    """Newest first."""
    return _v2_page(call, _descending(call.account.teams.values(), "creationDate"))


@get("v2/teams/{key}")
def one_team(call: Call) -> Row:
    return _found(call.account.teams, call)


@get("v2/teams/{key}/users")
def users_of_team(call: Call) -> Row:
    """All of them, archived ones and agents too; no paging."""
    people = [call.account.users.get(member["userKey"]) for member in _found(call.account.teams, call)["members"]]
    return _envelope(call, [person for person in people if person], more=False)


# --- Contacts and organizations (15) --------------------------------------------------------------------------------


@get("v2/teams/{key}/contacts", query="limit cursor after")
def contacts_of_team(call: Call) -> Row:
    """`after` counts seconds, is inclusive, and is compared with when the contact was last saved.

    In which order Streak lists contacts is not documented. Here the latest saved come last, so that one which is edited
    while the list is read comes twice.
    """
    team = _found(call.account.teams, call)["key"]
    after = call.whole_number("after")
    rows = call.account.ordered(("contacts", team), lambda: sorted(call.account.contacts[team], key=_saved))
    if after is not None:
        rows = [row for row in rows if (row.get("lastSavedTimestamp") or 0) >= after * 1_000]
    return _cursor_page(call, rows, _saved)


@get("v2/teams/{key}/organizations", query="limit cursor")
def organizations_of_team(call: Call) -> Row:
    """Ordered by key."""
    team = _found(call.account.teams, call)["key"]
    rows = call.account.ordered(("organizations", team), lambda: sorted(call.account.organizations[team], key=_key))
    return _cursor_page(call, rows, _key)


@get("v2/contacts/{key}")
def one_contact(call: Call) -> Row:
    return _directory_entry(call, "contacts")


@get("v2/organizations/{key}")
def one_organization(call: Call) -> Row:
    return _directory_entry(call, "organizations")


# --- Pipelines, stages, fields (3) ----------------------------------------------------------------------------------


@get("v1/pipelines", query="sortBy")
def pipelines_v1(call: Call) -> list[Row]:
    """A bare array, no paging."""
    return [_served_pipeline(call, objects.pipeline_as_v1(row)) for row in _sorted_pipelines(call)]


@get("v2/pipelines", query="sortBy limit page")
def pipelines_v2(call: Call) -> Row:
    if call.moods.v2_pipelines_missing:
        raise Refusal(404, "Not found")
    return _v2_page(call, [_served_pipeline(call, row) for row in _sorted_pipelines(call)])


@get("v1/pipelines/{key}")
def one_pipeline_v1(call: Call) -> Row:
    return _served_pipeline(call, objects.pipeline_as_v1(_found(call.account.pipelines, call)))


@get("v2/pipelines/{key}")
def one_pipeline_v2(call: Call) -> Row:
    return _served_pipeline(call, _found(call.account.pipelines, call))


@get("v1/pipelines/{key}/stages")
def stages_v1(call: Call) -> Row:
    """An object by stage key, not an array."""
    return {key: objects.stage_as_v1(stage) for key, stage in _open_pipeline(call)["stages"].items()}


@get("v2/pipelines/{key}/stages")
def stages_v2(call: Call) -> Row:
    return _open_pipeline(call)["stages"]


@get("v1/pipelines/{key}/stages/{stage}")
def one_stage_v1(call: Call) -> Row:
    return objects.stage_as_v1(one_stage_v2(call))


@get("v2/pipelines/{key}/stages/{stage}")
def one_stage_v2(call: Call) -> Row:
    stages = _open_pipeline(call)["stages"]
    if call.keys["stage"] not in stages:
        raise Refusal(400, KEY_ISSUE)
    return stages[call.keys["stage"]]


@get("v1/pipelines/{key}/fields")
def fields_of_pipeline(call: Call) -> list[Row]:
    return _open_pipeline(call)["fields"]


@get("v1/pipelines/{key}/fields/{field}")
def one_field(call: Call) -> Row:
    for field in _open_pipeline(call)["fields"]:
        if field["key"] == call.keys["field"]:
            return field
    raise Refusal(400, KEY_ISSUE)


@get("v1/pipelines/{key}/newsfeed", query="detailLevel")
def newsfeed_of_pipeline(call: Call) -> list[Row]:
    """The newest 50 events and no way to more (13)."""
    pipeline = _open_pipeline(call)
    call.one_of("detailLevel", ("ALL", "CONDENSED"))
    return _descending(call.account.newsfeed[pipeline["key"]], "timestamp")[:NEWSFEED_LENGTH]


# --- Boxes (4, 5) ---------------------------------------------------------------------------------------------------


@get("v1/pipelines/{key}/boxes", query="sortBy limit page stageKey")
def boxes_of_pipeline(call: Call) -> Row | list[Row]:
    """An array or an envelope: which, depends on the call (4.1). Without limit, everything."""
    pipeline = _open_pipeline(call)["key"]
    order = call.one_of("sortBy", SORTINGS)
    limit, page = call.whole_number("limit", least=1), call.whole_number("page")
    rows = [] if pipeline in call.moods.empty_pipelines else _sorted_boxes(call.account, pipeline, order)
    if "stageKey" in call.query:
        rows = [row for row in rows if row["stageKey"] == call.query["stageKey"]]
    rows, more = _page(rows, limit, page, call.moods.limit_cap, call.moods.page_ignored)
    rows = [_served_box(call, row) for row in rows] if call.moods.counters_absent else rows
    rows = rows[::-1] + rows[:1] if call.moods.pages_disordered else rows
    if call.moods.box_list_shape == "array":
        return rows
    if call.moods.box_list_shape == "by_call" and not {"page", "limit", "sortBy"} <= set(call.query):
        return rows
    return _envelope(call, rows, more)


@get("v1/boxes/{key}")
def one_box(call: Call) -> Row:
    return _served_box(call, _open_box(call))


@get("v1/boxes/{key}/fields")
def fields_of_box(call: Call) -> list[Row]:
    """6: values only; what is unset is not there."""
    return [{"key": key, "value": value} for key, value in _open_box(call)["fields"].items()]


@get("v1/boxes/{key}/threads")
def threads_of_box(call: Call) -> list[Row]:
    return _children(call, "threads")


@get("v1/boxes/{key}/files")
def files_of_box(call: Call) -> list[Row]:
    return _children(call, "files")


@get("v2/boxes/{key}/comments")
def comments_of_box(call: Call) -> Row:
    """No paging parameters: always complete."""
    return _envelope(call, _children(call, "comments"), more=False)


@get("v2/boxes/{key}/meetings", query="limit page")
def meetings_of_box(call: Call) -> Row:
    return _v2_page(call, _children(call, "meetings"))


@get("v2/boxes/{key}/tasks", query="limit page")
def tasks_of_box(call: Call) -> Row:
    """By creation date; never more than 1,000 at once."""
    return _v2_page(call, sorted(_children(call, "tasks"), key=lambda row: row["creationDate"]), most=TASK_LIMIT_MOST)


@get("v2/comments/{key}")
def one_comment(call: Call) -> Row:
    return _child(call, "comments")


@get("v2/meetings/{key}")
def one_meeting(call: Call) -> Row:
    return _child(call, "meetings")


@get("v2/tasks/{key}")
def one_task(call: Call) -> Row:
    return _child(call, "tasks")


# --- Snippets (14) --------------------------------------------------------------------------------------------------


@get("v1/snippets")
def my_snippets(call: Call) -> list[Row]:
    return call.account.snippets


# --- Finding things -------------------------------------------------------------------------------------------------


def _found(rows: dict[str, Row], call: Call) -> Row:
    """A key that looks right and names nothing is a 404 (22, row 15)."""
    row = rows.get(call.keys["key"])
    if row is None:
        raise Refusal(404, "Not found")
    return row


def _open_pipeline(call: Call) -> Row:
    """The pipeline that something below is asked of."""
    pipeline = _found(call.account.pipelines, call)
    _refuse(call, pipeline["key"])
    return pipeline


def _open_box(call: Call) -> Row:
    return _allowed_box(call, _found(call.account.boxes, call))


def _allowed_box(call: Call, box: Row) -> Row:
    if box["key"] in call.moods.gone_boxes:
        raise Refusal(404, "Not found")
    _refuse(call, box["pipelineKey"])
    return box


def _refuse(call: Call, pipeline_key: str) -> None:
    """No access is a 401 too (22, row 16)."""
    if pipeline_key in call.moods.refused_pipelines:
        if call.moods.hidden_is_404:
            raise Refusal(404, "Not found")
        raise Refusal(401, "User does not have access to this pipeline")


def _children(call: Call, kind: str) -> list[Row]:
    box = _open_box(call)
    _fail(call, box)
    return call.account.children[kind][box["key"]]


def _child(call: Call, kind: str) -> Row:
    row = call.account.child(kind, call.keys["key"])
    if row is None:
        raise Refusal(404, "Not found")
    _fail(call, _allowed_box(call, call.account.boxes[row["boxKey"]]))
    return row


def _fail(call: Call, box: Row) -> None:
    if box["key"] in call.moods.failing_boxes:
        raise Refusal(500, "Internal server error")


def _directory_entry(call: Call, kind: str) -> Row:
    try:
        return call.account.directory_entry(kind, call.keys["key"])
    except KeyError:
        raise Refusal(404, "Not found") from None


def _served_pipeline(call: Call, row: Row) -> Row:
    if call.moods.box_count_absent:
        return {name: value for name, value in row.items() if name not in ("boxCount", "boxCountHint")}
    return row


def _served_box(call: Call, row: Row) -> Row:
    if call.moods.counters_absent:
        return {name: value for name, value in row.items() if name not in objects.CHILD_COUNTERS}
    return row


# --- Orders and pages -----------------------------------------------------------------------------------------------


def _key(row: Row) -> list[Any]:
    return [row["key"]]


def _saved(row: Row) -> list[Any]:
    return [row.get("lastSavedTimestamp") or 0, row["key"]]


def _descending(rows: Any, stamp: str) -> list[Row]:
    return sorted(rows, key=lambda row: row.get(stamp) or 0, reverse=True)


def _sorted_pipelines(call: Call) -> list[Row]:
    order = call.one_of("sortBy", SORTINGS)
    rows = list(call.account.pipelines.values())
    return _descending(rows, order) if order else rows


def _sorted_boxes(account: Account, pipeline_key: str, order: str | None) -> list[Row]:
    """Both orders are descending; there is no other (4.1). Without one: as they came into the pipeline."""
    if order is None:
        return account.ordered(("boxes", pipeline_key), lambda: account.boxes_of(pipeline_key))
    name = ("boxes", pipeline_key, order)
    return account.ordered(name, lambda: _descending(account.boxes_of(pipeline_key), order))


def _page(rows: list[Row], limit: int | None, page: int | None, cap: int | None, ignored: str | None) -> tuple[list[Row], bool]:
    """One page, counted from 0, and whether there are more."""
    if ignored == "whole":
        return rows, False
    sizes = [size for size in (limit, cap) if size is not None]
    if not sizes:
        # Pages of everything: the first holds it, and beyond the end there is nothing.
        return ([] if page and ignored is None else rows), False
    size = min(sizes)
    start = 0 if ignored == "first" else size * (page or 0)
    return rows[start : start + size], start + size < len(rows)


def _v2_page(call: Call, rows: list[Row], most: int | None = None) -> Row:
    caps = [cap for cap in (most, call.moods.v2_limit_cap) if cap is not None]
    limit, page = call.whole_number("limit", least=1), call.whole_number("page")
    rows, more = _page(rows, limit, page, min(caps, default=None), call.moods.v2_page_ignored)
    return _envelope(call, rows, more)


def _envelope(call: Call, rows: list[Row], more: bool) -> Row:
    return {"results": rows} if call.moods.flag_absent else {"results": rows, "hasNextPage": more}


def _cursor_page(call: Call, rows: list[Row], position: Callable[[Row], list[Any]]) -> Row:
    """The rows after the place the cursor names. A full page has a cursor, even if nothing follows it (15.2)."""
    limit = min(call.whole_number("limit", least=1) or DIRECTORY_LIMIT, DIRECTORY_LIMIT_MOST)
    limit = min(limit, call.moods.v2_limit_cap or limit)
    cursor = call.query.get("cursor")
    if cursor:
        if call.moods.forget_page_cursor:
            call.moods.forget_page_cursor = False
            raise Refusal(400, "Invalid cursor")
        place = _read_cursor(cursor)
        rows = [row for row in rows if position(row) > place]
    rows = rows[:limit]
    return {"results": rows} | ({"cursor": _write_cursor(position(rows[-1]))} if len(rows) == limit else {})


def _write_cursor(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read_cursor(text: str) -> list[Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError):
        place = None
    if not isinstance(place, list):
        raise Refusal(400, "Invalid cursor")
    return place
