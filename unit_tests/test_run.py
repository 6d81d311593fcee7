"""The command works on machines that lack something, and ends when it is asked to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streak_sandbox import Sandbox

GO = "\nfrom source_streak import run\n{more}\nrun.run({arguments!r})"
NO_FOLDER = """
import tempfile
tempfile._candidate_tempdir_list = lambda: ["/nowhere"]
"""
LACKING = {
    "select.poll": "import select; del select.poll",
    "poll's constants too": "import select; del select.poll, select.POLLERR, select.POLLHUP",
    "ctypes": "import sys; sys.modules['ctypes'] = None",
    "mallopt": "import ctypes; ctypes.CDLL = lambda name: object()",
    "a C library by no name": "import ctypes\ndef CDLL(name): raise TypeError\nctypes.CDLL = CDLL",
    "SIGTERM": "import signal; del signal.SIGTERM",
    "SIGINT and SIGTERM": "import signal; del signal.SIGTERM, signal.SIGINT",
    "any temporary folder": NO_FOLDER,
    "a stdout that can be reconfigured or watched": (
        "import sys, io\n"
        "class Plain(io.TextIOBase):\n"
        "    def write(self, text):\n"
        "        import os\n"
        "        return os.write(1, text.encode())\n"
        "sys.stdout = sys.__stdout__ = Plain()"
    ),
}


def commanded(before: str, *arguments: str, more: str = "", **environment: str) -> Any:
    """Run the command in a process of its own, after lines that take something away from it."""
    return subprocess.run(
        [sys.executable, "-c", before + GO.format(more=more, arguments=list(arguments))],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


def messages(out: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.decode().splitlines()]


def answers(out: bytes) -> list[str]:
    """The types of all messages but log lines."""
    return [message["type"] for message in messages(out) if message["type"] != "LOG"]


@pytest.fixture(scope="module")
def streak() -> Iterator[Sandbox]:
    with Sandbox(account="empty") as sandbox:
        sandbox.account.add_team("Team")
        sandbox.account.add_pipeline("Ünïcode 株", boxes=2)
        yield sandbox


@pytest.fixture
def config(streak: Sandbox, tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"api_key": streak.key}))
    return str(path)


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    stream = {"name": "boxes", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    modes = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps({"streams": [{"stream": stream, **modes}]}))
    return str(path)


@pytest.mark.parametrize("what", LACKING)
def test_spec_works_on_a_machine_that_lacks_something(what: str) -> None:
    ran = commanded(LACKING[what], "spec")

    assert answers(ran.stdout) == ["SPEC"]
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_read_works_on_a_machine_that_lacks_everything_at_once(
    streak: Sandbox, config: str, catalog: str
) -> None:
    lacking = "\n".join(
        (LACKING["poll's constants too"], LACKING["ctypes"], LACKING["SIGTERM"], NO_FOLDER)
    )

    ran = commanded(
        lacking,
        "read",
        "--config",
        config,
        "--catalog",
        catalog,
        more="run.POSIX = False",
        STREAK_API_URL=streak.url,
    )

    assert sum(message["type"] == "RECORD" for message in messages(ran.stdout)) == 2
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16", "cp1252"])
def test_stdout_is_utf_8_whatever_the_environment_says(
    streak: Sandbox, config: str, catalog: str, encoding: str
) -> None:
    ran = commanded(
        "",
        "read",
        "--config",
        config,
        "--catalog",
        catalog,
        STREAK_API_URL=streak.url,
        PYTHONIOENCODING=encoding,
        LC_ALL="C",
    )

    records = [one["record"]["data"] for one in messages(ran.stdout) if one["type"] == "RECORD"]
    assert {record["pipelineName"] for record in records} == {"Ünïcode 株"}
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_lone_surrogate_is_written_as_a_json_escape() -> None:
    said = "import builtins\nbuiltins.said = chr(0xD83D)"

    ran = commanded(said, "spec", more="run._speak_utf_8(); print('\"' + said + '\"')")

    assert ran.stdout.splitlines()[0] == b'"\\ud83d"'
    assert ran.returncode == 0


@pytest.mark.parametrize("command", ["check", "discover"])
def test_no_command_needs_a_folder_for_temporary_files(
    streak: Sandbox, config: str, command: str
) -> None:
    ran = commanded(NO_FOLDER, command, "--config", config, STREAK_API_URL=streak.url)

    assert answers(ran.stdout) in (["CATALOG"], ["CONNECTION_STATUS"])
    assert (ran.returncode, ran.stderr) == (0, b"")


IMPORTED = "import sys; print(any('declarative' in name for name in sys.modules), file=sys.stderr)"
OTHER_FRAMEWORK = """
import sys, importlib.abc
class Circular(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "airbyte_cdk.entrypoint" and "airbyte_cdk.sources" not in sys.modules:
            raise ImportError("partially initialized module")
sys.meta_path.insert(0, Circular())
"""


@pytest.mark.parametrize(
    ("before", "whole"),
    [
        pytest.param("", "False", id="as it is"),
        pytest.param(OTHER_FRAMEWORK, "True", id="another that cannot do without its whole"),
    ],
)
def test_spec_imports_the_declarative_framework_only_if_it_has_to(before: str, whole: str) -> None:
    at_end = f"real = run._end\ndef end(code):\n    {IMPORTED}\n    real(code)\nrun._end = end"

    ran = commanded(before, "spec", more=at_end)

    assert answers(ran.stdout) == ["SPEC"]
    assert (ran.returncode, ran.stderr.decode().split()) == (0, [whole])


def test_the_frameworks_names_are_available_though_its_import_is_put_off() -> None:
    asked = "run._put_off('airbyte_cdk')\nimport airbyte_cdk, sys\n"
    asked += "print(airbyte_cdk.AirbyteEntrypoint.__name__, file=sys.stderr)"

    assert commanded("", "spec", more=asked).stderr == b"AirbyteEntrypoint\n"


def test_a_system_that_cannot_watch_stdout_is_not_taken_for_a_reader_who_left() -> None:
    """macOS answers POLLNVAL at once for terminals and devices."""
    blind = """
import select
class Poll:
    def register(self, *_): pass
    def poll(self): return [(1, select.POLLNVAL)]
select.poll = Poll
"""
    ran = commanded(blind, "spec")

    assert answers(ran.stdout) == ["SPEC"]
    assert ran.returncode == 0


def waiting(more: str) -> subprocess.Popen[bytes]:
    """Start the command, which prints {} and then does nothing."""
    stand_still = (
        "import source_streak.command as command, threading\n"
        "def launch(_):\n"
        "    print('{}', flush=True)\n"
        "    threading.Event().wait(30)\n"
        "command.launch = launch\n"
    )
    program = stand_still + GO.format(more=more, arguments=["spec"])
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"{}\n"
    return process


@pytest.mark.parametrize(
    ("more", "status"),
    [
        pytest.param("", -signal.SIGTERM, id="by the signal itself"),
        pytest.param("run.POSIX = False", 143, id="by its status, where signals cannot be sent"),
    ],
)
def test_sigterm_ends_the_command(more: str, status: int) -> None:
    with waiting(more) as process:
        process.terminate()
        out, err = process.communicate(timeout=10)

    assert (process.returncode, out, err) == (status, b"", b"")


@pytest.mark.parametrize("more", ["", "run.POSIX = False", "run.SIGNALS = {}"])
def test_a_reader_who_leaves_ends_the_command_with_and_without_signals(more: str) -> None:
    with waiting(more) as process:
        assert process.stdout
        process.stdout.close()
        process.wait(timeout=10)
        assert process.stderr
        assert process.stderr.read() == b""

    assert process.returncode == 141


def test_the_command_can_run_in_a_thread_which_cannot_handle_signals() -> None:
    program = (
        "import threading\nfrom source_streak.run import run\n"
        "thread = threading.Thread(target=run, args=(['spec'],))\nthread.start(); thread.join()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
    )

    assert answers(ran.stdout) == ["SPEC"]
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_run_knows_sigint_and_sigterm_on_this_system() -> None:
    import source_streak.run as run  # noqa: PLR0402 # the module, whose package exports a function of that name

    assert threading.current_thread() is threading.main_thread()
    assert set(run.SIGNALS) == {run.INTERRUPTED, run.TERMINATED}
