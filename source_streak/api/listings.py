"""Long lists (boxes, contacts, organizations), each read once in a sync and kept compressed.

https://streak.readme.io/reference/list-boxes, list-contacts, list-organizations. Boxes are sorted
by creation, newest first, so an edit does not move a box in the list. A deletion does: it pulls
later boxes up by one place, and may hide one between two pages. That is why long_lists.py compares
the count and reads a short list again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial

from source_streak.api.access import Access
from source_streak.api.bounds import MOST_PACKED, TIMES_COUNTED, Bound, EndlessList
from source_streak.api.client import path_of
from source_streak.api.clock import Clock
from source_streak.api.errors import Level, Refused, StreakError
from source_streak.api.packing import Packed, PackedPage, Properties, put_away
from source_streak.api.paging import (
    Cursored,
    Numbered,
    Page,
    Pager,
    Params,
    Row,
    read_list,
    use_each,
)

LISTS_AT_ONCE = 8
PAGES_AHEAD = 8  # of one long list
PAGES_AT_ONCE = 16  # of all lists together: each may take 2 MB until it is packed


@dataclass(frozen=True)
class Kind:
    """How to request the lists of one level. `source`: the column of the key in `path`."""

    path: str
    source: str
    pager: Pager
    single: str  # the path of a single row
    key_names: tuple[str, ...]
    noun: str  # for sentences, plural


KINDS: Mapping[Level, Kind] = {
    Level.BOX: Kind(
        "v1/pipelines/{pipelineKey}/boxes",
        "pipelineKey",
        Numbered(500, "creationTimestamp"),
        "v1/boxes/{key}",
        ("key", "boxKey"),
        "boxes",
    ),
    Level.CONTACT: Kind(
        "v2/teams/{teamKey}/contacts",
        "teamKey",
        Cursored(1000),
        "v2/contacts/{key}",
        ("key",),
        "contacts",
    ),
    Level.ORGANIZATION: Kind(
        "v2/teams/{teamKey}/organizations",
        "teamKey",
        Cursored(1000),
        "v2/organizations/{key}",
        ("key",),
        "organizations",
    ),
}


@dataclass
class Listing:
    """One list as this sync read it, or why it could not. `source`: the pipeline or team."""

    level: Level
    source: Row
    pages: list[Packed] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    ended: bool = False  # properly: Streak did not say that there is more
    problem: Refused | StreakError | None = None
    asked_again: bool = False
    requests: int = 0
    rows_so_far: int = 0
    without_key: int = 0  # rows, left out

    @property
    def key(self) -> str:
        return str(self.source["key"])

    @property
    def name(self) -> str:
        return str(self.source.get("name") or self.key[-6:])

    @property
    def expected(self) -> int | None:
        """How many boxes Streak counts; None if it does not say."""
        count = self.source.get("boxCount")
        return count if self.level is Level.BOX and type(count) is int else None

    @property
    def shortfall(self) -> int:
        """How many boxes the list lacks by Streak's count."""
        return max(0, (self.expected or 0) - len(self.keys))

    def rows(self, properties: Properties = None) -> Iterator[Row]:
        """The rows, unpacked part by part: whole, or only their keys and these properties."""
        for part in self.pages:
            yield from part.rows(properties)


