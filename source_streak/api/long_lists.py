"""Completes long lists: a short one is read again, and a refusal becomes its list's `problem`."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from source_streak.api import errors
from source_streak.api.access import Access
from source_streak.api.clock import Clock
from source_streak.api.errors import Action, Level, Reason, Refused, StreakError, WrongKey
from source_streak.api.listings import KINDS, Listing, Listings
from source_streak.api.paging import Row
from source_streak.api.short_lists import ShortLists

LOGGER = logging.getLogger("airbyte.lists")
COUNT_AGAIN_AFTER = 50  # pages: one more request is 2 % of these


class LongLists:
    """Reads long lists; all methods block. Raises StreakError if more than one list is affected."""

    def __init__(
        self,
        access: Access,
        short: ShortLists,
        clock: Clock,
        start: int | None,
        known_shortfalls: Mapping[str, tuple[int, bool]],
    ) -> None:
        """`known_shortfalls`: as in Account. `start`: the start date in epoch milliseconds."""
        self._access, self._short, self._start = access, short, start
        self._shortfalls = known_shortfalls
        self._by_level = {level: Listings(access, clock, start) for level in KINDS}

    def close(self) -> None:
        """Stop the threads and free the rows."""
        for listings in self._by_level.values():
            listings.close()

    def present(self, listing: Listing) -> set[str]:
        """The keys of the rows that were last seen in this list."""
        return self._by_level[listing.level].present(listing)

    def where(self, level: Level, key: str) -> str | None:
        """The key of the list in which a row was last seen; None if no list has it."""
        return self._by_level[level].where(key)

    def rows_listed(self) -> int:
        """How many rows have been listed so far."""
        return sum(listings.rows_so_far for listings in self._by_level.values())

    def ask_again(self, level: Level, doubtful: list[Listing], lists: list[Listing]) -> None:
        """Read refused or failed lists again. Rows that other lists have delivered stay theirs."""
        good = [self.present(listing) for listing in lists if not listing.problem]
        delivered = frozenset[str]().union(*good)
        for listing in doubtful:
            listing.problem, listing.asked_again, listing.pages = None, True, []
        self._read_lists(level, doubtful, delivered)
        self._judge_short(doubtful)

    def of_pipelines(self, pipelines: list[Row]) -> list[Listing]:
        """The box lists of these pipelines, complete as far as the counts can tell."""
        lists = [Listing(Level.BOX, pipeline) for pipeline in pipelines]
        self._read_lists(Level.BOX, lists)
        self._by_level[Level.BOX].give_back(
            [listing for listing in lists if listing.problem], lists
        )
        self._complete(lists)
        return lists

    def of_teams(self, level: Level, teams: list[Row]) -> list[Listing]:
        """The contact or organization lists of these teams."""
        lists = [Listing(level, team) for team in teams]
        self._read_lists(level, lists)
        if self._start is None or level is not Level.CONTACT:
            # Ask again before believing an empty list: a full refresh would erase the table.
            self._read_lists(
                level, [listing for listing in lists if not listing.keys and not listing.problem]
            )
        return lists

    def _read_lists(
        self, level: Level, lists: list[Listing], delivered: frozenset[str] = frozenset()
    ) -> None:
        """Read these lists. A refusal that affects one list becomes its `problem`.

        Raises StreakError if more than one list is affected.
        """
        noun = KINDS[level].noun
        of_what = "pipeline" if level is Level.BOX else "team"
        for listing, refusal in self._by_level[level].read(lists, delivered):
            if refusal is not None:
                listing.problem = self._problem(
                    refusal, f'the {noun} of the {of_what} "{listing.name}"'
                )
                continue
            said = f'{noun} of the {of_what} "{listing.name}"'
            if not listing.ended and listing.expected is None:
                LOGGER.warning(
                    "Streak says that the list of %s has more pages, but sends nothing new. "
                    "The rows so far are used.",
                    said,
                )
            if listing.without_key:
                LOGGER.warning("%s %s left out: no key.", f"{listing.without_key:,}", said)

    def _problem(self, refusal: Refused | StreakError, what: str) -> Refused | StreakError:
        if isinstance(refusal, WrongKey):
            raise refusal
        if isinstance(refusal, StreakError):
            self._access.require_an_answer(what)
            return refusal
        if errors.reason_of(refusal) is Reason.OTHER:
            return errors.failure(refusal, what)
        if errors.action(refusal, Level.PIPELINE) is Action.FAIL:
            raise errors.failure(refusal, what) from refusal
        return refusal

    def _complete(self, lists: list[Listing]) -> None:
        """Read again the lists that hold fewer boxes than Streak counted before, or counts now.

        A box that moved may have been missed by both lists.

        The second count costs a request. It is made if a list is short, or if so many pages were
        read that it does not matter: the longer the reading took, the more has happened meanwhile.
        """
        before = {listing.key: listing.expected or 0 for listing in lists}
        pages = sum(listing.requests for listing in lists)
        if pages < COUNT_AGAIN_AFTER and not any(
            self._is_short(listing, before[listing.key]) for listing in lists
        ):
            return
        self._count_again(lists)
        counts = {listing.key: max(before[listing.key], listing.expected or 0) for listing in lists}
        if short := [listing for listing in lists if self._is_short(listing, counts[listing.key])]:
            self._read_lists(Level.BOX, short)
            self._count_again(short)
        self._judge_short(lists)

    def _count_again(self, lists: list[Listing]) -> None:
        counts = {pipeline["key"]: pipeline.get("boxCount") for pipeline in self._short.pipelines()}
        for listing in lists:
            listing.source = {
                **listing.source,
                "boxCount": counts.get(listing.key, listing.expected),
            }

    def _is_short(self, listing: Listing, count: int) -> bool:
        """Whether a list lacks boxes, and not the same number as in earlier syncs."""
        if listing.problem:
            return False
        missing = count - self._by_level[listing.level].count_present(listing)
        return missing > 0 and missing != self._known_shortfall(listing)

    def _known_shortfall(self, listing: Listing) -> int:
        """How many boxes were missing in earlier syncs; 0 for an empty list in its first hour."""
        missing, lasting = self._shortfalls.get(listing.key, (0, False))
        return missing if lasting or listing.keys else 0

    def _judge_short(self, lists: list[Listing]) -> None:
        """Use lists that are still short, with a warning unless earlier syncs saw the same.

        An empty list has failed, unless it has been empty for an hour.
        """
        for listing in lists:
            short = listing.shortfall
            if listing.problem or not short or short == self._known_shortfall(listing):
                continue
            if not listing.keys:
                listing.problem = errors.empty_list(listing.expected or 0)
            else:
                LOGGER.warning(
                    'The pipeline "%s" has %s boxes by Streak\'s count, but its list holds '
                    "only %s, even when read twice. "
                    "Those are delivered; the others cannot be seen.",
                    *(listing.name, f"{listing.expected:,}", f"{len(listing.keys):,}"),
                )
