"""Which rows the destination holds, and which of them are missing from what was just read.

Nothing is concluded from anything doubtful (evidence.py).  Parents that are in no list any more,
and so are not read at all, are handled in missing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from source_streak.api.account import Account
from source_streak.api.errors import Level, StreakError
from source_streak.api.listings import Listing
from source_streak.api.paging import Row, key_of
from source_streak.incremental.fingerprint import recheck_slot
from source_streak.incremental.state import StreamState
from source_streak.reading.evidence import is_complete, shortfall
from source_streak.reading.facts import Facts
from source_streak.reading.fetching import Answer
from source_streak.reading.heartbeat import Record
from source_streak.reading.mode import Mode
from source_streak.reading.parents import Parent, key_columns
from source_streak.records.shape import DAY_MS

DELETED_AT = "_ab_cdc_deleted_at"  # the column by which Airbyte's destinations recognize deletions
MOST_SHORT = 20  # lists shorter than their counters; if there are more, the counters are wrong
UNLISTED_DAYS = 30  # after which unlisted rows are asked for again, if recheck_days is 0


class Conclusion(NamedTuple):
    """What one parent's answer says about rows that were delivered earlier."""

    gone: list[str] = []  # keys of rows to report as deleted
    settled: bool = True  # no need to read the parent again until its fingerprint differs


@dataclass
class Counts:
    """Numbers for the log line at the stream's end."""

    deleted: int = 0
    suspected: int = 0
    unlisted: int = 0
    unknown: int = 0


