"""The client that sends every request, with real sockets on 127.0.0.1 and a fake clock."""

from __future__ import annotations

import base64
import gzip
import html
import logging
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from clocks import NOON, FakeClock
from loopback import Answer, Loopback, deadline, http, serving
from requests import Response

from source_streak.api.client import Client, json_of, path_of, text_of
from source_streak.api.errors import Refused, TooLarge, Unanswered
from source_streak.api.paging import WrongShape, parse_page
from source_streak.config import Config

KEY = "strk_0dd/+=%25&key-0003"  # has characters that a URL encodes
ME = http({"key": "agxUser"})
PACKED = "Content-Encoding: gzip"


class Line:
    """A client, the server that answers it, and the clock of the client."""

    def __init__(self, server: Loopback, hurried: bool, rate: int) -> None:
        self.server, self.clock = server, FakeClock()
        config = Config(api_key=KEY, api_url=server.url, requests_per_second=rate)
        self.client = Client(config, self.clock, hurried)

    def ask(self, read: Callable[[Response], Any] = json_of, **how: Any) -> Any:
        return self.client.get("v1/users/me", {}, read, **how)

    @property
    def asked(self) -> int:
        return len(self.server.got)

    @property
    def slept(self) -> float:
        return sum(self.clock.sleeps)


@contextmanager
def line(*answers: Answer | None, hurried: bool = False, rate: int = 20) -> Iterator[Line]:
    with serving(*answers) as server:
        made = Line(server, hurried, rate)
        try:
            yield made
        finally:
            made.client.close()


def rows_of(response: Response) -> list[Any]:
    return parse_page(json_of(response)).rows


def limited(retry_after: str | None = None) -> bytes:
    return http({}, "429 Too Many", *([f"Retry-After: {retry_after}"] if retry_after else []))


# --- Usable responses -----------------------------------------------------------------------------


def test_get_returns_what_the_caller_reads_from_the_response() -> None:
    with line(http([{"key": "a"}])) as one:
        got = one.client.get("v2/boxes", {"limit": 5, "page": 0}, rows_of)

    assert got == [{"key": "a"}]
    assert one.server.got[0].path == "/api/v2/boxes?limit=5&page=0"


def test_a_response_is_parsed_only_once() -> None:
    with line(ME) as one:
        first, second = one.ask(lambda response: (json_of(response), json_of(response)))

    assert first is second


def test_there_are_two_threads_for_each_request_a_second_and_at_least_eight() -> None:
    with line(ME, rate=20) as one:
        assert one.client.threads == 40
    with line(ME, rate=1) as one:
        assert one.client.threads == 8


# --- Retries --------------------------------------------------------------------------------------

LOGIN = http(b"<!doctype html><p>Please sign in", "200 OK", "Content-Type: text/html")
PASSING: dict[str, Answer | None] = {
    "a connection that breaks off": None,
    "half an answer": ME[:-5],
    "an error of Streak's own": http({}, "503 Busy"),
    "a time-out of Streak's own": http({}, "408 Timeout"),
    "a login page": LOGIN,
    "an empty answer": http(b""),
    "half a page": http(b'[{"key": "a"'),
    "not what was expected": http({"error": "odd"}),
    "a limit": limited("1"),
    "packed, but damaged": http(b"\x1f\x8b\x08junk", "200 OK", PACKED),
    "an informational answer first": b"HTTP/1.1 103 Early Hints\r\n\r\n" + http([]),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_request_is_repeated_after_a_temporary_failure(name: str) -> None:
    answer = PASSING[name]

    def once(connection: socket.socket) -> None:
        connection.sendall(answer if isinstance(answer, bytes) else b"")
        connection.shutdown(socket.SHUT_RDWR)

    broken = name in ("half an answer", "a connection that breaks off")
    with line(once if broken else answer, http([{"key": "a"}])) as one:
        assert one.ask(rows_of) == [{"key": "a"}]

    assert one.asked == 2
    assert 0.5 <= one.slept <= 1.5


def test_a_request_that_fails_for_five_minutes_is_given_up_with_an_error_message() -> None:
    with line(http({}, "502 Bad")) as one, pytest.raises(Unanswered) as given_up:
        one.ask()

    assert one.slept == pytest.approx(300, abs=5)
    assert 15 <= one.asked <= 45
    sentence = given_up.value.sentence
    assert sentence.startswith("Streak reported an error on its side (502). Gave up after ")
    assert " attempts in 5 minutes. " in sentence
    assert sentence.endswith("Try again later.")
    assert given_up.value.failure == "transient_error"


def test_the_error_names_the_status_page_once_when_streak_itself_fails() -> None:
    with line(http({}, "500 Oops")) as one, pytest.raises(Unanswered) as given_up:
        one.ask()

    assert given_up.value.sentence.count("https://status.streak.com") == 1


@pytest.mark.parametrize("answer", [None, LOGIN, limited()], ids=["reset", "login page", "429"])
def test_the_error_names_no_status_page_when_something_else_fails(answer: Answer | None) -> None:
    with line(answer) as one, pytest.raises(Unanswered) as given_up:
        one.ask(patience=0)

    assert "status.streak.com" not in given_up.value.sentence


def test_a_request_without_patience_is_sent_only_once() -> None:
    with line(None) as one, pytest.raises(Unanswered, match="Gave up after 1 attempt in"):
        one.ask(patience=0)

    assert one.asked == 1


def test_the_error_says_that_a_login_page_came_instead_of_data() -> None:
    for read in (json_of, rows_of, text_of):
        with line(LOGIN) as one, pytest.raises(Unanswered, match="a login page stands between"):
            one.ask(read, patience=0)


def test_the_log_says_every_30_seconds_what_it_waits_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.INFO, "airbyte.client"),
        line(None) as one,
        pytest.raises(Unanswered),
    ):
        one.ask()

    said = [record.message for record in caplog.records]
    assert set(said) == {"The connection to Streak was refused or broke off. Trying again."}
    assert 5 <= len(said) <= 11


