"""Finds out by key what became of a box, contact, pipeline or team that no list has any more.

https://streak.readme.io/reference/get-a-box: a deleted box answers 404. But a proxy may answer 404
to everything, and a 401 may be a fluke. So a row counts as gone only after two equal refusals, with
a 200 in between for a control, which is known to exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import partial
from itertools import islice
from typing import NamedTuple

from source_streak.api import errors
from source_streak.api.access import Access, one_object
from source_streak.api.client import KEY, path_of
from source_streak.api.errors import Level, Reason, Refused, Unanswered
from source_streak.api.listings import KINDS
from source_streak.api.paging import Row, key_of
from source_streak.api.patience import SHORT_PATIENCE

MOST_QUESTIONS = 1000  # in one sync
ASKED_TOGETHER, CONTROLS = 100, 3  # keys asked around one control; controls to try
PATHS = {
    **{level: kind.single for level, kind in KINDS.items()},
    Level.PIPELINE: "v1/pipelines/{key}",
    Level.TEAM: "v2/teams/{key}",
    Level.ACCOUNT: "v1/users/{key}",
}
KEY_NAMES = ("key", "boxKey", "pipelineKey", "teamKey", "userKey")


class Gone(Enum):
    """Why asking by key brought no row."""

    GONE = "Streak refused it twice, and in between returned one that is known to exist"
    UNKNOWN = "no answer, no reliable one, or not asked in this sync"


class Control(NamedTuple):
    """Something that is known to exist, to be requested between two refusals."""

    level: Level
    key: str


class Questions:
    """Requests rows by key, each key once in a sync. The methods block."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._answers: dict[str, Row | Gone] = {}
        self._asked = 0

    def ask(
        self, level: Level, keys: Iterable[str], controls: Iterable[Control], hidden: bool
    ) -> dict[str, Row | Gone]:
        """The row for each key, or why there is none.

        At most 1,000 keys are requested in a sync; the others are UNKNOWN.

        `hidden`: some list itself answers 404, so a 404 proves nothing about a row that may have
        moved into it. Raises Unanswered if Streak has stopped answering altogether.
        """
        wanted = list(keys)
        fresh = [key for key in wanted if key not in self._answers]
        asked = fresh[: max(0, MOST_QUESTIONS - self._asked)]
        self._asked += len(asked)
        known_to_live = list(islice(controls, CONTROLS))
        for start in range(0, len(asked), ASKED_TOGETHER):
            self._answers |= self._together(
                level, asked[start : start + ASKED_TOGETHER], known_to_live, hidden
            )
        return {key: self._answers.get(key, Gone.UNKNOWN) for key in wanted}

    def _together(
        self, level: Level, keys: list[str], controls: list[Control], hidden: bool
    ) -> dict[str, Row | Gone]:
        ask = partial(self._one, level)
        pool = self._access.client.pool
        first = dict(zip(keys, pool.map(ask, keys), strict=True))
        refused = [key for key, answer in first.items() if not isinstance(answer, dict)]
        second = {}
        if refused:
            if self._access.client.down:
                self._access.see_an_answer()
            if any(isinstance(self._one(*control), dict) for control in controls):
                second = dict(zip(refused, pool.map(ask, refused), strict=True))
        return {key: _conclusion(answer, second.get(key), hidden) for key, answer in first.items()}

    def _one(self, level: Level, key: str) -> Row | Reason | None:
        """The row, the reason of a refusal, or None if there is no usable answer.

        A row that was merged into another one answers with the other's key: it is GONE.
        """
        if not KEY.fullmatch(key):
            return None  # path_of would refuse it in Streak's own words for a deleted row
        path = path_of(PATHS[level], {"key": key})
        try:
            row = self._access.client.get(path, {}, one_object, alone=True, patience=SHORT_PATIENCE)
        except Refused as refusal:
            reason = errors.reason_of(refusal)
            return reason if reason in (Reason.GONE, Reason.NO_ACCESS) else None
        except Unanswered:
            return None
        return {**row, "key": key} if key_of(row, KEY_NAMES) == key else Reason.GONE


def _conclusion(
    first: Row | Reason | None, second: Row | Reason | None, hidden: bool
) -> Row | Gone:
    """What two answers for one key mean together."""
    if isinstance(first, dict):
        return first
    if isinstance(second, dict):
        return second
    if second is None or second is not first or (second is Reason.GONE and hidden):
        return Gone.UNKNOWN
    return Gone.GONE
