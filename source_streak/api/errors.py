"""What a refusal means, in one table, and what users read about it.

    answer               check, top-level list  a pipeline's or team's list  a box's child
    401, 403             the key is wrong       ask users/me, then skip      the same; set aside
    404, 400: key issue  fail                   skip                         the box is gone
    410                  fail: retired          fail: retired                fail: retired
    other 4xx (and 3xx)  fail                   fail                         set aside
    retries used up      fail, try later        fail, try later              set aside

Pure: imports neither the framework nor requests.
Source of the statuses: https://streak.readme.io/reference/error-codes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import orjson

KEY_ISSUE = "usually a key issue"
WORDS_AT_MOST = 300
NAMES = re.compile(r"""\S+@\S+|"[^"]*"|“[^”]*”|(?<!\w)'[^']*'(?!\w)""")
LONG_KEY = re.compile(r"[A-Za-z0-9_-]{24,}")  # keys hold mail domains and addresses
NEW_KEY = "Make a new key in Gmail > Streak > Integrations > Custom integrations > Create new key"
STATUS_PAGE = "https://status.streak.com"
UNEXPECTED = "Streak's answer was not the data that was expected."


class StreakError(Exception):
    """Ends a stream or a check with a sentence for the user.

    `failure` is the protocol's word for who can fix it: config_error (the user), transient_error
    (time), system_error (the connector's developers).
    """

    def __init__(self, sentence: str, failure: str = "system_error") -> None:
        # A lone surrogate, which a setting may contain, could not be written.
        self.sentence = sentence.encode(errors="replace").decode()
        self.failure = failure
        super().__init__(self.sentence)


