"""Responses that no server should send.

None loses a row, ends in a traceback, or keeps a person waiting.
"""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from commands import Outcome
from conftest import Read, Reading, catalog_of
from copies import Copies
from quick import QuickClock
from streak_sandbox import Sandbox
from test_secrets import forms_of
from watches import OneClock

from source_streak.api.client import Client, json_of
from source_streak.api.clock import Clock
from source_streak.config import Config

KEY = "strk_0dd/+=%25&key-0003"


class Raw:
    """A server on loopback that sends the given bytes.

    Each path has its own responses, sent one after the other. The last one is sent for ever.
    """

    def __init__(self) -> None:
        self.answers: dict[str, list[bytes]] = {}
        self.asked: Counter[str] = Counter()
        raw = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while line := self.rfile.readline():
                    path = line.split()[1].decode().partition("?")[0].removeprefix("/api/")
                    while self.rfile.readline().strip():
                        pass
                    answers = raw.answers[path]
                    raw.asked[path] += 1
                    self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api/"

    def __enter__(self) -> Raw:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def http(body: Any, status: str = "200 OK", *headers: str) -> bytes:
    content = json.dumps(body).encode()
    kind, length = "Content-Type: application/json", f"Content-Length: {len(content)}"
    return (
        "\r\n".join([f"HTTP/1.1 {status}", kind, length, *headers, "", ""]).encode("latin-1")
        + content
    )


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Raw]:
    with Raw() as server:
        server.answers = {
            "v1/users/me": [http({"key": "agxUser"})],
            "v2/pipelines": [http({"results": [{"key": "agxPipe", "name": "A"}]})],
            "v2/users/me/teams": [http({"results": [{"key": "agxTeam", "name": "A"}]})],
        }
        monkeypatch.setenv("STREAK_API_URL", server.url)
        yield server


Check = Callable[..., Outcome]


@pytest.fixture
def check(raw: Raw, tmp_path: Path) -> Check:
    def check_streak(clock: Clock | None = None) -> Outcome:
        return commands.check(tmp_path, clock, api_key=KEY)

    return check_streak


# --- Odd responses --------------------------------------------------------------------------------

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
ODD = {
    "an informational answer before the proper one": HINTS + http({"key": "agxOther"}),
    "two lengths": http({"key": "agxUser"}, "200 OK", "Content-Length: 3"),
    "a redirect to no address": http({}, "302 Found", "Location: http://[bad"),
    "a redirect to letters that are none": http({}, "302 Found", "Location: /caf\xe9"),
    "a limit until a year that is none": http(
        {}, "429 Too Many", "Retry-After: Mon, 01 Jan 999999999999 00:00:00 GMT"
    ),
    "a limit until an hour that is none": http(
        {}, "429 Too Many", "Retry-After: Mon, 01 Jan 2024 99999999999999999999:00:00 GMT"
    ),
    "a limit that is no number": http({}, "429 Too Many", "Retry-After: soon"),
    "a limit below nothing": http({}, "429 Too Many", "Retry-After: -5"),
    "a header without a colon": http({"key": "agxUser"}, "200 OK", "foo bar"),
}
REFUSED = [name for name in ODD if "redirect" in name]


@pytest.mark.parametrize("name", [name for name in ODD if name not in REFUSED])
def test_check_succeeds_after_one_odd_response(raw: Raw, check: Check, name: str) -> None:
    raw.answers["v1/users/me"].insert(0, ODD[name])

    assert check().verdict() == ("SUCCEEDED", "")
    assert raw.asked["v1/users/me"] <= 2


@pytest.mark.parametrize("name", REFUSED)
def test_check_reports_a_redirect_to_an_odd_address(raw: Raw, check: Check, name: str) -> None:
    raw.answers["v1/users/me"] = [ODD[name]]

    status, sentence = check().verdict()

    assert status == "FAILED"
    assert "was redirected to another address (302)" in sentence


def test_each_request_gets_its_own_response_after_a_103_early_hints(raw: Raw) -> None:
    """On a reused connection, what follows the 103 could be taken for the next response."""
    raw.answers = {
        "one": [b"HTTP/1.1 103 Early Hints\r\n\r\n" + http({"key": "one"}), http({"key": "one"})],
        "two": [http({"key": "two"})],
    }
    client = Client(Config.from_settings({"api_key": KEY}), QuickClock())

    asked = ("one", "two", "one")
    assert [client.get(path, {}, json_of)["key"] for path in asked] == list(asked)


