"""Asks by key for what was delivered and is in no list any more, and reports what is gone.

State without the fingerprints of what is gone goes out first, then the deletions.  Only then are
the keys forgotten.  So a sync that is killed at any moment forgets no deletion, and what comes back
in between is delivered again.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import partial

from source_streak.api.account import Account
from source_streak.api.errors import Level
from source_streak.api.listings import KINDS, Listing
from source_streak.api.look_up import Control, Gone
from source_streak.api.paging import Row
from source_streak.reading.deletions import Deletions
from source_streak.reading.evidence import Scopes, Verdict, are_many, is_complete, verdict
from source_streak.reading.heartbeat import Heartbeat, Item, Record
from source_streak.reading.parents import Parent

# The level of the rows -> that of the pipeline or team that holds them.
LIVES = {
    Level.BOX: Level.PIPELINE,
    Level.CONTACT: Level.TEAM,
    Level.ORGANIZATION: Level.TEAM,
}


@dataclass
class Whereabouts:
    """What became of rows that were delivered from one list and are not in it now."""

    deleted: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)  # into another list
    found: dict[str, Row] = field(default_factory=dict)  # moved since the lists were read


class Missing:
    """Finds out what became of one reading's missing rows, and reports it. Used by its thread."""

    def __init__(self, deletions: Deletions, account: Account, heart: Heartbeat) -> None:
        self.deletions, self.account, self.heart = deletions, account, heart
        self.stream, self.state = deletions.stream, deletions.state
        self.level = self.stream.parent
        self._good: dict[str, Listing] = {}  # the lists that could be read
        self._complete: set[str] = set()  # those that hold all rows of their source
        self._existing: set[str] = set()  # pipelines or teams that are listed

    def items(self) -> Generator[Item, None, list[Parent]]:
        """Report what is gone.

        Returns the parents that moved after the lists were read, as answered by key. They are still
        to be read.
        """
        if not self.deletions.tracks:
            return []
        self._look()
        state, found = self.state, list[Parent]()
        gone: dict[str, list[str]] = {}
        for scope in sorted(state.delivered.scopes() | (state.scopes() - self._existing)):
            where = yield from self._missing_from(scope)
            left = (where.moved | where.found.keys()) if self.deletions.by_source else set()
            gone[scope] = sorted(where.deleted | left)
            found += self._found(scope, where.found)
        if found or any(gone.values()):
            for scope, keys in gone.items():
                state.forget(scope, keys)
            yield self.heart.checkpoint()
        for scope, keys in gone.items():
            yield from self._tell(scope, keys)
        return found

    def _look(self) -> None:
        """Note what this sync knows about the lists, once for all missing rows."""
        account, sights = self.account, self.state.sights
        lists = account.good_listings(self.level)
        self._good = {listing.key: listing for listing in lists}
        self._complete = {listing.key for listing in lists if is_complete(listing, sights)}
        sources = account.every_pipeline if self.level is Level.BOX else account.teams()
        self._existing = {source["key"] for source in sources}

    def _found(self, scope: str, rows: dict[str, Row]) -> Iterator[Parent]:
        """Take over rows that moved after the lists were read. Their keys go out before them."""
        if self.stream.of_one_pipeline:
            return
        for key, row in rows.items():
            parent = self._parent(key, row)
            now = parent.keys[self.deletions.source]
            if not self.deletions.by_source:
                self.deletions.move(key, scope, now)
            elif not self.stream.endpoint:
                self.deletions.remember(now, key, self.stream.keys_in(row))
            yield parent

    def _parent(self, key: str, row: Row) -> Parent:
        """The parent for a row that was answered by key, with its pipeline or team."""
        own, source = self.deletions.own, self.deletions.source
        scope = str(row[source])
        keys = {own: key, source: scope}
        return Parent({**row, "key": key}, keys, self._good[scope].source)

    # --- What became of missing rows

    def _missing_from(self, scope: str) -> Generator[Item, None, Whereabouts]:
        deletions, listing = self.deletions, self._good.get(scope)
        known = self.state.delivered.parents(scope)
        present = self.account.present(listing) if listing else set()
        self.state.unlisted.forget(scope, present)
        missing = {key for key in known if key not in present}
        moved = {key for key in missing if self.account.where(self.level, key) in self._good}
        lost = missing - moved
        where = Whereabouts(moved=moved)
        if self.stream.of_one_pipeline and self.stream.scope not in (None, scope):
            where.deleted = lost  # the table belongs to another pipeline now
        elif scope not in self._existing:
            yield from self._without_source(scope, lost, where)
        elif listing and lost:
            total = len(listing.keys.union(known))
            if self._may_ask(listing, lost, total) and deletions.concludes:
                yield from self._ask(scope, lost, where)
            else:
                deletions.counts.suspected += len(lost)
        return where

    def _without_source(
        self, scope: str, lost: set[str], where: Whereabouts
    ) -> Generator[Item, None, None]:
        """Decide about a pipeline or team that is not listed. If it is gone, so are its lost rows.

        But if some list is incomplete, rows may be in there, and are asked for one by one.
        """
        level, gone = LIVES[self.level], False
        if self.state.sights.seen_before(f"gone:{scope}") and self.deletions.concludes:
            answers = yield from self._look_up(level, [scope], self._sources())
            gone = answers[scope] is Gone.GONE
        if not gone:
            self.deletions.counts.suspected += len(lost)
        elif self._complete >= self._existing:
            self.state.forget_scope(scope)
            where.deleted = lost
        else:
            yield from self._ask(scope, lost, where)

    def _may_ask(self, listing: Listing, lost: set[str], total: int) -> bool:
        """Whether to ask for rows that a complete list lacks. Many at once wait for an hour."""
        fresh = {key for key in lost if not self.state.unlisted.holds(listing.key, key)}
        what = f"missing:{listing.key}"
        if not are_many(len(fresh), total):
            self.state.sights.unsee(what)
            return listing.key in self._complete
        if self.state.sights.seen_before(what):
            return listing.key in self._complete
        self.stream.logger.warning(
            '%s: %s %s of "%s" are missing at once: they count as deleted if they are still '
            "missing in a sync an hour from now.",
            *(self.stream.name, f"{len(fresh):,}", KINDS[self.level].noun, listing.name),
        )
        return False

    # --- Questions by key

    def _ask(self, scope: str, lost: set[str], where: Whereabouts) -> Generator[Item, None, None]:
        deletions = self.deletions
        due = {key for key in lost if not deletions.is_unlisted(scope, key)}
        deletions.counts.unlisted += len(lost) - len(due)
        # In another order in each sync, so that each key is asked for sooner or later.
        order = sorted(due, key=lambda key: zlib.crc32(f"{self.account.started}{key}".encode()))
        answers = yield from self._look_up(self.level, order, self._controls(scope))
        scopes = Scopes(deletions.source, self._good, self._left_out(), deletions.by_source)
        unknown = 0
        for key, answer in answers.items():
            said = verdict(answer, scope, scopes)
            if said is Verdict.DELETED:
                where.deleted.add(key)
            elif said is Verdict.MOVED and isinstance(answer, dict):
                where.found[key] = answer
            elif said is Verdict.UNLISTED:
                deletions.counts.unlisted += 1
                deletions.note_unlisted(scope, key)
            else:
                unknown += 1
        deletions.counts.unknown += unknown
        if not unknown:
            self.state.sights.unsee(f"missing:{scope}")

    def _look_up(
        self, level: Level, keys: list[str], controls: Iterator[Control]
    ) -> Generator[Item, None, dict[str, Row | Gone]]:
        if not keys:
            return {}
        work = partial(self.account.look_up, level, keys, controls)
        return (yield from self.heart.wait_for(work))

    def _left_out(self) -> set[str]:
        """The keys of the pipelines that the settings leave out."""
        if self.level is not Level.BOX:
            return set()
        return self._existing - {pipeline["key"] for pipeline in self.account.pipelines()}

    def _controls(self, scope: str) -> Iterator[Control]:
        """Rows that are known to exist: first those of the same list, then those of others.

        A pipeline (team) stands in only if no row is listed at all. Otherwise, something that
        answers 404 for every box would be believed.
        """
        own_first = sorted(self._good.values(), key=lambda listing: listing.key != scope)
        present = (self.account.present(listing) for listing in own_first)
        rows = [Control(self.level, min(keys)) for keys in present if keys]
        return iter(rows) if rows else self._sources()

    def _sources(self) -> Iterator[Control]:
        """The pipelines (teams) that are listed, and after them the API key's user."""
        yield from (Control(LIVES[self.level], key) for key in sorted(self._existing))
        yield Control(Level.ACCOUNT, self.account.user())

    # --- Reports

    def _tell(self, scope: str, keys: list[str]) -> Iterator[Item]:
        for key in keys:
            for record in self._tombstones(scope, key):
                self.deletions.counts.deleted += 1
                yield record
            self.deletions.forget(scope, key)
            if self.heart.is_due:
                yield from self.heart.beat()

    def _tombstones(self, scope: str, key: str) -> Iterator[Record]:
        """A tombstone for every row of one box, contact or organization."""
        deletions = self.deletions
        if not self.stream.row_keys:
            yield deletions.tombstone({}, key)
            return
        keys = {deletions.own: key, deletions.source: scope}
        for row in sorted(self.state.delivered.rows(scope, key)):
            yield deletions.tombstone(keys, row)
