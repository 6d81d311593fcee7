"""The command in a pod of the platform: environment, user and files.

And with every kind of catalog that the platform or an earlier version of this connector made.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import replay
from replay import Message, Run
from replay.command import Command, Copies, configured
from streak_sandbox import Sandbox

NOBODY = 54_321  # a user that this machine does not know
BOXES = 20
# WL/pods/factories/RuntimeEnvVarFactory.kt of airbyte-platform
PLATFORM = {
    "DEPLOYMENT_MODE": "OSS",
    "WORKSPACE_ID": "5a6a2c0e-0000-4000-8000-000000000001",
    "CONNECTION_ID": "5a6a2c0e-0000-4000-8000-000000000002",
    "JOB_ID": "17",
    "ATTEMPT_ID": "0",
    "WORKER_CONNECTOR_IMAGE": "registry.example/source-streak:0.1.0",
    "WORKER_ENVIRONMENT": "KUBERNETES",
    "AIRBYTE_ROLE": "",
    "AIRBYTE_VERSION": "2.0.0",
    "AUTO_DETECT_SCHEMA": "true",
    "USE_STREAM_CAPABLE_STATE": "true",
    "USE_FILE_TRANSFER": "false",
    "APPLY_FIELD_SELECTION": "true",
    "FIELD_SELECTION_WORKSPACES": "",
    "LOG_LEVEL": "INFO",
}
UNWRITABLE = "/proc"  # even for root


def at_most(size: int) -> None:
    """In the child process: no file may grow beyond so many bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


SMALL = {"preexec_fn": partial(at_most, 4096)}
NOWHERE_TO_WRITE = {"preexec_fn": partial(at_most, 0)}
# May read every file, as in an image (on this machine Python may be readable for its owner only),
# but write none.
UNKNOWN_USER = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)

PLACES: dict[str, tuple[Mapping[str, str], Mapping[str, Any]]] = {
    "as the platform sets it": (PLATFORM, {}),
    "a HOME that cannot be written": ({"HOME": UNWRITABLE}, {}),
    "a HOME that is not there": ({"HOME": "/nowhere/at/all"}, {}),
    "a folder for temporary files that is not there": ({"TMPDIR": "/nowhere/at/all"}, {}),
    "a folder for temporary files that cannot be written": ({"TMPDIR": UNWRITABLE}, {}),
    "a folder for temporary files with little room": ({}, SMALL),
    "no place at all to write to": ({"HOME": UNWRITABLE, "TMPDIR": UNWRITABLE}, NOWHERE_TO_WRITE),
}
HOSTILE = PLATFORM | {"HOME": UNWRITABLE, "TMPDIR": UNWRITABLE}


@pytest.fixture(scope="module")
def streak() -> Iterator[Sandbox]:
    with Sandbox(boxes=BOXES) as sandbox:
        yield sandbox


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may read, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="streak-pod-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def found(streak: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What discover finds."""
    return command_of(streak, tmp_path_factory.mktemp("found")).discover()


@pytest.fixture
def command(streak: Sandbox, folder: Path) -> Command:
    return command_of(streak, folder)


def command_of(streak: Sandbox, folder: Path) -> Command:
    """The command at the highest rate."""
    return Command(folder, streak.url, {"api_key": streak.key, "requests_per_second": 20})


def as_stranger(command: Command) -> Command:
    """The command, run by a user that this machine does not know."""
    if os.geteuid() or shutil.which("setpriv") is None:
        pytest.skip("to be another user takes root and the command setpriv")
    return replace(command, launch=(*UNKNOWN_USER, *command.launch))


def hold(*runs: Run, without: tuple[str, ...] = ()) -> None:
    """Assert that the runs break no rule and succeed."""
    said = [f"{run.command}: {broken}" for run in runs for broken in replay.report(run, without)]
    assert not said, "\n".join(said)
    assert [run.code for run in runs] == [0] * len(runs)


# --- Environment and user -------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLACES)
def test_a_read_needs_nothing_but_its_files_and_stdout(
    command: Command, found: Run, name: str
) -> None:
    environment, options = PLACES[name]
    run = replace(command, environment=environment, options=options).read(configured(found))

    hold(run)
    assert sum(record.stream == "boxes" for record in run.records) == BOXES


def test_an_unknown_user_can_run_a_read(command: Command, found: Run) -> None:
    hold(as_stranger(command).read(configured(found)))


