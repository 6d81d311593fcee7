"""What was delivered and is not there any more: moved, lost, deleted.

Never concluded from anything doubtful.  A list that was refused, failed or is short says nothing;
much that is missing at once, a pipeline that is not listed, and a count that is wrong wait for a
second sync an hour later; what is in no list is asked for by key.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

from source_streak.api.account import Account
from source_streak.api.errors import Level, StreakError
from source_streak.api.listings import KINDS, Listing
from source_streak.api.look_up import Control, Gone
from source_streak.api.paging import Row, key_of
from source_streak.incremental.fingerprint import recheck_slot
from source_streak.incremental.state import StreamState
from source_streak.reading.facts import Facts
from source_streak.reading.fetching import Answer
from source_streak.reading.heartbeat import Heartbeat, Item, Record
from source_streak.reading.mode import Mode
from source_streak.reading.parents import Parent, key_columns

DELETED_AT = "_ab_cdc_deleted_at"  # what Airbyte's destinations take for a deletion
MANY, MANY_SHARE = 50, 0.1  # of a list: more of them missing at once are suspected first
DAY_MS = 86_400_000
UNLISTED_DAYS = 30  # after which what lives in no list is asked for again, where recheck_days is 0
LIVES = {
    Level.BOX: Level.PIPELINE,
    Level.CONTACT: Level.TEAM,
    Level.ORGANIZATION: Level.TEAM,
}  # the level of their source


class Conclusion(NamedTuple):
    """What one parent's answer says of rows that were delivered earlier."""

    gone: list[str] = []  # their keys, to be told
    settled: bool = True  # the parent need not be read again before it differs


class Whereabouts(NamedTuple):
    """What became of rows that were delivered from one list and are not in it now."""

    deleted: set[str] = set()
    moved: set[str] = set()  # into another list
    found: dict[str, Row] = {}  # moved since the lists were read, with the answer by key


@dataclass
class Counts:
    """For the line at the stream's end."""

    deleted: int = 0
    suspected: int = 0
    unlisted: int = 0
    unknown: int = 0


