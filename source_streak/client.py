"""How anything is asked of Streak: authenticated, paced, with patience, and silent about what it carries.

https://streak.readme.io/reference/authentication: HTTP Basic, the API key as user name and no password.
"""

from __future__ import annotations

import base64
import logging
import math
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
import pendulum
import requests
import urllib3
from airbyte_cdk.sources.streams.call_rate import LimiterSession
from airbyte_cdk.sources.streams.http import HttpClient
from airbyte_cdk.sources.streams.http.error_handlers import ErrorHandler, ErrorResolution, ResponseAction
from airbyte_cdk.utils.airbyte_secrets_utils import add_to_secrets, filter_secrets

from source_streak import errors
from source_streak.budget import Budget
from source_streak.config import Config
from source_streak.errors import Refused, Unanswered
from source_streak.paging import WrongShape

T = TypeVar("T")
LOGGER = logging.getLogger("airbyte.client")

TIMEOUT = (5.0, 60.0)  # seconds to connect, and of silence in an answer
SLOWEST = 1_000  # bytes a second, of an answer that takes longer than that: a byte now and then is no silence
PIECE = 65_536  # bytes read at a time, at most
SENDING = {"timeout": TIMEOUT, "allow_redirects": False}  # a redirect would carry the key elsewhere
PATIENCE = 300.0  # seconds of failing before a request is given up
SHORT_PATIENCE = 15.0  # the same for `check`, where a person waits, and once Streak is known to be down
LONGEST_WAIT = 20.0  # seconds between two tries
MOST_LIMITED = 12  # 429s in a row for one request: then Streak is not busy but closed to us
ALONE_TRIES, ALONE_ANSWERS = 8, 20  # see Client.ask
CONNECTIONS = 40
SAY_EVERY = 30.0  # seconds
KEY = re.compile(r"[A-Za-z0-9_=-]+")
# One half of a pair of escapes, which stand for one letter; the first group: what is none.
HALF = re.compile(rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Client:
    """One key's line to Streak, shared by all streams and threads of a sync."""

    def __init__(self, config: Config, hurried: bool = False) -> None:
        """`hurried`: a person waits, so nothing is waited for that takes longer than 15 seconds."""
        encoded = base64.b64encode(f"{config.api_key}:".encode()).decode()
        for secret in (config.api_key, encoded):
            for form in (secret, quote(secret), quote(secret, safe="")):
                add_to_secrets(form)
        self.url = config.api_url
        self.budget = Budget(config.requests_per_second)
        self.threads = max(8, 2 * config.requests_per_second)  # Little's law: holds the rate up to 2 s of latency
        self.pool = ThreadPoolExecutor(self.threads, "streak-request")
        self._hurried = hurried
        self._patience = SHORT_PATIENCE if hurried else PATIENCE
        self.down = False  # a request was given up, and none has been answered since
        self._closed = False  # the same, because of nothing but 429s
        self._answers = 0
        self._said = float("-inf")
        self._facts = threading.Lock()
        self._reading = threading.Lock()  # one parsed page at a time: it takes seven times the room of its JSON
        # Disabled: the framework's own client would log addresses and bodies, which name boxes and people.
        quiet = logging.getLogger("source_streak.http")
        quiet.disabled = True
        self.http = HttpClient(
            name="streak",
            logger=quiet,
            error_handler=AsItCame(),
            session=_session(config.api_key, self.budget),
            disable_retries=True,  # ask() has the patience: it knows what a failure means
        )

    def get(self, path: str, params: dict[str, Any]) -> requests.Response:
        """One request for the endpoint `path`; no patience."""
        return self.http.send_request("GET", self.url + path, request_kwargs=SENDING, params=params)[1]

    def ask(
        self,
        send: Callable[[], requests.Response],
        read: Callable[[Any], T],
        alone: bool = False,
        patience: float | None = None,
    ) -> T:
        """Send until there is a usable answer, and return what `read` makes of its JSON (WrongShape: not usable).

        Raises Refused for a status that asking again would not change, Unanswered when the patience (seconds of failing;
        0: one try) is used up.  With `alone`, for a request that must not hold up its neighbours: also when this one
        alone goes on failing, 8 times in a row, while at least 20 others were answered.
        """
        patience = self._patience if patience is None else patience
        tries = limited = 0
        failing = 0.0
        answers = self._answers
        while True:
            started = time.monotonic()
            try:
                response = send()
                with self._reading:
                    result = read(_usable(response))
            except Refused:
                self._note(answered=True)
                raise
            except OSError as problem:  # not of the network: AsItCame has made those an Again
                raise errors.unsendable(problem) from problem
            except (Again, WrongShape) as problem:
                failure = problem if isinstance(problem, Again) else Again(errors.UNEXPECTED)
            else:
                self._note(answered=True)
                return result
            tries, limited = tries + 1, limited + failure.limited
            most_limited = 1 if self._closed else MOST_LIMITED
            pause = self.budget.pause if failure.limited else 0.0
            too_long = self._hurried and failing + pause >= patience
            if failure.limited and limited < most_limited and not too_long:
                failing += pause if self._hurried else 0.0
                continue  # the budget makes everybody wait
            failing += min(time.monotonic() - started, sum(TIMEOUT))  # the rest was a pause that Streak had asked for
            enough = min(patience, SHORT_PATIENCE) if self.down else patience
            others_fare_better = alone and tries >= ALONE_TRIES and self._answers - answers >= ALONE_ANSWERS
            if failing >= enough or others_fare_better or limited >= most_limited or too_long:
                self._note(answered=False, closed=limited >= most_limited)
                until = f" It asks to wait for {_in_words(pause)}." if pause else ""
                raise Unanswered(failure.sentence + until, tries, _in_words(failing))
            self._say(failure.sentence)
            wait = min(2.0 ** (tries - 1), LONGEST_WAIT) * random.uniform(0.5, 1.0)  # noqa: S311 # jitter, not a secret
            wait = min(wait, enough - failing)
            failing += wait
            time.sleep(wait)

    def _say(self, sentence: str) -> None:
        """In the log, at most every half minute: what is being waited for."""
        with self._facts:
            if time.monotonic() - self._said < SAY_EVERY:
                return
            self._said = time.monotonic()
        LOGGER.warning("%s Trying again.", sentence)

    def _note(self, answered: bool, closed: bool = False) -> None:
        with self._facts:
            self._answers += answered
            self.down, self._closed = not answered, closed


class Again(Exception):
    """A try that failed in a way that may pass."""

    def __init__(self, sentence: str, limited: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.limited = limited


class AsItCame(ErrorHandler):
    """Hands every answer and every exception on to Client.ask, where errors.py says what they mean."""

    @property
    def max_retries(self) -> int:
        return 0

    @property
    def max_time(self) -> int:
        return 0

    def interpret_response(self, response_or_exception: requests.Response | Exception | None = None) -> ErrorResolution:
        if isinstance(response_or_exception, requests.exceptions.RequestException):
            sentence = errors.unreachable(response_or_exception)
            if sentence is None:
                raise response_or_exception
            raise Again(sentence) from response_or_exception
        return ErrorResolution(ResponseAction.SUCCESS)


class Line(urllib3.connection.HTTPConnection):
    """A connection that says when a request has been written: between its turn and that, a handshake may lie."""

    on_the_wire: Callable[[], None]

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        self.on_the_wire()


class Steady(requests.adapters.HTTPAdapter):
    """Reads answers as they come, and gives up one that drips; requests would wait for its end, however long.

    `on_the_wire` is called when a request has been written.
    """

    def __init__(self, on_the_wire: Callable[[], None]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=CONNECTIONS)
        self._on_the_wire = on_the_wire

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls, Line):
            pool.ConnectionCls = type("Line", (Line, pool.ConnectionCls), {"on_the_wire": staticmethod(self._on_the_wire)})
        return pool

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(request, *args, **kwargs)
        raw: Any = response.raw
        if response.status_code < 200:  # the answer proper follows: on this line the next request would get it
            raw.close()
            raise requests.exceptions.ChunkedEncodingError
        raw.stream = partial(_pieces, raw)
        return response


class Session(LimiterSession):
    """The framework's, with its budget."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere: requests would look at the address, which may be unreadable, although it is not to go there."""


class Direct(Steady):
    """To this machine itself, past any proxy of the environment: that would be another host, to which the key went unencrypted."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, *args, **{**kwargs, "proxies": {}})


def path_of(endpoint: str, keys: Mapping[str, Any]) -> str:
    """The endpoint with the keys in its braces. They must look like keys (URL-safe base64), so that none can lead elsewhere."""
    if not all(KEY.fullmatch(str(key)) for key in keys.values()):
        raise Refused(400, f"not a key, {errors.KEY_ISSUE}")
    return endpoint.format(**keys)


def _session(api_key: str, budget: Budget) -> requests.Session:
    session = Session(api_budget=budget)
    session.auth = (api_key, "")
    session.headers["User-Agent"] = f"source-streak/{version('airbyte-source-streak')}"
    session.headers["Accept"] = "application/json"
    for scheme in ("https://", "http://"):  # ignore-https-check: for the sandbox; config.py lets it be used on loopback alone
        adapter = Steady if scheme == "https://" else Direct
        session.mount(scheme, adapter(budget.on_the_wire))
    return session


def _pieces(raw: Any, *_: Any, **__: Any) -> Iterator[bytes]:
    """The body of an answer. Raises requests' ReadTimeout for silence in it, and errors.Dripping."""
    size, began = 0, time.monotonic()
    try:
        while piece := raw.read1(PIECE, decode_content=True):
            yield piece
            size += len(piece)
            if time.monotonic() - began > TIMEOUT[1] + size / SLOWEST:
                raw.close()
                raise errors.Dripping
    except urllib3.exceptions.ReadTimeoutError as silence:  # requests would call it a connection that broke off
        raise requests.exceptions.ReadTimeout from silence


def _usable(response: requests.Response) -> Any:
    """The JSON of an answer."""
    status = response.status_code
    if status == 429:
        raise Again("Streak's limit of requests was exceeded (429).", limited=True)
    if status == 408 or status >= 500:
        raise Again(f"Streak answered with an error of its own ({status}).")
    if not 200 <= status < 300:
        raise Refused(status, errors.words(response.content, filter_secrets))
    try:
        return _parsed(response.content)
    except ValueError:
        raise Again(errors.unusable(status, response.headers.get("Content-Type", ""), response.content)) from None


def _parsed(content: bytes) -> Any:
    """JSON. Raises ValueError for what is none, and for what is nested too deeply to be written out again.

    Half an emoji (a text that was cut within one) and bytes that are no letter become a �: they must not cost the whole page.
    """
    try:
        parsed = orjson.loads(content)
    except ValueError:
        parsed = orjson.loads(HALF.sub(lambda found: found[1] or rb"\ufffd", content).decode(errors="replace"))
    try:
        orjson.dumps([[[[[[[[parsed]]]]]]]])  # with room for what records and messages put around it
    except TypeError as error:
        raise ValueError(str(error)) from error
    return parsed


def _in_words(seconds: float) -> str:
    return pendulum.duration(seconds=max(1, math.ceil(seconds))).in_words()
