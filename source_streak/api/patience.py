"""How long one request is retried: a value, and a decision after each failed try.

Pure: the caller passes in what failed, and how other requests fare.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from source_streak.api.errors import Cause

PATIENCE = 300.0  # seconds of failing before a request is given up
SHORT_PATIENCE = 15.0  # the same if a person is waiting, or once Streak is known to be down
LONGEST_WAIT = 20.0  # seconds between two tries
LONGEST_TRY = 65.0  # seconds that one try counts: its time-outs. The rest is a slow answer
MOST_LIMITED = 12  # 429s in a row for one request: then Streak is not busy, but closed to us
ALONE_TRIES, ALONE_ANSWERS = 8, 20  # see Patience.alone


class Because(Enum):
    """Why a request is given up."""

    FAILED_TOO_LONG = "its patience was used up"
    LIMITED_TOO_OFTEN = "nothing but 429s came"
    OTHERS_FARE_BETTER = "this one alone goes on failing"


@dataclass(frozen=True)
class Retry:
    """Ask again after this many seconds."""

    seconds: float


@dataclass(frozen=True)
class GiveUp:
    """Do not ask again."""

    because: Because


@dataclass(frozen=True)
class Try:
    """A failed try, and how other requests fared meanwhile."""

    sentence: str
    cause: Cause = Cause.OTHER
    took: float = 0.0  # seconds from the request to its failure
    pause: float = 0.0  # seconds for which Streak wants no requests, after a 429
    others_answered: int = 0  # since this request was first tried
    down: bool = False  # another request was given up, and none was answered since
    closed: bool = False  # the same, and only because of 429s


@dataclass(frozen=True)
class Patience:
    """What one request has been through.

    `limit`: seconds of failing; 0: one try. `hurried`: a person is waiting, so pauses count, too,
    and are cut short. `alone`: the request must not hold up its neighbours, so it is given up when
    it has failed 8 times and at least 20 others were answered meanwhile.
    """

    limit: float = PATIENCE
    hurried: bool = False
    alone: bool = False
    tries: int = 0
    limited: int = 0  # 429s in a row
    failing: float = 0.0  # seconds so far, with the waits between tries

    def after(self, failed: Try, jitter: float) -> tuple[Patience, Retry | GiveUp]:
        """The patience left after this try, and what to do. `jitter`: 0.5 to 1."""
        if failed.cause is Cause.LIMITED:
            return self._after_limit(failed)
        took = 0.0 if failed.cause is Cause.CROWDED else min(failed.took, LONGEST_TRY)
        now = replace(self, tries=self.tries + 1, limited=0, failing=self.failing + took)
        enough = min(self.limit, SHORT_PATIENCE) if failed.down else self.limit
        if now.failing >= enough:
            return now, GiveUp(Because.FAILED_TOO_LONG)
        others = failed.others_answered >= ALONE_ANSWERS
        if self.alone and now.tries >= ALONE_TRIES and others:
            return now, GiveUp(Because.OTHERS_FARE_BETTER)
        wait = min(2.0 ** (now.tries - 1), LONGEST_WAIT) * jitter
        wait = min(wait, enough - now.failing)  # so that the last try is made at the very end
        counts = 0.0 if failed.cause is Cause.CROWDED else wait
        return replace(now, failing=now.failing + counts), Retry(wait)

    def _after_limit(self, failed: Try) -> tuple[Patience, Retry | GiveUp]:
        """A 429 does not count as failing: everybody waits. Too many in a row end the request."""
        now = replace(self, tries=self.tries + 1, limited=self.limited + 1)
        if now.limited >= (1 if failed.closed else MOST_LIMITED):
            return now, GiveUp(Because.LIMITED_TOO_OFTEN)
        if not self.hurried:
            return now, Retry(0.0)
        left = self.limit - self.failing - failed.took
        if left <= 0:
            return now, GiveUp(Because.FAILED_TOO_LONG)
        wait = min(failed.pause, left)
        return replace(now, failing=self.failing + failed.took + wait), Retry(wait)