class Deletions:
    """What one reading remembers and concludes about its stream's rows. Used by its thread.

    `remembers`: keeps the keys of rows. `tracks`: reports deletions. `concludes`: a missing row may
    count as deleted in this sync.
    """

    def __init__(self, stream: Facts, account: Account, state: StreamState, mode: Mode) -> None:
        self.stream, self.account, self.state = stream, account, state
        self.counts = Counts()
        self.own, self.source = key_columns(stream.parent)
        # Whether a parent that moves to another list leaves its old rows behind.
        self.by_source = stream.of_one_pipeline or self.source in stream.key_columns
        self.remembers = stream.tells_deletions and not mode.whole
        declared = mode.columns is None or DELETED_AT in mode.columns
        self.tracks = self.remembers and account.config.track_deletions and declared
        self._user = ""
        self._short_lists = 0
        self._moved: set[str] = set()  # parents that were delivered from another list
        if self.remembers and account.config.track_deletions and not declared:
            stream.logger.warning(
                "%s: the configured schema has no column %s, so deletions are not reported. "
                "Refresh the connection's schema.",
                *(stream.name, DELETED_AT),
            )
        if self.remembers and state.keys_given_up:
            self.give_up()
        self.concludes = self.tracks

    def introduce(self, user: str) -> None:
        """Note the API key's user, who may see other rows than the last sync's user.

        With another user, nothing is concluded in this sync, and all sights are forgotten.
        State holds a digest of the user's key: the framework logs state, and keys hold addresses.
        """
        self._user = blake2b(user.encode(), digest_size=8).hexdigest()
        self.state.user = self.state.user or self._user
        if self.state.user != self._user:
            self.concludes = False
            self.state.sights.clear()
            self.stream.logger.warning(
                "%s: the API key belongs to a different user than in the last sync. "
                "Nothing counts as deleted in this sync.",
                self.stream.name,
            )

    def end(self, delivered: int, lists: Iterable[Listing]) -> None:
        """Keep user and sights of a stream that was read to its end. `delivered`: rows to log."""
        for listing in lists:
            is_complete(listing, self.state.sights)  # for its effect: sights note a wrong count
        self.state.user = self._user or self.state.user
        self.state.sights.end()
        self._say(delivered)

    def give_up(self) -> None:
        """Stop remembering keys, because the state has no room for them."""
        self.state.give_up_keys()
        self.remembers = self.tracks = self.concludes = False
        self.stream.logger.warning(
            "%s: too many rows to keep their keys in the state (8 MB for all streams): deletions "
            "are not reported. How to leave out such rows: docs/incremental.md, "
            '"Where keys were given up".',
            self.stream.name,
        )

    def take_leave(self, missing: StreakError) -> bool:
        """Whether a table without its pipeline has deletions to report. Else the stream fails."""
        known = self.tracks and bool(self.state.delivered.scopes())
        if known:
            self.stream.logger.warning(
                "%s: %s Its rows are reported as deleted once this is certain.",
                *(self.stream.name, missing.sentence),
            )
        return known

    # --- Before rows are read

    def prepare(self, lists: Sequence[Listing]) -> None:
        """Take up what earlier syncs know about these lists, before `remember` and `expects`."""
        if not self.remembers:
            return
        good = {listing.key for listing in lists}
        for listing in lists:
            self.state.delivered.share(listing.key, listing.keys)
        if not self.by_source or self.account.config.start is not None:
            self._follow_moves(good)
        for scope in good:
            if self.tracks:
                self.state.forget(scope, self.state.untold.parents(scope))
            if self.stream.parent is Level.CONTACT and self.state.start_moved_forward:
                self._leave_out(scope)

    def _follow_moves(self, good: set[str]) -> None:
        """Take over the keys of what was delivered from one list and is in another list now.

        With `by_source`, the keys stay where they are: those rows are left behind.
        """
        delivered = self.state.delivered
        for scope in delivered.scopes():
            for key in [*delivered.parents(scope)]:
                now = self.account.where(self.stream.parent, key)
                if now is not None and now != scope and now in good:
                    self._moved.add(key)
                    if not self.by_source:
                        self.move(key, scope, now)

    def _leave_out(self, scope: str) -> None:
        """Note contacts as unlisted, not missing, if a later start date leaves them out."""
        for key in [*self.state.delivered.parents(scope)]:
            if self.account.where(self.stream.parent, key) is None:
                self.note_unlisted(scope, key)

    def not_listed(self, listing: Listing) -> Iterator[str]:
        """Keys that were delivered from this list and are in no list now.

        They stay in the ledger until it is known what became of them.
        """
        known = self.state.delivered.parents(listing.key) if self.remembers else ()
        return (key for key in known if self.account.where(self.stream.parent, key) is None)

    def remember(self, scope: str, key: str, rows: Iterable[str]) -> None:
        """Remember the keys of rows that are about to go out."""
        if self.remembers:
            self.state.delivered.remember(scope, key, rows)

    def was_delivered(self, scope: str, key: str) -> bool:
        """Whether an earlier sync delivered this parent. Without kept keys, a yes may be wrong."""
        if not self.remembers:
            return self.state.knows(scope, key)
        return key in self._moved or self.state.delivered.holds(scope, key)

    def keys_of(self, rows: Iterable[Row]) -> list[str]:
        """The keys of rows as Streak sends them."""
        if not self.stream.row_keys:
            return []
        return [key for row in rows if (key := key_of(row, self.stream.key_names))]

    def expects(self, parent: Parent) -> bool:
        """Whether delivered rows may be gone: then ask, even if the parent's counter is 0.

        If deletions are not tracked, the parent is only noted in `untold`.
        """
        scope = parent.keys[self.source]
        known = self.remembers and bool(self.state.delivered.rows(scope, parent.key))
        if known and not self.tracks:
            self.state.untold.remember(scope, parent.key)
        return known and self.tracks

    # --- While rows are read

    def conclude(self, answer: Answer, now: set[str]) -> Conclusion:
        """Conclude which of a parent's earlier rows are gone, and update what is remembered.

        `now`: the keys of the rows that were just delivered.
        """
        scope, key = answer.parent.keys[self.source], answer.parent.key
        gone = self.state.delivered.rows(scope, key) - now
        doubtful = self._is_doubtful(answer, len(now), bool(gone))
        if not self.tracks:
            self._remember_untold(answer.parent, now)
        elif gone and (doubtful or answer.ended_early or not self.concludes):
            self.remember(scope, key, now)
            self.counts.suspected += len(gone)
            early = answer.ended_early and self.state.sights.seen_before(f"early:{key}")
            return Conclusion(settled=early)
        else:
            self.state.delivered.replace(scope, key, now)
            self.state.untold.forget(scope, [key])
            self.counts.deleted += len(gone)
        self._short_lists += doubtful
        settled = not doubtful or self._short_lists > MOST_SHORT
        return Conclusion(sorted(gone) if self.tracks else [], settled)

    def _is_doubtful(self, answer: Answer, there_are: int, something_is_gone: bool) -> bool:
        """Whether a list is shorter than its box's counters say, and was not so an hour ago."""
        if not self.stream.endpoint:
            return False
        expected = self.stream.expected(answer.parent.row)
        what, sights = f"rows:{answer.parent.key}", self.state.sights
        short = shortfall(expected, there_are)
        if short and (something_is_gone or expected) and not sights.seen_before(what, short):
            return True
        sights.unsee(what)
        return False

    def _remember_untold(self, parent: Parent, now: set[str]) -> None:
        """Remember what is gone while deletions are not tracked, to report it once they are."""
        scope, key = parent.keys[self.source], parent.key
        self.remember(scope, key, now)
        # Unset values are delivered as empty rows, which a full refresh would not have.
        right = now if self.stream.endpoint else set(self.stream.keys_in(parent.row))
        if self.state.delivered.rows(scope, key) - right:
            self.state.untold.remember(scope, key)

    def tombstone(self, keys: Mapping[str, str], row: str) -> Record:
        """The record that removes a row: its primary key, cursor, and when it was found missing."""
        *others, own = self.stream.key_columns
        read_at = self.state.read_at
        return {
            **{name: keys[name] for name in others},
            own: row,
            self.stream.cursor_column: read_at,
            DELETED_AT: read_at,
        }

    # --- Rows that exist but are in no list

    def note_unlisted(self, scope: str, key: str) -> None:
        """Note that a row exists but is in no list. Ask again when its recheck slot changes."""
        self.state.unlisted.replace(scope, key, [self._slot(key)])

    def is_unlisted(self, scope: str, key: str) -> bool:
        """Whether the row was noted as unlisted, and its recheck slot has not changed since."""
        return self._slot(key) in self.state.unlisted.rows(scope, key)

    def _slot(self, key: str) -> str:
        days = self.account.config.recheck_days or UNLISTED_DAYS
        return str(recheck_slot(key, self.account.clock.now() // DAY_MS, days))

    # --- Whole parents

    def move(self, key: str, old_scope: str, new_scope: str) -> None:
        """Move a parent and its rows to another list."""
        self.state.delivered.move(key, old_scope, new_scope)
        for remembered in (self.state.unlisted, self.state.untold):
            remembered.forget(old_scope, [key])

    def forget(self, scope: str, key: str) -> None:
        """Forget a parent whose rows were all reported as deleted."""
        state = self.state
        for remembered in (state.delivered, state.unlisted, state.untold):
            remembered.forget(scope, [key])
        state.sights.unsee_all_of(key)

    def _say(self, delivered: int) -> None:
        """Log the counts at the stream's end."""
        counts, name, log = self.counts, self.stream.name, self.stream.logger
        numbers = (delivered, counts.deleted, counts.suspected, counts.unlisted)
        log.info(
            "%s: %s delivered, %s deleted, %s suspected, %s unlisted.",
            *(name, *map("{:,}".format, numbers)),
        )
        if counts.unknown:
            log.warning(
                "%s: %s no longer in any list, but Streak gave no reliable answer when asked by "
                "key, or there were more than the 1,000 that one sync asks for. They stay as they "
                "are, and the next sync asks again.",
                *(name, f"{counts.unknown:,}"),
            )
