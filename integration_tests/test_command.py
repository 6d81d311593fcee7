"""The command line: what each command prints, its exit status, and how signals end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from commands import Outcome, here
from conftest import catalog_of
from copies import Copies, Running
from streak_sandbox import Sandbox

from source_streak.streams import STREAMS

pytestmark = pytest.mark.xdist_group("command")  # one process is copied
MODULE = (sys.executable, "-m", "source_streak")
CONSOLE = (str(Path(sys.executable).with_name("source-streak")),)
NEW_KEY = "Gmail > Streak > Integrations > Custom integrations > Create new key"
# Seconds to wait before a test fails. A command that hangs would take longer.
FAR = 30.0


def small_streak() -> Sandbox:
    """One team and one pipeline of five boxes, each with two comments."""
    sandbox = Sandbox(account="empty")
    sandbox.account.add_team("Team")
    pipeline = sandbox.account.add_pipeline("Sales", boxes=5)["key"]
    for box in sandbox.account.boxes_of(pipeline):
        sandbox.account.add_comment(box["key"], "Hello")
        sandbox.account.add_comment(box["key"], "Again")
    return sandbox


class Desk:
    """A directory with one user's files, and the commands run there."""

    def __init__(self, place: Path, streak: Sandbox, copies: Copies) -> None:
        self.place, self.streak, self._copies = place, streak, copies
        self.temporary = place / "tmp"
        self.temporary.mkdir()
        self.environment = {
            **os.environ,
            "STREAK_API_URL": streak.url,
            "TMPDIR": str(self.temporary),
        }
        self.config = self.write("config.json", {"api_key": streak.key, "requests_per_second": 20})

    def write(self, name: str, content: object) -> str:
        """Write a file: text and bytes as they are, anything else as JSON. Returns its path."""
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

    def type(self, *arguments: str, **environment: str) -> Outcome:
        """Run the command to its end, in a copy of a process that has imported everything."""
        return self._copies.type(
            *arguments, environment=self.environment | environment, folder=self.place
        )

    def type_anew(self, *arguments: str, command: tuple[str, ...] = MODULE) -> Outcome:
        """Run the command to its end, in a new process that imports everything itself."""
        with self.starting(*arguments, command=command) as process:
            out, err = process.communicate(timeout=2 * FAR)
        return Outcome(process.returncode, out.decode(), err.decode())

    def starting(
        self, *arguments: str, command: tuple[str, ...] = MODULE
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, *arguments],
            env=self.environment,
            cwd=self.place,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def running(self, *arguments: str) -> AbstractContextManager[Running]:
        """The running command; it is killed at the end of the block if it still runs."""
        return self._copies.running(*arguments, environment=self.environment, folder=self.place)


@pytest.fixture(scope="module")
def quiet_streak() -> Iterator[Sandbox]:
    """One sandbox for all tests that do not change it."""
    with small_streak() as sandbox:
        yield sandbox


@pytest.fixture
def streak() -> Iterator[Sandbox]:
    with small_streak() as sandbox:
        yield sandbox


@pytest.fixture
def desk(tmp_path: Path, streak: Sandbox, copies: Copies) -> Desk:
    return Desk(tmp_path, streak, copies)


@pytest.fixture
def quiet_desk(tmp_path: Path, quiet_streak: Sandbox, copies: Copies) -> Desk:
    return Desk(tmp_path, quiet_streak, copies)


