"""How any stream is read, in the order of a row's life:

    parents  >  request  >  page  >  row  >  record  >  what was left out

A stream (streams.py) says what is true of it; nothing here knows a stream by name.  The framework's method names live in this
file and in source.py alone.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property, partial
from itertools import islice
from time import monotonic, time_ns
from typing import Any, ClassVar, NamedTuple, TypeVar

import requests
from airbyte_cdk.models import (
    AirbyteEstimateTraceMessage,
    AirbyteMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteTraceMessage,
    EstimateType,
    FailureType,
    StreamDescriptor,
    SyncMode,
    TraceType,
    Type,
)
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.sources.types import StreamSlice
from airbyte_cdk.utils import AirbyteTracedException
from airbyte_cdk.utils.datetime_helpers import ab_datetime_now

from source_streak import client, faces
from source_streak.account import Account, Fate, Level, Parent, boxes_of
from source_streak.box_lists import BoxList, Packed
from source_streak.errors import Action, Place, Refusals, Refused, StreakError, Unanswered, skipped
from source_streak.memory import MOST_KEYS, Memory
from source_streak.paging import Cursored, Page, Pager, Params, Row, Whole, cut, key_of, read_list
from source_streak.progress import Progress
from source_streak.records import Record, Shape

T = TypeVar("T")
PLACES = {Level.ACCOUNT: Place.TOP, Level.TEAM: Place.LIST, Level.PIPELINE: Place.LIST, Level.BOX: Place.CHILD}
LOOK_UP = 1.0  # seconds between two looks at the clock while waiting


class Answer(NamedTuple):
    """What came of one parent: its rows, or why there are none and what is to be done about it."""

    parent: Parent
    rows: Iterable[Row] = ()
    refusal: Refused | Unanswered | None = None
    action: Action | None = None
    last: bool = True  # of its parent: long lists come in several answers


class Failure(AirbyteTracedException):
    """A StreakError in the framework's terms: its sentence and nothing else, since a stack trace would tell a user nothing."""

    def __init__(self, error: StreakError) -> None:
        super().__init__(message=error.sentence, internal_message=error.sentence, failure_type=FailureType(error.failure))

    def __repr__(self) -> str:
        """What the framework's closing message quotes."""
        return str(self.message)

    def as_airbyte_message(self, *args: Any, **kwargs: Any) -> AirbyteMessage:
        message = super().as_airbyte_message(*args, **kwargs)
        if message.trace and message.trace.error:
            message.trace.error.stack_trace = None
        return message