def test_all_four_commands_work_in_the_most_restricted_pod(command: Command, found: Run) -> None:
    """An unknown user, an unwritable HOME and TMPDIR, and no file may grow at all."""
    hostile = replace(as_stranger(command), environment=HOSTILE, options=NOWHERE_TO_WRITE)
    first = hostile.read(configured(found))
    again = hostile.read(configured(found), first.last_states())

    hold(hostile.spec(), hostile.check(), hostile.discover(), first, again)


# --- Catalogs -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quick(streak: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command in copies of one process: catalogs need no new process each."""
    with Copies() as copies:
        yield replace(command_of(streak, tmp_path_factory.mktemp("quick")), copies=copies)


MODES = {
    "overwrite_dedup": ("full_refresh", "overwrite_dedup"),
    "append": ("incremental", "append"),
    "update": ("incremental", "update"),
    "soft_delete": ("incremental", "soft_delete"),
}
EXTRAS = {
    "generation_id": 7,
    "minimum_generation_id": 7,
    "sync_id": 123,
    "include_files": False,
    "destination_object_name": "streak_boxes",
}
OLD_CURSOR = "lastUpdatedTimestamp"
LATER_COLUMNS = ("otherProperties", "stageHistoryEntries", "_ab_cdc_deleted_at")


@pytest.mark.parametrize("mode", MODES)
def test_every_sync_mode_of_a_destination_is_accepted(
    quick: Command, found: Run, mode: str
) -> None:
    catalog = configured(found, "boxes", "contacts")
    for one in catalog["streams"]:
        one["sync_mode"], one["destination_sync_mode"] = MODES[mode]

    hold(quick.read(catalog))


def test_additional_properties_in_a_catalog_are_accepted(quick: Command, found: Run) -> None:
    """Both those of today's platform and unknown ones."""
    catalog = configured(found, "boxes", "contacts", "teams")
    for one in catalog["streams"]:
        one.update(EXTRAS, news={"of": "tomorrow"})
        one["stream"]["news"] = True

    hold(quick.read({**catalog, "news": 1}))


def test_a_catalog_without_optional_properties_is_accepted(quick: Command, found: Run) -> None:
    catalog = configured(found, "boxes", "teams")
    for one in catalog["streams"]:
        for name in ("generation_id", "minimum_generation_id", "sync_id", "cursor_field"):
            one.pop(name)

    hold(quick.read(catalog))


@pytest.fixture(scope="module")
def earlier(found: Run) -> Message:
    """The catalog of an earlier version: other cursors, fewer columns, fewer streams."""
    return {"streams": [older(one) for one in configured(found)["streams"][::2]]}


def older(one: Message) -> Message:
    """A configured stream as an earlier version declared it."""
    old = deepcopy(one)
    stream = old["stream"]
    columns = stream["json_schema"]["properties"]
    stream["is_resumable"] = True
    if "default_cursor_field" in stream and OLD_CURSOR in columns:
        stream["default_cursor_field"] = old["cursor_field"] = [OLD_CURSOR]
    for name in LATER_COLUMNS:
        columns.pop(name, None)
    for column in list(columns.values()):
        column.pop("description", None)
    return old


@pytest.mark.parametrize("state", [False, True], ids=["first", "second"])
def test_a_catalog_of_an_earlier_version_is_read(
    quick: Command, earlier: Message, state: bool
) -> None:
    """Its cursor is a column that destinations know but this version does not use (R3)."""
    run = quick.read(earlier)
    runs = [run, quick.read(earlier, run.last_states())] if state else [run]

    hold(*runs, without=("R3",))
    assert not [record for record in runs[-1].records if "_ab_cdc_deleted_at" in record.data]


def test_a_catalog_with_only_key_and_cursor_columns_is_read(quick: Command, found: Run) -> None:
    catalog = configured(found, "boxes", "box_comments")
    for one in catalog["streams"]:
        stream = one["stream"]
        needed = {path[0] for path in stream["source_defined_primary_key"]}
        needed |= set(stream["default_cursor_field"])
        columns = stream["json_schema"]["properties"]
        stream["json_schema"]["properties"] = {name: columns[name] for name in needed}

    hold(quick.read(catalog))


def test_a_stream_that_this_version_lacks_fails_and_the_others_complete(
    quick: Command, found: Run
) -> None:
    """It has to fail: without an error, Airbyte would take it for an empty table."""
    catalog = configured(found, "boxes", "teams", "users")
    catalog["streams"][0]["stream"]["name"] = "deals"
    run = quick.read(catalog)

    assert [str(broken) for broken in replay.report(run)] == []
    assert run.code == 1
    assert run.ends() == {"deals": "INCOMPLETE", "boxes": "COMPLETE", "users": "COMPLETE"}