class Listings:
    """Reads lists, and tracks where each row was last seen. For one thread at a time."""

    def __init__(self, access: Access, clock: Clock, start: int | None) -> None:
        self._access, self._clock, self._start = access, clock, start
        self._readers = ThreadPoolExecutor(LISTS_AT_ONCE, "streak-list")
        self._pages = threading.Semaphore(PAGES_AT_ONCE)
        self._last_seen: dict[str, Packed] = {}
        self._under_way: list[Listing] = []

    def close(self) -> None:
        """Stop the threads and free the rows."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._last_seen.clear()
        self._under_way.clear()

    def read(
        self, lists: list[Listing], delivered: frozenset[str] = frozenset()
    ) -> Iterator[tuple[Listing, Refused | StreakError | None]]:
        """Read the lists side by side, and yield each when it is finished, with its refusal.

        Closing the generator early starts no further list.

        `delivered`: rows that another list has delivered, and that have moved here since. They are
        left to that list.
        """
        self._under_way = lists
        counted = sum(listing.expected or 0 for listing in lists)
        bound = Bound(max(MOST_PACKED, TIMES_COUNTED * counted))
        work = partial(self._read_one, bound)
        futures = {self._readers.submit(work, listing): listing for listing in lists}
        try:
            for future in as_completed(futures):
                listing, refusal = futures[future], future.result()
                self._merge(listing, delivered)
                yield listing, refusal
        finally:
            for future in futures:
                future.cancel()

    def present(self, listing: Listing) -> set[str]:
        """The keys of the rows that were last seen in this list, and so belong to it."""
        return {key for key in listing.keys if self._last_seen[key].source == listing.key}

    def count_present(self, listing: Listing) -> int:
        """How many rows were last seen in this list."""
        return sum(self._last_seen[key].source == listing.key for key in listing.keys)

    def where(self, key: str) -> str | None:
        """The key of the pipeline or team in whose list a row was last seen; None if in none."""
        part = self._last_seen.get(key)
        return part.source if part else None

    def give_back(self, failed: Iterable[Listing], lists: Iterable[Listing]) -> None:
        """Give rows that moved into a failed list back to the list where they were seen before.

        A failed list delivers nothing.
        """
        others = [listing for listing in lists if not listing.problem]
        for bad in failed:
            for part in (part for listing in others for part in listing.pages):
                self._last_seen.update(dict.fromkeys(part.superseded & bad.keys, part))
                part.superseded -= bad.keys

    @property
    def rows_so_far(self) -> int:
        """How many rows have been listed, for the log."""
        return sum(listing.rows_so_far for listing in list(self._under_way))

    def _read_one(self, bound: Bound, listing: Listing) -> Refused | StreakError | None:
        """Read into `listing`, which belongs to this thread until then, and return the refusal."""
        kind = KINDS[listing.level]
        pages = PagesAhead(
            listing.expected, partial(self._fetch, listing), self._access.client.pool
        )
        seen: set[str] = set()
        listing.rows_so_far = listing.without_key = 0

        def ask(params: Params) -> Page:
            page = (
                pages.ask(params)
                if isinstance(kind.pager, Numbered)
                else self._fetch(listing, params)
            )
            listing.pages += page.parts
            listing.requests += 1
            listing.rows_so_far += len(page.rows)
            listing.without_key += page.without_key
            return page

        pages_read = read_list(kind.pager, ask, listing.expected, seen)
        try:
            listing.ended = use_each(pages_read, bound, lambda _: None)  # `ask` puts the rows away
        except EndlessList as endless:
            listing.pages, listing.asked_again = [], True  # it would not end then, either
            return endless
        except (Refused, StreakError) as refusal:
            return refusal
        finally:
            pages.close()
            listing.keys = listing.keys | seen  # a new set is half as large as one that has grown
        return None

    def _fetch(self, listing: Listing, params: Params) -> PackedPage:
        kind = KINDS[listing.level]
        path = path_of(kind.path, {kind.source: listing.key})
        if self._start is not None and listing.level is Level.CONTACT:
            params = {**params, "after": self._start // 1000}  # seconds, inclusive
        with self._pages:
            return self._access.get(
                path,
                params,
                lambda response: put_away(
                    response, kind.key_names, listing.key, self._clock.monotonic()
                ),
            )

    def _merge(self, listing: Listing, delivered: frozenset[str]) -> None:
        """If a row was seen twice, here or in another list, keep the later sight."""
        for part in listing.pages:
            for key in part.keys:
                earlier = self._last_seen.get(key)
                if earlier is part:
                    continue
                if key in delivered or (earlier is not None and earlier.seen_at > part.seen_at):
                    part.superseded.add(key)
                    continue
                if earlier is not None:
                    earlier.superseded.add(key)
                self._last_seen[key] = part


class PagesAhead:
    """Requests the pages of one list, several at once from the third on.

    By then, two pages have proved that the parameter `page` works.
    """

    def __init__(
        self, expected: int | None, fetch: Callable[[Params], PackedPage], pool: ThreadPoolExecutor
    ) -> None:
        self._expected, self._fetch, self._pool = expected or 0, fetch, pool
        self._pending: dict[int, Future[PackedPage]] = {}
        self._last = 0

    def ask(self, params: Params) -> PackedPage:
        """The page that `params` ask for."""
        number = params["page"]
        ahead = range(number + 1, min(number + PAGES_AHEAD, self._last + 1)) if number >= 2 else ()
        for wanted in (number, *ahead):
            if wanted not in self._pending:
                self._pending[wanted] = self._pool.submit(self._fetch, {**params, "page": wanted})
        page = self._pending.pop(number).result()
        if number == 0 and page.rows:
            self._last = (self._expected - 1) // len(page.rows)
        return page

    def close(self) -> None:
        """Cancel the requests for further pages."""
        for future in self._pending.values():
            future.cancel()
