"""Teams, pipelines and long lists of one API key.

Each is requested once in a sync and cached, errors included.

All methods block. They return what they find, and raise StreakError for what only the user or time
can fix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from source_streak.api import errors
from source_streak.api.access import Access
from source_streak.api.client import Client
from source_streak.api.clock import Clock
from source_streak.api.errors import (
    Action,
    Level,
    Reason,
    Refused,
    StreakError,
    Unanswered,
)
from source_streak.api.listings import Listing
from source_streak.api.long_lists import LongLists
from source_streak.api.look_up import Control, Gone, Questions
from source_streak.api.paging import (
    Row,
    key_of,
)
from source_streak.api.short_lists import ShortLists
from source_streak.config import Config


class Account:
    """One key's view of Streak during one sync."""

    def __init__(
        self,
        config: Config,
        clock: Clock | None = None,
        hurried: bool = False,
        known_shortfalls: Mapping[str, tuple[int, bool]] | None = None,
    ) -> None:
        """`known_shortfalls`: pipelines whose lists fell short of Streak's count in earlier syncs.

        Maps a pipeline's key to the number of missing boxes, and whether for an hour already.
        """
        self.clock = clock or Clock()
        self.started = self.clock.now()  # epoch milliseconds
        self.config = config
        self.client = Client(config, self.clock, hurried)
        self.access = Access(self.client, self.clock)
        self.short = ShortLists(self.access)
        self.long = LongLists(
            self.access, self.short, self.clock, config.start, known_shortfalls or {}
        )
        # A thread for these blocking calls, so that the caller can go on emitting messages.
        self.background = ThreadPoolExecutor(1, "streak-account")
        # Keys of the pipelines whose boxes this sync reads; None: all.
        self.needed_pipelines: frozenset[str] | None = None
        # What the key sees, read or not; empty until `pipelines` is called.
        self.every_pipeline: list[Row] = []
        self._kept: dict[object, Any] = {}
        self.questions = Questions(self.access)

    def close(self) -> None:
        """Stop the threads and free the lists.

        The framework never drops a stream, so its account stays in memory, too.
        """
        self.long.close()
        self.background.shutdown(wait=False, cancel_futures=True)
        self.client.close()
        self._kept.clear()

    def user(self) -> str:
        """The key of the user whom the API key belongs to."""
        return str(key_of(self._once("user", self.access.me), ("key", "userKey")))

    def teams(self) -> list[Row]:
        """The teams that the key sees. https://streak.readme.io/reference/get-my-teams"""
        found: list[Row] = self._once("teams", self.short.teams)
        return found

    def pipelines(self) -> list[Row]:
        """The pipelines that the settings name, or all if they name none."""
        found: list[Row] = self._once("pipelines", lambda: self._narrowed(self.short.pipelines()))
        return found

    @property
    def existing(self) -> set[str]:
        """The keys of the pipelines that the key sees, read or not."""
        return {pipeline["key"] for pipeline in self.every_pipeline}

    # --- Long lists

    def listings(self, level: Level) -> list[Listing]:
        """All lists of this level, including those with a problem."""
        found: list[Listing] = self._once(level, partial(self._read, level))
        return found

    def good_listings(self, level: Level) -> list[Listing]:
        """The lists that could be read."""
        return [listing for listing in self.listings(level) if not listing.problem]

    def bad_listings(self, level: Level) -> list[Listing]:
        """The lists that could not be read."""
        return [listing for listing in self.listings(level) if listing.problem]

    def present(self, listing: Listing) -> set[str]:
        """The keys of the rows that were last seen in this list."""
        return self.long.present(listing)

    def where(self, level: Level, key: str) -> str | None:
        """The key of the list in which a row was last seen; None if no list has it."""
        return self.long.where(level, key)

    def rows_listed(self) -> int:
        """How many rows have been listed so far."""
        return self.long.rows_listed()

    def ask_again(self, level: Level) -> list[Listing]:
        """Ask once more for refused or failed lists, and return those that can be read now."""
        lists = self.listings(level)
        doubtful = [listing for listing in lists if listing.problem and not listing.asked_again]
        if doubtful:
            self.long.ask_again(level, doubtful, lists)
            still = {listing.key for listing in doubtful if listing.problem}
            gone = self.vanished(still) if level is Level.BOX else set()
            self._kept[level] = [listing for listing in lists if listing.key not in gone]
        return [listing for listing in doubtful if not listing.problem]

    def _read(self, level: Level) -> list[Listing]:
        if level is not Level.BOX:
            return self.long.of_teams(level, self.teams())
        needed = self.needed_pipelines
        return self.long.of_pipelines(
            [one for one in self.pipelines() if needed is None or one["key"] in needed]
        )

    def vanished(self, pipeline_keys: Iterable[str]) -> set[str]:
        """Which of these pipelines Streak no longer lists.

        They were deleted after the sync began, so they do not count as refused.
        """
        asked = set(pipeline_keys)
        return asked and asked - {pipeline["key"] for pipeline in self.short.pipelines()}

    def look_up(
        self, level: Level, keys: Iterable[str], controls: Iterable[Control]
    ) -> dict[str, Row | Gone]:
        """Find out what became of rows that are in no list; see look_up.py."""
        hidden = level is Level.BOX and any(
            isinstance(listing.problem, Refused)
            and errors.reason_of(listing.problem) is Reason.GONE
            for listing in self.bad_listings(Level.BOX)
        )
        try:
            return self.questions.ask(level, keys, controls, hidden)
        except Unanswered as unanswered:
            raise errors.failure(
                unanswered, "the rows that are missing from all lists"
            ) from unanswered

    # --- What a refusal means

    def decide(self, refusal: Refused | Unanswered, level: Level, what: str) -> Action:
        """Return SKIP or GONE, or raise StreakError if the stream (or the check) has to end."""
        decided = errors.action(refusal, level)
        if decided is Action.DOUBT_KEY:  # access.py has proved that the key works
            decided = Action.FAIL if level is Level.ACCOUNT else Action.SKIP
        if decided is Action.SKIP and isinstance(refusal, Unanswered):
            self.access.require_an_answer(what)
        if decided is Action.FAIL:
            raise errors.failure(refusal, what) from refusal
        return decided

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
