"""Streak out of reach: for a minute, for good, and in each of the ways in which a network stands between.

No test waits for a minute: whoever sleeps between two tries is told that it has, and the time counts for that thread alone.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.test import entrypoint_wrapper
from conftest import Read, Waits, catalog_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from streak_sandbox import Sandbox
from test_secrets import HURRIED, KEY, forms_of

from source_streak import SourceStreak, account, client
from source_streak.config import Config
from source_streak.api.errors import Unanswered

COMMENTS = "v2/boxes/*/comments"
PATIENCE = client.PATIENCE  # as in use: the fixture `read` has less
LONGEST_WAIT = client.LONGEST_WAIT


@pytest.fixture
def waits(read: Read, monkeypatch: pytest.MonkeyPatch) -> Waits:
    """The patience that a user has, and none of the waiting."""
    waits = Waits()
    monkeypatch.setattr(client, "time", waits)
    monkeypatch.setattr(client, "LONGEST_WAIT", LONGEST_WAIT)
    monkeypatch.setattr(client, "PATIENCE", PATIENCE)
    return waits


def comments_of(streak: Sandbox) -> set[tuple[str, str]]:
    return {(box["key"], comment["key"]) for box, comment in streak.account.all("comments")}


def fails_from(streak: Sandbox, place: int, kind: str, **details: Any) -> None:
    """Whatever is asked after so many requests for comments is met by a fault."""
    streak.on(COMMENTS, lambda sandbox: sandbox.fault("*", kind, times=None, **details), after=place)


# --- Gone for a minute ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "details"), [("reset", {}), ("html", {}), ("status", {"status": 503}), ("not_json", {}), ("half_body", {})]
)
def test_an_outage_of_a_minute_in_the_middle_costs_nothing(
    streak: Sandbox, read: Read, waits: Waits, kind: str, details: dict[str, Any]
) -> None:
    fails_from(streak, 30, kind, **details)
    waits.on_sleep = lambda slept: streak.clear_faults() if slept >= 60 else None

    reading = read("boxes", "box_comments", "snippets")

    assert waits.longest >= 60, "it never came to an outage of a minute"
    assert reading.ok
    assert set(reading.keys("box_comments", "boxKey", "key")) == comments_of(streak)
    assert reading.records["snippets"]
    assert len([line for line in reading.logs if "Trying again" in line]) <= 2, "said once every half minute"


def test_a_streak_that_refuses_connections_for_a_minute_costs_nothing(streak: Sandbox, read: Read, waits: Waits) -> None:
    """Its socket is closed and opened again."""
    stopping: list[threading.Thread] = []
    back = threading.Lock()

    def stop(sandbox: Sandbox) -> None:
        sandbox.fault("*", "reset", times=None)
        stopping.append(threading.Thread(target=sandbox.stop))
        stopping[0].start()

    def start_again(slept: float) -> None:
        with back:
            if slept >= 60 and stopping:
                stopping.pop().join()
                streak.clear_faults()
                streak.start()

    streak.on(COMMENTS, stop, after=30)
    waits.on_sleep = start_again

    reading = read("boxes", "box_comments")

    assert waits.longest >= 60
    assert reading.ok
    assert set(reading.keys("box_comments", "boxKey", "key")) == comments_of(streak)


def test_an_outage_while_the_boxes_are_listed_costs_nothing(streak: Sandbox, read: Read, waits: Waits) -> None:
    streak.fault("*", "reset", times=None)
    waits.on_sleep = lambda slept: streak.clear_faults() if slept >= 60 else None

    reading = read("boxes", "teams")

    assert reading.ok
    assert set(reading.keys("boxes")) == set(streak.account.boxes)


# --- Gone for good ----------------------------------------------------------------------------------------------------

EVERYTHING_AFTER = ("box_meetings", "box_tasks", "box_threads", "box_files", "newsfeed", "users", "snippets")
THREADS = 8
large = pytest.mark.parametrize("streak", [{"boxes": 450}], indirect=True)


@large
@pytest.mark.parametrize(("kind", "details"), [("reset", {}), ("status", {"status": 502})])
def test_gone_for_good_every_stream_ends_soon_after_the_first_and_what_was_delivered_is_in_the_state(
    streak: Sandbox, read: Read, waits: Waits, kind: str, details: dict[str, Any]
) -> None:
    """However many boxes were answered before: an outage is not to be mistaken for so many single boxes that fail."""
    answered = 250
    fails_from(streak, answered, kind, **details)

    reading = read("boxes", "box_comments", *EVERYTHING_AFTER, incremental=True, requests_per_second=1)

    assert reading.statuses["boxes"] == "COMPLETE"
    for stream in ("box_comments", *EVERYTHING_AFTER):
        error = reading.error_of(stream)
        assert error.failure_type.value == "transient_error"
        assert "Try again when this has passed" in error.message
        assert error.stack_trace is None
    tries: dict[str, Counter[str]] = {}
    for entry in streak.log:
        if entry.fault:
            kind_of = "me" if entry.path == "v1/users/me" else entry.path.rpartition("/")[2]
            tries.setdefault(kind_of, Counter())[entry.path] += 1
    # The first is asked for five minutes, with waits of at most 20 seconds; everything after it for 15 seconds.
    first = tries.pop("comments")
    assert max(first.values()) <= 45
    assert len(first) <= 2 * THREADS, "boxes were given up one by one"
    for paths in tries.values():
        assert max(paths.values()) <= 12
        assert len(paths) <= 2 * THREADS
    assert sum(tries["me"].values()) <= 12, "whether Streak is gone is asked once, not by each thread and stream"
    assert waits.longest <= 600, "ten minutes in all, as documented"

    streak.clear_faults()
    streak.clear_log()
    rest = read("box_comments", incremental=True, state=reading.last_states)
    assert rest.ok
    keys = [{(row["boxKey"], row["key"]) for row in one.records["box_comments"]} for one in (reading, rest)]
    assert keys[0] | keys[1] == comments_of(streak)
    counted = sum(box.get("commentCount") != 0 for box in streak.account.boxes.values())
    assert len(streak.requests(COMMENTS)) <= counted - answered + 4 * THREADS, "what was delivered before the outage was asked for again"


def test_gone_from_the_start_all_streams_together_end_with_few_tries(streak: Sandbox, read: Read, waits: Waits) -> None:
    streak.fault("*", "reset", times=None)

    reading = read()

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    assert {error.failure_type.value for error in reading.errors if error.stream_descriptor} == {"transient_error"}
    tries = Counter(entry.path for entry in streak.log)
    assert set(tries) == {"v2/users/me/teams", "v2/pipelines", "v1/snippets"}
    assert 15 <= tries["v2/users/me/teams"] <= 45
    assert max(tries["v2/pipelines"], tries["v1/snippets"]) <= 12
    assert waits.longest <= 300 + 2 * 15 + 3 * LONGEST_WAIT


def test_a_single_box_that_fails_while_streak_answers_ends_no_stream(streak: Sandbox, read: Read, waits: Waits) -> None:
    """The last one asked: no other is answered after it."""
    bad = [box["key"] for box in streak.account.boxes.values() if box.get("commentCount") != 0]
    streak.moods.failing_boxes = set(bad[:2])

    reading = read("box_comments", requests_per_second=1)

    assert reading.ok
    assert {record["boxKey"] for record in reading.records["box_comments"]} == {key for key, _ in comments_of(streak)} - set(bad[:2])


@pytest.mark.parametrize("part", ["v2/pipelines", "v1/pipelines/*/boxes", COMMENTS])
def test_an_answer_that_drips_is_given_up_and_asked_for_again(
    streak: Sandbox, read: Read, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """A byte now and then is no silence: at this pace one page of boxes would take days."""
    monkeypatch.setattr(client, "TIMEOUT", (5.0, 0.2))
    monkeypatch.setattr(client, "SLOWEST", 1_000_000)
    streak.fault(part, "drip", seconds=0.05)

    reading = read("boxes", "box_comments")

    assert reading.ok
    assert [entry.fault for entry in streak.log].count("drip") == 1
    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert set(reading.keys("box_comments", "boxKey", "key")) == comments_of(streak)


def test_a_streak_that_does_nothing_but_drip_is_given_up_with_a_sentence(
    streak: Sandbox, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", (5.0, 0.2))
    monkeypatch.setattr(client, "SLOWEST", 1_000_000)
    streak.fault("v1/snippets", "drip", times=None, seconds=0.05)

    error = read("snippets").error_of("snippets")

    assert "came so slowly, less than 1 KB a second, that its end was not waited for" in error.message
    assert error.failure_type.value == "transient_error"


def test_a_slow_answer_that_gets_on_is_waited_for(streak: Sandbox, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the time of silence in all, and more than 1 KB a second."""
    monkeypatch.setattr(client, "TIMEOUT", (5.0, 0.1))
    monkeypatch.setattr(client, "SLOWEST", 10)
    streak.fault("v1/snippets", "drip", times=None, seconds=0.001)

    reading = read("snippets")

    assert reading.ok
    assert len(streak.requests("v1/snippets")) == 1


