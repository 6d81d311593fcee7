"""The command as it is typed.

What it prints, how it ends, and that it ends within seconds whoever asks for it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from conftest import catalog_of
from streak_sandbox import Sandbox

from source_streak import SourceStreak
from source_streak.command import Entrypoint
from source_streak.stream import Failure
from source_streak.streams import STREAMS

MODULE = (sys.executable, "-m", "source_streak")
CONSOLE = (str(Path(sys.executable).with_name("source-streak")),)
NEW_KEY = "Gmail > Streak > Integrations > Custom integrations > Create new key"
SOON = 5.0  # seconds in which a process that is asked to end has to be gone
# the same where it must not take a failing write to notice: the framework's buffer is written every
# 5
BEFORE_IT_WRITES = 3.0
FAR = 30.0  # seconds after which a test that waits for something has failed


def small_streak() -> Sandbox:
    """One team, one pipeline of five boxes with two comments each."""
    sandbox = Sandbox(account="empty")
    sandbox.account.add_team("Team")
    pipeline = sandbox.account.add_pipeline("Sales", boxes=5)["key"]
    for box in sandbox.account.boxes_of(pipeline):
        sandbox.account.add_comment(box["key"], "Hello")
        sandbox.account.add_comment(box["key"], "Again")
    return sandbox


@dataclass
class Outcome:
    """What came of one command."""

    code: int
    out: str
    err: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Every line of stdout: each has to be a message of the protocol."""
        messages = [json.loads(line) for line in self.out.splitlines()]
        assert all("type" in message for message in messages)
        return messages

    def of_type(self, wanted: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == wanted]

    @property
    def said(self) -> str:
        """Logs, errors and the status of the connection, as a user reads them."""
        logs = [message["log"]["message"] for message in self.of_type("LOG")]
        errors = [
            message["trace"]["error"]["message"]
            for message in self.of_type("TRACE")
            if message["trace"]["type"] == "ERROR"
        ]
        return "\n".join(
            [
                *logs,
                *errors,
                *(
                    message["connectionStatus"].get("message", "")
                    for message in self.of_type("CONNECTION_STATUS")
                ),
            ]
        )

    @property
    def statuses(self) -> dict[str, str]:
        """Of each stream, the last one."""
        found = [
            message["trace"]["stream_status"]
            for message in self.of_type("TRACE")
            if message["trace"]["type"] == "STREAM_STATUS"
        ]
        return {status["stream_descriptor"]["name"]: status["status"] for status in found}

    def count(self, stream: str) -> int:
        return sum(message["record"]["stream"] == stream for message in self.of_type("RECORD"))

    def assert_no_traceback(self) -> None:
        assert "Traceback" not in self.err
        assert not [
            message for message in self.of_type("LOG") if "Traceback" in message["log"]["message"]
        ]


