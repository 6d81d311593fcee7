"""What a refusal means: every sentence that a user may read about Streak's answers, in one table.

    answer                    check, top-level list   a pipeline's or team's list   a box's child
    401, 403                  the key is wrong        ask users/me, then skip       ask users/me, then set aside
    404, 400 with key issue   fail                    skip                          the box is gone
    410                       fail: retired           fail: retired                 fail: retired
    other 4xx (and 3xx)       fail                    fail                          set aside
    retries used up           fail, try later         fail, try later               set aside

Pure: knows neither the framework nor a session.  Source of the statuses: https://streak.readme.io/reference/error-codes
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum

import orjson
import requests

KEY_ISSUE = "usually a key issue"
WORDS_AT_MOST = 300
NAMES = re.compile(r"""\S+@\S+|"[^"]*"|“[^”]*”|(?<!\w)'[^']*'(?!\w)""")
LONG_KEY = re.compile(r"[A-Za-z0-9_-]{24,}")  # keys hold mail domains and addresses
NEW_KEY = "Make a new key in Gmail > Streak > Integrations > Custom integrations > Create new key"


class StreakError(Exception):
    """Ends a stream or a check with a sentence for its user.

    `failure` is the protocol's word for who can mend it: config_error (the user), transient_error (time),
    system_error (the connector's developers).
    """

    def __init__(self, sentence: str, failure: str = "system_error") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.failure = failure


class WrongKey(StreakError):
    """Streak knows no such key: nothing else needs to be asked in this sync."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(
            f"Streak refused this API key ({refusal}). {NEW_KEY}, and put it into this connection's settings.",
            "config_error",
        )


class Unanswered(StreakError):
    """Asked again and again until the patience was used up."""

    def __init__(self, last: str, tries: int, time: str) -> None:
        super().__init__(
            f"{last} Tried {tries} time{'s' if tries > 1 else ''} in {time}, then given up. Try again when this has passed.",
            "transient_error",
        )


class Refused(Exception):
    """Streak answered with a status that asking again would not change."""

    def __init__(self, status: int, words: str = "") -> None:
        super().__init__(f'{status}: "{words}"' if words else str(status))
        self.status = status
        self.words = words


class Place(Enum):
    """Where a request was refused: the same status means less the deeper it is."""

    TOP = 0
    LIST = 1
    CHILD = 2


class Action(Enum):
    """What to do about a refusal."""

    FAIL = "the stream ends with the sentence"
    DOUBT_KEY = "ask users/me whether the key still works; if it does, this one thing is not for it to see"
    SKIP = "go on without this one, and ask for it once more at the end"
    GONE = "the box was deleted meanwhile: go on without it"


REFUSALS: dict[str, tuple[Action, Action, Action]] = {
    #             top               list              child
    "no access": (Action.DOUBT_KEY, Action.DOUBT_KEY, Action.DOUBT_KEY),
    "gone": (Action.FAIL, Action.SKIP, Action.GONE),
    "retired": (Action.FAIL, Action.FAIL, Action.FAIL),
    "other": (Action.FAIL, Action.FAIL, Action.SKIP),
    "unanswered": (Action.FAIL, Action.FAIL, Action.SKIP),
}


def kind(refusal: Refused | Unanswered) -> str:
    """The row of the table that a refusal belongs to."""
    if isinstance(refusal, Unanswered):
        return "unanswered"
    if refusal.status in (401, 403):
        return "no access"
    if refusal.status == 404 or (refusal.status == 400 and KEY_ISSUE in refusal.words):
        return "gone"
    return "retired" if refusal.status == 410 else "other"


def action(refusal: Refused | Unanswered, place: Place) -> Action:
    """The table's answer."""
    return REFUSALS[kind(refusal)][place.value]


