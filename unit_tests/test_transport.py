"""Responses are bounded in time and size, whatever a server sends."""

from __future__ import annotations

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from clocks import FakeClock
from loopback import deadline, http, serving

from source_streak.api import transport
from source_streak.api.errors import Cause, RetryableFailure, StreakError, TooLarge
from source_streak.api.transport import (
    PIECE,
    TIMEOUT,
    Body,
    Crowded,
    Dripping,
    Room,
    trouble,
    unreachable,
)

BODY = b'{"results": [{"key": "a"}]}' * 100


# --- Room -----------------------------------------------------------------------------------------


def test_a_response_larger_than_all_the_room_is_refused_at_once() -> None:
    room = Room(100)
    room.take("a", 60)

    with pytest.raises(TooLarge):
        deadline(lambda: room.take("a", 41))


def test_responses_that_fill_the_room_exactly_are_accepted() -> None:
    room = Room(100)
    room.take("a", 60)
    room.take("b", 40)


def waiting(room: Room, holder: str, size: int) -> tuple[threading.Thread, list[Any]]:
    """A thread that takes room, and its outcome once it has got it or was sent away."""
    outcome: list[Any] = []

    def take() -> None:
        try:
            room.take(holder, size)
            outcome.append("taken")
        except Crowded:
            room.give_back(holder)
            outcome.append("crowded")

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    time.sleep(0.05)
    return thread, outcome


def test_a_response_waits_for_room_that_another_gives_back() -> None:
    room = Room(100)
    room.take("a", 80)
    thread, outcome = waiting(room, "b", 40)
    assert not outcome, "there was no room for it"

    room.give_back("a")

    thread.join(5)
    assert outcome == ["taken"]


def test_if_responses_wait_for_each_other_the_oldest_goes_on_and_the_others_start_anew() -> None:
    room = Room(100)
    for holder in ("a", "b", "c"):
        room.take(holder, 30)
    threads, outcomes = zip(*(waiting(room, holder, 60) for holder in "cab"), strict=True)
    for thread in threads:
        thread.join(5)

    assert outcomes == (["crowded"], ["taken"], ["crowded"])


def test_a_younger_response_takes_no_room_that_an_older_one_waits_for() -> None:
    room = Room(100)
    room.take("old", 50)
    room.take("busy", 30)
    room.take("young", 1)
    older, taken = waiting(room, "old", 40)
    younger, taken_too = waiting(room, "young", 1)
    assert not taken_too, "there is room, but not for it"

    room.give_back("busy")

    older.join(5)
    younger.join(5)
    assert taken == taken_too == ["taken"]


def test_room_that_is_given_back_twice_counts_once() -> None:
    room = Room(100)
    room.take("a", 100)
    room.give_back("a")
    room.give_back("a")
    room.take("b", 100)

    with pytest.raises(TooLarge):
        room.take("b", 1)


def test_many_responses_never_hold_more_than_the_room_and_all_come_through() -> None:
    room, lock = Room(1000), threading.Lock()
    held = [0]
    most = [0]
    through: list[int] = []

    def answer(number: int) -> None:
        sizes = [(number * 31 + place * 17) % 99 + 1 for place in range(12)]
        while True:
            mine = 0
            try:
                for size in sizes:
                    room.take(number, size)
                    mine += size
                    with lock:
                        held[0] += size
                        most[0] = max(most[0], held[0])
                break
            except Crowded:
                pass
            finally:
                with lock:
                    held[0] -= mine
                room.give_back(number)
        through.append(number)

    threads = [threading.Thread(target=answer, args=(one,), daemon=True) for one in range(40)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 20
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))

    assert sorted(through) == list(range(40))
    assert 500 < most[0] <= 1000


# --- Bodies ---------------------------------------------------------------------------------------


class Wire:
    """Stands in for urllib3's response, and returns these pieces."""

    def __init__(
        self, pieces: Iterator[bytes] | list[bytes], encoding: str = "", clock: Any = None
    ) -> None:
        self.headers = {"Content-Encoding": encoding} if encoding else {}
        self.closed = False
        self._pieces = iter(pieces)
        self._clock = clock

    def read1(self, _: int, decode_content: bool) -> bytes:
        assert decode_content is False
        if self._clock:
            self._clock.go(1)  # each piece takes a second
        return next(self._pieces, b"")

    def close(self) -> None:
        self.closed = True

    def release_conn(self) -> None:
        pass


