"""The box lists of all pipelines: each asked for once in a sync, side by side, and kept compressed for every stream.

https://streak.readme.io/reference/list-boxes.  Sorted by creation, newest first: an edit does not move a box in it.  A deletion
does: it pulls the later pages up by one and can hide a box; that is why the count is compared and a short list read again.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import orjson

from source_streak.client import Client, path_of
from source_streak.errors import Refused, StreakError, Unanswered
from source_streak.paging import Numbered, Page, Params, Row, collect, cut, key_of, read_list

LOGGER = logging.getLogger("airbyte.boxes")
PAGER = Numbered(500, "creationTimestamp")
PAGES_AHEAD = 8  # of one long list
LISTS_AT_ONCE = 8
PAGES_AT_ONCE = 16  # of all lists: each may take 2 MB until it is packed, and on a busy machine they wait for that
COUNT_AGAIN_AFTER = 50  # pages, of which one request more is 2 %
PACKED_TOGETHER = 100  # boxes; as quick to unpack as can be, and hardly more than with larger parts
KEY_NAMES = ("key", "boxKey")


@dataclass
class Packed:
    """Rows of one page, compressed, less those that came again in a later page. Each row has a `key`."""

    blob: bytes
    size: int
    source: str  # key of the pipeline or team that it is a page of
    superseded: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, rows: list[Row], source: str) -> Packed:
        """Pack them."""
        return cls(zlib.compress(orjson.dumps(rows), 1), len(rows), source)

    def rows(self) -> Iterator[Row]:
        """Unpack them."""
        for row in orjson.loads(zlib.decompress(self.blob)):
            if row["key"] not in self.superseded:
                yield row


@dataclass
class BoxList:
    """The boxes of one pipeline as this sync saw them, or why it did not."""

    pipeline: Row
    pages: list[Packed] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    taken: frozenset[str] = frozenset()  # boxes that another list has delivered, from which they moved here since
    problem: Refused | StreakError | None = None
    asked_again: bool = False
    without_key: int = 0  # boxes
    ended: bool = False  # properly: Streak did not say that there is more

    @property
    def complete(self) -> bool:
        """Whether a box that is not in it is not in the pipeline; an empty list has to be confirmed by Streak's count."""
        counted = self.expected
        return not self.problem and self.ended and (len(self.keys) >= counted if counted is not None else bool(self.keys))

    @property
    def key(self) -> str:
        return str(self.pipeline["key"])

    @property
    def name(self) -> str:
        return str(self.pipeline.get("name") or self.key[-6:])

    @property
    def expected(self) -> int | None:
        """How many boxes Streak counts; None where it does not say."""
        count = self.pipeline.get("boxCount")
        return count if type(count) is int else None

    def boxes(self) -> Iterator[Row]:
        """Unpacked page by page."""
        for page in self.pages:
            yield from page.rows()


