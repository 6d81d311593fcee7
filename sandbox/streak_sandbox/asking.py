"""What the endpoints share: calls, refusals, looking up what a call names, and pages."""

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

DIRECTORY_LIMIT, DIRECTORY_LIMIT_MOST = 100, 1_000
SORTINGS = ("creationTimestamp", "lastUpdatedTimestamp")

Endpoint = Callable[["Call"], Any]


class Refusal(Exception):
    """A response other than 200."""

    def __init__(self, status: int, error: str, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.body = more | {"error": error}


@dataclasses.dataclass(frozen=True)
class Text:
    """A response that is not JSON."""

    content: str
    kind: str  # its media type


@dataclasses.dataclass
class Call:
    """One request, its credentials already accepted."""

    account: Account
    moods: Moods
    keys: dict[str, str]
    query: dict[str, str]
    content: Any = None  # the JSON of a POST

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
    method: str = "GET"

    def answer(self, call: Call) -> Any:
        """The endpoint's answer, after the checks that all endpoints share."""
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


def reads_by_post(path: str) -> Callable[[Endpoint], Endpoint]:
    """A POST that changes nothing: it only asks for several objects at once."""

    def add(endpoint: Endpoint) -> Endpoint:
        ROUTES.append(Route(path, frozenset(), endpoint, "POST"))
        return endpoint

    return add


# --- Finding things -------------------------------------------------------------------------------


def found(rows: dict[str, Row], call: Call) -> Row:
    """The row with this key. A well-formed key that names nothing is a 404 (22, row 15)."""
    row = rows.get(call.keys["key"])
    if row is None:
        raise Refusal(404, "Not found")
    return row


def open_team(call: Call) -> Row:
    team = found(call.account.teams, call)
    if team["key"] in call.account.hidden:
        raise _no_access(call, "team")
    return team


def visible_pipeline(call: Call) -> Row:
    pipeline = found(call.account.pipelines, call)
    if pipeline["key"] in call.account.hidden:
        raise _no_access(call)
    return pipeline


def open_pipeline(call: Call) -> Row:
    """The pipeline whose boxes (or other contents) are requested."""
    pipeline = visible_pipeline(call)
    _refuse(call, pipeline["key"])
    return pipeline


def open_box(call: Call) -> Row:
    return _allowed_box(call, found(call.account.boxes, call))


def _allowed_box(call: Call, box: Row) -> Row:
    if box["key"] in call.moods.gone_boxes:
        raise Refusal(404, "Not found")
    _refuse(call, box["pipelineKey"])
    return box


def _refuse(call: Call, pipeline_key: str) -> None:
    """Raises Refusal if the key has no access, which is a 401 too (22, row 16)."""
    if pipeline_key in call.moods.refused_pipelines | call.account.hidden:
        raise _no_access(call)


def _no_access(call: Call, what: str = "pipeline") -> Refusal:
    if call.moods.hidden_is_404:
        return Refusal(404, "Not found")
    return Refusal(401, f"User does not have access to this {what}")


def children(call: Call, kind: str) -> list[Row]:
    box = open_box(call)
    fail(call, box)
    return call.account.children[kind][box["key"]]


def child(call: Call, kind: str) -> Row:
    row = call.account.child(kind, call.keys["key"])
    if row is None:
        raise Refusal(404, "Not found")
    fail(call, _allowed_box(call, call.account.boxes[row["boxKey"]]))
    return row


def fail(call: Call, box: Row) -> None:
    if box["key"] in call.moods.failing_boxes:
        raise Refusal(500, "Internal server error")


def directory_entry(call: Call, kind: str) -> Row:
    """A contact or organization; if it was merged, what it was merged into."""
    try:
        row = call.account.directory_entry(kind, call.keys["key"])
    except KeyError:
        raise Refusal(404, "Not found") from None
    if row["teamKey"] in call.account.hidden:
        raise _no_access(call, "team")
    return row


def served_pipeline(call: Call, row: Row) -> Row:
    if call.moods.box_count_absent:
        return {
            name: value for name, value in row.items() if name not in ("boxCount", "boxCountHint")
        }
    return row


def served_box(call: Call, row: Row) -> Row:
    if call.moods.counters_absent:
        return {name: value for name, value in row.items() if name not in objects.CHILD_COUNTERS}
    return row


# --- Orders and pages -----------------------------------------------------------------------------


def key_place(row: Row) -> list[Any]:
    return [row["key"]]


def saved_place(row: Row) -> list[Any]:
    return [row.get("lastSavedTimestamp") or 0, row["key"]]


def descending(rows: Any, stamp: str) -> list[Row]:
    return sorted(rows, key=lambda row: row.get(stamp) or 0, reverse=True)


def sorted_pipelines(call: Call) -> list[Row]:
    order = call.one_of("sortBy", SORTINGS)
    rows = call.account.visible(call.account.pipelines)
    return descending(rows, order) if order else rows


def sorted_boxes(account: Account, pipeline_key: str, order: str | None) -> list[Row]:
    """Both orders are descending (4.1). Without an order, boxes come as they were added."""
    if order is None:
        return account.ordered(("boxes", pipeline_key), lambda: account.boxes_of(pipeline_key))
    name = ("boxes", pipeline_key, order)
    return account.ordered(name, lambda: descending(account.boxes_of(pipeline_key), order))


def page_of(
    rows: list[Row], limit: int | None, page: int | None, cap: int | None, ignored: str | None
) -> tuple[list[Row], bool]:
    """One page, counted from 0, and whether there are more."""
    if ignored == "whole":
        return rows, False
    sizes = [size for size in (limit, cap) if size is not None]
    if not sizes:
        # A page without a size holds everything; all pages after the first are empty.
        return ([] if page and ignored is None else rows), False
    size = min(sizes)
    start = 0 if ignored == "first" else size * (page or 0)
    return rows[start : start + size], start + size < len(rows)


def v2_page(call: Call, rows: list[Row], most: int | None = None) -> Row:
    caps = [cap for cap in (most, call.moods.v2_limit_cap) if cap is not None]
    limit, page = call.whole_number("limit", least=1), call.whole_number("page")
    rows, more = page_of(rows, limit, page, min(caps, default=None), call.moods.v2_page_ignored)
    return envelope(call, rows, more)


def envelope(call: Call, rows: list[Row], more: bool) -> Row:
    return {"results": rows} if call.moods.flag_absent else {"results": rows, "hasNextPage": more}


def cursor_page(call: Call, rows: list[Row], position: Callable[[Row], list[Any]]) -> Row:
    """The rows after the cursor. Every full page has a cursor, even the last page (15.2)."""
    limit = min(call.whole_number("limit", least=1) or DIRECTORY_LIMIT, DIRECTORY_LIMIT_MOST)
    limit = min(limit, call.moods.v2_limit_cap or limit)
    cursor = call.query.get("cursor")
    if cursor:
        if call.moods.forget_page_cursor:
            call.moods.forget_page_cursor = False
            raise Refusal(400, "Invalid cursor")
        place = read_cursor(cursor)
        rows = [row for row in rows if position(row) > place]
    rows = rows[:limit]
    return {"results": rows} | (
        {"cursor": write_cursor(position(rows[-1]))} if len(rows) == limit else {}
    )


def write_cursor(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def read_cursor(text: str) -> list[Any]:
    try:
        place = json.loads(base64.urlsafe_b64decode(text))
    except (binascii.Error, ValueError):
        place = None
    if not isinstance(place, list):
        raise Refusal(400, "Invalid cursor")
    return place