def test_an_answer_that_falls_silent_in_the_middle_is_said_to_be_no_answer(
    streak: Sandbox, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(client.SENDING, "timeout", (5.0, 0.1))
    streak.fault("v1/snippets", "drip", times=None, seconds=5)

    assert "did not answer within 60 seconds" in read("snippets").error_of("snippets").message


def test_a_limit_that_never_lifts_is_waited_for_twelve_times_by_the_first_stream_and_once_by_the_others(
    streak: Sandbox, read: Read, waits: Waits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client.Budget, "acquire_call", lambda *_, **__: None)
    streak.fault("*", "status", times=None, status=429, retry_after=3600)

    reading = read("teams", "pipelines", "snippets")

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    assert Counter(entry.path for entry in streak.log) == {"v2/users/me/teams": 12, "v2/pipelines": 1, "v1/snippets": 1}


def test_after_a_request_that_was_given_up_the_limit_is_waited_out_as_ever(streak: Sandbox, read: Read, waits: Waits) -> None:
    streak.fault("v2/users/me/teams", "reset", times=None)
    streak.fault("v1/snippets", "status", times=5, status=429)
    waits_for_429 = SimpleNamespace(acquire_call=lambda *_, **__: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client.Budget, "acquire_call", waits_for_429.acquire_call)
        reading = read("teams", "snippets")

    assert reading.statuses == {"teams": "INCOMPLETE", "snippets": "COMPLETE"}


# --- What stands between ----------------------------------------------------------------------------------------------

LOGIN = b"<!doctype html><html><body>Please sign in</body></html>"


class Between:
    """A server on loopback that answers whatever it gets with `answer`, and keeps what it got."""

    def __init__(self, answer: bytes, tls: Path | None = None) -> None:
        self.got: list[bytes] = []
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)

        class Handler(socketserver.BaseRequestHandler):
            def handle(handler) -> None:  # noqa: N805
                try:
                    line = context.wrap_socket(handler.request, server_side=True) if context else handler.request
                    self.got.append(line.recv(65_536))
                    line.sendall(answer)
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the client did not trust it

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def __enter__(self) -> Between:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def http(status: str, body: bytes = b"", kind: str = "text/html") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For localhost, signed by itself: certificate and key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    encoding, private, plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(made.public_bytes(encoding) + key.private_bytes(encoding, private, plain))
    return path


