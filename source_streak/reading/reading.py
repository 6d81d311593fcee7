"""The life of a row, from top to bottom: parents > answers > rows > records > what was left out.

A Reading reads one stream once, in one sync, and is then dropped.  The classes here read rows that
belong to the account, a team or a pipeline.  The subclass in entities.py reads rows of long lists
and what belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import cached_property, partial
from operator import itemgetter
from typing import Any

from source_streak.api import errors
from source_streak.api.account import Account
from source_streak.api.bounds import MOST_KEPT, Bound
from source_streak.api.errors import Action, Level, Refusals, Refused, StreakError, Unanswered
from source_streak.api.paging import Row, key_of
from source_streak.incremental.state import StreamState
from source_streak.reading.facts import Facts
from source_streak.reading.fetching import Answer, Doubts, fetch, rolling
from source_streak.reading.heartbeat import Heartbeat, Item, Record, names
from source_streak.reading.left_out import LeftOut
from source_streak.reading.mode import Mode
from source_streak.reading.parents import Parent, parents_of
from source_streak.records.shape import Shape

PARENT_KEYS = ("teamKey", "pipelineKey", "boxKey", "contactKey", "organizationKey")


class Reading:
    """Reads rows that belong to the account, a team or a pipeline.

    Each parent's list is requested, unless the parent already holds its rows.
    """

    def __init__(self, stream: Facts, account: Account, state: StreamState, mode: Mode) -> None:
        self.stream, self.account, self.state, self.mode = stream, account, state, mode
        self.whole = mode.whole
        self.ready = True  # whether the columns are known
        self.what = stream.name.replace("_", " ")
        self.heart = Heartbeat(account, stream.logger)
        self.left_out = LeftOut(Refusals(self.what))
        self.bound = Bound(MOST_KEPT)
        self._emitted: set[tuple[Any, ...]] = set()
        self._second_names = tuple(name for name in stream.key_names if name != "key")
        self._within_parent = any(name in PARENT_KEYS for name in stream.key_columns)

    @cached_property
    def shape(self) -> Shape:
        """The columns. Those of a pipeline's table are known once its pipeline has been found."""
        return self.stream.shape

    @cached_property
    def _carries(self) -> tuple[str, ...]:
        return tuple(name for name in PARENT_KEYS if name in self.shape.names)

    @cached_property
    def _columns(self) -> frozenset[str] | None:
        """The columns to deliver if the connection has left some out; None means all."""
        columns = self.mode.columns
        if columns is None or self.shape.names <= columns:
            return None
        return columns.union(self.stream.key_columns, [self.stream.cursor_column])

    def items(self) -> Iterator[Item]:
        """Records, with signals between them. Raises StreakError if the stream fails."""
        try:
            yield from self.steps()
            yield from self.heart.end()
        except StreakError:
            yield from self.heart.end()
            raise
        finally:
            self._say_what_was_left_out()

    def steps(self) -> Iterator[Item]:
        """The reading, step by step."""
        parents = yield from self.heart.wait_for(
            partial(parents_of, self.account, self.stream.parent)
        )
        self.heart.begin(f"{self.stream.parent.value}s", len(parents))
        # An empty newsfeed is believed: there may be thousands of pipelines without events.
        set_aside = yield from self._read(
            parents, Doubts(believe_empty=self.stream.parent is Level.PIPELINE)
        )
        still = yield from self._read(
            [answer.parent for answer in set_aside], Doubts(believe_empty=True)
        )
        yield from self._judge(still)

    def _read(
        self, parents: Iterable[Parent], doubts: Doubts
    ) -> Generator[Item, None, list[Answer]]:
        """Yield the parents' records. Returns the answers that were refused or failed."""
        set_aside: list[Answer] = []
        for answer in self._answers(parents, doubts):
            if answer is None or self.heart.is_due:
                yield from self.heart.beat()
            if answer is None:
                continue
            self.heart.done += 1
            if answer.refusal is None:
                self.left_out.ended_early += answer.ended_early
                yield from self.records(answer.parent, self.wanted(answer))
            else:
                yield from self.decide(answer.refusal)
                set_aside.append(answer)
        return set_aside

    def _answers(self, parents: Iterable[Parent], doubts: Doubts) -> Iterator[Answer | None]:
        if not self.stream.endpoint:
            return (Answer(parent, self.stream.rows(parent)) for parent in parents)
        client = self.account.client
        work = partial(fetch, self.stream, self.account.access, self.bound, doubts)
        return rolling(client.pool, work, iter(parents), 3 * client.threads, self.account.clock)

    def wanted(self, answer: Answer) -> Iterable[Row]:
        """The rows of an answer to deliver."""
        return answer.rows

    def decide(self, refusal: Refused | Unanswered) -> Generator[Item, None, Action]:
        """What to do about a refusal: SKIP or GONE. Raises StreakError if the stream has to end."""
        work = partial(self.account.decide, refusal, self.stream.parent, self.what)
        return (yield from self.heart.wait_for(work))

    # --- Rows > records

    def records(self, parent: Parent, rows: Iterable[Row]) -> Iterator[Record]:
        """One parent's rows as records. No primary key comes twice."""
        stream, columns, second = self.stream, self._columns, self._second_names
        shaped, extra_columns, keys_of = self.shape.record, stream.extra_columns, self._keys_of
        cursor = stream.cursor_column if stream.incremental else None
        emitted = set() if self._within_parent else self._emitted
        carried = {name: parent.keys[name] for name in self._carries if name in parent.keys}
        for kind in stream.misshapen(parent):
            self.left_out.misshapen[kind] += 1
        for row in rows:
            if second and "key" not in row and (key := key_of(row, second)):
                row = {**row, "key": key}
            record = shaped({**row, **carried, **extra_columns(row, parent)})
            try:
                identity = keys_of(record)
            except KeyError:
                identity = (None,)
            if None in identity:
                self.left_out.without_key += 1
            elif identity not in emitted:
                emitted.add(identity)
                self.heart.records += 1
                if cursor:
                    record[cursor] = self.state.read_at
                yield (
                    record
                    if columns is None
                    else {name: record[name] for name in record if name in columns}
                )

    @cached_property
    def _keys_of(self) -> Callable[[Record], tuple[Any, ...]]:
        """A function for the primary key of a record. It raises KeyError if a column is missing."""
        first, *others = self.stream.key_columns
        return itemgetter(first, *others) if others else lambda record: (record[first],)

    # --- The end: what was refused fails the stream or is logged

    def _judge(self, still: list[Answer]) -> Iterator[Item]:
        gone: set[str] = set()
        if still and self.stream.parent is Level.PIPELINE:
            keys = [answer.parent.key for answer in still]
            gone = yield from self.heart.wait_for(partial(self.account.vanished, keys))
        problems = {
            one.parent.name: one.refusal
            for one in still
            if one.refusal and one.parent.key not in gone
        }
        if problems:
            self.say_skipped(self.stream.parent.value, problems)

    def say_skipped(self, what: str, problems: Mapping[str, Refused | StreakError]) -> None:
        """Warn about skipped parents. Raises StreakError in full refresh, or if a list failed.

        A full refresh that ended green without them would erase their rows in the destination.
        """
        problem = errors.skipped(what, problems)
        if self.whole or any(isinstance(one, StreakError) for one in problems.values()):
            raise problem
        self.stream.logger.warning("%s: %s", self.stream.name, problem.sentence)

    def _say_what_was_left_out(self) -> None:
        name, log = self.stream.name, self.stream.logger
        if self.state.complaint:
            log.warning("%s: %s", name, self.state.complaint)
        if not self.ready:
            return
        for sentence in self.left_out.sentences(self.shape):
            log.warning("%s: %s", name, sentence)
        if self.shape.unknown:
            log.info(
                "%s: new properties, unknown to this version, are kept in %s: %s.",
                *(name, self.shape.other, names(self.shape.unknown)),
            )


class EventReading(Reading):
    """Reads the newsfeed: the events that Streak still has and the last sync did not see."""

    def wanted(self, answer: Answer) -> Iterable[Row]:
        """The events not seen before, however old they are; all events in full refresh."""
        events, scope = list(answer.rows), answer.parent.key
        known = {key: event for event in events if (key := key_of(event, self.stream.key_names))}
        remembered = self.state.events
        fresh = (
            [event for event in events if self._is_new(event, scope)] if not self.whole else events
        )
        if (
            not self.whole
            and remembered.known(scope)
            and (lost := self.stream.gap(events, fresh, remembered.newest(scope)))
        ):
            self.stream.logger.warning(lost, answer.parent.name)
        remembered.see(scope, known, self.stream.newest(events))
        return fresh

    def _is_new(self, event: Row, scope: str) -> bool:
        key = key_of(event, self.stream.key_names)
        return key is None or self.state.events.is_new(scope, key)