# --- A person waits -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    ["20", "3600", "99999999999", "9" * 400, "Mon, 01 Jan 2999 00:00:00 GMT"],
    ids=lambda limit: limit[:20],
)
def test_check_waits_15_seconds_for_a_long_rate_limit_and_tries_once_more(
    raw: Raw, check: Check, limit: str
) -> None:
    clock = OneClock()
    raw.answers["v1/users/me"] = [http({}, "429 Too Many", f"Retry-After: {limit}")]

    sentence = check(clock).outage()

    assert "rate limit was exceeded (429). Streak asks to wait " in sentence
    assert raw.asked["v1/users/me"] == 2
    assert clock.seconds == pytest.approx(15, abs=0.5)


def test_check_succeeds_if_a_long_rate_limit_lifts_early(raw: Raw, check: Check) -> None:
    raw.answers["v1/users/me"].insert(0, http({}, "429 Too Many", "Retry-After: 99999999999"))

    assert check().verdict() == ("SUCCEEDED", "")


def test_check_waits_15_seconds_in_all_for_repeated_rate_limits(raw: Raw, check: Check) -> None:
    clock = OneClock()
    raw.answers["v1/users/me"] = [http({}, "429 Too Many", "Retry-After: 6")]

    sentence = check(clock).outage()

    assert raw.asked["v1/users/me"] == 4
    assert "Gave up after 4 attempts" in sentence
    assert clock.seconds == pytest.approx(15, abs=1)


def test_check_shares_its_15_seconds_of_waiting_among_all_requests(raw: Raw, check: Check) -> None:
    clock = OneClock()
    limit = http({}, "429 Too Many", "Retry-After: 10")
    raw.answers["v1/users/me"].insert(0, limit)
    raw.answers["v2/pipelines"] = [limit]

    sentence = check(clock).outage()

    assert sentence.startswith("The list of pipelines could not be read. Streak's rate limit")
    assert raw.asked == {"v1/users/me": 2, "v2/pipelines": 2}
    assert clock.seconds == pytest.approx(15, abs=2)


def test_check_waits_out_a_short_rate_limit(raw: Raw, check: Check) -> None:
    raw.answers["v1/users/me"].insert(0, http({}, "429 Too Many", "Retry-After: 6"))

    assert check().verdict() == ("SUCCEEDED", "")


# --- Secrets in messages and logs -----------------------------------------------------------------


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "418 Teapot"])
def test_a_quoted_refusal_reveals_neither_the_key_nor_names_nor_addresses(
    raw: Raw, check: Check, status: str
) -> None:
    shared = "of 'Acme & Sons' shared with zoe@private.example by \"Zoe Private\""
    said = f"bad credential >{KEY}< {shared}"
    raw.answers["v1/users/me"] = [http({"error": said}, status)]
    raw.answers["v2/pipelines"] = [http({"error": said}, status)]

    _, sentence = check().verdict()

    assert "bad credential" in sentence
    secret = (*forms_of(KEY), KEY[-6:], "Acme", "zoe", "Zoe", "private")
    assert not [form for form in secret if form in sentence]


def test_debug_output_holds_no_log_lines_of_libraries(raw: Raw, tmp_path: Path) -> None:
    """For a malformed header, urllib3 logs a traceback and the whole URL."""
    raw.answers["v1/users/me"] = raw.answers["v1/snippets"] = [
        http({"key": "agxUser", "results": [{"key": "agxSnippet"}]}, "200 OK", "foo bar")
    ]
    (tmp_path / "config.json").write_text(json.dumps({"api_key": KEY}))
    catalog = ConfiguredAirbyteCatalogSerializer.dump(catalog_of("snippets"))
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))

    options = ("--debug", "--config", "config.json", "--catalog", "catalog.json")
    with Copies(tmp_path) as copies:
        ran = copies.type("read", *options, environment=os.environ)

    assert raw.asked["v1/snippets"] == 1
    assert "Traceback" not in ran.out + ran.err
    assert "snippets (url" not in ran.out
    assert "v1/snippets" not in ran.out
    assert not ran.errors


# --- Lists ----------------------------------------------------------------------------------------


def answers_of(streak: Sandbox, path: str, body: Callable[[int], Any]) -> None:
    """Each response for that path has the body that `body` returns for its number."""
    for number in range(60):
        streak.fault(path, "wrong_shape", after=0, times=1, body=body(number))


def contacts_of(streak: Sandbox) -> str:
    return f"v2/teams/{next(iter(streak.account.contacts))}/contacts"