class StreakStream(HttpStream):
    """One stream of Streak. Subclasses state facts, and override `rows` or `added` where a row needs more."""

    parent: ClassVar[Level] = Level.ACCOUNT
    endpoint: ClassVar[str] = ""  # with the parent's key column in braces; empty: the rows are in the parent itself
    pager: ClassVar[Pager] = Whole()
    counters: ClassVar[tuple[str, ...]] = ()  # of the parent: all 0, nothing to ask for; absent is not 0
    remembers: ClassVar[bool] = False  # incremental: what was delivered and is unchanged is left out (ledger.py)
    compares_rows: ClassVar[bool] = False  # the ledger holds the rows themselves, not the boxes they belong to
    of_one_pipeline: ClassVar[bool] = False  # a box that moves to another one leaves the stream
    buries: ClassVar[bool] = False  # tells of deleted boxes, by records with `_ab_cdc_deleted_at`
    cursor_column: ClassVar[str] = "readAt"
    key_names: ClassVar[tuple[str, ...]] = ("key",)  # where a row has its key; v1 repeats it under a second name

    def __init__(self, account: Account) -> None:
        self.account = account
        super().__init__()
        self._http_client = account.client.http  # one session and one budget for all streams
        self.cursor = None  # the framework's own resumable full refresh would read one page only
        self.progress = Progress(self.logger.info)
        self.refusals = Refusals(self._what)
        self.without_key = 0
        self.empty_again = 0  # lists, against what the counters say
        self.misshapen: Counter[str] = Counter()  # values of custom fields, by the field's type
        self.missing: dict[str, set[str]] = {}  # by pipeline: boxes delivered from it earlier that are not in its list any more
        self.anothers: set[str] = set()  # boxes that the stream delivered when it was another pipeline's
        self.emitted: set[tuple[Any, ...]] = set()
        self.cut_short: set[str] = set()
        self._state: MutableMapping[str, Any] = {}
        self._stated = monotonic()  # when state was last written
        self._look = LONG_AGO  # when to see to log and state next

    @property
    def url_base(self) -> str:
        return self.account.client.url

    @property
    def cursor_field(self) -> str | list[str]:
        return self.cursor_column if self.remembers else []

    @property
    def is_resumable(self) -> bool:
        """Without this the framework would read a full-refresh stream for ever."""
        return self.supports_incremental

    @property
    def state(self) -> MutableMapping[str, Any]:
        """Asked for at every record: ready made."""
        return self._state

    @state.setter
    def state(self, value: MutableMapping[str, Any]) -> None:
        self._state = value

    @cached_property
    def shape(self) -> Shape:
        """The columns, as the schema has them."""
        return Shape(self.get_json_schema())

    def stream_slices(self, *, sync_mode: SyncMode, **_: Any) -> Iterator[StreamSlice]:
        """Parts of about a minute: the framework writes state after each. Nothing is asked before the first one is read."""
        self._remember(sync_mode)
        rest = Rest(self._read())
        while not rest.ended:
            yield StreamSlice(partition={}, cursor_slice={}, extra_fields={"rest": rest})

    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterable[StreamData]:
        """One part. Ends with an AirbyteTracedException whose message is a sentence of errors.py."""
        rest: Rest = stream_slice.extra_fields["rest"]  # type: ignore[union-attr] # a slice of stream_slices
        try:
            yield from rest.part()
        except StreakError as error:
            if self.remembers:
                yield self._state_message()
            raise Failure(error) from error
        finally:
            self._keep_state()
            if rest.ended:
                self.memory.close()
                self.emitted.clear()
                self.missing.clear()

    def _remember(self, sync_mode: SyncMode) -> None:
        """Take the state of earlier syncs; a full refresh takes its time alone."""
        config = self.account.config
        self.incremental = self.remembers and sync_mode is SyncMode.incremental
        known = self._state if self.incremental else {name: self._state[name] for name in ("version", "readAt") if name in self._state}
        self.memory = Memory(known, time_ns() // 1_000_000, config.recheck_days, config.start)
        self.memory.things = ("boxes", "pipelines") if self.parent is Level.BOX else (self._what, f"{self.parent.value}s")

    def _read(self) -> Iterator[StreamData | None]:
        """The whole stream; None where time passes without a record."""
        try:
            yield from self._waiting(self.begin)
            if self.parent is Level.BOX:
                self._compare_boxes(self._lists())
            yield (yield from self._waiting(self._estimate))
            aside: list[Answer] = []
            yield from self._read_parents(self._parents(), aside)
            if self.parent is Level.BOX:
                late = self.of(*(yield from self._waiting(self.account.ask_again)))
                self._compare_boxes(late)
                yield from self._read_parents(boxes_of(late), aside)
            yield from self._ask_again(aside)
            if self._tells_of_deletions:
                yield from self._bury()
            if self.parent is Level.BOX and (bad := self.of(*self.account.bad_lists())):
                self._say_skipped("pipeline", {listed.name: listed.problem for listed in bad if listed.problem})
        finally:
            self._say_what_was_left_out()

    def _read_parents(self, parents: Iterable[Parent], aside: list[Answer], again: bool = False) -> Iterator[StreamData | None]:
        for answer in self._answers(parents, again):
            if answer is None or monotonic() >= self._look:
                yield from self._alive()
            if answer is None:
                continue  # still waiting
            self.progress.done += answer.last and not again
            if answer.refusal is None:
                self.refusals.answered += 1
                yield from self._records(answer)
                if self.parent is Level.BOX:
                    self._settle(answer.parent)
                elif answer.last:
                    self.finished(answer.parent)
                continue
            if answer.action is not Action.GONE:
                aside.append(answer)
            if self.parent is Level.BOX and not again:
                self.refusals.note(answer.refusal, answer.action)

    def begin(self) -> None:
        """Ask for all that the stream's rows hang on; blocks."""
        self.account.parents(self.parent)

    # 1. Parents -> which requests. A counter of 0 spares one.

    def of(self, *lists: BoxList) -> list[BoxList]:
        """Those of the box lists that the stream reads."""
        return list(lists)

    def _lists(self) -> list[BoxList]:
        return self.of(*self.account.good_lists())

    def _parents(self) -> Iterable[Parent]:
        return boxes_of(self._lists()) if self.parent is Level.BOX else self.account.parents(self.parent)

    def _how_many(self) -> int:
        return sum(len(listed.keys) for listed in self._lists()) if self.parent is Level.BOX else sum(1 for _ in self._parents())

    def to_ask(self, parent: Parent) -> bool:
        """Whether there can be anything: a counter that is absent says nothing."""
        return not self.counters or any(parent.row.get(counter) != 0 for counter in self.counters)

    def expected(self, parent: Parent) -> int | None:
        """How many rows the counters promise; None where one of them is absent."""
        counts = [parent.row.get(counter) for counter in self.counters]
        return sum(counts) if counts and all(type(count) is int for count in counts) else None  # type: ignore[arg-type]

    def faces_in(self, listed: BoxList) -> Iterator[tuple[str, Any]]:
        """For each box of a list that is not too old: its key, and what decides its rows in this stream."""
        names = self.shown_with(listed.pipeline)
        for box in listed.boxes():
            if not self.too_old(box):
                yield box["key"], faces.of_activity(box, listed.key) if self.endpoint else faces.of_record(box, names)

    def shown_with(self, pipeline: Row) -> str:
        """What beside the box itself decides how its rows look: the names that its pipeline gives to keys."""
        return faces.names_in(pipeline)

    def too_old(self, row: Row) -> bool:
        """Whether all that ever happened to it lies before the start date."""
        start = self.account.config.start
        return start is not None and max(faces.stamps(row), default=start) < start

    def to_read(self, parent: Parent) -> bool:
        """Whether a box is to be read at all; every team and pipeline is."""
        if self.parent is not Level.BOX:
            return True
        return not self.too_old(parent.row) and (
            not self.incremental or self.memory.differs(parent.keys["pipelineKey"], parent.keys["boxKey"])
        )

    def _due(self, parents: Iterable[Parent]) -> Iterator[Parent | None]:
        """Those to be read; None now and then, for there may be very many others."""
        for parent in parents:
            if monotonic() >= self._look:
                yield None
            if not self.to_read(parent):
                self.refusals.settled += self.incremental and self.to_ask(parent)
                continue
            if self.endpoint and not self.to_ask(parent):
                self._settle(parent)
                continue
            yield parent

    def _compare_boxes(self, lists: list[BoxList]) -> None:
        """Find out which boxes differ.

        State follows at once, before their first row: it takes back what it says of them. Otherwise a box whose change was
        delivered just before a kill, and undone before the next sync, would look as if nothing had happened to it.
        """
        if not self.incremental or not lists:
            return
        self.memory.forget(self.memory.scopes - self.account.existing)
        self.memory.listing(listed.key for listed in lists)
        of = self._how_many()
        for listed in lists:
            self.memory.compare(listed.key, self.faces_in(listed), of)
        self._keep_keys(lists)
        self._stated = self._look = LONG_AGO

    def _settle(self, parent: Parent) -> None:
        if self.incremental:
            self.memory.settle(parent.keys["pipelineKey"], parent.keys["boxKey"])

    def _promised(self, parent: Parent) -> int:
        """For the estimate: 0 where nothing will be asked."""
        return (self.expected(parent) or 1) if self.to_read(parent) and self.to_ask(parent) else 0

    def _answers(self, parents: Iterable[Parent], again: bool) -> Iterator[Answer | None]:
        """One for each parent, in order; None while waiting."""
        if not self.endpoint:
            return (parent and Answer(parent, self.rows(parent)) for parent in self._due(parents))
        if isinstance(self.pager, Cursored):
            return self._page_by_page(parents)
        pool, threads = self.account.client.pool, self.account.client.threads
        return rolling(pool, lambda parent: self._ask(parent, again), self._due(parents), ahead=3 * threads)

    # 2. Request -> page. Runs in the client's threads.

    def path(self, *, stream_slice: Mapping[str, Any] | None = None, **_: Any) -> str:
        return client.path_of(self.endpoint, stream_slice or {})

    def request_params(
        self,
        stream_state: Mapping[str, Any] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {**(next_page_token or {}), **self.query(stream_slice or {})}

    def query(self, keys: Mapping[str, Any]) -> Params:
        """Further parameters for the parent with these keys."""
        return {}

    def request_kwargs(self, *_: Any, **__: Any) -> Mapping[str, Any]:
        return client.SENDING

    def _ask(self, parent: Parent, again: bool) -> Answer:
        """One parent's whole list."""
        try:
            return Answer(parent, [row for page in self._pages(parent, again) for row in page])
        except (Refused, Unanswered) as refusal:
            return Answer(parent, (), refusal, self._judge(refusal))

    def _judge(self, refusal: Refused | Unanswered) -> Action:
        return self.account.judge(refusal, PLACES[self.parent], self._what)

    def _page_by_page(self, parents: Iterable[Parent]) -> Iterator[Answer | None]:
        """For lists too long to be held: each page an answer, the next one under way meanwhile."""
        for parent in parents:
            answers = ahead_by_one(self.account.client.pool, self._long_list(parent))
            yield from self._unsettled(parent, answers) if self.incremental and self.compares_rows else answers

    def _long_list(self, parent: Parent) -> Iterator[Answer]:
        try:
            for rows in self._pages(parent, again=False):
                yield Answer(parent, rows, last=False)
        except (Refused, Unanswered) as refusal:
            yield Answer(parent, (), refusal, self._judge(refusal))
        else:
            yield Answer(parent, last=parent.row["key"] not in self.cut_short)

    def _unsettled(self, parent: Parent, answers: Iterator[Answer | None]) -> Iterator[Answer | None]:
        """The rows of a long list that the ledger does not know as they are; the list is read whole before it can tell."""
        team = parent.row["key"]
        kept: list[Packed] = []
        for answer in answers:
            if answer is None or answer.last:
                yield answer
                if answer and answer.refusal:
                    return
                continue
            rows = list(answer.rows)
            kept.append(Packed.of([row for row in rows if key_of(row)], team))
            yield Answer(parent, [row for row in rows if not key_of(row)], last=False)
        self.memory.listing(one["key"] for one in self.account.teams())
        self.memory.compare(team, ((row["key"], row) for page in kept for row in page.rows()), of=sum(page.size for page in kept))
        self._stated = self._look = LONG_AGO
        for page in kept:
            rows = [row for row in page.rows() if self.memory.differs(team, row["key"])]
            yield Answer(parent, rows, last=False)
            for row in rows:
                self.memory.settle(team, row["key"])

    def finished(self, parent: Parent) -> None:
        """All rows of a team or pipeline were emitted."""

    def _pages(self, parent: Parent, again: bool) -> Generator[list[Row], None, bool]:
        slice_ = StreamSlice(partition=parent.keys, cursor_slice={})
        single = self.parent is Level.BOX

        def answer(params: Params) -> Page:
            return self.account.client.ask(
                lambda: self._fetch_next_page(slice_, next_page_token=params)[1],
                cut,
                alone=single,
                patience=0 if again and single else None,
            )

        def page(params: Params) -> Page:
            first = answer(params)
            if first.rows or params != self.pager.first() or not self._doubts_that_nothing_is_there(parent):
                return first
            second = answer(params)
            self.empty_again += not second.rows
            return second

        whole = yield from read_list(self.pager, page, self.expected(parent), identify=lambda row: key_of(row, self.key_names))
        if not whole:
            self.cut_short.add(parent.row["key"])
        return whole

    def _doubts_that_nothing_is_there(self, parent: Parent) -> bool:
        """Whether an empty list is asked for once more: in full refresh it would empty the destination, and otherwise be settled."""
        if self.parent is Level.BOX:
            return bool(self.expected(parent)) and self.empty_again < MOST_EMPTY
        # Of pipelines there may be thousands with nothing in them, and what is asked for since a mark is mostly nothing.
        return self.parent is not Level.PIPELINE and not self.query(parent.keys)

    def next_page_token(self, response: requests.Response) -> None:
        """For the framework's own loop, which sees one page at a time; paging.read_list sees the list so far."""

    def parse_response(self, response: requests.Response, **_: Any) -> Iterable[Mapping[str, Any]]:
        """The rows of a page, for whoever uses the framework's own loop."""
        return cut(response.json()).rows

    # 3. Page -> rows -> records.

    def rows(self, parent: Parent) -> Iterable[Row]:
        """Of a stream without endpoint: the rows that are in its parent. By default the parent itself."""
        return [parent.row]

    def added(self, row: Row, parent: Parent) -> Row:
        """Columns that the connector adds: labels beside keys, never instead."""
        return {}

    def wanted(self, rows: Iterable[Row], parent: Parent) -> Iterable[Row]:
        """The rows of an answer that are to be delivered."""
        return rows

    @property
    def replaces(self) -> bool:
        """Whether there may be rows of earlier syncs, so that what is empty now has to be said too.

        Asked of the sync and not of each box, because the ledger forgets boxes that were out of sight for a while.
        """
        return self.incremental and not self.memory.first

    def _records(self, answer: Answer) -> Iterator[Record]:
        parent = answer.parent
        emitted = set() if self._scoped else self.emitted
        for row in self.wanted(answer.rows, parent):
            if "key" not in row and (key := key_of(row, self.key_names)):
                row = {**row, "key": key}
            record = self.shape.record({**row, **self._carried(parent), **self.added(row, parent)})
            identity = self._identity(record)
            if None in identity:
                self.without_key += 1
            elif identity not in emitted:
                emitted.add(identity)
                self.progress.records += 1
                if self.remembers:
                    record[self.cursor_column] = self.memory.read_at
                yield record

    def _carried(self, parent: Parent) -> Row:
        """The parent's key columns, where the schema has them."""
        return {name: parent.keys[name] for name in self._carries if name in parent.keys}

    @cached_property
    def _carries(self) -> tuple[str, ...]:
        return tuple(name for name in PARENT_KEYS if name in self.shape.names)

    def _identity(self, record: Record) -> tuple[Any, ...]:
        return tuple([record.get(name) for name in self._key_columns])

    @cached_property
    def _key_columns(self) -> tuple[str, ...]:
        return (self.primary_key,) if isinstance(self.primary_key, str) else tuple(map(str, self.primary_key or ()))

    @cached_property
    def _scoped(self) -> bool:
        """Whether a primary key can only come twice within one parent (boxes: each is listed once anyway)."""
        return self.parent is Level.BOX or any(name in PARENT_KEYS for name in self._key_columns)

    # 4. The end: what was refused is asked for once more, and what was left out is said.

    def _say_skipped(self, what: str, problems: Mapping[str, Refused | StreakError]) -> None:
        """In full refresh a stream that is not whole must not end green: the destination would erase what is missing."""
        problem = skipped(what, problems)
        if not self.incremental or any(isinstance(one, StreakError) for one in problems.values()):
            raise problem
        self.logger.warning("%s: %s", self.name, problem.sentence)

    def _ask_again(self, aside: list[Answer]) -> Iterator[StreamData | None]:
        still: list[Answer] = []
        yield from self._read_parents([answer.parent for answer in aside], still, again=True)
        if self.parent is Level.BOX:
            self.refusals.aside -= len(aside) - len(still)
            self.refusals.check(at_end=True)
            return
        gone: set[str] = set()
        if still and self.parent is Level.PIPELINE:
            keys = [answer.parent.row["key"] for answer in still]
            gone = yield from self._waiting(lambda: self.account.vanished(keys))
        problems = {answer.parent.name: answer.refusal for answer in still if answer.refusal and answer.parent.row["key"] not in gone}
        if problems:
            self._say_skipped(self.parent.value, problems)

    def _say_what_was_left_out(self) -> None:
        if self.memory.complaint:
            self.logger.warning("%s: %s", self.name, self.memory.complaint)
        other, misfits = self.shape.other, sum(self.shape.misfits.values())
        for count, one, many, why in (
            (self.refusals.gone, "box", "boxes", "left out, deleted while being read"),
            (self.refusals.aside, "box", "boxes", "refused or failed, also when asked again: the rows of this stream for it are missing"),
            (self.without_key, "row", "rows", "left out, without a key"),
            (len(self.cut_short), "list", "lists", "said to have more pages, on which Streak sends nothing new: what it sent is used"),
            (misfits, "value", "values", f"that did not fit the column, kept in {other} ({_names(self.shape.misfits)})"),
            (
                *(sum(self.misshapen.values()), "value", "values"),
                f"not of the shape that the field's type has, kept as text in textValue and rawValue ({_names(self.misshapen)})",
            ),
        ):
            if count:
                self.logger.warning("%s: %s %s %s.", self.name, f"{count:,}", one if count == 1 else many, why)
        if self.shape.unknown:
            self.logger.info("%s: properties new to this version, kept in %s: %s.", self.name, other, _names(self.shape.unknown))

    # 5. What is there no more.

    def _keep_keys(self, lists: list[BoxList]) -> None:
        """Before the first row is emitted, so that a kill cannot lose one."""
        if not self._tells_of_deletions:
            self.memory.keep_no_keys()
            return
        for listed in lists:
            if self.of_one_pipeline:
                self.anothers |= self.memory.adopt(listed.key)
            self.missing[listed.key] = self.memory.deliver(listed.key, self.account.lists.present(listed))
        if self.memory.bytes_of_keys > MOST_KEYS:
            self.missing.clear()
            self.memory.keep_no_keys()
            self.logger.warning(
                "%s: so many boxes that their keys would take more than 1 MB of state: deletions are not noticed. "
                "In full refresh the result holds nothing that was deleted.",
                self.name,
            )

    @property
    def _tells_of_deletions(self) -> bool:
        return self.incremental and self.buries and self.account.config.track_deletions

    def _bury(self) -> Iterator[StreamData | None]:
        """For each box that was delivered and is deleted, or has left its table: key, cursor and time of deletion."""
        counts: Counter[Fate] = Counter()
        told: set[str] = set()
        listed_now = {one.key for one in self.account.good_lists()}
        for listed in self._lists():
            moved, lost = self._gone_from(listed, told, listed_now)
            if not moved and not lost:
                continue
            told |= moved | lost
            fates = yield from self._waiting(partial(self.account.fates, lost, self.account.witnesses(listed)))
            counts.update(fate for fate in fates.values() if isinstance(fate, Fate))
            alive = {key: box for key, box in fates.items() if isinstance(box, dict)}
            away = {key for key, box in alive.items() if box.get("pipelineKey", listed.key) != listed.key}
            ended = {key for key, fate in fates.items() if fate is Fate.DELETED} | ((moved | away) if self.of_one_pipeline else set())
            for key in sorted(ended):
                self.progress.records += 1
                yield {self._key_columns[0]: key, self.cursor_column: self.memory.read_at, DELETED_AT: self.memory.read_at}
            for key in alive.keys() - ended:
                parent = self.account.parent_of(key, alive[key])
                yield from self._records(Answer(parent, self.rows(parent)))
            # In a pipeline that is refused just now it is seen again later; otherwise it would be asked for in every sync to come.
            hidden = {key for key, fate in fates.items() if fate is Fate.HIDDEN and not self.account.bad_lists()}
            chosen = {pipeline["key"] for pipeline in self.account.pipelines()}
            outside = {key for key in away if alive[key]["pipelineKey"] not in chosen}
            self.memory.bury(listed.key, ended | moved | hidden | outside)
        self._say_what_is_gone(counts)

    def _gone_from(self, listed: BoxList, told: set[str], listed_now: set[str]) -> tuple[set[str], set[str]]:
        """The boxes that were delivered from a list and are not in it: those now in another one, and those to be asked for."""
        missing = self.missing.get(listed.key, set()) - told
        moved = {key for key in missing if key in self.anothers or self.account.lists.where(key) in listed_now}
        lost = missing - moved
        if not listed.complete:
            return moved, set()
        if len(lost) > max(MANY, MANY_SHARE * len(listed.keys | missing)) and listed.key not in self.memory.doubted:
            self.memory.doubted.add(listed.key)
            self.logger.warning(
                '%s: %s boxes of the pipeline "%s" are missing at once: they are taken for deleted if they still are in the next sync.',
                *(self.name, f"{len(lost):,}", listed.name),
            )
            return moved, set()
        self.memory.doubted.discard(listed.key)
        return moved, lost

    def _say_what_is_gone(self, counts: Mapping[Fate, int]) -> None:
        if deleted := counts.get(Fate.DELETED):
            self.logger.info("%s: %s deleted in Streak since the last sync.", self.name, f"{deleted:,}")
        if unknown := counts.get(Fate.UNKNOWN):
            self.logger.warning(
                "%s: %s in no list any more, but Streak does not answer in a way to be believed whether deleted: "
                "left as they are, and asked for again in the next sync.",
                *(self.name, f"{unknown:,} box{'es are' if unknown > 1 else ' is'}"),
            )

    # Meanwhile

    @property
    def _what(self) -> str:
        """For sentences."""
        return self.name.replace("_", " ")

    def _waiting(self, work: Callable[[], T]) -> Generator[StreamData | None, None, T]:
        """Blocking work, off this thread: it keeps the log alive, and can be interrupted."""
        future = self.account.background.submit(work)
        while not wait([future], LOOK_UP).done:
            listed = self.account.lists.so_far
            yield from self._alive(f"Listing boxes, {listed:,} so far" if listed else "Waiting for Streak")
        return future.result()

    def _alive(self, waiting_for: str = "") -> Iterator[StreamData | None]:
        """A log line now and then, and state at least every few minutes: the platform takes a silent source for a dead one."""
        self.progress.tick(waiting_for)
        self._look = monotonic() + LOOK_UP
        yield self._state_message() if monotonic() - self._stated >= STATE_EVERY else None

    def _keep_state(self) -> None:
        """For the framework, which writes it after each part of a stream that remembers."""
        if self.remembers:
            self._state, self._stated = self.memory.state(), monotonic()

    def _state_message(self) -> AirbyteMessage:
        self._keep_state()
        self._stated = monotonic()
        blob = AirbyteStateBlob(self._state if self.remembers else {"__ab_no_cursor_state_message": True})
        stream = AirbyteStreamState(stream_descriptor=StreamDescriptor(name=self.name), stream_state=blob)
        return AirbyteMessage(type=Type.STATE, state=AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream))

    def _estimate(self) -> AirbyteMessage:
        """How many rows will come, as far as the lists and counters tell."""
        if self.endpoint:
            asked = [parent for parent in map(self._promised, self._parents()) if parent]
            of, rows = len(asked), sum(asked)
        else:
            of = self._how_many()
            first = islice(self._parents(), SAMPLE)
            sample = [len(list(self.rows(parent))) if self.to_read(parent) else 0 for parent in first]
            rows = round(of * sum(sample) / len(sample)) if sample else 0
        self.progress.begin("boxes" if self.parent is Level.BOX else f"{self.parent.value}s", of)
        estimate = AirbyteEstimateTraceMessage(name=self.name, type=EstimateType.STREAM, row_estimate=min(max(rows, 0), MOST_ROWS))
        now = ab_datetime_now().timestamp() * 1000
        return AirbyteMessage(type=Type.TRACE, trace=AirbyteTraceMessage(type=TraceType.ESTIMATE, emitted_at=now, estimate=estimate))


class Rest:
    """What is still to be read of a stream; taken in parts, it knows when it has ended."""

    def __init__(self, items: Iterator[StreamData | None]) -> None:
        self._items = items
        self._seconds = FIRST_PART
        self.ended = False

    def part(self) -> Iterator[StreamData]:
        """The next minute of it; the first parts are shorter, so that a sync that is cut off early has not been in vain."""
        until = monotonic() + self._seconds
        self._seconds = min(2 * self._seconds, LONGEST_PART)
        for item in self._items:
            if item is not None:
                yield item
            if monotonic() >= until:
                return
        self.ended = True


DELETED_AT = "_ab_cdc_deleted_at"  # what Airbyte's destinations take for a deletion
MANY, MANY_SHARE = 50, 0.1  # boxes of a pipeline, which are not taken for deleted before they are missing twice
FIRST_PART, LONGEST_PART = 4.0, 60.0  # seconds
STATE_EVERY = 240.0  # seconds
LONG_AGO = float("-inf")
MOST_ROWS = 2**63 - 1  # that a message can speak of
MOST_EMPTY = 20  # lists that are empty against their counters; then the counters are no longer believed
SAMPLE = 500  # parents, from which the rows of a stream without requests are estimated
PARENT_KEYS = ("teamKey", "pipelineKey", "boxKey")


def rolling(
    pool: ThreadPoolExecutor, work: Callable[[Parent], Answer], parents: Iterator[Parent | None], ahead: int
) -> Iterator[Answer | None]:
    """Do the work for all parents, `ahead` of them under way at a time; the answers in the parents' order, None while waiting."""
    due: deque[Future[Answer]] = deque()
    try:
        while True:
            for parent in parents if len(due) < ahead else ():
                if parent is None:
                    yield None
                    continue
                due.append(pool.submit(work, parent))
                if len(due) >= ahead:
                    break
            if not due:
                return
            if wait([due[0]], LOOK_UP).done:
                yield due.popleft().result()
            else:
                yield None
    finally:
        for future in due:
            future.cancel()


def ahead_by_one(pool: ThreadPoolExecutor, items: Iterator[T]) -> Iterator[T | None]:
    """The items, the next one being fetched while one is used; None while waiting."""
    end = object()
    future = pool.submit(next, items, end)
    while True:
        if not wait([future], LOOK_UP).done:
            yield None
            continue
        item = future.result()
        if item is end:
            return
        future = pool.submit(next, items, end)
        yield item  # type: ignore[misc] # what is not the end is an item


def _names(counts: Mapping[str, int]) -> str:
    return ", ".join(sorted(counts))