def test_streak_counts_as_down_from_a_given_up_request_until_the_next_response() -> None:
    with line(None) as one:
        with pytest.raises(Unanswered):
            one.ask(patience=0)
        assert one.client.down
        with pytest.raises(Unanswered, match="in 15 seconds"):
            one.ask()
        one.server.answers[:] = [ME]
        one.ask()
        assert not one.client.down


def test_a_refusal_shows_that_streak_is_not_down() -> None:
    with line(None) as one:
        with pytest.raises(Unanswered):
            one.ask(patience=0)
        one.server.answers[:] = [http({}, "404 Not Found")]
        with pytest.raises(Refused):
            one.ask()
        assert not one.client.down


def test_a_request_that_fails_while_others_succeed_is_given_up_after_eight_tries() -> None:
    with line(ME) as one:
        failing: list[int] = []

        def read(response: Response) -> None:
            failing.append(1)
            for _ in range(3):
                with one.client._facts:  # other requests are answered meanwhile
                    one.client._answers += 1
            raise WrongShape

        with pytest.raises(Unanswered, match="Gave up after 8 attempts"):
            one.ask(read, alone=True)

    assert len(failing) == 8


# --- Refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 302])
def test_a_refused_request_is_not_repeated(status: int) -> None:
    answer = http({"error": "no such thing"}, f"{status} No")
    with line(answer) as one, pytest.raises(Refused) as refused:
        one.ask()

    assert (refused.value.status, refused.value.words) == (status, "no such thing")
    assert one.asked == 1


def forms_of(key: str) -> set[str]:
    encoded = base64.b64encode(f"{key}:".encode()).decode()
    plain = {key, encoded, encoded.rstrip("=")}
    return {*plain, *map(quote, plain), *(quote(one, safe="") for one in plain), html.escape(key)}


@pytest.mark.parametrize("form", sorted(forms_of(KEY)))
def test_no_form_of_the_key_is_in_an_error_that_quotes_streak(form: str) -> None:
    answer = http({"error": f"bad credential >{form}< of zoe@private.example"}, "401 No")
    with line(answer) as one, pytest.raises(Refused) as refused:
        one.ask()

    assert refused.value.words.startswith("bad credential >****")
    assert KEY[-6:] not in str(refused.value)
    assert "zoe" not in str(refused.value)


def test_the_client_knows_every_form_of_the_key_that_it_has_to_hide() -> None:
    with line(ME) as one:
        assert forms_of(KEY) - {form for form in forms_of(KEY) if form.endswith(("=", "%3D"))} <= {
            *one.client.secrets
        }
        assert list(one.client.secrets) == sorted(one.client.secrets, key=len, reverse=True)


def test_a_refusal_does_not_keep_its_response_in_memory() -> None:
    with line(http({"error": "no"}, "404 No")) as one, pytest.raises(Refused) as refused:
        one.ask()

    assert not held_by(refused.value)


KEYS = {"boxKey": "agxzfm1haWw_-="}


def test_keys_are_filled_into_the_path() -> None:
    assert path_of("v1/boxes/{boxKey}/files", KEYS) == "v1/boxes/agxzfm1haWw_-=/files"


@pytest.mark.parametrize(
    "key", ["", "..", "../../evil", "a/b", "%2e%2e", "x?limit=1", "x#y", "x y", "ключ", "x\n"]
)
def test_a_value_that_is_not_a_key_is_refused_in_a_path(key: str) -> None:
    with pytest.raises(Refused, match="not a key"):
        path_of("v1/boxes/{boxKey}", {"boxKey": key})


