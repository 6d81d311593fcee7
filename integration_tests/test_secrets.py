"""No command prints the API key, at any log level and whatever fails.

No log names a person or a box.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from conftest import catalog_of
from copies import Copies
from streak_sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("secrets")  # `printed` is made once
KEY = "strk_t3st/+=&key-0001"  # with characters that a URL would escape
WRONG = "strk_wr0ng/+=&key-0002"
LEVELS: dict[str, tuple[list[str], dict[str, str]]] = {
    "usual": ([], {}),
    "--debug": (["--debug"], {}),
    "LOG_LEVEL=debug": ([], {"LOG_LEVEL": "debug"}),
}
NOWHERE = "http://127.0.0.1:9/api/"  # nothing listens there
NO_SUCH_NAME = "https://streak.invalid/api/"
# name: (command, level, key, address or None for the sandbox's)
RUNS: dict[str, tuple[str, str, str, str | None]] = {
    "spec --debug": ("spec", "--debug", KEY, None),
    **{f"{command} --debug": (command, "--debug", KEY, None) for command in ("check", "discover")},
    **{f"read {level}": ("read", level, KEY, None) for level in LEVELS},
    "check with a wrong key": ("check", "--debug", WRONG, None),
    "read with a wrong key": ("read", "--debug", WRONG, None),
    "check without a connection": ("check", "LOG_LEVEL=debug", KEY, NOWHERE),
    "read without a connection": ("read", "--debug", KEY, NOWHERE),
    "read without a name": ("read", "LOG_LEVEL=debug", KEY, NO_SUCH_NAME),
}


@pytest.fixture(scope="module")
def streak() -> Iterator[Sandbox]:
    with Sandbox(boxes=60, key=KEY) as sandbox:
        boxes = [box["key"] for box in sandbox.account.boxes.values() if box.get("commentCount")]
        sandbox.moods.failing_boxes, sandbox.moods.gone_boxes = set(boxes[:1]), set(boxes[1:2])
        sandbox.fault(
            "v2/teams/*/contacts", "status", times=None, status=422, body={"error": "odd"}
        )
        yield sandbox


@pytest.fixture(scope="module")
def printed(streak: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The whole output of each of RUNS, stdout and stderr."""
    place = tmp_path_factory.mktemp("secrets")
    (place / "catalog.json").write_text(
        json.dumps(ConfiguredAirbyteCatalogSerializer.dump(catalog_of()))
    )
    with Copies(place) as copies:
        return {name: typed(copies, place, streak, run) for name, run in RUNS.items()}


def typed(
    copies: Copies, place: Path, streak: Sandbox, run: tuple[str, str, str, str | None]
) -> str:
    command, level, key, address = run
    config = place / f"{key == KEY}.json"
    config.write_text(json.dumps({"api_key": key, "requests_per_second": 20}))
    catalog = str(place / "catalog.json")
    options = {"spec": [], "read": ["--config", str(config), "--catalog", catalog]}
    arguments, environment = LEVELS[level]
    ran = copies.type(
        command,
        *arguments,
        *options.get(command, ["--config", str(config)]),
        environment={**os.environ, **environment, "STREAK_API_URL": address or streak.url},
    )
    return ran.out + ran.err


def forms_of(key: str) -> set[str]:
    """The key itself, and the forms that it takes in a URL and in a header.

    Base64 without its last character, which depends on what follows.
    """
    encoded = {
        base64.b64encode(text.encode()).decode().rstrip("=")[:-1]
        for text in (key, f"{key}:", f":{key}", f"{key}:{key}")
    }
    return {
        key,
        quote(key),
        quote(key, safe=""),
        quote_plus(key),
        *encoded,
        *(text.replace("+", "-").replace("/", "_") for text in encoded),
    }


def log_lines(printed: str) -> str:
    """The lines that a log keeps: LOG and TRACE messages, and lines that are no message."""
    kept = []
    for line in printed.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            message = {}
        if message.get("type") not in ("RECORD", "CATALOG", "SPEC"):
            kept.append(line)
    return "\n".join(kept)


@pytest.mark.parametrize("name", RUNS)
def test_the_output_holds_no_form_of_the_key(printed: dict[str, str], name: str) -> None:
    assert '"type"' in printed[name], "nothing was printed at all"
    for form in forms_of(KEY) | forms_of(WRONG):
        assert form not in printed[name]


@pytest.mark.parametrize("name", RUNS)
def test_no_header_with_credentials_is_printed(printed: dict[str, str], name: str) -> None:
    assert not re.search(r"authorization\W|basic [a-z0-9+/*]", log_lines(printed[name]).lower())


@pytest.mark.parametrize("name", RUNS)
def test_every_line_is_a_message_of_the_protocol_at_every_log_level(
    printed: dict[str, str], name: str
) -> None:
    for line in printed[name].splitlines():  # DEBUG comes from the framework
        assert json.loads(line)["type"] in (
            "LOG",
            "TRACE",
            "STATE",
            "RECORD",
            "SPEC",
            "CATALOG",
            "CONNECTION_STATUS",
            "DEBUG",
        )


@pytest.mark.parametrize("name", [name for name, run in RUNS.items() if run[0] == "read"])
def test_no_log_line_holds_an_email_address(printed: dict[str, str], name: str) -> None:
    assert re.findall(r"[\w.+-]+@[\w-]+\.\w+", log_lines(printed[name])) == []


@pytest.mark.parametrize("name", [name for name, run in RUNS.items() if run[0] == "read"])
def test_no_log_line_names_a_box_or_a_person(
    printed: dict[str, str], streak: Sandbox, name: str
) -> None:
    private = {
        *(box[column] for box in streak.account.boxes.values() for column in ("key", "name")),
        *(
            user[column]
            for user in streak.account.users.values()
            for column in ("key", "displayName")
        ),
        *(row["key"] for rows in streak.account.contacts.values() for row in rows),
    }
    said = log_lines(printed[name])
    assert len(private) > 80
    assert [text for text in private if text and len(text) > 3 and text in said] == []


@pytest.mark.parametrize("name", ["read usual", "read --debug", "read LOG_LEVEL=debug"])
def test_the_successful_reads_delivered_records(printed: dict[str, str], name: str) -> None:
    assert printed[name].count('"type":"RECORD"') > 300


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("check with a wrong key", "Streak refused this API key"),
        ("check without a connection", "The connection to Streak was refused or broke off"),
        ("read without a connection", "The connection to Streak was refused or broke off"),
        ("read without a name", "could not be resolved"),
    ],
)
def test_the_failing_runs_said_why(printed: dict[str, str], name: str, words: str) -> None:
    assert words in printed[name]
