"""The HTTP session: it reads answers as they arrive, within limits of time and size.

Only this module and client.py know requests and urllib3.
"""

from __future__ import annotations

import io
import re
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.client import HTTPResponse
from importlib.metadata import version
from itertools import takewhile
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from source_streak.api.clock import Clock
from source_streak.api.errors import Cause, RetryableFailure, StreakError, TooLarge

Response = requests.Response  # for other modules, which do not import requests

TIMEOUT = (5.0, 60.0)  # seconds to connect, and of silence in an answer
SLOWEST = 1_000  # bytes a second, unpacked, that an answer has to bring after its first minute
PIECE = 65_536  # bytes read or unpacked at a time, at most
CONNECTIONS = 40
ROOM = 256 * 2**20  # bytes, unpacked, of all answers under way together
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
PACKED = ("gzip", "x-gzip", "deflate")


class Dripping(requests.exceptions.ReadTimeout):
    """An answer arrives too slowly, although it never pauses for long."""


class Crowded(requests.exceptions.RequestException):
    """An answer had to make room for those that came before it."""


DAMAGED = "An answer from Streak arrived damaged."
UNREACHABLE: tuple[tuple[type[Exception], Cause, str], ...] = (
    # The first match counts: requests' classes inherit from each other.
    (
        requests.exceptions.SSLError,
        Cause.OTHER,
        "Streak's certificate could not be verified: something between here and Streak is "
        "answering in its place, or this machine's list of trusted authorities is out of date.",
    ),
    (
        requests.exceptions.ConnectTimeout,
        Cause.STREAK,
        "Could not connect to Streak within 5 seconds.",
    ),
    (
        Dripping,
        Cause.STREAK,
        "An answer from Streak arrived too slowly, at less than 1 KB a second, and was given up.",
    ),
    (
        Crowded,
        Cause.CROWDED,
        "Answers from Streak that arrived together needed more memory than is set aside for them.",
    ),
    (
        requests.exceptions.ReadTimeout,
        Cause.STREAK,
        "Streak did not answer within 60 seconds.",
    ),
    (
        requests.exceptions.ChunkedEncodingError,
        Cause.OTHER,
        "The connection to Streak broke off in the middle of an answer.",
    ),
    (requests.exceptions.InvalidHeader, Cause.OTHER, DAMAGED),
    (requests.exceptions.ContentDecodingError, Cause.OTHER, DAMAGED),
    (
        requests.exceptions.ConnectionError,
        Cause.OTHER,
        "The connection to Streak was refused or broke off.",
    ),
)
NO_PROXY = "The proxy on the way to Streak could not be used."
PROXY_REFUSED = "The proxy on the way to Streak refused to forward the request ({})."
PROXY_SAID = re.compile(r"Tunnel connection failed: (\d{3})")
NO_SUCH_NAME = (
    "Streak's host name could not be resolved: this machine has no network, "
    "or its DNS does not work."
)


def trouble(problem: Exception) -> RetryableFailure | StreakError:
    """Why a request got no answer: RetryableFailure (network) or StreakError (settings here)."""
    if isinstance(problem, requests.exceptions.RequestException):
        if known := unreachable(problem):
            return known
    elif isinstance(problem, OSError):
        return StreakError(
            "The file of trusted authorities in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE cannot be "
            "read: correct the variable, or remove it.",
            "config_error",
        )
    return StreakError(  # quotes nothing: a proxy's address may hold a password
        "The proxy in HTTPS_PROXY or ALL_PROXY, or the address in STREAK_API_URL, cannot be used: "
        "it is malformed, or of a kind that is not supported, such as SOCKS.",
        "config_error",
    )


def unreachable(problem: requests.exceptions.RequestException) -> RetryableFailure | None:
    """Why a sent request got no answer; None if it could not even be sent."""
    if isinstance(problem, requests.exceptions.ProxyError):
        # It may wrap another kind of failure, but then that is the proxy's.
        said = PROXY_SAID.search(repr(problem))
        return RetryableFailure(PROXY_REFUSED.format(said[1]) if said else NO_PROXY)
    if "NameResolutionError" in repr(problem) or isinstance(problem.__context__, socket.gaierror):
        return RetryableFailure(NO_SUCH_NAME)
    found = (row for row in UNREACHABLE if isinstance(problem, row[0]))
    return next((RetryableFailure(sentence, cause) for _, cause, sentence in found), None)