# --- Rate limits ----------------------------------------------------------------------------------


def test_the_client_waits_out_a_rate_limit_and_shows_until_when() -> None:
    with line(limited("40"), ME) as one:
        seen: list[int | None] = []
        one.clock.on_sleep = lambda: seen.append(one.client.rate_limited_until)
        assert one.client.rate_limited_until is None

        one.client.pool.submit(one.ask).result(10)

    assert one.slept == pytest.approx(40)
    assert one.client.rate_limited_until is None
    assert set(seen) <= {None, NOON + 40_000}


def test_requests_after_a_rate_limit_wait_until_it_is_over() -> None:
    with line(limited("40"), ME) as one:
        began = one.clock.time
        one.ask()
        one.ask()
        assert one.clock.time - began >= 40


@pytest.mark.parametrize("header", ["-5", "soon", "Mon, 01 Jan 999999999999 00:00:00 GMT", None])
def test_a_rate_limit_without_a_usable_time_is_waited_out_for_about_a_second(
    header: str | None,
) -> None:
    with line(limited(header), ME) as one:
        one.ask()

    assert 0.5 <= one.slept <= 2


def test_an_endless_rate_limit_ends_the_first_request_after_12_tries_and_the_next_after_1() -> None:
    with line(limited("60")) as one:
        with pytest.raises(
            Unanswered, match=r"\(429\). Streak asks to wait 1 minute. Gave up after 12 "
        ):
            one.ask()
        assert one.asked == 12
        with pytest.raises(Unanswered, match="Gave up after 1 attempt in"):
            one.ask()
        assert one.asked == 13


def test_rate_limits_are_waited_out_again_after_any_other_response() -> None:
    with line(limited("60")) as one:
        with pytest.raises(Unanswered):
            one.ask()
        one.server.answers[:] = [ME, limited("1"), limited("1"), ME]
        one.ask()
        one.ask()

    assert one.asked == 12 + 4


# --- While a person waits (check and discover) ----------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["20", "3600", "99999999999", "9" * 400, "Mon, 21 Sep 2099 12:00:30 GMT"],
    ids=lambda header: header[:20],
)
def test_a_person_waits_15_seconds_for_a_long_rate_limit_before_one_more_try(
    header: str,
) -> None:
    with line(limited(header), hurried=True) as one, pytest.raises(Unanswered) as given_up:
        one.ask()

    assert one.asked == 2
    assert one.slept == pytest.approx(15, abs=0.2)
    sentence = given_up.value.sentence
    assert "rate limit was exceeded (429). Streak asks to wait " in sentence
    assert "Gave up after 2 attempts in 15 seconds" in sentence


def test_a_person_gets_the_response_if_the_rate_limit_is_gone_after_15_seconds() -> None:
    with line(limited("99999999999"), ME, hurried=True) as one:
        assert one.ask() == {"key": "agxUser"}


def test_a_person_waits_15_seconds_in_all_for_repeated_rate_limits() -> None:
    with line(limited("6"), hurried=True) as one, pytest.raises(Unanswered):
        one.ask()

    assert one.asked == 4
    assert one.slept == pytest.approx(15, abs=1)


def test_a_person_waits_out_short_rate_limits() -> None:
    with line(limited("2"), limited("2"), ME, hurried=True) as one:
        one.ask()

    assert one.slept == pytest.approx(4, abs=0.5)


def test_a_person_waits_15_seconds_for_a_failing_request() -> None:
    with line(None, hurried=True) as one, pytest.raises(Unanswered, match="in 15 seconds"):
        one.ask()

    assert one.slept == pytest.approx(15, abs=1)


# --- Odd values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_an_impossible_number_becomes_text_and_the_list_is_read(number: str) -> None:
    body = f'[{{"key": "a", "count": {number}}}, {{"key": "b"}}]'.encode()
    with line(http(body)) as one:
        assert one.ask(rows_of) == [{"key": "a", "count": number}, {"key": "b"}]

    assert one.asked == 1


def test_a_list_with_a_byte_order_mark_is_read() -> None:
    with line(http(b'\xef\xbb\xbf[{"key": "a"}]')) as one:
        assert one.ask(rows_of) == [{"key": "a"}]

    assert one.asked == 1


def test_nul_characters_are_removed_and_counted_once_per_response() -> None:
    body = rb'[{"key": "a\u0000", "na\u0000me": "\u0000"}]'
    with line(http(body), ME) as one:
        assert one.ask(lambda response: (rows_of(response), rows_of(response))[1]) == [
            {"key": "a", "name": ""}
        ]
        assert one.client.nul_characters == 3
        one.ask()
        assert one.client.nul_characters == 3