PROXY_PASSWORD = "pr0xy-passw0rd"
ELSEWHERE = "https://streak.invalid/api/"
# name: (what the environment has, words that its user reads); {…} are ports and files of the fixture `lines`
LINES: dict[str, tuple[dict[str, str], str]] = {
    "a name that does not resolve": ({"STREAK_API_URL": ELSEWHERE}, "could not be resolved"),
    "a connection refused": ({"STREAK_API_URL": "http://127.0.0.1:9/api/"}, "was refused or broke off"),
    "a certificate of its own": (
        {"STREAK_API_URL": "https://localhost:{tls}/api/"},
        "certificate of Streak's address could not be verified",
    ),
    "verification switched off": (
        {"STREAK_API_URL": "https://localhost:{tls}/api/", "CURL_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": "", "PYTHONHTTPSVERIFY": "0"},
        "certificate of Streak's address could not be verified",
    ),
    "a login page": ({"STREAK_API_URL": "http://127.0.0.1:{page}/api/"}, "a proxy or a login page stands between"),
    "a login page behind a trusted certificate": (
        {"STREAK_API_URL": "https://localhost:{tls_page}/api/", "REQUESTS_CA_BUNDLE": "{pem}"},
        "a proxy or a login page stands between",
    ),
    "no answer": ({"STREAK_API_URL": "http://127.0.0.1:{silent}/api/"}, "did not answer within"),
    "a proxy that wants a password": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@127.0.0.1:{{wants_password}}"},
        "proxy on the way to Streak refused to pass the request on (407)",
    ),
    "a proxy that answers with a page": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": "http://127.0.0.1:{forbids}"},
        "proxy on the way to Streak refused to pass the request on (403)",
    ),
    "a proxy that is not there": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@127.0.0.1:9"},
        "proxy on the way to Streak could not be used",
    ),
    "a proxy whose name does not resolve": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@proxy.invalid:3128"},
        "proxy on the way to Streak could not be used",
    ),
    "a proxy's address that is none": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@127.0.0.1:99999"},
        "(HTTPS_PROXY, ALL_PROXY) cannot be used",
    ),
    "a proxy of another kind": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"socks5://me:{PROXY_PASSWORD}@127.0.0.1:9"},
        "(HTTPS_PROXY, ALL_PROXY) cannot be used",
    ),
    "authorities that are not there": (
        {"STREAK_API_URL": "https://localhost:{tls}/api/", "REQUESTS_CA_BUNDLE": "/nowhere/authorities.pem"},
        "(REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE) cannot be read",
    ),
}
OF_THE_MACHINE = [name for name, (_, words) in LINES.items() if "cannot be" in words]
INHERITED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(scope="module")
def lines(own_certificate: Path) -> Iterator[dict[str, Any]]:
    """The servers that stand between."""
    silent = socket.create_server(("127.0.0.1", 0))
    with (
        Between(http("200 OK", b"[]", "application/json"), own_certificate) as tls,
        Between(http("200 OK", LOGIN), own_certificate) as tls_page,
        Between(http("200 OK", LOGIN)) as page,
        Between(http("407 Proxy Authentication Required", LOGIN)) as wants_password,
        Between(http("403 Forbidden", LOGIN)) as forbids,
        silent,
    ):
        servers = {"tls": tls, "tls_page": tls_page, "page": page, "wants_password": wants_password, "forbids": forbids}
        yield {"servers": servers, "silent": silent.getsockname()[1], "pem": own_certificate} | {
            name: server.port for name, server in servers.items()
        }