class Desk:
    """A directory with the files of one user, and the commands typed there."""

    def __init__(self, place: Path, streak: Sandbox) -> None:
        self.place, self.streak = place, streak
        self.temporary = place / "tmp"
        self.temporary.mkdir()
        self.environment = {
            **os.environ,
            "STREAK_API_URL": streak.url,
            "TMPDIR": str(self.temporary),
        }
        self.config = self.write("config.json", {"api_key": streak.key, "requests_per_second": 20})

    def write(self, name: str, content: object) -> str:
        """A file: text and bytes as they are, all else as JSON."""
        raw = (
            content
            if isinstance(content, bytes)
            else (content if isinstance(content, str) else json.dumps(content)).encode()
        )
        (self.place / name).write_bytes(raw)
        return str(self.place / name)

    def catalog(self, *streams: str, unknown: str | None = None) -> str:
        catalog = ConfiguredAirbyteCatalogSerializer.dump(catalog_of(*streams))
        if unknown:
            catalog["streams"].insert(
                0,
                json.loads(
                    json.dumps(catalog["streams"][0]).replace(f'"{streams[0]}"', f'"{unknown}"')
                ),
            )
        return self.write("catalog.json", catalog)

    def reading(self, *streams: str) -> tuple[str, ...]:
        return ("read", "--config", self.config, "--catalog", self.catalog(*streams))

    def type(
        self, *arguments: str, command: tuple[str, ...] = MODULE, **environment: str
    ) -> Outcome:
        """The command to its end."""
        ran = subprocess.run(
            [*command, *arguments],
            env=self.environment | environment,
            cwd=self.place,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Outcome(ran.returncode, ran.stdout.decode(), ran.stderr.decode())

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """The command while it runs; what is left of it at the end of the block is killed."""
        with subprocess.Popen(
            [*MODULE, *arguments],
            env=self.environment,
            cwd=self.place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


@pytest.fixture(scope="module")
def quiet_streak() -> Iterator[Sandbox]:
    """One for all tests that set nothing in it."""
    with small_streak() as sandbox:
        yield sandbox


@pytest.fixture
def streak() -> Iterator[Sandbox]:
    with small_streak() as sandbox:
        yield sandbox


@pytest.fixture
def desk(tmp_path: Path, streak: Sandbox) -> Desk:
    return Desk(tmp_path, streak)


@pytest.fixture
def quiet_desk(tmp_path: Path, quiet_streak: Sandbox) -> Desk:
    return Desk(tmp_path, quiet_streak)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard() -> Iterator[None]:
    """In a shell's background job Ctrl-C is ignored, and whatever is started from there inherits
    that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def plain(text: str) -> str:
    """So that a setting may be called by its name or by its title."""
    return text.lower().replace("_", " ")


def met(streak: Sandbox, pattern: str, after: int = 0) -> threading.Event:
    """Set when the sandbox gets such a request."""
    event = threading.Event()
    streak.on(pattern, lambda _: event.set(), after=after)
    return event


# --- The four commands
# ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [MODULE, CONSOLE], ids=["python -m source_streak", "source-streak"]
)
def test_spec_prints_the_spec_and_asks_nothing(quiet_desk: Desk, command: tuple[str, ...]) -> None:
    quiet_desk.streak.clear_log()
    ran = quiet_desk.type("spec", command=command)

    (message,) = ran.of_type("SPEC")
    properties = message["spec"]["connectionSpecification"]["properties"]
    assert properties["api_key"]["airbyte_secret"] is True
    assert (ran.code, ran.err) == (0, "")
    assert not quiet_desk.streak.log


def test_check_succeeds_with_spaces_around_the_key_and_says_first_where_it_asks(
    quiet_desk: Desk,
) -> None:
    quiet_desk.write("config.json", {"api_key": f"  {quiet_desk.streak.key}\n"})

    ran = quiet_desk.type("check", "--config", quiet_desk.config)

    (message,) = ran.of_type("CONNECTION_STATUS")
    logs = [
        log["log"]["message"]
        for log in ran.of_type("LOG")
        if "MemoryMonitor" not in log["log"]["message"]
    ]
    assert message["connectionStatus"]["status"] == "SUCCEEDED"
    assert quiet_desk.streak.url in logs[0]
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize("tables", [True, False])
def test_discover_prints_every_stream_and_a_table_for_each_pipeline_and_asks_for_nothing_else(
    quiet_desk: Desk, tables: bool
) -> None:
    quiet_desk.streak.clear_log()
    quiet_desk.write("config.json", {"api_key": quiet_desk.streak.key, "pipeline_tables": tables})
    ran = quiet_desk.type("discover", "--config", quiet_desk.config)

    (message,) = ran.of_type("CATALOG")
    assert len(message["catalog"]["streams"]) == len(STREAMS) + (
        len(quiet_desk.streak.account.pipelines) if tables else 0
    )
    assert (ran.code, ran.err) == (0, "")
    assert [entry.path for entry in quiet_desk.streak.log] == (
        ["v1/users/me", "v2/pipelines"] if tables else []
    )


def test_read_prints_every_record_and_leaves_nothing_behind(quiet_desk: Desk) -> None:
    ran = quiet_desk.type(*quiet_desk.reading(), command=CONSOLE)

    assert (ran.count("boxes"), ran.count("box_comments"), ran.count("teams")) == (5, 10, 1)
    assert set(ran.statuses.values()) == {"COMPLETE"}
    assert len(ran.statuses) == len(STREAMS)
    assert (ran.code, ran.err) == (0, "")
    assert not list(quiet_desk.temporary.iterdir())


def test_no_command_prints_how_it_is_used(quiet_desk: Desk) -> None:
    ran = quiet_desk.type()

    assert "usage:" in ran.out + ran.err
    assert all(command in ran.out + ran.err for command in ("spec", "check", "discover", "read"))
    assert "Traceback" not in ran.out + ran.err


# --- What a user can get wrong
# ----------------------------------------------------------------------------------------

# name: (config or how to call it, words that its user reads)
WRONG_SETTINGS: dict[str, tuple[object, list[str]]] = {
    "empty key": ({"api_key": ""}, [NEW_KEY]),
    "key of spaces": ({"api_key": "   "}, [NEW_KEY]),
    "key with an accent": ({"api_key": "schlüssel"}, [NEW_KEY]),
    "key with a zero width space": ({"api_key": "abc\u200bdef"}, [NEW_KEY]),
    "no key": ({}, ["api_key"]),
    "key that is a number": ({"api_key": 1234567890123}, ["api_key"]),
    "0 requests a second": ({"api_key": "abc", "requests_per_second": 0}, ["requests_per_second"]),
    "21 requests a second": (
        {"api_key": "abc", "requests_per_second": 21},
        ["requests_per_second"],
    ),
    "a text for requests a second": (
        {"api_key": "abc", "requests_per_second": "8"},
        ["requests_per_second"],
    ),
    "a text for pipelines": ({"api_key": "abc", "pipelines": "Sales"}, ["pipelines"]),
    "numbers for pipelines": ({"api_key": "abc", "pipelines": [1]}, ["pipelines"]),
    "a text for the tables": ({"api_key": "abc", "pipeline_tables": "no"}, ["pipeline_tables"]),
    "a number for deletions": ({"api_key": "abc", "track_deletions": 1}, ["track_deletions"]),
    "a list": ([], ["--config", "object"]),
    "no JSON": ("{'api_key': 'abc'}", ["--config", "JSON"]),
    "an empty file": ("", ["--config", "JSON"]),
    "no UTF-8": (b"\xff\xfe{\x00", ["--config", "JSON"]),
}
MISTAKES: dict[str, tuple[str, list[str]]] = {
    "missing config": (
        "--config none.json --catalog catalog.json",
        ["none.json", "--config", "No such file"],
    ),
    "directory as config": ("--config . --catalog catalog.json", ["--config", "directory"]),
    "config with an empty key": ("--config empty_key.json --catalog catalog.json", [NEW_KEY]),
    "catalog that is no JSON": (
        "--config config.json --catalog broken.json",
        ["broken.json", "--catalog", "JSON"],
    ),
    "catalog of another kind": (
        "--config config.json --catalog config.json",
        ["config.json", "--catalog"],
    ),
    "missing state": (
        "--config config.json --catalog catalog.json --state none.json",
        ["none.json", "--state", "No such file"],
    ),
}


@pytest.mark.parametrize("command", ["check", "read"])
@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_wrong_settings_are_said_with_the_name_of_the_setting(
    quiet_desk: Desk, name: str, command: str
) -> None:
    settings, words = WRONG_SETTINGS[name]
    config = quiet_desk.write("config.json", settings)
    catalog = ["--catalog", quiet_desk.catalog("teams")] if command == "read" else []

    said = ""
    try:
        entrypoint = Entrypoint(SourceStreak())
        for line in entrypoint.run(entrypoint.parse_args([command, "--config", config, *catalog])):
            message = json.loads(line)
            assert message["type"] != "RECORD"
            said += message.get("connectionStatus", {}).get("message", "")
    except Failure as failure:
        said = str(failure.message)

    assert not [word for word in words if plain(word) not in plain(said)], said


def test_a_setting_that_does_not_exist_is_named_with_those_that_do(quiet_desk: Desk) -> None:
    quiet_desk.write("config.json", {"api_key": quiet_desk.streak.key, "rps": 4, "_limit": 5})

    ran = quiet_desk.type("check", "--config", quiet_desk.config)

    (warning,) = [
        message["log"]["message"]
        for message in ran.of_type("LOG")
        if message["log"]["level"] == "WARN"
    ]
    assert "no such setting: rps." in warning
    assert "requests_per_second" in warning
    assert ran.code == 0


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory: pytest.TempPathFactory, quiet_streak: Sandbox) -> dict[str, Outcome]:
    """All of them typed, some at once: a process takes a second to start."""
    desk = Desk(tmp_path_factory.mktemp("mistakes"), quiet_streak)
    desk.catalog("teams")
    desk.write("empty_key.json", WRONG_SETTINGS["empty key"][0])
    desk.write("broken.json", '{"streams": [')
    with ThreadPoolExecutor(3) as pool:
        outcomes = pool.map(lambda typed: desk.type("read", *typed[0].split()), MISTAKES.values())
        return dict(zip(MISTAKES, outcomes, strict=True))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_that_cannot_be_used_is_named_with_its_option_and_no_traceback(
    mistakes: dict[str, Outcome], name: str
) -> None:
    ran = mistakes[name]

    assert not [words for words in MISTAKES[name][1] if words not in ran.said], ran.said
    assert ran.code == 1
    assert ran.err == ""
    ran.assert_no_traceback()


def test_a_state_that_cannot_be_read_costs_a_whole_read_and_is_said(quiet_desk: Desk) -> None:
    state = quiet_desk.write("broken.json", '[{"type": "STREAM",')

    ran = quiet_desk.type(*quiet_desk.reading("boxes"), "--state", state)

    assert "broken.json" in ran.said
    assert "--state" in ran.said
    assert (ran.count("boxes"), ran.code, ran.err) == (5, 0, "")
    ran.assert_no_traceback()


def test_plain_http_to_another_host_is_refused_before_anything_is_sent(quiet_desk: Desk) -> None:
    ran = quiet_desk.type(
        "check", "--config", quiet_desk.config, STREAK_API_URL="http://streak.example.com/api/"
    )

    assert "STREAK_API_URL" in ran.said
    assert "https://" in ran.said
    assert "SUCCEEDED" not in ran.out
    ran.assert_no_traceback()


def test_a_stream_that_does_not_exist_is_named_and_the_others_are_delivered(
    quiet_desk: Desk,
) -> None:
    quiet_desk.catalog("boxes", "teams", unknown="deals")

    ran = quiet_desk.type(
        "read", "--config", quiet_desk.config, "--catalog", str(quiet_desk.place / "catalog.json")
    )

    assert 'no stream "deals"' in ran.said
    assert (ran.count("boxes"), ran.count("teams")) == (5, 1)
    assert ran.statuses == {"deals": "INCOMPLETE", "boxes": "COMPLETE", "teams": "COMPLETE"}
    assert ran.code == 1
    ran.assert_no_traceback()


def test_a_stream_that_fails_leaves_the_others_whole_and_the_exit_status_says_so(
    desk: Desk,
) -> None:
    desk.streak.fault(
        "v2/boxes/*/comments", "status", times=None, status=410, body={"error": "off"}
    )

    ran = desk.type(*desk.reading("box_comments", "boxes", "teams"))

    assert ran.statuses == {"box_comments": "INCOMPLETE", "boxes": "COMPLETE", "teams": "COMPLETE"}
    assert (ran.count("boxes"), ran.count("teams")) == (5, 1)
    assert "retired" in ran.said
    assert ran.code == 1
    assert ran.err == ""
    ran.assert_no_traceback()
    assert not list(desk.temporary.iterdir())


# --- Ending ---------------------------------------------------------------------------------------
# --------------------


def caught(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the process has a handler of its own for that signal."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


def starting(desk: Desk) -> tuple[tuple[str, ...], Callable[[subprocess.Popen[bytes]], None]]:
    """The framework is being imported."""

    def wait(process: subprocess.Popen[bytes]) -> None:
        while not caught(process, signal.SIGTERM):
            assert process.poll() is None

    return desk.reading("boxes"), wait


def at(
    arguments: tuple[str, ...], event: threading.Event
) -> tuple[tuple[str, ...], Callable[[subprocess.Popen[bytes]], None]]:
    def wait(_: subprocess.Popen[bytes]) -> None:
        assert event.wait(FAR)

    return arguments, wait


def checking(desk: Desk) -> Any:
    """users/me is not answered."""
    desk.streak.fault("v1/users/me", "hang", times=None)
    return at(("check", "--config", desk.config), met(desk.streak, "v1/users/me"))


def listing(desk: Desk) -> Any:
    """The list of boxes is not answered."""
    desk.streak.fault("v1/pipelines/*/boxes", "hang", times=None)
    return at(desk.reading("teams", "boxes"), met(desk.streak, "v1/pipelines/*/boxes"))


def reading_children(desk: Desk) -> Any:
    """Comments are not answered, for several threads."""
    desk.streak.fault("v2/boxes/*/comments", "hang", times=None)
    return at(
        desk.reading("boxes", "box_comments"), met(desk.streak, "v2/boxes/*/comments", after=3)
    )


def trying_again(desk: Desk) -> Any:
    """Streak is down, and is given time."""
    desk.streak.fault("v2/users/me/teams", "status", times=None, status=503)
    return at(desk.reading("teams"), met(desk.streak, "v2/users/me/teams", after=1))


def pausing(desk: Desk) -> Any:
    """Streak has asked for a pause."""
    desk.streak.fault("v2/users/me/teams", "status", times=None, status=429, retry_after=600)
    return at(desk.reading("teams"), met(desk.streak, "v2/users/me/teams"))


CTRL_C, TERMINATE = signal.SIGINT, signal.SIGTERM
ENDINGS = [
    *(
        pytest.param(phase, TERMINATE, id=f"SIGTERM-{phase.__name__}")
        for phase in (starting, checking, listing, reading_children, trying_again, pausing)
    ),
    *(
        pytest.param(phase, CTRL_C, id=f"Ctrl-C-{phase.__name__}")
        for phase in (starting, listing, reading_children)
    ),
]


@pytest.mark.parametrize(("phase", "sent"), ENDINGS)
def test_a_signal_ends_it_within_seconds_without_a_traceback(
    desk: Desk, phase: Any, sent: signal.Signals
) -> None:
    arguments, wait = phase(desk)
    with desk.running(*arguments) as process:
        wait(process)
        process.send_signal(sent)
        out, err = process.communicate(timeout=SOON)

    assert process.returncode == -sent, (
        "whoever sent the signal sees that it was taken; a shell says 130 or 143"
    )
    assert b"Traceback" not in out + err
    assert err == b""
    assert not list(desk.temporary.iterdir())
    Outcome(-sent, out.decode(), "").messages  # noqa: B018 # every line is a whole message


def test_a_kill_leaves_no_file_with_the_key_behind(desk: Desk) -> None:
    arguments, wait = reading_children(desk)
    with desk.running(*arguments) as process:
        wait(process)
        process.kill()

    assert not [
        path
        for path in desk.temporary.rglob("*")
        if path.is_file() and desk.streak.key in path.read_text()
    ]


@pytest.mark.parametrize("command", ["spec", "check", "discover", "read", "check with a wrong key"])
def test_no_command_leaves_a_file_behind_anywhere(quiet_desk: Desk, command: str) -> None:
    """Neither where it was typed, nor at home, nor in the folder for temporary files."""
    home = quiet_desk.place / "home"
    home.mkdir()
    if command.endswith("wrong key"):
        quiet_desk.write("config.json", {"api_key": "wrong"})
    arguments = {
        "spec": ("spec",),
        "discover": ("discover", "--config", quiet_desk.config),
        "read": quiet_desk.reading("boxes"),
    }.get(command, ("check", "--config", quiet_desk.config))
    before = set(quiet_desk.place.rglob("*"))

    quiet_desk.type(
        *arguments,
        HOME=str(home),
        XDG_CACHE_HOME=str(home / "cache"),
        XDG_CONFIG_HOME=str(home / "config"),
    )

    assert set(quiet_desk.place.rglob("*")) == before


def test_an_impatient_second_ctrl_c_changes_nothing(desk: Desk) -> None:
    arguments, wait = reading_children(desk)
    with desk.running(*arguments) as process:
        wait(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SOON)

    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in out + err


@pytest.mark.parametrize("phase", [listing, reading_children], ids=lambda phase: phase.__name__)
def test_a_reader_that_goes_away_while_nothing_is_written_ends_it_within_seconds(
    desk: Desk, phase: Any
) -> None:
    arguments, wait = phase(desk)
    with desk.running(*arguments) as process:
        wait(process)
        process.stdout.close()
        process.wait(timeout=BEFORE_IT_WRITES)
        err = process.stderr.read()

    assert process.returncode == 141
    assert err == b""
    assert not list(desk.temporary.iterdir())


def test_a_reader_that_goes_away_while_records_are_written_ends_it_within_seconds(
    desk: Desk,
) -> None:
    desk.streak.account.add_pipeline("Large", boxes=3000)
    with desk.running(*desk.reading("boxes", "box_users", "box_stage_history")) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=SOON)
        err = process.stderr.read()

    assert process.returncode == 141
    assert err == b""


def test_read_piped_into_head_ends_quietly(desk: Desk) -> None:
    desk.streak.fault("v2/boxes/*/comments", "hang", times=None)
    line = 'set -o pipefail; "$@" | head -1; echo "${PIPESTATUS[0]}"'

    ran = subprocess.run(
        [
            "bash",
            "-c",
            line,
            "bash",
            *MODULE,
            *desk.reading("boxes", "box_comments"),
        ],  # whichever bash there is
        env=desk.environment,
        capture_output=True,
        timeout=FAR,
        check=False,
    )

    assert ran.stdout.decode().splitlines()[1] == "141"
    assert ran.stderr == b""