MARKDOWN = "# Zoë\n\n- 🎉\n"


@pytest.mark.parametrize("kind", ["text/markdown", "text/plain; charset=utf-8", "Text/Markdown"])
def test_a_plain_or_markdown_text_is_returned_unchanged(kind: str) -> None:
    with line(http(MARKDOWN.encode(), "200 OK", f"Content-Type: {kind}")) as one:
        assert one.ask(text_of) == MARKDOWN


def test_a_text_with_invalid_bytes_or_nul_characters_is_still_read() -> None:
    body = b"\xef\xbb\xbfZo\xeb \0\0end"
    with line(http(body, "200 OK", "Content-Type: text/plain")) as one:
        assert one.ask(text_of) == "Zo� end"
        assert one.client.nul_characters == 2


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"error": "no"}'),
        ("text/html", b"<p>Please sign in"),
        ("text/plain", b"\n<!DOCTYPE html><p>Please sign in"),
        ("text/markdown", b"<html><p>Please sign in"),
    ],
)
def test_a_web_page_or_json_is_not_accepted_as_text(kind: str, body: bytes) -> None:
    with line(http(body, "200 OK", f"Content-Type: {kind}")) as one, pytest.raises(Unanswered):
        one.ask(text_of, patience=0)


# --- Bombs ----------------------------------------------------------------------------------------


def bomb(megabytes: int, filling: bytes = b" ") -> bytes:
    """A response of this size when unpacked, and about a thousandth of it on the wire."""
    part = gzip.compress(filling * (2**20 // len(filling)))
    whole = gzip.compress(b"[") + part * megabytes + gzip.compress(filling[:-1] + b"]")
    return http(whole, "200 OK", PACKED)


@pytest.mark.parametrize(
    ("answer", "limit"),
    [(bomb(300), "256 MB"), (bomb(200, b"{},"), "1,024 MB"), (bomb(48, b'{"a":1},'), "1,024 MB")],
    ids=["spaces", "nothing but objects", "a smaller one"],
)
def test_a_response_that_is_too_large_is_refused_and_not_requested_again(
    answer: bytes, limit: str
) -> None:
    with line(answer, ME) as one:
        with pytest.raises(TooLarge) as refused:
            one.ask()
        assert one.asked == 1
        assert not one.client.down
        assert one.ask() == {"key": "agxUser"}

    assert f"more than {limit} of memory when unpacked" in refused.value.sentence
    assert isinstance(refused.value, Unanswered), "one box with such an answer is set aside"
    assert refused.value.failure == "system_error"
    assert not held_by(refused.value), "kept as long as the refusal is"


def test_a_large_response_with_ordinary_rows_is_read() -> None:
    row = b'{"key":"a","notes":"' + b"x" * 10_000 + b'"},'
    with line(bomb(60, row)) as one:
        assert len(one.ask(rows_of)) > 6000


def test_a_response_that_was_used_frees_its_memory_for_the_next() -> None:
    """Three responses of a hundred megabytes, one after the other."""
    with line(bomb(100)) as one:
        for _ in range(3):
            assert deadline(one.ask) == []


def held_by(problem: BaseException) -> list[Any]:
    """Responses and bodies in the frames of an exception, which live as long as it does."""
    assert problem.__context__ is None
    values: list[Any] = []
    traceback = problem.__traceback__.tb_next if problem.__traceback__ else None  # without the test
    while traceback:
        values += traceback.tb_frame.f_locals.values()
        traceback = traceback.tb_next
    return [value for value in values if isinstance(value, (Response, bytes, BytesIO))]


MEASURED = """
    import resource, sys, threading
    from source_streak.api.client import Client, json_of
    from source_streak.api.errors import TooLarge
    from source_streak.config import Config

    client = Client(Config(api_key="k", api_url=sys.argv[1], requests_per_second=20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = []

    def ask():
        try:
            client.get("v1/users/me", {}, json_of)
        except TooLarge as problem:
            refused.append(problem)

    threads = [threading.Thread(target=ask) for _ in range(int(sys.argv[2]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(len(refused), grown // 1024)
"""


@pytest.mark.parametrize("together", [1, 2])
def test_bombs_of_700_megabytes_take_less_than_400_megabytes_of_memory(
    together: int,
) -> None:
    """Measured in a process of its own. Without the bound it took 5 GB."""
    with serving(bomb(700)) as server:
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(MEASURED), server.url, str(together)],
            capture_output=True,
            timeout=120,
            check=True,
        )

    refused, megabytes = map(int, ran.stdout.split())
    assert refused == together
    assert megabytes < 400
