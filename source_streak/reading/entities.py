"""Reads rows of long lists (boxes, contacts, organizations) and what belongs to each of them.

An incremental sync reads only what differs.

Keys before rows: state with the keys of rows goes out before the rows, state with their
fingerprints after them.  So a sync that is killed at any moment forgets no deletion, and the next
one reads what is not known to be delivered.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from source_streak.api import errors
from source_streak.api.account import Account
from source_streak.api.errors import StreakError
from source_streak.api.listings import KINDS, Listing
from source_streak.api.paging import Row
from source_streak.incremental.fingerprint import stamps
from source_streak.incremental.state import StreamState
from source_streak.reading.deletions import Deletions
from source_streak.reading.facts import Facts
from source_streak.reading.fetching import Answer, Doubts, fetch, rolling
from source_streak.reading.gathered import Gathered
from source_streak.reading.heartbeat import Item, Record
from source_streak.reading.missing import Missing
from source_streak.reading.mode import Mode
from source_streak.reading.parents import Parent, rows_of
from source_streak.reading.plan import Plan
from source_streak.reading.reading import Reading

# Lists that are empty although a counter is not 0; after so many, counters are not believed.
MOST_EMPTY = 20
DAY_MS = 86_400_000


class EntityReading(Reading):
    """Reads one stream of boxes, contacts or organizations, or of what belongs to them."""

    def __init__(
        self, stream: Facts, account: Account, state: StreamState, mode: Mode, plan: Plan
    ) -> None:
        super().__init__(stream, account, state, mode)
        kind = KINDS[stream.parent]
        self.noun, self.scopes = kind.noun, f"{kind.source.removesuffix('Key')}s"
        state.things = (self.noun, self.scopes)
        self._within_parent = True  # a long list has each row once: listings.py
        self.plan = plan
        self.deletions = Deletions(stream, account, state, mode)
        self.missing = Missing(self.deletions, account, self.heart)
        # A full refresh that makes no requests for its rows and leaves none out.
        self._takes_every = self.whole and not stream.endpoint and account.config.start is None
        self._empty_twice = 0
        self._unlisted: frozenset[str] = frozenset()  # parents read by key: not in a ledger
        self._gathered = Gathered(account.clock)

    def steps(self) -> Iterator[Item]:
        account, level = self.account, self.stream.parent
        needed = self.stream.made_of if self._takes_every else None
        self.ready = False
        missing = yield from self.heart.wait_for(partial(self.stream.prepare, account))
        self.ready = missing is None
        lists = yield from self.heart.wait_for(self._good_lists)
        if missing and not self.deletions.take_leave(missing):
            raise missing
        yield from self._compare(lists)
        self.heart.begin(self.noun, sum(len(listing.keys) for listing in lists))
        set_aside = yield from self._read(rows_of(lists, needed), Doubts())
        late = yield from self.heart.wait_for(partial(account.ask_again, level))
        late = self.stream.select_listings(late)
        yield from self._compare(late)
        set_aside += yield from self._read(rows_of(late, needed), Doubts())
        again = [answer.parent for answer in set_aside]  # even a 404 may be a proxy's fluke
        self._judge_set_aside((yield from self._read(again, Doubts(patience=0.0))))
        moved = yield from self.missing.items()
        self._unlisted = frozenset(parent.key for parent in moved)
        yield from self._read(moved, Doubts(patience=0.0))
        lists = self.stream.select_listings(account.listings(level))
        if not self.whole:
            self.deletions.end(self.heart.records, lists)
        if problems := {listing.name: listing.problem for listing in lists if listing.problem}:
            self.say_skipped(self.scopes.removesuffix("s"), problems)

    def _good_lists(self) -> list[Listing]:
        """The lists that the stream reads and that could be read. Blocks."""
        if self.deletions.remembers:
            self.deletions.introduce(self.account.user())
        return self.stream.select_listings(self.account.good_listings(self.stream.parent))

    # --- Which parents are read

    def _compare(self, lists: list[Listing]) -> Iterator[Item]:
        """Find out which parents differ, and write state without their fingerprints at once.

        Otherwise a change that is delivered just before a kill, and undone before the next sync,
        would look to that sync as if nothing had happened.
        """
        if self.whole or not lists:
            return
        share = partial(self.plan.share_of, self.stream, self.account)
        self.state.share = yield from self.heart.wait_for(share)
        self.state.listing(listing.key for listing in lists)
        every = self.stream.select_listings(self.account.good_listings(self.stream.parent))
        total = sum(len(listing.keys) for listing in every)
        self.deletions.prepare(lists)
        for listing in lists:
            keep = self.deletions.not_listed(listing)
            self.state.compare(listing.key, self._visible(listing), total, keep)
            self._remember_unset(listing)
            if self.heart.is_due:
                yield from self.heart.beat("Comparing")
        if not self.state.keys_fit():
            self.deletions.give_up()
        yield self.heart.checkpoint()

    def _visible(self, listing: Listing) -> Iterator[tuple[str, Any]]:
        """The key of each parent to deliver, and what decides its rows in this stream."""
        stream, scope = self.stream, listing.key
        names = stream.names_in(listing.source)
        keys_first = self.deletions.remembers and not stream.endpoint
        for row in listing.rows():
            if not self._too_old(row, scope):
                if keys_first:
                    self.deletions.remember(scope, row["key"], stream.keys_in(row))
                yield row["key"], stream.visible(row, names, scope)

    def _remember_unset(self, listing: Listing) -> None:
        """Remember the keys of empty rows, too, before those rows go out."""
        column = self.stream.key_columns[-1]
        for parent in rows_of([listing]) if self._delivers_unset else ():
            if self._to_read(parent):
                keys = [str(row[column]) for row in self.stream.unset_rows(parent)]
                self.deletions.remember(listing.key, parent.key, keys)

    @property
    def _delivers_unset(self) -> bool:
        """Whether unset values are delivered as empty rows, because deletions are not reported."""
        told = self.whole or self.state.first or self.deletions.tracks
        return not told and self.stream.row_keys and not self.stream.endpoint

    def _too_old(self, row: Row, scope: str) -> bool:
        """Whether a row's times all lie before the start date, and no earlier sync delivered it."""
        start = self.account.config.start
        if start is None or max(stamps(row), default=start) >= start:
            return False
        return self.whole or not self.deletions.was_delivered(scope, row["key"])

    def _to_read(self, parent: Parent) -> bool:
        if self.account.config.start is not None and self._too_old(parent.row, parent.scope):
            return False
        return self.whole or self.state.differs(parent.scope, parent.key)

    def _pending(self, parents: Iterable[Parent]) -> Iterator[Parent | None]:
        """The parents to read; None now and then, as very many may be skipped in between."""
        for parent in parents:
            if self.heart.is_due:
                yield None
            can_have_rows = self.stream.can_have_rows(parent.row)
            if not self._to_read(parent):
                self.left_out.refusals.delivered += not self.whole and can_have_rows
                self.heart.done += 1
            elif self.stream.endpoint and not can_have_rows and not self.deletions.expects(parent):
                self._delivered(parent)
                self.heart.done += 1
            else:
                yield parent

    def _delivered(self, parent: Parent) -> None:
        if not self.whole and parent.key not in self._unlisted:
            self.state.mark_delivered(parent.scope, parent.key)

    # --- Parents > answers > records

    def _read(
        self, parents: Iterable[Parent], doubts: Doubts
    ) -> Generator[Item, None, list[Answer]]:
        """As Reading._read. Gathered answers are delivered even if the stream fails after them."""
        set_aside: list[Answer] = []
        try:
            every = self._read_every(parents) if self._takes_every else None
            yield from every or self._read_into(set_aside, parents, doubts)
        except StreakError:
            yield from self._flush()
            raise
        yield from self._flush()
        return set_aside

    def _read_into(
        self, set_aside: list[Answer], parents: Iterable[Parent], doubts: Doubts
    ) -> Iterator[Item]:
        for answer in self._answers(parents, doubts):
            if answer is None or self.heart.is_due:
                if self._gathered.is_due:
                    yield from self._flush()
                yield from self.heart.beat()
            if answer is None:
                continue
            self.heart.done += 1
            if answer.refusal is None:
                self.left_out.refusals.answered += 1
                self.left_out.ended_early += answer.ended_early
                self._empty_twice += answer.empty_twice
                yield from self._hand_on(answer)
                continue
            action = yield from self.decide(answer.refusal)
            set_aside.append(answer)
            if doubts.patience is None:
                self.left_out.refusals.note(answer.refusal, action)

    def _read_every(self, parents: Iterable[Parent]) -> Iterator[Item]:
        """The fast path of _read_into, for rows that are in their parents and are all delivered."""
        for parent in parents:
            if self.heart.is_due:
                yield from self.heart.beat()
            self.heart.done += 1
            yield from self.records(parent, self.stream.rows(parent))

    def _answers(self, parents: Iterable[Parent], doubts: Doubts) -> Iterator[Answer | None]:
        pending = self._pending(parents) if doubts.patience is None else iter(parents)
        if not self.stream.endpoint:
            return (parent and Answer(parent, self._rows(parent)) for parent in pending)
        client = self.account.client
        work = partial(self._fetch, doubts)
        return rolling(client.pool, work, pending, 3 * client.threads, self.account.clock)

    def _fetch(self, doubts: Doubts, parent: Parent) -> Answer:
        """Fetch one parent's list. Runs in a worker thread."""
        believed = not self.stream.expected(parent.row) or self._empty_twice >= MOST_EMPTY
        asked, last = parent, self.state.last_read
        if self.stream.since_parameter and last and self.state.knows(parent.scope, parent.key):
            asked = parent._replace(keys={**parent.keys, "since": str(last - DAY_MS)})
        doubts, access = replace(doubts, believe_empty=believed), self.account.access
        return fetch(self.stream, access, self.bound, doubts, asked)._replace(parent=parent)

    def _rows(self, parent: Parent) -> Iterable[Row]:
        """The rows in a parent, with empty rows for unset values if these are delivered."""
        rows = self.stream.rows(parent)
        return chain(rows, self.stream.unset_rows(parent)) if self._delivers_unset else rows

    def _hand_on(self, answer: Answer) -> Iterator[Item]:
        """Deliver an answer, or gather it with others if its rows' keys have to go out first."""
        if not (self.stream.endpoint and self.deletions.remembers):
            return self.records(answer.parent, answer.rows) if self.whole else self._deliver(answer)
        self._gathered.add(answer)
        return self._flush() if self._gathered.is_due else iter(())

    def _flush(self) -> Iterator[Item]:
        """Deliver the gathered answers: first state with their keys, then their rows."""
        if not [*self._gathered]:
            return
        for answer in self._gathered:
            keys = self.deletions.keys_of(answer.rows)
            self.deletions.remember(answer.parent.scope, answer.parent.key, keys)
        if not self.state.keys_fit():
            self.deletions.give_up()
        yield self.heart.checkpoint()
        for answer in self._gathered:
            yield from self._deliver(answer)
        self._gathered.clear()

    def _deliver(self, answer: Answer) -> Iterator[Record]:
        parent = answer.parent
        if not self.stream.row_keys:
            yield from self.records(parent, answer.rows)
            self._delivered(parent)
            return
        column = self.stream.key_columns[-1]
        now: set[str] = set()
        for record in self.records(parent, answer.rows):
            now.add(str(record[column]))
            yield record
        conclusion = self.deletions.conclude(answer, now)
        for key in conclusion.gone:
            yield self.deletions.tombstone(parent.keys, key)
        if conclusion.settled:
            self._delivered(parent)

    # --- What was refused

    def _judge_set_aside(self, refused: list[Answer]) -> None:
        """Fail a full refresh if anything was refused twice: success would erase those rows."""
        refusals = [answer.refusal for answer in refused if answer.refusal]
        still = self.left_out.refusals.note_again(refusals, self.stream.parent)
        if self.whole and still:
            raise errors.rows_missing(self.what, self.noun, len(still), still[-1])