class Room:
    """Limits how many bytes of answers are held at a time, from arrival until they are used."""

    def __init__(self, size: int = ROOM) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._held: dict[object, int] = {}  # by answer; the oldest first
        self._waiting: dict[object, int] = {}  # by answer: the bytes it waits for

    def take(self, holder: object, size: int) -> None:
        """Take this many more bytes, once there is room that no older answer waits for.

        Raises TooLarge if one answer needs more than all the room, and Crowded if all answers wait
        for each other: then the oldest goes on, and the others start anew.
        """
        with self._changed:
            held = self._held.setdefault(holder, 0) + size
            if held > self._size:
                raise TooLarge(self._size)
            if self._is_full(size) or self._older_waits(holder):
                self._wait_for(holder, size)
            self._held[holder] = held

    def give_back(self, holder: object) -> None:
        """Give back all that `holder` has taken. May be called twice."""
        with self._changed:
            self._held.pop(holder, None)
            self._changed.notify_all()

    def _wait_for(self, holder: object, size: int) -> None:
        self._waiting[holder] = size
        self._changed.notify_all()  # so that the others see whether all wait now
        try:
            while self._is_full(size) or self._older_waits(holder):
                if self._stuck() and holder != next(iter(self._held)):
                    raise Crowded
                self._changed.wait()
        finally:
            del self._waiting[holder]
            self._changed.notify_all()

    def _is_full(self, size: int) -> bool:
        return sum(self._held.values()) + size > self._size

    def _older_waits(self, holder: object) -> bool:
        older = takewhile(lambda other: other != holder, self._held)
        return any(other in self._waiting for other in older)

    def _stuck(self) -> bool:
        """Whether all answers wait for each other, the oldest included."""
        all_wait = len(self._waiting) == len(self._held)
        return all_wait and self._is_full(self._waiting[next(iter(self._held))])


class Body:
    """The body of an answer, in place of urllib3's: requests reads `stream`, then closes it.

    Holds its room until the Response is closed, and keeps what client.py has parsed.
    """

    def __init__(self, raw: Any, room: Room, clock: Clock) -> None:
        self._raw, self._room, self._clock = raw, room, clock
        self.parsed: list[Any] = []  # holds the JSON, once it has been parsed
        self.nul_characters = 0  # removed from it

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """Yield the whole body at once. Raises exceptions of requests, and TooLarge."""
        whole = io.BytesIO()
        with ExitStack() as unfinished:
            unfinished.callback(self.close)
            for piece in self._pieces():
                whole.write(piece)
            unfinished.pop_all()
        yield whole.getvalue()

    def _pieces(self) -> Iterator[bytes]:
        size, began = 0, self._clock.monotonic()
        for piece in _unpacked(self._raw):
            now = self._clock.monotonic()
            if now - began > TIMEOUT[1] + size / SLOWEST:
                raise Dripping
            if piece:
                self._room.take(self, len(piece))
                size += len(piece)
                began += self._clock.monotonic() - now  # waiting for room is not dripping
                yield piece

    def close(self) -> None:
        """Close the connection, free the room. If all was read, requests calls `release_conn`."""
        self._raw.close()
        self._room.give_back(self)

    def release_conn(self) -> None:
        """Keep the connection for the next request, as urllib3 does, and free the room."""
        self._raw.release_conn()
        self._room.give_back(self)


def _unpacked(raw: Any) -> Iterator[bytes]:
    """Yield the body in pieces of bounded size, empty ones if nothing could be unpacked yet.

    urllib3 is not used for this: it reads on, without a look at the clock, until something comes.
    """
    encoding = raw.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in PACKED:
        yield from _wire(raw)
        return
    unpacker = zlib.decompressobj(ZLIB_OR_GZIP)
    packed = b""
    try:
        for packed in _wire(raw):
            rest = packed
            while rest:
                yield unpacker.decompress(rest, PIECE)
                rest = unpacker.unconsumed_tail
                if unpacker.eof and (rest := unpacker.unused_data):
                    unpacker = zlib.decompressobj(ZLIB_OR_GZIP)  # gzip with several members
    except zlib.error as damage:
        raise requests.exceptions.ContentDecodingError from damage
    if packed and not unpacker.eof:
        raise requests.exceptions.ChunkedEncodingError