class WrongKey(StreakError):
    """Streak does not know this key: no further request in this sync makes sense."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(
            f"Streak refused this API key ({refusal}). {NEW_KEY}, "
            "and put it into this connection's settings.",
            "config_error",
        )


class Unanswered(StreakError):
    """No usable answer came, however often the request was repeated."""

    def __init__(self, last: str, tries: int, time: str, hint: str = "") -> None:
        """`last`: why the last try failed; `time`: in words; `hint`: where to look."""
        times = f"{tries} attempt{'s' if tries > 1 else ''}"
        super().__init__(
            f"{last} Gave up after {times} in {time}. {hint}Try again later.",
            "transient_error",
        )


class TooLarge(Unanswered):
    """An answer does not fit into memory. Asking again would bring the same answer."""

    def __init__(self, limit: int) -> None:
        """`limit`: bytes."""
        StreakError.__init__(
            self,
            f"An answer from Streak takes more than {limit // 2**20:,} MB of memory when "
            "unpacked. It was not used, to protect this machine. Streak sends no pages that "
            "large: something between here and Streak may be answering in its place. "
            "If not, please report this to the connector's developers.",
        )


class Refused(Exception):
    """Streak answered with a status that asking again would not change."""

    def __init__(self, status: int, words: str = "") -> None:
        super().__init__(f'{status}: "{words}"' if words else str(status))
        self.status = status
        self.words = words


class Cause(Enum):
    """Why a try failed, although the next one may succeed."""

    LIMITED = "Streak's rate limit (429)"
    STREAK = "Streak itself: its own error, or no answer in time"
    CROWDED = "answers under way used up the memory set aside for them"
    OTHER = "the network, or an answer that cannot be used"


class RetryableFailure(Exception):
    """A try failed, but the next one may succeed."""

    def __init__(self, sentence: str, cause: Cause = Cause.OTHER) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.cause = cause


class Level(Enum):
    """What rows belong to, or where a request was refused: the deeper, the less a refusal means."""

    ACCOUNT = "account"
    TEAM = "team"
    PIPELINE = "pipeline"
    BOX = "box"
    CONTACT = "contact"
    ORGANIZATION = "organization"


class Reason(Enum):
    """Why something is not read: the rows of the table at the top of this module."""

    NO_ACCESS = "no access"
    GONE = "gone"
    RETIRED = "retired"
    OTHER = "other"
    UNANSWERED = "unanswered"


class Action(Enum):
    """What to do about a refusal."""

    FAIL = "end the stream with the sentence"
    DOUBT_KEY = "ask users/me whether the key works; if so, it may not see this one thing"
    SKIP = "go on without this one, and ask again at the end"
    GONE = "the box was deleted meanwhile: go on without it"


REFUSALS: dict[Reason, tuple[Action, Action, Action]] = {
    #                   top               list              child
    Reason.NO_ACCESS: (Action.DOUBT_KEY, Action.DOUBT_KEY, Action.DOUBT_KEY),
    Reason.GONE: (Action.FAIL, Action.SKIP, Action.GONE),
    Reason.RETIRED: (Action.FAIL, Action.FAIL, Action.FAIL),
    Reason.OTHER: (Action.FAIL, Action.FAIL, Action.SKIP),
    Reason.UNANSWERED: (Action.FAIL, Action.FAIL, Action.SKIP),
}
COLUMNS = {Level.ACCOUNT: 0, Level.TEAM: 1, Level.PIPELINE: 1}  # all others: 2, a child


def reason_of(refusal: Refused | Unanswered) -> Reason:
    """The row of the table that a refusal belongs to."""
    if isinstance(refusal, Unanswered):
        return Reason.UNANSWERED
    if refusal.status in (401, 403):
        return Reason.NO_ACCESS
    if refusal.status == 404 or (refusal.status == 400 and KEY_ISSUE in refusal.words):
        return Reason.GONE
    return Reason.RETIRED if refusal.status == 410 else Reason.OTHER


def action(refusal: Refused | Unanswered, level: Level) -> Action:
    """What the table says. `level`: what the refused list belongs to; ACCOUNT: a top-level list."""
    return REFUSALS[reason_of(refusal)][COLUMNS.get(level, 2)]


def failure(refusal: Refused | Unanswered, what: str) -> StreakError:
    """The error that ends a stream; `what` names what was requested ("the list of pipelines")."""
    if isinstance(refusal, Unanswered):
        sentence = f"{what[0].upper()}{what[1:]} could not be read. {refusal.sentence}"
        return StreakError(sentence, refusal.failure)
    if reason_of(refusal) is Reason.RETIRED:
        return StreakError(
            f"Streak has retired the endpoint for {what} ({refusal}). Please update this "
            "connector: this version can no longer read this stream."
        )
    if reason_of(refusal) is Reason.NO_ACCESS:
        return StreakError(
            f"Streak does not let this API key read {what} ({refusal}), although the key itself "
            "is valid. Give its owner access in Streak, or use another user's key. "
            f"{NEW_KEY}.",
            "config_error",
        )
    if 300 <= refusal.status < 400:
        return StreakError(
            f"The request for {what} was redirected to another address ({refusal}). "
            "Redirects are not followed, because they would carry the API key along. "
            "A proxy or gateway is answering in Streak's place: let api.streak.com through."
        )
    return StreakError(
        f"Streak refused the request for {what} ({refusal}). "
        "Please report this to the connector's developers."
    )


def skipped(what: str, problems: Mapping[str, Refused | StreakError]) -> StreakError:
    """The error for pipelines or teams, by name, that are listed but could not be read.

    All others were read, but the stream is incomplete.
    """
    refused = {name: one for name, one in problems.items() if isinstance(one, Refused)}
    failed = {name: one for name, one in problems.items() if isinstance(one, StreakError)}
    sentences = []
    if refused:
        it = "it" if len(refused) == 1 else "them"
        way_out = f', or leave {it} out: name the pipelines to read in the setting "Pipelines"'
        sentences.append(
            f"Streak lists the {_several(what, refused)} but does not let this API key read {it} "
            f"({next(iter(refused.values()))}). Give the key's owner access to {it} in Streak"
            f"{way_out if what == 'pipeline' else ''}."
        )
    if failed:
        first = next(iter(failed.values()))
        sentences.append(f"The {_several(what, failed)} could not be read. {first.sentence}")
    sentences.append("Everything else was read.")
    failure = "config_error" if refused else next(iter(failed.values())).failure
    return StreakError(" ".join(sentences), failure)


def unknown_pipelines(unknown: Iterable[str], there_are: Iterable[Any]) -> StreakError:
    """The error for pipelines that the settings name and the key does not see."""
    names = _quoted(there_are) or "none"
    return StreakError(
        f'The setting "Pipelines" names {_quoted(unknown)}, which this API key does not see. '
        f"The pipelines that it sees: {names}.",
        "config_error",
    )


def endless_list(path: str) -> StreakError:
    """The error for a short list that does not end."""
    sentence = f"Streak says that {path} has more pages, but sends nothing new. Try again later."
    return StreakError(sentence, "transient_error")


def empty_list(counted: int) -> StreakError:
    """The error for a box list that is empty although Streak counts boxes in it."""
    return StreakError(
        f"Streak counts {counted:,} boxes in it, but returned an empty list twice.",
        "transient_error",
    )


def rows_missing(
    what: str, noun: str, count: int, last: Refused | Unanswered | None
) -> StreakError:
    """The error for a full refresh without the rows of some boxes.

    If it succeeded, the destination would erase their rows.
    """
    later = isinstance(last, Unanswered)
    answer = last.sentence if isinstance(last, Unanswered) else f"Streak's last answer was {last}."
    return StreakError(
        f"The {what} of {count:,} {noun} could not be read, even on a second try. {answer} "
        "Everything else was read. A full refresh without them would erase their rows, so it "
        "counts as failed. An incremental sync keeps their rows, goes on, and asks again.",
        "transient_error" if later else "system_error",
    )


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _several(what: str, problems: Mapping[str, object]) -> str:
    """For example: pipeline "Sales"; pipelines "Sales" and "Hiring"."""
    names = " and ".join(f'"{name}"' for name in problems)
    return f"{what}{'s' if len(problems) > 1 else ''} {names}"


class Refusals:
    """Counts how the requests of one stream fare.

    A single refused box is set aside, but many refusals mean that the whole endpoint fails.
    """

    WITHOUT_SUCCESS = 20
    SHARE = 0.1
    AT_LEAST = 3

    def __init__(self, what: str) -> None:
        self._what = what
        self._last: Refused | Unanswered | None = None
        self.answered = self.gone = self.set_aside = 0
        self.delivered = 0  # answered in an earlier sync, and not requested now

    def note(self, refusal: Refused | Unanswered, decided: Action | None) -> None:
        """Count one refusal. Raises StreakError when there are too many to be single boxes."""
        self._last = refusal
        self.gone += decided is Action.GONE
        self.set_aside += decided is not Action.GONE
        self.check()

    def note_again(
        self, refusals: Sequence[Refused | Unanswered], level: Level
    ) -> list[Refused | Unanswered]:
        """Recount with what is still refused when it is asked for again at the stream's end.

        Returns the refusals that do not mean that a box is gone. Raises as `note` does.
        """
        still = [one for one in refusals if action(one, level) is not Action.GONE]
        self.set_aside, self.gone = len(still), len(refusals) - len(still)
        self.check(at_end=True)
        return still

    def check(self, at_end: bool = False) -> None:
        """Raise StreakError for too many refusals. Before the end, a few requests prove nothing."""
        if self._last and (self._hopeless(at_end) or self._too_many(at_end)):
            later = isinstance(self._last, Unanswered) and self._last.failure == "transient_error"
            said = getattr(self._last, "sentence", f"Streak's last answer was {self._last}.")
            raise StreakError(
                f"{self._refused:,} of {self._asked:,} requests for {self._what} failed: "
                f"too many to blame on single boxes. {said}",
                "transient_error" if later else "system_error",
            )

    @property
    def _refused(self) -> int:
        return self.gone + self.set_aside

    @property
    def _asked(self) -> int:
        return self._refused + self.answered

    def _hopeless(self, at_end: bool) -> bool:
        """Whether no request at all was answered."""
        told = self._refused >= self.WITHOUT_SUCCESS or (at_end and not self.delivered)
        return bool(self._refused) and not self.answered and told

    def _too_many(self, at_end: bool) -> bool:
        """Whether more than a tenth was refused.

        It takes 3 set aside, or 20 with those that are gone: boxes are deleted all the time.
        """
        several = self.set_aside >= self.AT_LEAST or self._refused >= self.WITHOUT_SUCCESS
        share = self._refused > (self._asked + self.delivered) * self.SHARE
        return several and share and (at_end or self._asked >= self.WITHOUT_SUCCESS / self.SHARE)


def unusable(status: int, content_type: str, body: bytes) -> str:
    """The sentence for an answer that is not of the expected kind."""
    if body[:100].lstrip()[:1] == b"<" or "html" in content_type:
        return (
            f"Streak's address answered {status} with a web page instead of data: "
            "a proxy or a login page stands between here and Streak."
        )
    return UNEXPECTED


def words(body: bytes, hide: Callable[[str], str] = str) -> str:
    """Streak's own words about a refusal, at most 300 characters.

    Empty for HTML, an empty body and anything unreadable. Leaves out what may name a box or a
    person (addresses, text in quotes, keys but for their last 6 letters), and replaces the secrets
    that `hide` knows.
    """
    try:
        parsed = orjson.loads(body)
    except ValueError:
        return ""
    said = parsed.get("error") or parsed.get("message") or "" if isinstance(parsed, dict) else ""
    line = "".join(filter(str.isprintable, " ".join(str(said).split())))
    public = NAMES.sub("…", hide(line))
    return LONG_KEY.sub(lambda key: f"…{key[0][-6:]}", public)[:WORDS_AT_MOST]