def environment_of(name: str, lines: dict[str, Any]) -> dict[str, str]:
    return {variable: value.format(**lines) for variable, value in LINES[name][0].items()}


@pytest.fixture(scope="module")
def printed(lines: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """Exit status, stdout and stderr of a read in each of these, as it is typed, with --debug."""
    place = tmp_path_factory.mktemp("lines")
    (place / "config.json").write_text(json.dumps({"api_key": KEY, "requests_per_second": 20}))
    (place / "catalog.json").write_text(json.dumps(ConfiguredAirbyteCatalogSerializer.dump(catalog_of("teams", "boxes"))))
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in INHERITED}
    hurried = "from source_streak.client import SENDING; SENDING['timeout'] = (2.0, 0.3); " + HURRIED

    def typed(name: str) -> tuple[int, str, str]:
        ran = subprocess.run(
            [sys.executable, "-c", hurried, "read", "--debug", "--config", "config.json", "--catalog", "catalog.json"],
            env=inherited | environment_of(name, lines),
            cwd=place,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return ran.returncode, ran.stdout.decode(), ran.stderr.decode()

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(LINES, pool.map(typed, LINES), strict=True))


def errors_in(out: str) -> list[dict[str, Any]]:
    traces = [message["trace"] for message in map(json.loads, out.splitlines()) if message["type"] == "TRACE"]
    return [trace["error"] for trace in traces if trace["type"] == "ERROR" and trace["error"].get("stream_descriptor")]


@pytest.mark.parametrize("name", LINES)
def test_a_read_says_what_stands_between_and_nothing_of_the_code(printed: dict[str, tuple[int, str, str]], name: str) -> None:
    code, out, err = printed[name]
    errors = errors_in(out)

    assert len(errors) == 2
    for error in errors:
        assert LINES[name][1] in error["message"]
        assert error["failure_type"] == ("config_error" if name in OF_THE_MACHINE else "transient_error")
        assert not error.get("stack_trace")
    assert "Traceback" not in out + err
    assert (code, err) == (1, "")


