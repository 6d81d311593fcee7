"""Makes all requests to Streak: authenticated, paced, retried, secrets kept out of messages."""

from __future__ import annotations

import base64
import html
import json
import logging
import math
import random
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

import pendulum
import urllib3

from source_streak.api import errors, transport
from source_streak.api.budget import Budget
from source_streak.api.clock import Clock
from source_streak.api.errors import (
    Cause,
    Refused,
    RetryableFailure,
    TooLarge,
    Unanswered,
)
from source_streak.api.paging import Params, WrongShape
from source_streak.api.parsing import parse_json, takes_more_than, without_nul
from source_streak.api.patience import PATIENCE, SHORT_PATIENCE, Because, GiveUp, Patience, Try
from source_streak.api.transport import Response
from source_streak.config import Config

T = TypeVar("T")
LOGGER = logging.getLogger("airbyte.client")

SAY_EVERY = 30.0  # seconds
MOST_PARSED = 2**30  # bytes of memory that the values of one answer may take
KEY = re.compile(r"[A-Za-z0-9_=-]+")
STREAKS_OWN = f"Streak's status page, {errors.STATUS_PAGE}, may say more. "
TEXT = ("text/markdown", "text/plain")
WEB_PAGE = ("<!doctype html", "<html")


class Client:
    """Makes requests with one API key; shared by all streams and threads of a sync.

    To treat answers differently, override `ask_once` and `judge`, as tools/probing does.
    """

    def __init__(self, config: Config, clock: Clock | None = None, hurried: bool = False) -> None:
        """`hurried`: a person is waiting, so failing requests may take 15 seconds in all."""
        self._clock = clock or Clock()
        self.secrets = forms_of(config.api_key)
        self.url = config.api_url
        self.budget = Budget(config.requests_per_second, self._clock)
        # Little's law: so many threads keep up the rate at a latency of up to 2 s.
        self.threads = max(8, 2 * config.requests_per_second)
        self.pool = ThreadPoolExecutor(self.threads, "streak-request")
        self.down = False  # a request was given up, and none has been answered since
        self.nul_characters = 0  # removed from texts and keys
        self._closed = False  # down, and only because of 429s
        self._hurried = hurried
        self._failing = 0.0  # seconds of failing, all requests together
        self._answers = 0
        self._said = float("-inf")
        self._facts = threading.Lock()
        self._reading = threading.Lock()  # one page at a time: parsed, it is 7 times as large
        self.session = transport.session(
            config.api_key, self.budget.on_the_wire, transport.Room(), self._clock
        )

    @property
    def rate_limited_until(self) -> int | None:
        """The end of a pause that Streak asked for, in epoch milliseconds; None without one."""
        return self.budget.paused_until

    def get(
        self,
        path: str,
        params: Params,
        read: Callable[[Response], T],
        *,
        alone: bool = False,
        patience: float | None = None,
    ) -> T:
        """Ask until there is a usable answer, and return what `read`, a pure function, makes of it.

        `read` raises WrongShape (or RetryableFailure) if the request is to be repeated. Raises
        Refused for a status that asking again would not change, Unanswered when `patience` (seconds
        of failing; 0: one try) is used up, and StreakError if this machine's settings are at fault.
        `alone`: the request must not hold up its neighbours, so it is also given up (Unanswered)
        when it keeps failing while others are answered.
        """
        left = Patience(self._limit(patience), self._hurried, alone)
        answered_before = self._answers
        while True:
            slot = self.budget.acquire(through_pause=self._hurried)
            try:
                result = self.ask_once(slot, path, params, read)
            except (Refused, TooLarge) as refusal:
                self._note(answered=True)
                raise refusal.with_traceback(None) from None  # its frames hold the answer
            except RetryableFailure as problem:
                failed = self._failed(problem, slot, self._answers - answered_before)
            else:
                self._failing += left.failing
                self._note(answered=True)
                return result
            left, decision = left.after(failed, random.uniform(0.5, 1.0))  # noqa: S311 # no secret
            if isinstance(decision, GiveUp):
                self._failing += left.failing
                self._note(answered=False, closed=decision.because is Because.LIMITED_TOO_OFTEN)
                raise _given_up(failed, left)
            self._say(failed)
            self._clock.sleep(decision.seconds)

    def close(self) -> None:
        """Stop the threads and close the connections: no request follows."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        self.session.close()

    def _limit(self, patience: float | None) -> float:
        """Seconds for which a request may fail. Hurried requests share theirs."""
        if patience is not None:
            return patience
        return max(0.0, SHORT_PATIENCE - self._failing) if self._hurried else PATIENCE

    def ask_once(self, slot: float, path: str, params: Params, read: Callable[[Response], T]) -> T:
        """Make one request in a slot of the budget. Raises as `get` does, and RetryableFailure."""
        connect, silence = transport.TIMEOUT
        try:
            response = self.session.get(
                self.url + path,
                params=params,
                timeout=(self._clock.real(connect), self._clock.real(silence)),
                allow_redirects=False,  # a redirect would carry the key elsewhere
            )
        except (OSError, UnicodeError, urllib3.exceptions.HTTPError) as problem:
            raise transport.trouble(problem) from problem
        try:
            status = response.status_code
            self.budget.note_answer(slot, status, response.headers.get("Retry-After"))
            self.judge(status, response)
            with self._reading:
                return read(response)
        except WrongShape as problem:
            raise RetryableFailure(_unusable(response)) from problem
        finally:
            self._count_nul(response)
            response.close()

    def judge(self, status: int, response: Response) -> None:
        """Raise RetryableFailure or Refused for any status but 2xx."""
        if status == 429:
            raise RetryableFailure("Streak's rate limit was exceeded (429).", Cause.LIMITED)
        if status == 408 or status >= 500:
            raise RetryableFailure(
                f"Streak reported an error on its side ({status}).", Cause.STREAK
            )
        if not 200 <= status < 300:
            raise Refused(status, errors.words(response.content, self._hide))

    def _hide(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "****")
        return text

    def _failed(self, problem: RetryableFailure, slot: float, others: int) -> Try:
        return Try(
            problem.sentence,
            problem.cause,
            took=self._clock.monotonic() - slot,
            pause=self.budget.pause if problem.cause is Cause.LIMITED else 0.0,
            others_answered=others,
            down=self.down,
            closed=self._closed,
        )

    def _say(self, failed: Try) -> None:
        """Log why a request is repeated, at most every half minute. 429s are not logged here."""
        now = self._clock.monotonic()
        with self._facts:
            if failed.cause is Cause.LIMITED or now - self._said < SAY_EVERY:
                return
            self._said = now
        LOGGER.warning("%s Trying again.", failed.sentence)

    def _note(self, answered: bool, closed: bool = False) -> None:
        with self._facts:
            self._answers += answered
            self.down, self._closed = not answered, closed

    def _count_nul(self, response: Response) -> None:
        if found := getattr(response.raw, "nul_characters", 0):
            with self._facts:
                self.nul_characters += found


def json_of(response: Response, parse: Callable[[bytes], Any] = parse_json) -> Any:
    """The JSON of an answer, parsed once. Raises RetryableFailure if it is invalid, or TooLarge."""
    body = response.raw
    if isinstance(body, transport.Body) and body.parsed:
        return body.parsed[0]
    if takes_more_than(MOST_PARSED, response.content):
        raise TooLarge(MOST_PARSED)
    content, nul_characters = without_nul(response.content)
    try:
        parsed = parse(content)
    except ValueError:
        raise RetryableFailure(_unusable(response)) from None
    if isinstance(body, transport.Body):
        body.parsed, body.nul_characters = [parsed], nul_characters
    return parsed


def text_of(response: Response) -> str:
    """The text of an answer (v1/boxes/{boxKey}/md). Raises WrongShape for a web page or JSON."""
    text = response.content.decode("utf-8-sig", errors="replace")
    kind = response.headers.get("Content-Type", "text/plain").lower()
    if not kind.startswith(TEXT) or text.lstrip()[:15].lower().startswith(WEB_PAGE):
        raise WrongShape("a text was expected")
    if isinstance(response.raw, transport.Body):
        response.raw.nul_characters = text.count("\0")
    return text.replace("\0", "")


def path_of(endpoint: str, keys: Mapping[str, Any]) -> str:
    """The endpoint's path, with keys in place of its braces.

    Raises Refused for what does not look like a key (URL-safe base64): it might lead elsewhere.
    """
    if not all(KEY.fullmatch(str(key)) for key in keys.values()):
        raise Refused(400, f"not a key, {errors.KEY_ISSUE}")
    return endpoint.format(**keys)


def forms_of(api_key: str) -> tuple[str, ...]:
    """Every form in which headers, URLs and pages may show the key, longest first."""
    encoded = (base64.b64encode(text.encode()).decode() for text in (api_key, f"{api_key}:"))
    secrets = {api_key, *(text.rstrip("=") for text in encoded)}
    ways = (str, quote, quote_plus, lambda text: quote(text, safe=""), html.escape, _in_json)
    forms = {way(secret) for secret in secrets for way in ways}
    return tuple(sorted(forms, key=lambda form: (-len(form), form)))


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _unusable(response: Response) -> str:
    kind = response.headers.get("Content-Type", "")
    return errors.unusable(response.status_code, kind, response.content)


def _given_up(failed: Try, left: Patience) -> Unanswered:
    asks = f" Streak asks to wait {_in_words(failed.pause)}." if failed.pause else ""
    hint = STREAKS_OWN if failed.cause is Cause.STREAK else ""
    return Unanswered(failed.sentence + asks, left.tries, _in_words(left.failing), hint)


def _in_words(seconds: float) -> str:
    return pendulum.duration(seconds=max(1, math.ceil(seconds))).in_words()
