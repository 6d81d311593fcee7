"""Teams, pipelines and long lists of one API key.

Each is requested once in a sync and kept, errors included.

All methods block. What they found out is returned; what only a user or time can mend is raised as a
StreakError.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from source_streak.api import errors
from source_streak.api.access import Access
from source_streak.api.client import Client, json_of
from source_streak.api.clock import Clock
from source_streak.api.errors import (
    Action,
    Level,
    Reason,
    Refused,
    StreakError,
    Unanswered,
    WrongKey,
)
from source_streak.api.listings import KINDS, Listing, Listings
from source_streak.api.look_up import Control, Gone, Questions
from source_streak.api.paging import (
    Numbered,
    Page,
    Pager,
    Params,
    Row,
    Whole,
    collect,
    key_of,
    parse_page,
    read_list,
)
from source_streak.config import Config

LOGGER = logging.getLogger("airbyte.account")
COUNT_AGAIN_AFTER = 50  # pages, of which one request more is 2 %


class Account:
    """One key's view of Streak during one sync."""

    def __init__(
        self,
        config: Config,
        clock: Clock | None = None,
        hurried: bool = False,
        known_shortfalls: Mapping[str, int] | None = None,
    ) -> None:
        """`known_shortfalls`.

        By pipeline, how many boxes its list fell short of Streak's count in earlier syncs.
        """
        self.clock = clock or Clock()
        self.started = self.clock.now()  # epoch milliseconds
        self.config = config
        self.client = Client(config, self.clock, hurried)
        self.access = Access(self.client, self.clock)
        self.background = ThreadPoolExecutor(
            1, "streak-account"
        )  # so that the caller can go on emitting messages
        self.needed_pipelines: frozenset[str] | None = (
            None  # whose boxes this sync reads; None: all
        )
        self.every_pipeline: list[
            Row
        ] = []  # that the key sees, read or not; known once `pipelines` was asked
        self._listings: dict[Level, Listings] = {
            level: Listings(self.access, self.clock, config.start) for level in KINDS
        }
        self._shortfalls = dict(known_shortfalls or {})
        self._kept: dict[object, Any] = {}
        self.questions = Questions(self.access)

    def close(self) -> None:
        """Let go of threads and lists.

        The framework keeps every stream, and so its account, for ever.
        """
        for listings in self._listings.values():
            listings.close()
        self.background.shutdown(wait=False, cancel_futures=True)
        self.client.close()
        self._kept.clear()

    def user(self) -> str:
        """The key of the API key's user."""
        return str(key_of(self._once("user", self.access.me), ("key", "userKey")))

    def teams(self) -> list[Row]:
        """https://streak.readme.io/reference/get-my-teams"""
        read = partial(
            self._top_list, "v2/users/me/teams", Numbered(100), "the list of teams", "teamKey"
        )
        found: list[Row] = self._once("teams", lambda: read() or read())
        return found

    def pipelines(self) -> list[Row]:
        """The pipelines that the settings name, else all."""
        found: list[Row] = self._once("pipelines", lambda: self._narrowed(self.list_pipelines()))
        return found

    @property
    def existing(self) -> set[str]:
        """The keys of the pipelines that the key sees, read or not."""
        return {pipeline["key"] for pipeline in self.every_pipeline}

    # --- Long lists

    def listings(self, level: Level) -> list[Listing]:
        """All lists of that level, those with a problem too."""
        read = self._box_lists if level is Level.BOX else partial(self._team_lists, level)
        found: list[Listing] = self._once(level, read)
        return found

    def good_listings(self, level: Level) -> list[Listing]:
        """The lists that could be read."""
        return [listing for listing in self.listings(level) if not listing.problem]

    def bad_listings(self, level: Level) -> list[Listing]:
        """Those that could not."""
        return [listing for listing in self.listings(level) if listing.problem]

    def present(self, listing: Listing) -> set[str]:
        """The keys of the rows that were seen last in this list."""
        return self._listings[listing.level].present(listing)

    def where(self, level: Level, key: str) -> str | None:
        """The key of the list in which a row was seen last; None if in none."""
        return self._listings[level].where(key)

    def rows_listed(self) -> int:
        """How many rows have been listed so far."""
        return sum(listings.rows_so_far for listings in self._listings.values())

    def ask_again(self, level: Level) -> list[Listing]:
        """Ask once more for lists that were refused or failed.

        Returns those that can be read now.
        """
        lists = self.listings(level)
        doubtful = [listing for listing in lists if listing.problem and not listing.asked_again]
        if not doubtful:
            return []
        listings = self._listings[level]
        delivered = frozenset[str]().union(
            *(listings.present(one) for one in lists if not one.problem)
        )
        for listing in doubtful:
            listing.problem, listing.asked_again, listing.pages = None, True, []
        self._read_lists(level, doubtful, delivered)
        self._judge_short(doubtful)
        still = {listing.key for listing in doubtful if listing.problem}
        gone = self.vanished(still) if level is Level.BOX else set()
        self._kept[level] = [listing for listing in lists if listing.key not in gone]
        return [listing for listing in doubtful if not listing.problem]

    def vanished(self, pipeline_keys: Iterable[str]) -> set[str]:
        """Those of the pipelines that Streak does not list any more.

        Deleted since the sync began, so not refused.
        """
        asked = set(pipeline_keys)
        return asked and asked - {pipeline["key"] for pipeline in self.list_pipelines()}

    def _box_lists(self) -> list[Listing]:
        needed = self.needed_pipelines
        pipelines = [one for one in self.pipelines() if needed is None or one["key"] in needed]
        lists = [Listing(Level.BOX, pipeline) for pipeline in pipelines]
        self._read_lists(Level.BOX, lists)
        self._listings[Level.BOX].give_back(
            [listing for listing in lists if listing.problem], lists
        )
        self._complete(lists)
        return lists

    def _team_lists(self, level: Level) -> list[Listing]:
        lists = [Listing(level, team) for team in self.teams()]
        self._read_lists(level, lists)
        if self.config.start is None or level is not Level.CONTACT:
            # Ask again before believing an empty list: a full refresh would erase the table.
            self._read_lists(
                level, [listing for listing in lists if not listing.keys and not listing.problem]
            )
        return lists

    def _read_lists(
        self, level: Level, lists: list[Listing], delivered: frozenset[str] = frozenset()
    ) -> None:
        """Raises StreakError for what is no matter of one list.

        What is becomes the problem of that list.
        """
        noun = KINDS[level].noun
        of_what = "pipeline" if level is Level.BOX else "team"
        for listing, refusal in self._listings[level].read(lists, delivered):
            if refusal is not None:
                listing.problem = self._problem(
                    refusal, f'the {noun} of the {of_what} "{listing.name}"'
                )
                continue
            said = f'{noun} of the {of_what} "{listing.name}"'
            if not listing.ended and listing.expected is None:
                LOGGER.warning(
                    "Streak says that the list of %s goes on, but sends nothing new. "
                    "What it sent is used.",
                    said,
                )
            if listing.without_key:
                LOGGER.warning("%s %s left out, without a key.", f"{listing.without_key:,}", said)

    def _problem(self, refusal: Refused | StreakError, what: str) -> Refused | StreakError:
        if isinstance(refusal, WrongKey):
            raise refusal
        if isinstance(refusal, StreakError):
            self._see_an_answer(what)
            return refusal
        if errors.reason_of(refusal) is Reason.OTHER:
            return errors.failure(refusal, what)
        if errors.action(refusal, Level.PIPELINE) is Action.FAIL:
            raise errors.failure(refusal, what) from refusal
        return refusal

    def _complete(self, lists: list[Listing]) -> None:
        """Read once more what holds fewer boxes than were counted before, or are now.

        One that moved may have missed both lists.

        The second count costs a request. It is made where something came short, and where so many
        pages were asked for that it does not matter: the longer the listing took, the more has
        happened meanwhile.
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
        counts = {pipeline["key"]: pipeline.get("boxCount") for pipeline in self.list_pipelines()}
        for listing in lists:
            listing.source = {
                **listing.source,
                "boxCount": counts.get(listing.key, listing.expected),
            }

    def _is_short(self, listing: Listing, count: int) -> bool:
        """Whether fewer boxes than that were seen last in this list.

        Not where as many were missing in earlier syncs.
        """
        missing = 0 if listing.problem else count - len(self.present(listing))
        return missing > 0 and missing != self._shortfalls.get(listing.key)

    def _judge_short(self, lists: list[Listing]) -> None:
        """A list that is short for good is used, with a warning.

        One with nothing in it is a failed one.
        """
        for listing in lists:
            if listing.problem or not listing.shortfall:
                continue
            if not listing.keys:
                listing.problem = errors.empty_list(listing.expected or 0)
            elif listing.shortfall != self._shortfalls.get(listing.key):
                LOGGER.warning(
                    'The pipeline "%s" has %s boxes by Streak\'s count, but its list holds only %s, '
                    "also when read twice. These are delivered; the others cannot be seen.",
                    *(listing.name, f"{listing.expected:,}", f"{len(listing.keys):,}"),
                )

    def look_up(
        self, level: Level, keys: Iterable[str], controls: Iterable[Control]
    ) -> dict[str, Row | Gone]:
        """What became of rows that are in no list; see look_up.py."""
        hidden = level is Level.BOX and any(
            isinstance(listing.problem, Refused)
            and errors.reason_of(listing.problem) is Reason.GONE
            for listing in self.bad_listings(Level.BOX)
        )
        try:
            return self.questions.ask(level, keys, controls, hidden)
        except Unanswered as unanswered:
            raise errors.failure(unanswered, "what is in no list any more") from unanswered

    # --- What a refusal means

    def decide(self, refusal: Refused | Unanswered, level: Level, what: str) -> Action:
        """SKIP or GONE. Raises StreakError where the stream (or the check) has to end."""
        decided = errors.action(refusal, level)
        if decided is Action.DOUBT_KEY:  # the key has proved itself (access.py)
            decided = Action.FAIL if level is Level.ACCOUNT else Action.SKIP
        if decided is Action.SKIP and isinstance(refusal, Unanswered):
            self._see_an_answer(what)
        if decided is Action.FAIL:
            raise errors.failure(refusal, what) from refusal
        return decided

    def _see_an_answer(self, what: str) -> None:
        if self.client.down:
            try:
                self.access.see_an_answer()
            except (
                Unanswered
            ) as unanswered:  # no matter of this one, and the next will fare no better
                raise errors.failure(unanswered, what) from unanswered

    # --- Short lists

    def list_pipelines(self) -> list[Row]:
        """https://streak.readme.io/reference/list-all-pipelines.

        V1 where this key has no v2, or v2 has none.

        An empty answer is not believed at once: it would empty the destination.
        """
        what = "the list of pipelines"
        try:
            found = self._list("v2/pipelines", Numbered(100), "pipelineKey")
        except Refused as refusal:
            if errors.reason_of(refusal) is Reason.NO_ACCESS:
                raise errors.failure(refusal, what) from refusal
            found = []
        except Unanswered as unanswered:
            raise errors.failure(unanswered, what) from unanswered
        return found or self._top_list("v1/pipelines", Whole(), what, "pipelineKey")

    def _narrowed(self, pipelines: list[Row]) -> list[Row]:
        self.every_pipeline = pipelines
        wanted = self.config.pipelines
        unknown = [
            name for name in wanted if not any(_is(pipeline, name) for pipeline in pipelines)
        ]
        if unknown:
            raise errors.unknown_pipelines(
                unknown, [pipeline.get("name") for pipeline in pipelines]
            )
        return [one for one in pipelines if not wanted or any(_is(one, name) for name in wanted)]

    def _top_list(self, path: str, pager: Pager, what: str, also: str) -> list[Row]:
        try:
            return self._list(path, pager, also)
        except (Refused, Unanswered) as refusal:
            raise errors.failure(refusal, what) from refusal

    def _list(self, path: str, pager: Pager, also: str) -> list[Row]:
        """`also`: the other name under which rows have their key."""

        def identify(row: Row) -> str | None:
            return key_of(row, ("key", also))

        def page(params: Params) -> Page:
            return self.access.get(path, params, lambda response: parse_page(json_of(response)))

        rows, whole = collect(read_list(pager, page, identify=identify))
        if not whole:
            raise errors.endless_list(path)
        known = [{**row, "key": key} for row in rows if (key := identify(row))]
        if len(known) < len(rows):
            LOGGER.warning(
                "%s of %s in %s left out, without a key.", len(rows) - len(known), len(rows), path
            )
        return known

    def _once(self, what: object, read: Callable[[], Any]) -> Any:
        self.access.check()
        if what not in self._kept:
            try:
                self._kept[what] = read()
            except StreakError as error:
                self._kept[what] = error
        if isinstance(self._kept[what], StreakError):
            raise self._kept[what]
        return self._kept[what]


def _is(pipeline: Row, wanted: str) -> bool:
    return wanted in (pipeline["key"], str(pipeline.get("name", "")).strip())