@pytest.mark.parametrize("name", LINES)
def test_neither_key_nor_proxy_password_is_in_what_a_read_prints_of_it_at_debug_level(
    printed: dict[str, tuple[int, str, str]], name: str
) -> None:
    _, out, err = printed[name]
    password = base64.b64encode(f"me:{PROXY_PASSWORD}".encode()).decode().rstrip("=")

    assert not [form for form in {*forms_of(KEY), PROXY_PASSWORD, password} if form in out + err]


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """None of this machine's own; and no patience."""
    for variable in INHERITED:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    monkeypatch.setattr(client, "LONGEST_WAIT", 0.01)
    monkeypatch.setitem(client.SENDING, "timeout", (2.0, 0.2))
    for module in (client, account):
        monkeypatch.setattr(module, "SHORT_PATIENCE", 0.1)
    return monkeypatch


def check(tmp_path: Path, key: str = KEY) -> tuple[str, str]:
    """The command `check`: its status and its sentence."""
    (tmp_path / "config.json").write_text(json.dumps({"api_key": key}))
    output = entrypoint_wrapper._run_command(SourceStreak(), ["check", "--config", str(tmp_path / "config.json")])
    assert not output.errors
    (message,) = output.connection_status_messages
    return message.connectionStatus.status.value, message.connectionStatus.message or ""


@pytest.mark.parametrize("name", LINES)
def test_a_check_says_the_same(lines: dict[str, Any], surroundings: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    for variable, value in environment_of(name, lines).items():
        surroundings.setenv(variable, value)

    status, sentence = check(tmp_path)

    assert status == "FAILED"
    assert LINES[name][1] in sentence


# --- Where the key goes -----------------------------------------------------------------------------------------------


def test_a_server_whose_certificate_is_not_trusted_gets_no_request(
    lines: dict[str, Any], surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    surroundings.setenv("CURL_CA_BUNDLE", "")
    surroundings.setenv("STREAK_API_URL", f"https://localhost:{lines['tls']}/api/")
    lines["servers"]["tls"].got.clear()

    check(tmp_path)

    assert not lines["servers"]["tls"].got


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_that_the_user_trusts_is_trusted(
    own_certificate: Path, surroundings: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    surroundings.setenv(variable, str(own_certificate))
    with Between(http("200 OK", b'{"key": "agxUser", "results": []}', "application/json"), own_certificate) as server:
        surroundings.setenv("STREAK_API_URL", f"https://localhost:{server.port}/api/")

        assert check(tmp_path)[0] == "SUCCEEDED"

    assert b"GET /api/v1/users/me" in server.got[0]
    assert base64.b64encode(f"{KEY}:".encode()) in server.got[0]


def test_a_proxy_sees_neither_key_nor_path_of_what_it_passes_on(
    lines: dict[str, Any], surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = lines["servers"]["forbids"]
    proxy.got.clear()
    surroundings.setenv("STREAK_API_URL", ELSEWHERE)
    surroundings.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")

    check(tmp_path)

    assert proxy.got
    for request in proxy.got:
        assert request.startswith(b"CONNECT streak.invalid:443 ")
        assert b"users/me" not in request
        assert not [form for form in forms_of(KEY) if form.encode() in request]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_what_is_sent_unencrypted_to_this_machine_itself_goes_through_no_proxy(
    streak: Sandbox, surroundings: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    surroundings.setenv("STREAK_API_URL", streak.url)
    with Between(http("200 OK", LOGIN)) as proxy:
        surroundings.setenv(variable, f"http://127.0.0.1:{proxy.port}")

        assert check(tmp_path, streak.key)[0] == "SUCCEEDED"

    assert not proxy.got


@pytest.mark.parametrize("where", ["HOME", "NETRC"])
def test_a_netrc_does_not_replace_the_key(streak: Sandbox, surroundings: pytest.MonkeyPatch, tmp_path: Path, where: str) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    netrc.chmod(0o600)
    surroundings.setenv(where, str(tmp_path if where == "HOME" else netrc))
    surroundings.setenv("STREAK_API_URL", streak.url)

    assert check(tmp_path, streak.key)[0] == "SUCCEEDED"
    assert all(entry.authorized for entry in streak.log)


def test_the_last_pause_does_not_overshoot_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(client.time, "sleep", pauses.append)

    def send() -> Any:
        raise client.Again("Nobody is there.")

    with pytest.raises(Unanswered):
        client.Client(Config(api_key="any"), hurried=True).ask(send, lambda body: body)

    assert sum(pauses) == pytest.approx(15.0, abs=0.5)