@pytest.fixture
def _ctrl_c_is_heard() -> Iterator[None]:
    """A shell's background job ignores Ctrl-C, and its child processes inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def plain(text: str) -> str:
    """A form in which the name and the title of a setting are equal."""
    return text.lower().replace("_", " ")


def met(streak: Sandbox, pattern: str, after: int = 0) -> threading.Event:
    """An event that is set when the sandbox gets such a request."""
    event = threading.Event()
    streak.on(pattern, lambda _: event.set(), after=after)
    return event


# --- The four commands ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [MODULE, CONSOLE], ids=["python -m source_streak", "source-streak"]
)
def test_spec_prints_the_spec_and_sends_no_request(
    quiet_desk: Desk, command: tuple[str, ...]
) -> None:
    quiet_desk.streak.clear_log()
    ran = quiet_desk.type_anew("spec", command=command)

    (message,) = ran.of_type("SPEC")
    properties = message["spec"]["connectionSpecification"]["properties"]
    assert properties["api_key"]["airbyte_secret"] is True
    assert (ran.code, ran.err) == (0, "")
    assert not quiet_desk.streak.log


def test_check_accepts_spaces_around_the_key_and_logs_the_api_url_first(
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
def test_discover_prints_streams_and_pipeline_tables_with_at_most_two_requests(
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


def test_read_prints_every_record_and_leaves_no_temporary_file(quiet_desk: Desk) -> None:
    ran = quiet_desk.type_anew(*quiet_desk.reading(), command=CONSOLE)

    assert (ran.count("boxes"), ran.count("box_comments"), ran.count("teams")) == (5, 10, 1)
    assert set(ran.statuses.values()) == {"COMPLETE"}
    assert len(ran.statuses) == len(STREAMS)
    assert (ran.code, ran.err) == (0, "")
    assert not list(quiet_desk.temporary.iterdir())


def test_the_connector_without_a_command_prints_its_usage(quiet_desk: Desk) -> None:
    ran = quiet_desk.type()

    assert "usage:" in ran.out + ran.err
    assert all(command in ran.out + ran.err for command in ("spec", "check", "discover", "read"))
    assert "Traceback" not in ran.out + ran.err


# --- What a user can get wrong --------------------------------------------------------------------

# name: (settings or arguments, words that the user reads)
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
def test_the_error_for_a_wrong_setting_names_it(quiet_desk: Desk, name: str, command: str) -> None:
    settings, words = WRONG_SETTINGS[name]
    config = quiet_desk.write("config.json", settings)
    catalog = ["--catalog", quiet_desk.catalog("teams")] if command == "read" else []

    ran = here(command, "--config", config, *catalog)

    ran.assert_no_traceback()
    assert not ran.of_type("RECORD")
    if command == "check" and not ran.errors:
        status, said = ran.verdict()
        assert status == "FAILED"
    else:
        (error,) = ran.errors
        said = error["message"]
        assert error["failure_type"] == "config_error"
        assert ran.code == 1
    assert not [word for word in words if plain(word) not in plain(said)], said


def test_the_warning_for_an_unknown_setting_lists_the_known_ones(quiet_desk: Desk) -> None:
    quiet_desk.write("config.json", {"api_key": quiet_desk.streak.key, "rps": 4, "_limit": 5})

    ran = quiet_desk.type("check", "--config", quiet_desk.config)

    (warning,) = ran.warnings
    assert "Unknown settings have no effect: rps." in warning
    assert "requests_per_second" in warning
    assert ran.code == 0


@pytest.mark.parametrize("name", MISTAKES)
def test_the_error_for_an_unusable_file_names_the_file_and_its_option(
    quiet_desk: Desk, name: str
) -> None:
    quiet_desk.catalog("teams")
    quiet_desk.write("empty_key.json", WRONG_SETTINGS["empty key"][0])
    quiet_desk.write("broken.json", '{"streams": [')
    options, words = MISTAKES[name]

    ran = quiet_desk.type("read", *options.split())

    assert not [text for text in words if text not in ran.said], ran.said
    assert ran.code == 1
    assert ran.err == ""
    ran.assert_no_traceback()


def test_an_unreadable_state_file_is_reported_and_causes_a_whole_read(quiet_desk: Desk) -> None:
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


def test_an_unknown_stream_is_named_and_ends_incomplete_while_the_others_complete(
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


def test_a_failing_stream_sets_exit_status_1_while_the_others_complete(
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


def test_check_during_an_outage_ends_with_one_error_and_no_connection_status(desk: Desk) -> None:
    desk.streak.fault("*", "status", times=None, status=503)

    ran = desk.type("check", "--config", desk.config)

    assert "Streak reported an error on its side (503)." in ran.outage()
    fatal = [one["log"] for one in ran.of_type("LOG") if one["log"]["level"] == "FATAL"]
    assert not [log for log in fatal if "File " in log["message"]]


def test_check_with_a_wrong_key_ends_with_the_connection_status_failed(quiet_desk: Desk) -> None:
    quiet_desk.write("config.json", {"api_key": "wrong-key-000"})

    status, sentence = quiet_desk.type("check", "--config", quiet_desk.config).verdict()

    assert status == "FAILED"
    assert NEW_KEY in sentence


# --- Signals and closed pipes ---------------------------------------------------------------------


def caught(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether the process has a handler of its own for that signal."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (number - 1) & 1)


# Arguments of a command, and an event that is set when the command has got that far.
Phase = tuple[tuple[str, ...], threading.Event]


def checking(desk: Desk) -> Phase:
    """`check` that gets no response for users/me."""
    desk.streak.fault("v1/users/me", "hang", times=None)
    return (("check", "--config", desk.config), met(desk.streak, "v1/users/me"))


def listing(desk: Desk) -> Phase:
    """`read` that gets no response for the list of boxes."""
    desk.streak.fault("v1/pipelines/*/boxes", "hang", times=None)
    return (desk.reading("teams", "boxes"), met(desk.streak, "v1/pipelines/*/boxes"))


def reading_children(desk: Desk) -> Phase:
    """`read` with several threads that get no response for comments."""
    desk.streak.fault("v2/boxes/*/comments", "hang", times=None)
    return (desk.reading("boxes", "box_comments"), met(desk.streak, "v2/boxes/*/comments", after=3))


def trying_again(desk: Desk) -> Phase:
    """`read` that waits to try again, because Streak is down."""
    desk.streak.fault("v2/users/me/teams", "status", times=None, status=503)
    return (desk.reading("teams"), met(desk.streak, "v2/users/me/teams", after=1))


def pausing(desk: Desk) -> Phase:
    """`read` that pauses, because Streak asked it to."""
    desk.streak.fault("v2/users/me/teams", "status", times=None, status=429, retry_after=600)
    return (desk.reading("teams"), met(desk.streak, "v2/users/me/teams"))


CTRL_C, TERMINATE = signal.SIGINT, signal.SIGTERM
ENDINGS = [
    *(
        pytest.param(phase, TERMINATE, id=f"SIGTERM-{phase.__name__}")
        for phase in (checking, listing, reading_children, trying_again, pausing)
    ),
    *(
        pytest.param(phase, CTRL_C, id=f"Ctrl-C-{phase.__name__}")
        for phase in (listing, reading_children)
    ),
]


@pytest.mark.parametrize(("phase", "sent"), ENDINGS)
def test_a_signal_ends_the_command_without_a_traceback(
    desk: Desk, phase: Callable[[Desk], Phase], sent: signal.Signals
) -> None:
    arguments, begun = phase(desk)
    with desk.running(*arguments) as process:
        assert begun.wait(FAR)
        process.send_signal(sent)
        out, err = process.communicate(timeout=FAR)

    assert process.returncode == -sent, (
        "whoever sent the signal sees that it was taken; a shell says 130 or 143"
    )
    assert b"Traceback" not in out + err
    assert err == b""
    assert not list(desk.temporary.iterdir())
    Outcome(-sent, out.decode(), "").messages  # noqa: B018 # asserts that every line is a whole message


@pytest.mark.usefixtures("_ctrl_c_is_heard")
@pytest.mark.parametrize("sent", [TERMINATE, CTRL_C], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_the_command_while_the_framework_is_imported(
    quiet_desk: Desk, sent: signal.Signals
) -> None:
    with quiet_desk.starting(*quiet_desk.reading("boxes")) as process:
        while not caught(process, signal.SIGTERM):
            assert process.poll() is None
        process.send_signal(sent)
        out, err = process.communicate(timeout=FAR)

    assert process.returncode == -sent
    assert (out, err) == (b"", b"")


def test_a_kill_leaves_no_file_with_the_key_behind(desk: Desk) -> None:
    arguments, begun = reading_children(desk)
    with desk.running(*arguments) as process:
        assert begun.wait(FAR)
        process.kill()

    assert not [
        path
        for path in desk.temporary.rglob("*")
        if path.is_file() and desk.streak.key in path.read_text()
    ]


@pytest.mark.parametrize("command", ["spec", "check", "discover", "read", "check with a wrong key"])
def test_no_command_leaves_a_file_behind_anywhere(quiet_desk: Desk, command: str) -> None:
    """Neither in the working directory, nor at home, nor in the temporary folder."""
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
    arguments, begun = reading_children(desk)
    with desk.running(*arguments) as process:
        assert begun.wait(FAR)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=FAR)

    assert process.returncode == -signal.SIGINT
    assert b"Traceback" not in out + err


@pytest.mark.parametrize(
    "phase", [checking, listing, reading_children], ids=lambda phase: phase.__name__
)
def test_the_command_ends_when_stdout_is_closed_while_nothing_is_written(
    desk: Desk, phase: Callable[[Desk], Phase]
) -> None:
    """A check writes nothing until its first attempt has failed, after a minute."""
    arguments, begun = phase(desk)
    with desk.running(*arguments) as process:
        assert begun.wait(FAR)
        process.stdout.close()
        process.wait(timeout=FAR)
        err = process.stderr.read()

    assert process.returncode == 141
    assert err == b""
    assert not list(desk.temporary.iterdir())


def test_the_command_ends_when_stdout_is_closed_while_records_are_written(
    desk: Desk,
) -> None:
    desk.streak.account.add_pipeline("Large", boxes=3000)
    with desk.running(*desk.reading("boxes", "box_users", "box_stage_history")) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=FAR)
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
        ],  # whichever bash is installed
        env=desk.environment,
        capture_output=True,
        timeout=FAR,
        check=False,
    )

    assert ran.stdout.decode().splitlines()[1] == "141"
    assert ran.stderr == b""
