"""Streak is out of reach: for a minute, for good, or because of the network in between.

No test waits for a minute: the clock of the tests returns from each sleep at once.
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
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from commands import Outcome
from conftest import Read, catalog_of
from copies import Copies
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from quick import QuickClock
from streak_sandbox import Sandbox
from test_secrets import KEY, forms_of
from watches import ListeningClock, WornClock

from source_streak.api.patience import LONGEST_WAIT

COMMENTS = "v2/boxes/*/comments"
A_MINUTE = 75.0  # seconds of sleep, of which the pace at 20 requests a second takes up to 15


def comments_of(streak: Sandbox) -> set[tuple[str, str]]:
    return {(box["key"], comment["key"]) for box, comment in streak.account.all("comments")}


def fails_from(streak: Sandbox, place: int, kind: str, **details: Any) -> None:
    """After so many requests for comments, every request meets this fault."""
    streak.on(
        COMMENTS, lambda sandbox: sandbox.fault("*", kind, times=None, **details), after=place
    )


# --- Down for a minute ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "details"),
    [("reset", {}), ("html", {}), ("status", {"status": 503}), ("not_json", {}), ("half_body", {})],
)
def test_a_one_minute_outage_during_a_sync_loses_nothing(
    streak: Sandbox, read: Read, kind: str, details: dict[str, Any]
) -> None:
    clock = ListeningClock()
    fails_from(streak, 30, kind, **details)
    clock.on_sleep = lambda slept: streak.clear_faults() if slept >= A_MINUTE else None

    reading = read("boxes", "box_comments", "snippets", clock=clock, requests_per_second=20)

    assert clock.longest >= A_MINUTE, "it never came to an outage of a minute"
    assert reading.ok
    assert set(reading.keys("box_comments", "boxKey", "key")) == comments_of(streak)
    assert reading.records["snippets"]
    said = [line for line in reading.logs if "Trying again" in line]
    assert 1 <= len(said) <= 3, "said once every half minute"


def test_a_minute_of_refused_connections_loses_nothing(streak: Sandbox, read: Read) -> None:
    """The sandbox closes its socket and opens it again."""
    clock = ListeningClock()
    stopping: list[threading.Thread] = []
    back = threading.Lock()

    def stop(sandbox: Sandbox) -> None:
        sandbox.fault("*", "reset", times=None)
        stopping.append(threading.Thread(target=sandbox.stop))
        stopping[0].start()

    def start_again(slept: float) -> None:
        with back:
            if slept >= A_MINUTE and stopping:
                stopping.pop().join()
                streak.clear_faults()
                streak.start()

    streak.on(COMMENTS, stop, after=30)
    clock.on_sleep = start_again

    reading = read("boxes", "box_comments", clock=clock, requests_per_second=20)

    assert clock.longest >= A_MINUTE
    assert reading.ok
    assert set(reading.keys("box_comments", "boxKey", "key")) == comments_of(streak)


def test_a_one_minute_outage_while_boxes_are_listed_loses_nothing(
    streak: Sandbox, read: Read
) -> None:
    clock = ListeningClock()
    streak.fault("*", "reset", times=None)
    clock.on_sleep = lambda slept: streak.clear_faults() if slept >= A_MINUTE else None

    reading = read("boxes", "teams", clock=clock)

    assert reading.ok
    assert set(reading.keys("boxes")) == set(streak.account.boxes)


# --- Down for good --------------------------------------------------------------------------------

EVERYTHING_AFTER = (
    "box_meetings",
    "box_tasks",
    "box_threads",
    "box_files",
    "newsfeed",
    "users",
    "snippets",
)
THREADS = 8
UNDER_WAY = 3 * THREADS  # boxes
large = pytest.mark.parametrize("streak", [{"boxes": 450}], indirect=True)


@large
@pytest.mark.parametrize(("kind", "details"), [("reset", {}), ("status", {"status": 502})])
def test_a_lasting_outage_ends_all_streams_soon_and_keeps_delivered_boxes_in_the_state(
    streak: Sandbox, read: Read, kind: str, details: dict[str, Any]
) -> None:
    """Even after many answered boxes, an outage is not treated as a failure of single boxes."""
    answered, clock = 250, QuickClock()
    fails_from(streak, answered, kind, **details)

    reading = read(
        "boxes",
        "box_comments",
        *EVERYTHING_AFTER,
        incremental=True,
        requests_per_second=1,
        clock=clock,
    )

    assert reading.statuses["boxes"] == "COMPLETE"
    for stream in ("box_comments", *EVERYTHING_AFTER):
        error = reading.error_of(stream)
        assert error.failure_type.value == "transient_error"
        assert "Try again later" in error.message
        assert error.stack_trace is None
    tries: dict[str, Counter[str]] = {}
    for entry in streak.log:
        if entry.fault:
            kind_of = "me" if entry.path == "v1/users/me" else entry.path.rpartition("/")[2]
            tries.setdefault(kind_of, Counter())[entry.path] += 1
    # The first list is tried for five minutes, with waits of at most 20 s; all others for 15 s.
    first = tries.pop("comments")
    assert max(first.values()) <= 45
    assert len(first) <= UNDER_WAY, "boxes were given up one by one"
    for paths in tries.values():
        assert max(paths.values()) <= 12
        assert len(paths) <= UNDER_WAY
    assert sum(tries["me"].values()) <= 12, (
        "whether Streak is gone is asked once, not by each thread and stream"
    )
    pace = 1.02 * len(streak.log)  # seconds
    assert clock.longest <= 600 + pace, "ten minutes in all, as documented"

    streak.clear_faults()
    streak.clear_log()
    rest = read("box_comments", incremental=True, state=reading.last_states)
    assert rest.ok
    keys = [
        {(row["boxKey"], row["key"]) for row in one.records["box_comments"]}
        for one in (reading, rest)
    ]
    assert keys[0] | keys[1] == comments_of(streak)
    counted = sum(box.get("commentCount") != 0 for box in streak.account.boxes.values())
    assert len(streak.requests(COMMENTS)) <= counted - answered + 4 * THREADS, (
        "what was delivered before the outage was asked for again"
    )


def test_an_outage_from_the_start_ends_all_streams_after_few_requests(
    streak: Sandbox, read: Read
) -> None:
    clock = QuickClock()
    streak.fault("*", "reset", times=None)

    reading = read(clock=clock)

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    assert {error.failure_type.value for error in reading.errors if error.stream_descriptor} == {
        "transient_error"
    }
    tries = Counter(entry.path for entry in streak.log)
    assert set(tries) == {"v2/users/me/teams", "v2/pipelines", "v1/snippets"}
    assert 15 <= tries["v2/users/me/teams"] <= 45
    assert max(tries["v2/pipelines"], tries["v1/snippets"]) <= 12
    assert clock.longest <= 300 + 2 * 15 + 3 * LONGEST_WAIT + 1.02 / 8 * len(streak.log)


def test_two_failing_boxes_end_no_stream_while_streak_answers_for_others(
    streak: Sandbox, read: Read
) -> None:
    """Failed boxes are requested again last: no other box is answered after them."""
    bad = [box["key"] for box in streak.account.boxes.values() if box.get("commentCount") != 0]
    streak.moods.failing_boxes = set(bad[:2])

    reading = read("box_comments", requests_per_second=1, incremental=True)

    assert reading.ok
    assert {record["boxKey"] for record in reading.records["box_comments"]} == {
        key for key, _ in comments_of(streak)
    } - set(bad[:2])


@pytest.mark.parametrize("part", ["v2/pipelines", "v1/pipelines/*/boxes", COMMENTS])
def test_a_response_that_drips_is_abandoned_and_requested_again(
    streak: Sandbox, read: Read, part: str
) -> None:
    """A byte now and then keeps the connection alive, but a page of boxes would take days."""
    streak.fault(part, "drip", seconds=0.001)

    reading = read("boxes", "box_comments", clock=WornClock(5.0))

    assert reading.ok
    assert [entry.fault for entry in streak.log].count("drip") == 1
    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert set(reading.keys("box_comments", "boxKey", "key")) == comments_of(streak)


def test_responses_that_always_drip_fail_the_stream_with_a_message(
    streak: Sandbox, read: Read
) -> None:
    streak.fault("v1/snippets", "drip", times=None, seconds=0.001)

    error = read("snippets", clock=WornClock(5.0)).error_of("snippets")

    slowly = "arrived too slowly, at less than 1 KB a second, and was given up"
    assert slowly in error.message
    assert error.failure_type.value == "transient_error"


def test_a_slow_but_steady_response_is_read_to_its_end(streak: Sandbox, read: Read) -> None:
    streak.fault("v1/snippets", "drip", times=None, seconds=0.001)

    reading = read("snippets", clock=WornClock(0.001))

    assert reading.ok
    assert len(streak.requests("v1/snippets")) == 1


def test_a_response_that_stalls_midway_is_reported_as_a_timeout(
    streak: Sandbox, read: Read
) -> None:
    streak.fault("v1/snippets", "drip", times=None, seconds=60)

    error = read("snippets", clock=QuickClock(speed=300)).error_of("snippets")

    assert "did not answer within 60 seconds" in error.message


def test_only_the_first_stream_waits_for_a_rate_limit_that_never_lifts(
    streak: Sandbox, read: Read
) -> None:
    """The first stream tries twelve times, each of the others once."""
    streak.fault("*", "status", times=None, status=429, retry_after=3600)

    reading = read("teams", "pipelines", "snippets")

    assert set(reading.statuses.values()) == {"INCOMPLETE"}
    asked = Counter(entry.path for entry in streak.log)
    assert asked == {"v2/users/me/teams": 12, "v2/pipelines": 1, "v1/snippets": 1}


def test_rate_limits_are_still_waited_out_after_another_request_was_given_up(
    streak: Sandbox, read: Read
) -> None:
    streak.fault("v2/users/me/teams", "reset", times=None)
    streak.fault("v1/snippets", "status", times=5, status=429)

    reading = read("teams", "snippets")

    assert reading.statuses == {"teams": "INCOMPLETE", "snippets": "COMPLETE"}


# --- Obstacles on the network ---------------------------------------------------------------------

LOGIN = b"<!doctype html><html><body>Please sign in</body></html>"


class Between:
    """A server on loopback that sends `answer` to every request and keeps the requests."""

    def __init__(self, answer: bytes, tls: Path | None = None) -> None:
        self.got: list[bytes] = []
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls)

        class Handler(socketserver.BaseRequestHandler):
            def handle(handler) -> None:  # noqa: N805
                try:
                    line = (
                        context.wrap_socket(handler.request, server_side=True)
                        if context
                        else handler.request
                    )
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
    length = f"Content-Length: {len(body)}"
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", length, "Connection: close", "", "")
    return "\r\n".join(lines).encode() + body


@pytest.fixture(scope="module")
def own_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key in the same file."""
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
    encoding, private, plain = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(encoding) + key.private_bytes(encoding, private, plain))
    return path