def odd_contacts(reading: Reading) -> list[Any]:
    return [key for key in reading.keys("contacts") if key.startswith("agxContact")]


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_contacts_that_repeat_under_new_cursors_end_the_list(streak: Sandbox, read: Read) -> None:
    rows = [{"key": f"agxContact{number}", "title": "T"} for number in range(3)]
    answers_of(
        streak, contacts_of(streak), lambda number: {"results": rows, "cursor": f"next-{number}"}
    )

    reading = read("contacts")

    assert len(streak.requests(contacts_of(streak))) <= 5
    assert len(odd_contacts(reading)) == 3
    said = "has more pages, but sends nothing new. The rows so far are used."
    assert any(said in line for line in reading.logs)


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_one_repeated_page_does_not_end_the_list_of_contacts(streak: Sandbox, read: Read) -> None:
    pages = [0, 0, 1, 2]
    answers_of(
        streak,
        contacts_of(streak),
        lambda number: {
            "results": [{"key": f"agxContact{pages[min(number, 3)]}"}],
            **({"cursor": f"next-{number}"} if number < 3 else {}),
        },
    )

    assert odd_contacts(read("contacts")) == ["agxContact0", "agxContact1", "agxContact2"]


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_a_cursor_that_is_a_number_is_followed(streak: Sandbox, read: Read) -> None:
    answers_of(
        streak,
        contacts_of(streak),
        lambda number: {
            "results": [{"key": f"agxContact{number}"}],
            **({"cursor": number + 1} if number < 2 else {}),
        },
    )

    assert odd_contacts(read("contacts")) == ["agxContact0", "agxContact1", "agxContact2"]


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_a_pipeline_whose_key_is_called_pipeline_key_is_read(streak: Sandbox, read: Read) -> None:
    pipelines = [
        {**row, "key": None, "pipelineKey": row["key"]} for row in streak.account.pipelines.values()
    ]
    answers_of(streak, "v2/pipelines", lambda _: {"results": pipelines, "hasNextPage": False})

    reading = read("pipelines", "boxes")

    assert set(reading.keys("pipelines")) == set(streak.account.pipelines)
    assert set(reading.keys("boxes")) == set(streak.account.boxes)


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_pipelines_and_boxes_without_a_key_are_left_out_and_counted(
    streak: Sandbox, read: Read
) -> None:
    nameless = {
        "name": "Nameless",
        "pipelineKey": None,
        "teamKey": next(iter(streak.account.teams)),
    }
    pipelines = [*streak.account.pipelines.values(), nameless]
    answers_of(streak, "v2/pipelines", lambda _: {"results": pipelines, "hasNextPage": False})
    list_path = f"v1/pipelines/{next(iter(streak.account.pipelines))}/boxes"
    boxes = [
        box
        for box in streak.account.boxes.values()
        if box["pipelineKey"] == next(iter(streak.account.pipelines))
    ]
    answers_of(streak, list_path, lambda _: {"results": [*boxes, nameless], "hasNextPage": False})

    reading = read("boxes")

    assert set(reading.keys("boxes")) == set(streak.account.boxes)
    assert any(
        "1 of " in line and "rows in v2/pipelines left out: no key." in line
        for line in reading.logs
    )
    assert any(line.startswith("1 box") and "left out: no key." in line for line in reading.logs)


# --- Contents that cannot be right ----------------------------------------------------------------


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_a_box_list_nested_too_deeply_to_serialize_is_requested_again(
    streak: Sandbox, read: Read
) -> None:
    deep: Any = []
    for _ in range(250):
        deep = [deep]
    list_path = f"v1/pipelines/{next(iter(streak.account.pipelines))}/boxes"
    boxes = [*streak.account.boxes.values()]
    odd = [{**boxes[0], "fields": {"1": deep}}, *boxes[1:]]
    answers_of(streak, list_path, lambda asked: boxes if asked else odd)

    reading = read("boxes")

    assert set(reading.keys("boxes")) == set(streak.account.boxes)


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
def test_an_empty_v2_list_of_pipelines_is_not_believed_while_v1_has_some(
    streak: Sandbox, read: Read
) -> None:
    streak.fault("v2/pipelines", "empty", times=None)

    reading = read("pipelines", "boxes")

    assert set(reading.keys("pipelines")) == set(streak.account.pipelines)
    assert set(reading.keys("boxes")) == set(streak.account.boxes)


def test_wrong_comment_counters_cost_about_20_more_requests(streak: Sandbox, read: Read) -> None:
    streak.fault("v2/boxes/*/comments", "empty", times=None)
    counted = sum(box.get("commentCount") != 0 for box in streak.account.boxes.values())

    reading = read("box_comments", requests_per_second=1)

    assert reading.ok
    assert not reading.records["box_comments"]
    assert counted + 20 <= len(streak.requests("v2/boxes/*/comments")) <= counted + 20 + 24, (
        "those under way may pass it"
    )