def read(wire: Wire, room: Room | None = None, clock: FakeClock | None = None) -> bytes:
    (whole,) = Body(wire, room or Room(), clock or FakeClock()).stream(10_240, decode_content=True)
    return whole


def small_pieces(content: bytes, size: int = 7) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


PACKED = {
    "gzip": gzip.compress(BODY, mtime=0),
    "x-gzip": gzip.compress(BODY, mtime=0),
    "GZIP ": gzip.compress(BODY, mtime=0),
    "deflate": zlib.compress(BODY),
    "": BODY,
    "identity": BODY,
    "none-that-is-known": BODY,
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_body_is_unpacked_however_it_is_packed_and_cut(encoding: str, size: int) -> None:
    assert read(Wire(small_pieces(PACKED[encoding], size), encoding)) == BODY


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_body_packed_in_several_parts_is_read_to_its_end(size: int) -> None:
    packed = gzip.compress(BODY[:1000]) + gzip.compress(b"") + gzip.compress(BODY[1000:])

    assert read(Wire(small_pieces(packed, size), "gzip")) == BODY


def test_a_large_body_is_read_whole() -> None:
    noise = (sha256(str(number).encode()).digest() for number in range(10_000))
    content = b"".join(noise) + b"x" * 3_000_000

    assert read(Wire(small_pieces(gzip.compress(content), 5000), "gzip")) == content


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_an_empty_body_is_empty(encoding: str) -> None:
    assert read(Wire([], encoding)) == b""


@pytest.mark.parametrize("cut", [3, 20, -9, -1])
def test_a_packed_body_that_breaks_off_is_not_taken_for_a_whole_one(cut: int) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        read(Wire([PACKED["gzip"][:cut]], "gzip"))


@pytest.mark.parametrize(
    "content", [BODY, b"\x1f\x8b\x08junk", PACKED["gzip"] + b"junk"], ids=["bare", "cut", "more"]
)
def test_a_damaged_packed_body_fails_with_a_decoding_error(content: bytes) -> None:
    with pytest.raises(requests.exceptions.ContentDecodingError):
        read(Wire([content], "gzip"))


def test_a_bomb_is_unpacked_in_small_pieces_and_refused_when_the_room_is_used_up() -> None:
    room = Room(1_000_000)
    wire = Wire([gzip.compress(bytes(50_000_000))], "gzip")
    taken: list[int] = []
    take = room.take

    class Watched(Room):
        def take(self, holder: object, size: int) -> None:
            taken.append(size)
            take(holder, size)

    with pytest.raises(TooLarge):
        read(wire, Watched(1_000_000))
    assert max(taken) <= PIECE
    assert sum(taken) <= 1_000_000 + PIECE
    assert wire.closed


def test_a_response_that_fails_gives_its_room_back() -> None:
    room = Room(len(BODY))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        read(Wire([PACKED["gzip"][:-1]], "gzip"), room)

    assert deadline(lambda: read(Wire([BODY]), room)) == BODY


def test_a_response_holds_its_room_until_it_is_closed() -> None:
    room = Room(len(BODY))
    body = Body(Wire([BODY]), room, FakeClock())
    assert list(body.stream()) == [BODY]
    thread, outcome = waiting(room, "another", 10)
    assert not outcome

    body.release_conn()

    thread.join(5)
    assert outcome == ["taken"]


# --- Time -----------------------------------------------------------------------------------------


def test_a_response_that_drips_is_given_up_after_a_minute() -> None:
    clock = FakeClock()
    began = clock.time

    with pytest.raises(Dripping):
        read(Wire(repeat(b"x", 1000), clock=clock), clock=clock)
    assert TIMEOUT[1] < clock.time - began < TIMEOUT[1] + 3


EMPTY_BLOCKS = chain([gzip.compress(b"")[:10]], repeat(b"\x00\x00\x00\xff\xff" * 1000, 1000))


@pytest.mark.parametrize(
    "pieces", [EMPTY_BLOCKS, repeat(gzip.compress(b""), 1000)], ids=["blocks", "parts"]
)
def test_an_endless_packed_body_that_unpacks_to_nothing_is_given_up(
    pieces: Iterator[bytes],
) -> None:
    clock = FakeClock()

    with pytest.raises(Dripping):
        deadline(lambda: read(Wire(pieces, "gzip", clock), clock=clock))


def test_a_slow_response_that_makes_progress_is_read_to_its_end() -> None:
    """It takes ten minutes, at 2 KB a second."""
    clock = FakeClock()

    assert len(read(Wire([b"x" * 2000] * 600, clock=clock), clock=clock)) == 1_200_000


def test_time_spent_waiting_for_room_does_not_count_as_dripping() -> None:
    class Slow(Room):
        def take(self, holder: object, size: int) -> None:
            super().take(holder, size)
            clock.go(3600)

    clock = FakeClock()

    assert read(Wire(small_pieces(BODY, 1000), clock=clock), Slow(), clock) == BODY


def test_silence_within_a_response_is_a_read_timeout() -> None:
    def silent() -> Iterator[bytes]:
        yield b"["
        raise urllib3.exceptions.ReadTimeoutError(None, "", "silence")  # type: ignore[arg-type]

    with pytest.raises(requests.exceptions.ReadTimeout):
        read(Wire(silent()))


# --- The session ----------------------------------------------------------------------------------


class Line:
    """A session, and how often it noted that a request was written."""

    def __init__(self, room: Room | None = None, clock: FakeClock | None = None) -> None:
        self.written = 0
        clock = clock or FakeClock()
        self.session = transport.session("key", self._note, room or Room(), clock)

    def _note(self) -> None:
        self.written += 1

    def get(self, url: str) -> requests.Response:
        return self.session.get(url, timeout=5, allow_redirects=False)


def test_the_session_notes_every_written_request_even_if_it_gets_no_response() -> None:
    line = Line()
    with serving(http([]), None, http([])) as server:
        line.get(server.url).close()
        with pytest.raises(requests.exceptions.ConnectionError):
            line.get(server.url)
        line.get(server.url).close()

    assert line.written == len(server.got) == 3


@pytest.mark.parametrize(
    "head",
    [
        chain(b"HTTP/1.1 200 OK\r\nX-Slow: ", repeat(b"x"[0])),
        cycle(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["one header", "no answer proper"],
)
def test_headers_that_drip_are_given_up_after_two_minutes(head: Iterator[int]) -> None:
    """Each byte comes before 60 seconds of silence have passed."""
    clock = FakeClock()
    began = clock.time

    def drip(connection: socket.socket) -> None:
        with suppress(OSError):
            for byte in head:
                clock.go(50)
                connection.sendall(bytes([byte]))

    with serving(drip) as server, pytest.raises(requests.exceptions.ReadTimeout):
        deadline(lambda: Line(clock=clock).get(server.url))
    assert clock.time - began > 2 * TIMEOUT[1]


def test_a_connection_is_reused_whether_or_not_its_response_is_packed() -> None:
    line = Line()
    packed = http(gzip.compress(b"[]"), "200 OK", "Content-Encoding: gzip")
    with serving(http([]), packed, http([])) as server:
        contents = []
        for _ in range(3):
            with line.get(server.url) as response:
                contents.append(response.content)

    assert contents == [b"[]"] * 3
    assert {request.connection for request in server.got} == {1}


def test_the_key_is_sent_as_user_name_without_a_password() -> None:
    with serving(http([])) as server:
        Line().get(server.url)

    headers = server.got[0].headers
    assert headers["authorization"] == "Basic a2V5Og=="
    assert headers["user-agent"].startswith("source-streak/")
    assert headers["accept-encoding"] == "gzip"


def test_a_netrc_does_not_replace_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(http([])) as server:
        Line().get(server.url)

    assert server.got[0].headers["authorization"] == "Basic a2V5Og=="


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_plain_http_to_this_machine_goes_through_no_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with serving(http([])) as server, serving(http("no")) as proxy:
        monkeypatch.setenv(variable, proxy.url)
        assert Line().get(server.url).content == b"[]"

    assert not proxy.got


def test_a_proxy_of_the_environment_passes_requests_to_streak_on_unread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuses = http(b"", "403 Forbidden", "Connection: close")
    with serving(refuses) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(requests.exceptions.ProxyError) as refused:
            Line().get("https://streak.invalid/api/v1/secret")

    assert "refused to forward the request (403)" in trouble(refused.value).sentence
    assert [request.path for request in proxy.got] == ["streak.invalid:443"]
    assert "a2V5Og" not in str(proxy.got)


def test_an_informational_response_gives_no_request_the_response_to_another() -> None:
    line = Line()
    early = b"HTTP/1.1 103 Early Hints\r\n\r\n" + http("one")
    with serving(early, http("two")) as server:
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            line.get(server.url)
        assert line.get(server.url).json() == "two"


@pytest.mark.parametrize("location", ["http://[bad", "/caf\xe9", "http://127.0.0.1:9/"])
def test_a_redirect_is_not_followed_wherever_it_leads(location: str) -> None:
    with serving(http([], "302 Found", f"Location: {location}")) as server:
        assert Line().get(server.url).status_code == 302

    assert len(server.got) == 1


# --- Error messages -------------------------------------------------------------------------------


def test_every_way_of_not_reaching_streak_has_its_own_error_message() -> None:
    kinds = [
        requests.exceptions.ProxyError(),
        requests.exceptions.SSLError(),
        requests.exceptions.ConnectTimeout(),
        requests.exceptions.ReadTimeout(),
        Dripping(),
        Crowded(),
        requests.exceptions.ChunkedEncodingError(),
        requests.exceptions.ContentDecodingError(),
        requests.exceptions.ConnectionError(),
        requests.exceptions.ConnectionError("NameResolutionError: Failed to resolve"),
    ]

    sentences = {failure.sentence for kind in kinds if (failure := unreachable(kind))}
    assert len(sentences) == len(kinds)


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        (requests.exceptions.ReadTimeout(), Cause.STREAK),
        (requests.exceptions.ConnectTimeout(), Cause.STREAK),
        (Dripping(), Cause.STREAK),
        (Crowded(), Cause.CROWDED),
        (requests.exceptions.ConnectionError(), Cause.OTHER),
        (requests.exceptions.ProxyError(), Cause.OTHER),
    ],
)
def test_failures_of_streak_are_told_apart_from_those_of_the_network(
    problem: requests.exceptions.RequestException, cause: Cause
) -> None:
    failure = unreachable(problem)
    assert failure
    assert failure.cause is cause


def test_a_host_name_that_the_frameworks_filter_cannot_resolve_is_retried() -> None:
    def look_up() -> None:
        try:
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        except socket.gaierror as exception:
            raise requests.exceptions.InvalidURL("Invalid URL") from exception

    with pytest.raises(requests.exceptions.InvalidURL) as unresolved:
        look_up()

    failure = trouble(unresolved.value)
    assert isinstance(failure, RetryableFailure)
    assert "could not be resolved" in failure.sentence


PROXIES = [
    "http://u:pr0xy-passw0rd@.example..:1",
    "http://u:pr0xy-passw0rd@" + "a" * 300 + ":1",
    "http://u:pr0xy-passw0rd@[bad",
    "http://u:pr0xy-passw0rd@127.0.0.1:99999",
    "http://ключ:pr0xy-passw0rd@127.0.0.1:9",
    "socks5://u:pr0xy-passw0rd@127.0.0.1:9",
    "ftp://u:pr0xy-passw0rd@127.0.0.1:9",
]


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy[:40])
def test_an_unusable_proxy_setting_is_a_config_error(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises((OSError, UnicodeError, urllib3.exceptions.HTTPError)) as problem:
        Line().get("https://streak.invalid/api/")

    error = trouble(problem.value)
    assert isinstance(error, StreakError)
    assert (
        "HTTPS_PROXY or ALL_PROXY, or the address in STREAK_API_URL, cannot be used"
        in error.sentence
    )
    assert error.failure == "config_error"
    assert "pr0xy" not in error.sentence


def test_the_error_for_a_missing_ca_bundle_says_that_it_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/authorities.pem")
    with pytest.raises(OSError, match="CA certificate") as problem:
        Line().get("https://127.0.0.1:9/api/")

    assert "cannot be read" in trouble(problem.value).sentence