def failure(refusal: Refused | Unanswered, what: str) -> StreakError:
    """The sentence with which a stream ends; `what` names what was asked for ("the list of pipelines")."""
    if isinstance(refusal, Unanswered):
        return StreakError(f"{what[0].upper()}{what[1:]} could not be read. {refusal.sentence}", refusal.failure)
    if kind(refusal) == "retired":
        return StreakError(
            f"Streak has retired the endpoint for {what} ({refusal}). Please update this connector: "
            "its current version cannot read this stream any more."
        )
    if kind(refusal) == "no access":
        return StreakError(
            f"Streak does not let this API key read {what} ({refusal}), although the key itself is valid. "
            f"Its owner needs access to it in Streak, or another user's key is to be used. {NEW_KEY}.",
            "config_error",
        )
    if 300 <= refusal.status < 400:
        return StreakError(
            f"The request for {what} was sent on to another address ({refusal}). Redirects are not followed, "
            "because they would carry the API key along: a proxy or gateway between here and Streak answers in its place."
        )
    return StreakError(f"Streak refused the request for {what} ({refusal}). Please report this to the connector's developers.")


def skipped(what: str, problems: Mapping[str, Refused | StreakError]) -> StreakError:
    """Pipelines or teams that Streak lists but does not hand out, by name: all others were read, this stream is not whole."""
    refused = {name: problem for name, problem in problems.items() if isinstance(problem, Refused)}
    failed = {name: problem for name, problem in problems.items() if isinstance(problem, StreakError)}
    sentences = []
    if refused:
        it = "it" if len(refused) == 1 else "them"
        way_out = f', or leave {it} out: name the pipelines to read in the setting "Pipelines"' if what == "pipeline" else ""
        sentences.append(
            f"Streak lists the {_several(what, refused)} but does not let this API key read {it} ({next(iter(refused.values()))}). "
            f"Give the key's owner access to {it} in Streak{way_out}."
        )
    if failed:
        sentences.append(f"The {_several(what, failed)} could not be read. {next(iter(failed.values())).sentence}")
    sentences.append("Everything else was read.")
    failure = "config_error" if refused else next(iter(failed.values())).failure
    return StreakError(" ".join(sentences), failure)


def _several(what: str, problems: Mapping[str, object]) -> str:
    """The pipeline "Sales"; the pipelines "Sales" and "Hiring"."""
    return f"{what}{'s' if len(problems) > 1 else ''} " + " and ".join(f'"{name}"' for name in problems)


class Refusals:
    """How the requests of one stream fare: one bad box is set aside, but an endpoint that refuses is no single box."""

    WITHOUT_SUCCESS = 20
    SHARE = 0.1
    AT_LEAST = 3

    def __init__(self, what: str) -> None:
        self._what = what
        self._last: Refused | Unanswered | None = None
        self.answered = self.gone = self.aside = 0
        self.settled = 0  # things that an earlier sync had an answer for, and that need not be asked now

    def note(self, refusal: Refused | Unanswered, decided: Action | None) -> None:
        """Count one. Raises StreakError when these are too many to be single boxes."""
        self._last = refusal
        self.gone += decided is Action.GONE
        self.aside += decided is not Action.GONE
        self.check()

    def check(self, at_end: bool = False) -> None:
        """Raises StreakError when the refusals are too many; at the end of a stream, or while there are enough to tell."""
        refused = self.gone + self.aside
        asked = refused + self.answered
        hopeless = refused and not self.answered and (refused >= self.WITHOUT_SUCCESS or (at_end and not self.settled))
        # Boxes are deleted while they are read, so it takes more of those that are gone than of those that fail.
        several = self.aside >= self.AT_LEAST or refused >= self.WITHOUT_SUCCESS
        too_many = several and refused > (asked + self.settled) * self.SHARE and (at_end or asked >= self.WITHOUT_SUCCESS / self.SHARE)
        if self._last and (hopeless or too_many):
            later = isinstance(self._last, Unanswered)
            answer = self._last.sentence if isinstance(self._last, Unanswered) else f"Streak's last answer was {self._last}."
            raise StreakError(
                f"{refused:,} of {asked:,} requests for {self._what} failed: too many to be a matter of single boxes. {answer}",
                "transient_error" if later else "system_error",
            )