class Deletions:
    """Decides, asks and tells, for one reading. Used by its thread."""

    def __init__(
        self, stream: Facts, account: Account, state: StreamState, heart: Heartbeat, mode: Mode
    ) -> None:
        self.stream, self.account, self.state, self.heart = stream, account, state, heart
        self.counts = Counts()
        self.remembers = (
            stream.tells_deletions and not mode.whole
        )  # which rows may have been delivered
        declared = mode.columns is None or DELETED_AT in mode.columns
        self.tracks = self.remembers and account.config.track_deletions and declared
        self.concludes = self.tracks
        self._own, self._source = key_columns(stream.parent)
        self._by_source = (
            stream.of_one_pipeline or self._source in stream.key_columns
        )  # a move leaves rows behind
        if self.remembers and account.config.track_deletions and not self.tracks:
            stream.logger.warning(
                "%s: the configured schema has no column %s, so deletions are not told. Refresh the connection's schema.",
                *(stream.name, DELETED_AT),
            )

    def introduce(self, user: str) -> None:
        """The API key's user, who may see other things than the one of the last sync.

        Then nothing is concluded in this one.
        """
        if self.state.user not in (None, user):
            self.concludes = False
            self.stream.logger.warning(
                "%s: the API key belongs to another user than in the last sync. Nothing is taken for deleted in this one.",
                self.stream.name,
            )
        self.state.user = user

    def give_up(self) -> None:
        """The keys need more room than state has."""
        if self.remembers:
            self.state.give_up_keys()
            self.remembers = self.tracks = self.concludes = False
            self.stream.logger.warning(
                "%s: so many rows that their keys have no room in the state (8 MB for all streams): deletions are not told. "
                'How to leave such rows out: docs/incremental.md, "Where keys are given up".',
                self.stream.name,
            )

    def take_leave(self, missing: StreakError) -> bool:
        """Whether a table whose pipeline is gone has rows to tell deleted.

        Without them the stream fails.
        """
        known = self.tracks and any(
            self.state.delivered.parents(scope) for scope in self.state.delivered.scopes()
        )
        if known:
            self.stream.logger.warning(
                "%s: %s Its rows are told deleted.", self.stream.name, missing.sentence
            )
        return bool(known)

    # --- Before rows are read

    def follow_moves(self, lists: Iterable[Listing]) -> None:
        """Take over what was delivered of rows that are listed elsewhere now.

        Rows that carry their list's key stay behind.
        """
        if self._by_source or not self.remembers:
            return
        good = {listing.key for listing in lists}
        delivered = self.state.delivered
        for scope in delivered.scopes():
            for key in [*delivered.parents(scope)]:
                now = self.account.where(self.stream.parent, key)
                if now is not None and now != scope and now in good:
                    delivered.move(key, scope, now)

    def not_listed(self, listing: Listing) -> Iterator[str]:
        """What was delivered from a list and is in none now.

        It stays in the ledger until its fate is known.
        """
        known = self.state.delivered.parents(listing.key) if self.remembers else ()
        return (key for key in known if self.account.where(self.stream.parent, key) is None)

    def remember(self, scope: str, key: str, rows: Iterable[str]) -> None:
        """Keys of rows that are about to go out."""
        if self.remembers:
            self.state.delivered.remember(scope, key, rows)

    def keys_of(self, rows: Iterable[Row]) -> list[str]:
        """The keys of rows as Streak sends them."""
        if not self.stream.row_keys:
            return []
        return [key for row in rows if (key := key_of(row, self.stream.key_names))]

    def expects(self, parent: Parent) -> bool:
        """Whether rows were delivered that may be gone.

        Then a counter of 0 is no reason not to ask.
        """
        return self.tracks and bool(
            self.state.delivered.rows(parent.keys[self._source], parent.key)
        )

    # --- While rows are read

    def conclude(self, answer: Answer, now: set[str]) -> Conclusion:
        """Of one parent's rows.

        Which of those delivered earlier are not there any more. `now`: the keys of its rows.
        """
        scope, key = answer.parent.keys[self._source], answer.parent.key
        delivered = self.state.delivered
        gone = delivered.rows(scope, key) - now
        if not self.tracks:
            delivered.remember(scope, key, now)
            return Conclusion()
        if gone and not (self.concludes and self._is_sure(answer, len(now))):
            delivered.remember(scope, key, now)
            self.counts.suspected += len(gone)
            return Conclusion(settled=answer.ended_early)
        self.state.unsee(f"rows:{key}")
        delivered.replace(scope, key, now)
        self.counts.deleted += len(gone)
        return Conclusion(sorted(gone))

    def _is_sure(self, answer: Answer, there_are: int) -> bool:
        """Whether a list can be believed against its counter.

        One that is off by the same number an hour later is.
        """
        if not self.stream.endpoint:
            return True
        expected = self.stream.expected(answer.parent.row)
        short = expected - there_are if expected is not None else -(not there_are)
        if answer.ended_early:
            return False
        return (
            not short
            or (expected is not None and short < 0)
            or self.state.seen_before(f"rows:{answer.parent.key}", short)
        )

    def tombstone(self, keys: Mapping[str, str], row: str) -> Record:
        """The record that removes a row.

        Its primary key, its cursor, and the time at which it was missed.
        """
        *others, own = self.stream.key_columns
        read_at = self.state.read_at
        return {
            **{name: keys[name] for name in others},
            own: row,
            self.stream.cursor_column: read_at,
            DELETED_AT: read_at,
        }

    # --- After rows are read

    def items(self) -> Generator[Item, None, list[Parent]]:
        """Tell what is gone, list by list.

        Returns what moved since the lists were read, to be read from the answers by key.
        """
        found: list[Parent] = []
        if not self.tracks:
            return found
        good = {listing.key: listing for listing in self.account.good_listings(self.stream.parent)}
        for scope in sorted(self.state.delivered.scopes()):
            where = yield from self._missing_from(scope, good)
            gone = where.deleted | (
                (where.moved | where.found.keys()) if self._by_source else set()
            )
            for key in sorted(gone):
                yield from self._tell(scope, key)
            if not self.stream.of_one_pipeline:
                found += [self._parent(key, row) for key, row in where.found.items()]
            self.state.forget(scope, gone)
            self.state.delivered.forget(scope, gone)
            self.state.unlisted.forget(scope, gone)
        return found

    def _tell(self, scope: str, key: str) -> Iterator[Record]:
        """Every row of one box, contact or organization."""
        if not self.stream.row_keys:
            self.counts.deleted += 1
            yield self.tombstone({}, key)
            return
        keys = {self._own: key, self._source: scope}
        for row in sorted(self.state.delivered.rows(scope, key)):
            self.counts.deleted += 1
            yield self.tombstone(keys, row)

    def _missing_from(
        self, scope: str, good: Mapping[str, Listing]
    ) -> Generator[Item, None, Whereabouts]:
        level, listing = self.stream.parent, good.get(scope)
        known = self.state.delivered.parents(scope)
        present = self.account.present(listing) if listing else set()
        self.state.unlisted.forget(scope, present)
        missing = {key for key in known if key not in present}
        moved = {key for key in missing if self.account.where(level, key) in good}
        lost = missing - moved
        if self.stream.of_one_pipeline and scope != self.stream.scope:
            return Whereabouts(deleted=lost, moved=moved)  # the table is another pipeline's now
        if not lost or not self.concludes:
            self.counts.suspected += len(lost)
            return Whereabouts(moved=moved)
        if scope not in self._existing():
            whole = yield from self._is_source_gone(scope)
            if whole is None:
                self.counts.suspected += len(lost)
                return Whereabouts(moved=moved)
            if whole:
                self.state.forget_scope(scope)
                return Whereabouts(lost, moved)
        elif listing is None or not self._may_conclude(listing, lost, known):
            self.counts.suspected += len(lost) if listing else 0
            return Whereabouts(moved=moved)
        return (yield from self._asked(scope, lost, moved, good))

    def _existing(self) -> set[str]:
        if self.stream.parent is Level.BOX:
            self.account.pipelines()
            return self.account.existing
        return {team["key"] for team in self.account.teams()}

    def _is_source_gone(self, scope: str) -> Generator[Item, None, bool | None]:
        """Whether a pipeline or team that is not listed is gone, with all that is in no list.

        None: not known yet.

        False: it is gone, but some list says nothing, so that its rows have to be asked for one by
        one.
        """
        if not self.state.seen_before(f"gone:{scope}"):
            return None
        level = LIVES[self.stream.parent]
        others = [Control(level, key) for key in sorted(self._existing())]
        teams = (
            [Control(Level.TEAM, team["key"]) for team in self.account.teams()]
            if not others
            else []
        )
        answers = yield from self.heart.wait_for(
            partial(self.account.look_up, level, [scope], [*others, *teams])
        )
        if answers[scope] is not Gone.GONE:
            return None
        lists = self.account.listings(self.stream.parent)
        every_list = {listing.key for listing in lists} >= self._existing()
        return every_list and all(self._is_complete(listing) for listing in lists)

    def _is_complete(self, listing: Listing) -> bool:
        """Whether what is not in a list is not in its pipeline or team."""
        if listing.problem or not listing.ended:
            return False
        if listing.expected is None:
            return bool(listing.keys)
        if not listing.shortfall:
            self.state.unsee(f"count:{listing.key}")
            return True
        return self.state.seen_before(f"count:{listing.key}", listing.shortfall)

    def _may_conclude(self, listing: Listing, lost: set[str], known: Iterable[str]) -> bool:
        if not self._is_complete(listing):
            return False
        fresh = {key for key in lost if not self.state.unlisted.holds(listing.key, key)}
        what = f"missing:{listing.key}"
        if len(fresh) <= max(MANY, MANY_SHARE * len(listing.keys.union(known))):
            self.state.unsee(what)
            return True
        if self.state.seen_before(what):
            return True
        self.stream.logger.warning(
            '%s: %s %s of "%s" are missing at once: they are taken for deleted if they still are in a sync an hour from now.',
            *(self.stream.name, f"{len(fresh):,}", KINDS[listing.level].noun, listing.name),
        )
        return False

    # --- Questions by key

    def _asked(
        self, scope: str, lost: set[str], moved: set[str], good: Mapping[str, Listing]
    ) -> Generator[Item, None, Whereabouts]:
        pending = {key for key in lost if self._is_due(scope, key)}
        self.counts.unlisted += len(lost) - len(pending)
        asked = sorted(pending, key=lambda key: zlib.crc32(f"{self.account.started}{key}".encode()))
        level = self.stream.parent
        work = partial(self.account.look_up, level, asked, self._controls(good, scope))
        answers = yield from self.heart.wait_for(work)
        deleted = {key for key, answer in answers.items() if answer is Gone.GONE}
        self.counts.unknown += sum(answer is Gone.UNKNOWN for answer in answers.values())
        found: dict[str, Row] = {}
        for key, row in answers.items():
            if not isinstance(row, dict):
                continue
            now = row.get(self._source, scope)
            if now != scope and now in good:
                found[key] = row
            elif now != scope and now in self._existing() and self._is_left_out(now):
                deleted.add(key)
            else:
                self.counts.unlisted += 1
                self.state.unlisted.replace(scope, key, [self._slot(key)])
        return Whereabouts(deleted, moved, found)

    def _is_left_out(self, pipeline_key: str) -> bool:
        """Whether the settings leave a pipeline out.

        Then a full refresh would not have its boxes either.
        """
        return pipeline_key not in {pipeline["key"] for pipeline in self.account.pipelines()}

    def _controls(self, good: Mapping[str, Listing], scope: str) -> Iterator[Control]:
        """What is known to live.

        Rows of the same list first, then of others, then a pipeline (team) by its own key.
        """
        level = self.stream.parent
        own_first = sorted(good.values(), key=lambda listing: listing.key != scope)
        rows = (
            Control(level, key)
            for listing in own_first
            for key in sorted(self.account.present(listing))[:1]
        )
        return chain(rows, (Control(LIVES[level], key) for key in sorted(self._existing())))

    def _slot(self, key: str) -> str:
        days = self.account.config.recheck_days or UNLISTED_DAYS
        return str(recheck_slot(key, self.account.clock.now() // DAY_MS, days))

    def _is_due(self, scope: str, key: str) -> bool:
        """Whether something is to be asked by key.

        What lives in no list is, on its recheck slot.
        """
        if not self.state.unlisted.holds(scope, key) and self._was_outside(scope):
            self.state.unlisted.replace(scope, key, [self._slot(key)])
        return self._slot(key) not in self.state.unlisted.rows(scope, key)

    def _was_outside(self, scope: str) -> bool:
        """Contacts that a start date moved forward leaves out of the list are not missing."""
        return self.stream.parent is Level.CONTACT and self.state.start_moved_forward

    def _parent(self, key: str, row: Row) -> Parent:
        """A row that came alone, with its pipeline or team."""
        scope = str(row[self._source])
        sources = (
            self.account.every_pipeline if self.stream.parent is Level.BOX else self.account.teams()
        )
        source = next((one for one in sources if one["key"] == scope), {})
        return Parent({**row, "key": key}, {self._own: key, self._source: scope}, source)

    def say(self) -> None:
        """One line at the stream's end."""
        counts = self.counts
        self.stream.logger.info(
            "%s: %s delivered, %s deleted, %s suspected, %s unlisted.",
            *(
                self.stream.name,
                f"{self.heart.records:,}",
                f"{counts.deleted:,}",
                f"{counts.suspected:,}",
            ),
            f"{counts.unlisted:,}",
        )
        if counts.unknown:
            self.stream.logger.warning(
                "%s: %s in no list any more, but Streak gave no answer by key that can be believed, or there were more than 1,000 "
                "to ask for in one sync. They stay as they are and are asked for in the next sync.",
                *(self.stream.name, f"{counts.unknown:,}"),
            )