PROXY_PASSWORD = "pr0xy-passw0rd"
ELSEWHERE = "https://streak.invalid/api/"
# name: (environment variables, words that the user reads)
# {…} stands for a port or a file of the fixture `lines`
LINES: dict[str, tuple[dict[str, str], str]] = {
    "a name that does not resolve": ({"STREAK_API_URL": ELSEWHERE}, "could not be resolved"),
    "a connection refused": (
        {"STREAK_API_URL": "http://127.0.0.1:9/api/"},
        "was refused or broke off",
    ),
    "a certificate of its own": (
        {"STREAK_API_URL": "https://localhost:{tls}/api/"},
        "Streak's certificate could not be verified",
    ),
    "verification switched off": (
        {
            "STREAK_API_URL": "https://localhost:{tls}/api/",
            "CURL_CA_BUNDLE": "",
            "REQUESTS_CA_BUNDLE": "",
            "PYTHONHTTPSVERIFY": "0",
        },
        "Streak's certificate could not be verified",
    ),
    "a login page": (
        {"STREAK_API_URL": "http://127.0.0.1:{page}/api/"},
        "a proxy or a login page stands between",
    ),
    "a login page behind a trusted certificate": (
        {"STREAK_API_URL": "https://localhost:{tls_page}/api/", "REQUESTS_CA_BUNDLE": "{pem}"},
        "a proxy or a login page stands between",
    ),
    "no answer": ({"STREAK_API_URL": "http://127.0.0.1:{silent}/api/"}, "did not answer within"),
    "a proxy that wants a password": (
        {
            "STREAK_API_URL": ELSEWHERE,
            "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@127.0.0.1:{{wants_password}}",
        },
        "proxy on the way to Streak refused to forward the request (407)",
    ),
    "a proxy that answers with a page": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": "http://127.0.0.1:{forbids}"},
        "proxy on the way to Streak refused to forward the request (403)",
    ),
    "a proxy that is not there": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@127.0.0.1:9"},
        "proxy on the way to Streak could not be used",
    ),
    "a proxy whose name does not resolve": (
        {
            "STREAK_API_URL": ELSEWHERE,
            "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@proxy.invalid:3128",
        },
        "proxy on the way to Streak could not be used",
    ),
    "a proxy's address that is none": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"http://me:{PROXY_PASSWORD}@127.0.0.1:99999"},
        "in HTTPS_PROXY or ALL_PROXY, or the address in STREAK_API_URL, cannot be used",
    ),
    "a proxy of another kind": (
        {"STREAK_API_URL": ELSEWHERE, "HTTPS_PROXY": f"socks5://me:{PROXY_PASSWORD}@127.0.0.1:9"},
        "in HTTPS_PROXY or ALL_PROXY, or the address in STREAK_API_URL, cannot be used",
    ),
    "authorities that are not there": (
        {
            "STREAK_API_URL": "https://localhost:{tls}/api/",
            "REQUESTS_CA_BUNDLE": "/nowhere/authorities.pem",
        },
        "in REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE cannot be read",
    ),
}
OF_THE_MACHINE = [name for name, (_, words) in LINES.items() if "cannot be" in words]
INHERITED = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)