class BoxLists:
    """Reads the lists. The methods block, and must not run in the client's own threads: they wait for those."""

    def __init__(
        self,
        client: Client,
        judge: Callable[[Refused | Unanswered, str], Refused | StreakError],
        list_pipelines: Callable[[], list[Row]],
    ) -> None:
        """`judge` says what a refusal means for one list, and raises where it is no matter of one; `list_pipelines` asks afresh."""
        self._client, self._judge, self._list_pipelines = client, judge, list_pipelines
        self._helpers = ThreadPoolExecutor(LISTS_AT_ONCE, "streak-list")
        self._lock = threading.Lock()
        self._pages = threading.Semaphore(PAGES_AT_ONCE)
        self._asked = 0  # pages, roughly
        self._last_seen: dict[str, Packed] = {}  # box key -> the page that has its latest version

    def read(self, pipelines: Iterable[Row]) -> list[BoxList]:
        """The lists of these pipelines, complete as far as can be told."""
        lists = [BoxList(pipeline) for pipeline in pipelines]
        self._read_side_by_side(lists)
        self._give_back(lists)
        self._complete(lists)
        return lists

    def read_again(self, doubtful: list[BoxList], others: list[BoxList]) -> None:
        """Once more for lists that were refused or failed; boxes that `others` hold (they moved) are left to those."""
        taken = frozenset().union(*(listed.keys for listed in others))
        for listed in doubtful:
            listed.problem, listed.asked_again, listed.pages, listed.taken = None, True, [], taken
        self._read_side_by_side(doubtful)
        _judge_short(doubtful)

    def close(self) -> None:
        """Nothing more is read: let go of threads and boxes."""
        self._helpers.shutdown(wait=False, cancel_futures=True)
        self._last_seen.clear()

    def present(self, listed: BoxList) -> set[str]:
        """The keys of the boxes that were seen last in this list, and so are its own."""
        return {key for key in listed.keys if self._last_seen[key].source == listed.key}

    def where(self, box_key: str) -> str | None:
        """The key of the pipeline in whose list a box was seen last; None if in none."""
        page = self._last_seen.get(box_key)
        return page.source if page else None

    @property
    def so_far(self) -> int:
        """How many boxes have been listed, for the log."""
        return len(self._last_seen)

    def _read_side_by_side(self, lists: list[BoxList]) -> None:
        due = [self._helpers.submit(self._read_one, listed) for listed in lists]
        try:
            for future in due:
                future.result()
        finally:
            for future in due:
                future.cancel()

    def _read_one(self, listed: BoxList) -> None:
        """Into `listed`. What a refusal says of this pipeline alone becomes its problem; anything else is raised."""
        pages = PagesAhead(listed.expected, lambda params: self._fetch(listed, params), self._client.pool)
        seen: set[str] = set()
        listed.without_key = 0
        try:
            _, listed.ended = collect(read_list(PAGER, pages.ask, listed.expected, seen))
            if not listed.ended and listed.expected is None:
                LOGGER.warning('Streak says that the list of boxes of the pipeline "%s" goes on, but sends nothing new.', listed.name)
            if listed.without_key:
                LOGGER.warning('%s boxes of the pipeline "%s" left out, without a key.', f"{listed.without_key:,}", listed.name)
        except (Refused, Unanswered) as refusal:
            listed.problem = self._judge(refusal, f'the boxes of the pipeline "{listed.name}"')
        finally:
            pages.close()
            listed.keys |= seen

    def _fetch(self, listed: BoxList, params: Params) -> Page:
        self._asked += 1
        path = path_of("v1/pipelines/{pipelineKey}/boxes", {"pipelineKey": listed.key})
        with self._pages:
            return self._client.ask(lambda: self._client.get(path, params), lambda body: self._pack(listed, cut(body)))

    def _pack(self, listed: BoxList, page: Page) -> Page:
        """Put a page away; the one returned holds keys alone. Of a box that comes twice the later sight counts."""
        known = [{**box, "key": key} for box in page.rows if (key := key_of(box, KEY_NAMES))]
        listed.without_key += len(page.rows) - len(known)
        boxes = {box["key"]: box for box in known}
        rows = [box for key, box in boxes.items() if key not in listed.taken]
        for start in range(0, len(rows), PACKED_TOGETHER):
            part = rows[start : start + PACKED_TOGETHER]
            packed = Packed.of(part, listed.key)
            with self._lock:
                for box in part:
                    if earlier := self._last_seen.get(box["key"]):
                        earlier.superseded.add(box["key"])
                    self._last_seen[box["key"]] = packed
                listed.pages.append(packed)
        return Page([{"key": key} for key in boxes], page.more)

    def _give_back(self, lists: list[BoxList]) -> None:
        """Boxes that moved into a list which then failed count where they were seen before: that list delivers nothing."""
        for failed in (listed for listed in lists if listed.problem):
            for page in (page for listed in lists if listed is not failed for page in listed.pages):
                self._last_seen.update(dict.fromkeys(page.superseded & failed.keys, page))
                page.superseded -= failed.keys

    def _complete(self, lists: list[BoxList]) -> None:
        """Read once more what holds fewer boxes than were counted before, or are now: one that moved may have missed both lists.

        The second count costs a request.  It is made where something came short, and where so many pages were asked for that it
        does not matter: the longer the listing took, the more has happened meanwhile.
        """
        before = {listed.key: listed.expected or 0 for listed in lists}
        if self._asked < COUNT_AGAIN_AFTER and not any(self._short_of(listed, before[listed.key]) for listed in lists):
            return
        self._count_again(lists)
        short = [listed for listed in lists if self._short_of(listed, max(before[listed.key], listed.expected or 0))]
        if short:
            self._read_side_by_side(short)
            self._count_again(short)
        _judge_short(lists)

    def _count_again(self, lists: list[BoxList]) -> None:
        counts = {pipeline["key"]: pipeline.get("boxCount") for pipeline in self._list_pipelines()}
        for listed in lists:
            listed.pipeline = {**listed.pipeline, "boxCount": counts.get(listed.key, listed.expected)}

    def _short_of(self, listed: BoxList, count: int) -> bool:
        """Whether fewer boxes than that were seen last in this list: those that moved on since are not its own."""
        return not listed.problem and len(self.present(listed)) < count


class PagesAhead:
    """Asks for the pages of one list, from the third on several at once: by then two have proved that `page` works."""

    def __init__(self, expected: int | None, fetch: Callable[[Params], Page], pool: ThreadPoolExecutor) -> None:
        self._expected, self._fetch, self._pool = expected or 0, fetch, pool
        self._due: dict[int, Future[Page]] = {}
        self._last = 0

    def ask(self, params: Params) -> Page:
        """The page that `params` ask for."""
        number = params["page"]
        ahead = range(number + 1, min(number + PAGES_AHEAD, self._last + 1)) if number >= 2 else ()
        for wanted in (number, *ahead):
            if wanted not in self._due:
                self._due[wanted] = self._pool.submit(self._fetch, {**params, "page": wanted})
        page = self._due.pop(number).result()
        if number == 0 and page.rows:
            self._last = (self._expected - 1) // len(page.rows)
        return page

    def close(self) -> None:
        """Nothing more is wanted of this list."""
        for future in self._due.values():
            future.cancel()


def _judge_short(lists: list[BoxList]) -> None:
    for listed in lists:
        if not listed.problem and len(listed.keys) < (listed.expected or 0):
            listed.problem = _say_short(listed)


def _say_short(listed: BoxList) -> StreakError | None:
    """A list that is short for good is used, with a warning; one with nothing in it is a failed one."""
    if not listed.keys:
        return StreakError(f"Streak counts {listed.expected:,} boxes in it, but answered twice with an empty list.", "transient_error")
    LOGGER.warning(
        'The pipeline "%s" has %s boxes by Streak\'s count, but its list holds only %s, also when read twice. '
        "These are delivered; the others cannot be seen.",
        *(listed.name, f"{listed.expected:,}", f"{len(listed.keys):,}"),
    )
    return None