class Dripping(requests.exceptions.ReadTimeout):
    """An answer that never pauses for long, and never ends."""


UNREACHABLE: tuple[tuple[type[Exception], str], ...] = (
    # The first that fits counts: requests' classes inherit from each other.
    (
        requests.exceptions.SSLError,
        "The certificate of Streak's address could not be verified: something between here and Streak answers in its place, "
        "or the list of trusted authorities on this machine is out of date.",
    ),
    (requests.exceptions.ConnectTimeout, "No connection to Streak came about within 5 seconds."),
    (Dripping, "An answer of Streak came so slowly, less than 1 KB a second, that its end was not waited for."),
    (requests.exceptions.ReadTimeout, "Streak did not answer within 60 seconds."),
    (requests.exceptions.ChunkedEncodingError, "The connection to Streak broke off in the middle of an answer."),
    (requests.exceptions.InvalidHeader, "An answer of Streak arrived damaged."),
    (requests.exceptions.ContentDecodingError, "An answer of Streak arrived damaged."),
    (requests.exceptions.ConnectionError, "The connection to Streak was refused or broke off."),
)
NO_PROXY = "The proxy on the way to Streak could not be used."
UNEXPECTED = "Streak answered with something that is not the data expected."
PROXY_SAID = re.compile(r"Tunnel connection failed: (\d{3})")
NO_SUCH_NAME = "The name of Streak's address could not be resolved: this machine has no network, or its DNS does not work."


def unreachable(problem: requests.exceptions.RequestException) -> str | None:
    """The sentence for a request that got no answer; None for one that could not even be sent (a bug of ours)."""
    if isinstance(problem, requests.exceptions.ProxyError):  # may hold the failure of another kind, but then it is the proxy's
        said = PROXY_SAID.search(repr(problem))
        return f"The proxy on the way to Streak refused to pass the request on ({said[1]})." if said else NO_PROXY
    if "NameResolutionError" in repr(problem) or "Name or service not known" in repr(problem):
        return NO_SUCH_NAME
    return next((sentence for cls, sentence in UNREACHABLE if isinstance(problem, cls)), None)


def unsendable(problem: OSError) -> StreakError:
    """For a request that this machine's own settings keep from being sent. Quotes nothing: a proxy's address may hold a password."""
    if isinstance(problem, requests.exceptions.RequestException):
        return StreakError(
            "The proxy that this machine's environment names (HTTPS_PROXY, ALL_PROXY) cannot be used, or else the address in "
            "STREAK_API_URL: it is malformed, or of a kind that is not supported, such as SOCKS.",
            "config_error",
        )
    return StreakError(
        "The trusted authorities that this machine's environment names (REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE) cannot be read.",
        "config_error",
    )


def unusable(status: int, content_type: str, body: bytes) -> str:
    """The sentence for a 200 whose body is not the JSON expected."""
    if body.lstrip()[:1] == b"<" or "html" in content_type:
        return (
            f"Streak's address answered {status} with a web page where data was expected: "
            "a proxy or a login page stands between here and Streak."
        )
    return UNEXPECTED


def words(body: bytes, hide: Callable[[str], str] = str) -> str:
    """What Streak says of a refusal, at most 300 characters; empty for HTML, an empty body and anything unreadable.

    What may name a box or a person (addresses, keys, whatever is in quotes) is left out, and so are the secrets that `hide` knows.
    """
    try:
        parsed = orjson.loads(body)
    except ValueError:
        return ""
    said = parsed.get("error") or parsed.get("message") or "" if isinstance(parsed, dict) else ""
    public = NAMES.sub("…", hide(" ".join(str(said).split())))
    return LONG_KEY.sub(lambda key: f"…{key[0][-6:]}", public)[:WORDS_AT_MOST]