def _wire(raw: Any) -> Iterator[bytes]:
    """Yield the bytes as they arrive, still packed."""
    try:
        while piece := raw.read1(PIECE, decode_content=False):
            yield piece
    except urllib3.exceptions.ReadTimeoutError as silence:
        # requests would report a connection that broke off
        raise requests.exceptions.ReadTimeout from silence


class Incoming(io.RawIOBase):
    """The bytes of a connection. `until`: the deadline, in seconds of the clock, or None."""

    def __init__(self, wire: Any, clock: Clock, until: float | None) -> None:
        self._wire, self._clock, self.until = wire, clock, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Like a socket's, but raises TimeoutError past the deadline."""
        size: int | None = self._wire.readinto(buffer)
        if self.until is not None and self._clock.monotonic() > self.until:
            raise TimeoutError
        return size

    def close(self) -> None:
        self._wire.close()
        super().close()


class Answer(HTTPResponse):
    """An answer whose head has to arrive within two minutes; Body takes care of the body."""

    def __init__(self, clock: Clock, connection: socket.socket, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        wire: Any = self.fp
        self._incoming = Incoming(wire.detach(), clock, clock.monotonic() + 2 * TIMEOUT[1])
        self.fp = io.BufferedReader(self._incoming)

    def begin(self) -> None:
        super().begin()
        self._incoming.until = None


class _Watched:
    """Reports when a request is written: a handshake may come between its slot and that moment.

    Limits the time for the head of the answer, too.
    """

    def __init__(
        self, on_the_wire: Callable[[], None], clock: Clock, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._on_the_wire = on_the_wire
        self.response_class: Any = partial(Answer, clock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)  # type: ignore[misc]
        self._on_the_wire()


class WatchedConnection(_Watched, HTTPConnection):
    """A plain-text connection, to the sandbox on this machine."""


class WatchedTlsConnection(_Watched, HTTPSConnection):
    """An encrypted connection."""


class StreamingAdapter(HTTPAdapter):
    """Gives answers a bounded Body; requests itself reads to the end, however long and large.

    `on_the_wire` is called when a request has been written.
    """

    def __init__(self, on_the_wire: Callable[[], None], room: Room, clock: Clock) -> None:
        super().__init__(pool_connections=1, pool_maxsize=CONNECTIONS)
        self._room, self._clock = room, clock
        self._connections: dict[str, Any] = {
            # ignore-https-check: loopback only
            "http": partial(WatchedConnection, on_the_wire, clock),
            "https": partial(WatchedTlsConnection, on_the_wire, clock),
        }

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = self._connections[pool.scheme]
        return pool

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        response = super().send(request, *args, **kwargs)
        if response.status_code < 200:
            # The real answer follows: the next request on this connection would get it.
            response.raw.close()
            raise requests.exceptions.ChunkedEncodingError
        # requests would parse this address, which may be malformed, although it is not followed.
        response.headers.pop("Location", None)
        response.raw = Body(response.raw, self._room, self._clock)
        return response


class NoProxyAdapter(StreamingAdapter):
    """Connects to this machine itself, past any proxy that the environment names.

    A proxy would be another host, which would receive the key unencrypted.
    """

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        return super().send(request, *args, **{**kwargs, "proxies": {}})


def session(
    api_key: str, on_the_wire: Callable[[], None], room: Room, clock: Clock
) -> requests.Session:
    """A session for all threads, with the API key as user name, and no password.

    https://streak.readme.io/reference/authentication
    """
    made = requests.Session()
    made.auth = (api_key, "")
    made.headers["User-Agent"] = f"source-streak/{version('airbyte-source-streak')}"
    made.headers["Accept"] = "application/json, text/markdown;q=0.9, text/plain;q=0.8"
    made.headers["Accept-Encoding"] = "gzip"
    made.mount("https://", StreamingAdapter(on_the_wire, room, clock))
    # config.py allows this on loopback only, for the sandbox
    made.mount("http://", NoProxyAdapter(on_the_wire, room, clock))  # ignore-https-check
    return made
