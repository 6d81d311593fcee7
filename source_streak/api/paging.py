"""How Streak pages its lists, and how to read a list whole: no row lost or twice, always an end.

A pager is a value that says how to request the first page and, after each page, whether and how to
request the next. `read_list` is the one loop that uses pagers. Pure: `ask` may be a request or a
function in a test.

The shapes (bare array, {results, hasNextPage}, {results, cursor}) and what is known about limits:
https://streak.readme.io/reference/list-boxes and the notes in docs/streak.md.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from source_streak.api.bounds import Bound, check_count
from source_streak.api.errors import Refused

FLAGS = {"true": True, "false": False}
MOST_BARREN = 3  # pages in a row with nothing new: then the list goes in circles

Row = dict[str, Any]
Params = dict[str, Any]


class WrongShape(ValueError):
    """A 200 that holds something unexpected: no empty list, but an answer to ask for again."""


@dataclass(frozen=True)
class Page:
    """One answer. `more` is hasNextPage, or None if the answer has no such flag."""

    rows: list[Row]
    more: bool | None = None
    cursor: str | None = None


@dataclass(frozen=True)
class Tally:
    """Where a list stands after a page.

    `new`: rows of this page that were not seen before. `total`: such rows so far, of `expected`
    (None: unknown). `full`: the size of a full page: the largest page before this one or, at
    first, the limit asked for, which the server may cap.
    """

    new: int
    total: int
    expected: int | None
    full: float

    @property
    def enough(self) -> bool:
        return self.expected is not None and self.total >= self.expected


class Pager(Protocol):
    """A way of paging, as two pure functions."""

    def first(self) -> Params:
        """The params of the first page."""

    def after(self, asked: Params, page: Page, tally: Tally) -> Params | None:
        """The params of the next page; None at the end."""


@dataclass(frozen=True)
class Whole:
    """No paging parameters: one answer holds everything, unless its hasNextPage says otherwise."""

    def first(self) -> Params:
        return {}

    def after(self, asked: Params, page: Page, tally: Tally) -> Params | None:
        return {"page": asked.get("page", 0) + 1} if page.more and tally.new else None


@dataclass(frozen=True)
class Numbered:
    """?limit=n&page=0,1,…  The server may cap the limit, ignore `page`, or leave out the flag."""

    limit: int
    sort: str | None = None

    def first(self) -> Params:
        return {"limit": self.limit, "page": 0, **({"sortBy": self.sort} if self.sort else {})}

    def after(self, asked: Params, page: Page, tally: Tally) -> Params | None:
        if page.more is False:
            return None
        if not tally.new:  # an empty page, or a server that answers the same page for ever
            return None
        if page.more is None and tally.enough and len(page.rows) < tally.full:
            return None  # only both prove it: a short page may be capped, a count may be old
        return {**asked, "page": asked["page"] + 1}


@dataclass(frozen=True)
class Cursored:
    """?limit=n, then &cursor=…, until an answer has no cursor.

    For the contacts and organizations of a team (https://streak.readme.io).
    """

    limit: int

    def first(self) -> Params:
        return {"limit": self.limit}

    def after(self, asked: Params, page: Page, tally: Tally) -> Params | None:
        if not page.cursor or not page.rows:
            return None
        return {**asked, "cursor": page.cursor}


@dataclass(frozen=True)
class Tokened:
    """?filters=…&direction=…&limit=n, then &nextPageToken=… alone, until an answer has no token.

    https://streak.readme.io/reference/get-timeline.
    """

    filters: str
    direction: str
    limit: int

    def first(self) -> Params:
        return {"filters": self.filters, "direction": self.direction, "limit": self.limit}

    def after(self, asked: Params, page: Page, tally: Tally) -> Params | None:
        return {"nextPageToken": page.cursor} if page.cursor and page.rows else None


def parse_page(body: Any) -> Page:
    """The rows of an answer, and what it says about further pages.

    Raises WrongShape for anything but a list of objects.
    """
    envelope: Mapping[str, Any] = body if isinstance(body, dict) else {}
    rows = envelope.get("results") if envelope else body
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise WrongShape("a list of objects was expected")
    more = FLAGS.get(str(envelope.get("hasNextPage")).lower())
    cursor = envelope.get("cursor")
    return Page(rows, more, str(cursor) if type(cursor) in (str, int) else None)


def key_of(row: Mapping[str, Any], names: tuple[str, ...] = ("key",)) -> str | None:
    """The row's own key, under the first of these names that holds one; None if none does."""
    return next((key for name in names if isinstance(key := row.get(name), str) and key), None)


def read_list(
    pager: Pager,
    ask: Callable[[Params], Page],
    expected: int | None = None,
    seen: set[str] | None = None,
    identify: Callable[[Row], str | None] = key_of,
) -> Generator[list[Row], None, bool]:
    """Yield a list page by page: each row once, in order. Returns whether it ended properly.

    `expected`: how many rows there should be, if a counter tells. `seen`: keys of earlier rows;
    several lists may share them. Raises EndlessList, and whatever `ask` raises.
    """
    seen = set() if seen is None else seen
    cursors: set[str] = set()
    restarted = False
    total = brought = largest = barren = 0
    params: Params | None = pager.first()
    while params is not None:
        try:
            page = ask(params)
        except Refused as refusal:
            if restarted or not cursor_refused(params, refusal):
                raise
            restarted, params, cursors = True, pager.first(), set()
            continue
        fresh, new = _unseen(page.rows, seen, identify)
        total, brought = total + new, brought + len(page.rows)
        check_count(brought, expected)
        barren = 0 if new else barren + 1
        yield fresh
        tally = Tally(new, total, expected, largest or params.get("limit", float("inf")))
        params = pager.after(params, page, tally)
        largest = max(largest, len(page.rows))
        if params is None:
            return not page.more  # Streak says that there is more, but sends nothing new
        cursor = params.get("cursor") or params.get("nextPageToken")
        if (cursor and cursor in cursors) or barren >= MOST_BARREN:
            return False  # a cursor that comes back would lead in circles
        cursors.add(cursor or "")
    return True


def _unseen(
    rows: list[Row], seen: set[str], identify: Callable[[Row], str | None]
) -> tuple[list[Row], int]:
    """The rows to hand on, and how many of them are new. Adds their keys to `seen`.

    Rows without a key are handed on, but not counted: a server could send them for ever.
    """
    fresh, new = [], 0
    for row in rows:
        key = identify(row)
        if key is None:
            fresh.append(row)
        elif key not in seen:
            seen.add(key)
            fresh.append(row)
            new += 1
    return fresh, new


def collect(pages: Generator[list[Row], None, bool], bound: Bound) -> tuple[list[Row], bool]:
    """All rows of a list, and whether it ended properly."""
    rows: list[Row] = []
    return rows, use_each(pages, bound, rows.extend)


def use_each(
    pages: Generator[list[Row], None, bool], bound: Bound, use: Callable[[list[Row]], None]
) -> bool:
    """Call `use` with each page of a list, to its end. Returns whether it ended properly."""
    with bound.one_list() as more:
        while True:
            try:
                rows = next(pages)
            except StopIteration as end:
                return bool(end.value)
            more(len(rows))
            use(rows)


def cursor_refused(params: Params, refusal: Refused) -> bool:
    """Whether the cursor was refused (cursors expire), and not the list."""
    return "cursor" in params and refusal.status in (400, 404, 422)