@pytest.fixture(scope="module")
def lines(own_certificate: Path) -> Iterator[dict[str, Any]]:
    """The servers between the connector and Streak, with their ports."""
    silent = socket.create_server(("127.0.0.1", 0))
    with (
        Between(http("200 OK", b"[]", "application/json"), own_certificate) as tls,
        Between(http("200 OK", LOGIN), own_certificate) as tls_page,
        Between(http("200 OK", LOGIN)) as page,
        Between(http("407 Proxy Authentication Required", LOGIN)) as wants_password,
        Between(http("403 Forbidden", LOGIN)) as forbids,
        silent,
    ):
        servers = {
            "tls": tls,
            "tls_page": tls_page,
            "page": page,
            "wants_password": wants_password,
            "forbids": forbids,
        }
        yield {"servers": servers, "silent": silent.getsockname()[1], "pem": own_certificate} | {
            name: server.port for name, server in servers.items()
        }


def environment_of(name: str, lines: dict[str, Any]) -> dict[str, str]:
    return {variable: value.format(**lines) for variable, value in LINES[name][0].items()}


@pytest.fixture(scope="module")
def printed(lines: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The outcome of `read --debug` as a user types it, for each of LINES."""
    place = tmp_path_factory.mktemp("lines")
    (place / "config.json").write_text(json.dumps({"api_key": KEY, "requests_per_second": 20}))
    (place / "catalog.json").write_text(
        json.dumps(ConfiguredAirbyteCatalogSerializer.dump(catalog_of("teams", "boxes")))
    )
    inherited = {name: value for name, value in os.environ.items() if name.upper() not in INHERITED}
    command = ("read", "--debug", "--config", "config.json", "--catalog", "catalog.json")
    with Copies(place) as copies:
        return {
            name: copies.type(
                *command,
                environment={
                    **inherited,
                    **environment_of(name, lines),
                    "QUICK_SPEED": speed(name),
                },
            )
            for name in LINES
        }


def speed(name: str) -> str:
    """A minute of silence takes 0.2 seconds."""
    return "300" if name == "no answer" else "1"


in_one_worker = pytest.mark.xdist_group("lines")  # `printed` is made once


@in_one_worker
@pytest.mark.parametrize("name", LINES)
def test_a_read_says_what_blocks_the_network_without_a_traceback(
    printed: dict[str, Outcome], name: str
) -> None:
    ran = printed[name]
    kind = "config_error" if name in OF_THE_MACHINE else "transient_error"
    errors = [error for error in ran.errors if error.get("stream_descriptor")]

    assert len(errors) == 2
    for error in errors:
        assert LINES[name][1] in error["message"]
        assert error["failure_type"] == kind
        assert not error.get("stack_trace")
    assert "Traceback" not in ran.out + ran.err
    assert (ran.code, ran.err) == (1, "")


@in_one_worker
@pytest.mark.parametrize("name", LINES)
def test_debug_output_of_a_blocked_read_holds_neither_key_nor_proxy_password(
    printed: dict[str, Outcome], name: str
) -> None:
    said = printed[name].out + printed[name].err
    password = base64.b64encode(f"me:{PROXY_PASSWORD}".encode()).decode().rstrip("=")

    assert not [form for form in {*forms_of(KEY), PROXY_PASSWORD, password} if form in said]


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without this machine's own proxies and certificates."""
    for variable in INHERITED:
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)
    return monkeypatch


def check(folder: Path, key: str = KEY, speed: str = "1") -> Outcome:
    """Run the command `check`."""
    return commands.check(folder, QuickClock(speed=float(speed)), api_key=key)


@pytest.mark.parametrize("name", LINES)
def test_check_says_what_blocks_the_network(
    lines: dict[str, Any], surroundings: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """FAILED if the user has to fix something; otherwise an error, so that Airbyte tries again."""
    for variable, value in environment_of(name, lines).items():
        surroundings.setenv(variable, value)

    ran = check(tmp_path, speed=speed(name))

    if name in OF_THE_MACHINE:
        status, sentence = ran.verdict()
        assert status == "FAILED"
    else:
        sentence = ran.outage()
    assert LINES[name][1] in sentence


# --- Where the key goes ---------------------------------------------------------------------------


def test_a_server_whose_certificate_is_not_trusted_gets_no_request(
    lines: dict[str, Any], surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    surroundings.setenv("CURL_CA_BUNDLE", "")
    surroundings.setenv("STREAK_API_URL", f"https://localhost:{lines['tls']}/api/")
    lines["servers"]["tls"].got.clear()

    check(tmp_path)

    assert not lines["servers"]["tls"].got


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_authority_in_the_users_bundle_is_trusted(
    own_certificate: Path, surroundings: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    surroundings.setenv(variable, str(own_certificate))
    with Between(
        http("200 OK", b'{"key": "agxUser", "results": []}', "application/json"), own_certificate
    ) as server:
        surroundings.setenv("STREAK_API_URL", f"https://localhost:{server.port}/api/")

        assert check(tmp_path).verdict()[0] == "SUCCEEDED"

    assert b"GET /api/v1/users/me" in server.got[0]
    assert base64.b64encode(f"{KEY}:".encode()) in server.got[0]


def test_a_proxy_sees_neither_the_key_nor_the_path_of_a_request(
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
def test_plain_http_requests_to_127_0_0_1_bypass_the_proxy(
    streak: Sandbox, surroundings: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    surroundings.setenv("STREAK_API_URL", streak.url)
    with Between(http("200 OK", LOGIN)) as proxy:
        surroundings.setenv(variable, f"http://127.0.0.1:{proxy.port}")

        assert check(tmp_path, streak.key).verdict()[0] == "SUCCEEDED"

    assert not proxy.got


@pytest.mark.parametrize("where", ["HOME", "NETRC"])
def test_a_netrc_does_not_replace_the_key(
    streak: Sandbox, surroundings: pytest.MonkeyPatch, tmp_path: Path, where: str
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(
        "machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n"
    )
    netrc.chmod(0o600)
    surroundings.setenv(where, str(tmp_path if where == "HOME" else netrc))
    surroundings.setenv("STREAK_API_URL", streak.url)

    assert check(tmp_path, streak.key).verdict()[0] == "SUCCEEDED"
    assert all(entry.authorized for entry in streak.log)
