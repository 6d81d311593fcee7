"""The image, built and run as Airbyte runs it: any user, a read-only file system, little memory.

`make test-image` runs these tests. They need a container engine and fail without one. `make test`
leaves them out.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import replay
import runs
import test_pod
from replay import Message, Run
from replay.command import configured, forms_of
from streak_sandbox import Sandbox

pytestmark = pytest.mark.image

TOP = Path(__file__).parents[1]
IMAGE = "source-streak:dev"
PROTOCOL = {"SPEC", "CONNECTION_STATUS", "CATALOG", "RECORD", "STATE", "LOG", "TRACE", "CONTROL"}
FAR = 300.0  # seconds after which a container is stuck
MEMORY = "512m"
BOXES = 50_000
TERMINATED, OUT_OF_MEMORY = 143, 137
FROM_LISTS = ("boxes", "box_field_values", "box_stage_history", "box_users")


@dataclass
class Outcome:
    """The result of one container."""

    code: int
    out: bytes
    err: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All lines of stdout; asserts that each is a message of the protocol."""
        messages = [json.loads(line) for line in self.out.splitlines()]
        assert {message["type"] for message in messages} <= PROTOCOL
        return messages

    def only(self, wanted: str) -> Any:
        """The content of the only message of that type."""
        (message,) = (message for message in self.messages if message["type"] == wanted)
        return next(value for name, value in message.items() if name != "type")

    def keys(self, stream: str) -> list[str]:
        records = [message["record"] for message in self.messages if message["type"] == "RECORD"]
        return [record["data"]["key"] for record in records if record["stream"] == stream]

    @property
    def last_states(self) -> list[dict[str, Any]]:
        """The states that the platform passes to the next sync."""
        states = [message["state"] for message in self.messages if message["type"] == "STATE"]
        return list(
            {state["stream"]["stream_descriptor"]["name"]: state for state in states}.values()
        )


@dataclass
class Engine:
    """The command `docker`; podman needs an option to behave like Docker."""

    podman: bool

    def __call__(self, *arguments: str) -> str:
        """Run a docker command and return its output; fails the test with stderr if it fails."""
        ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"docker {' '.join(arguments)}: {ran.stderr}"
        return ran.stdout.strip()

    def inspect(self, what: str) -> Any:
        return json.loads(self("image", "inspect", "--format", f"{{{{json {what}}}}}", IMAGE))

    def inside(self, *command: str) -> str:
        """The output of another command, run in a container of the image."""
        return self("run", "--rm", "--entrypoint", command[0], IMAGE, *command[1:])


class Desk:
    """One user's secrets folder, and the containers that it is mounted in."""

    def __init__(self, engine: Engine, secrets: Path, url: str, key: str) -> None:
        self.engine, self.secrets, self.url, self.key = engine, secrets, url, key
        self.options: tuple[str, ...] = ()  # more for `docker run`
        secrets.chmod(0o755)
        self.write("config.json", {"api_key": key, "requests_per_second": 20})

    def write(self, name: str, content: object) -> str:
        """Write a file that the container's user may read; returns its path in the container."""
        (self.secrets / name).write_text(json.dumps(content))
        return f"/secrets/{name}"

    def command(self, *arguments: str, name: str | None = None) -> list[str]:
        # podman mounts a tmpfs on /tmp of a read-only container unless told otherwise;
        # Docker does not.
        without_tmpfs = ["--read-only-tmpfs=false"] if self.engine.podman else []
        limits = [
            "--read-only",
            *without_tmpfs,
            "--cap-drop",
            "ALL",
            "--memory",
            MEMORY,
            "--memory-swap",
            MEMORY,
        ]
        place = [
            "--network",
            "host",
            "-e",
            f"STREAK_API_URL={self.url}",
            "-v",
            f"{self.secrets}:/secrets:ro",
        ]
        return [
            "docker",
            "run",
            "--rm",
            "-i",
            *(["--name", name] if name else []),
            *limits,
            *place,
            *self.options,
            IMAGE,
            *arguments,
        ]

    def run(self, *arguments: str) -> Outcome:
        """Run a container to its end."""
        ran = subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=FAR,
            check=False,
        )
        return Outcome(ran.returncode, ran.stdout, ran.stderr.decode())

    def discover(self) -> list[dict[str, Any]]:
        return self.run("discover", "--config", "/secrets/config.json").only("CATALOG")["streams"]

    def reading(self, *names: str, incremental: bool = False) -> list[str]:
        """The arguments to read the streams named; all streams if none are."""
        streams = [stream for stream in self.discover() if stream["name"] in names or not names]
        modes = ("incremental", "append_dedup") if incremental else ("full_refresh", "overwrite")
        catalog = {
            "streams": [
                {"stream": stream, "sync_mode": modes[0], "destination_sync_mode": modes[1]}
                for stream in streams
            ]
        }
        return [
            "read",
            "--config",
            "/secrets/config.json",
            "--catalog",
            self.write("catalog.json", catalog),
        ]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A container engine that has just built the image as README.md says."""
    if shutil.which("docker") is None:
        pytest.fail(
            "No container engine: there is no command `docker` on the PATH. The image cannot "
            "be tested without one."
        )
    info = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if info.returncode:
        pytest.fail(
            "No container engine answers `docker info`; the image cannot be tested without "
            f"one. It said: {info.stderr.strip()}"
        )
    built = subprocess.run(["make", "image"], cwd=TOP, capture_output=True, text=True, check=False)
    assert built.returncode == 0, f"make image:\n{built.stdout}\n{built.stderr}"
    return Engine(
        podman="podman"
        in subprocess.run(
            ["docker", "--version"], capture_output=True, text=True, check=True
        ).stdout
    )


@pytest.fixture
def streak() -> Iterator[Sandbox]:
    with Sandbox(boxes=150) as sandbox:
        yield sandbox


@pytest.fixture
def desk(engine: Engine, tmp_path: Path, streak: Sandbox) -> Desk:
    return Desk(engine, tmp_path, streak.url, streak.key)


@contextmanager
def container(desk: Desk, *arguments: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A running container: its name and its process. It is removed at the end of the block."""
    name = f"source-streak-{uuid.uuid4().hex[:8]}"
    with subprocess.Popen(
        desk.command(*arguments, name=name), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as process:
        try:
            yield name, process
        finally:
            process.stdout.close()
            subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)


# --- Contents of the image ------------------------------------------------------------------------


def test_the_image_labels_hold_the_name_and_the_version_of_pyproject_toml(engine: Engine) -> None:
    labels = engine.inspect(".Config.Labels")

    version = re.search(r'^version = "(.+)"$', (TOP / "pyproject.toml").read_text(), re.MULTILINE)[
        1
    ]
    assert labels["io.airbyte.name"] == "ghcr.io/OWNER/source-streak"
    assert labels["io.airbyte.version"] == version


def test_airbyte_entrypoint_equals_the_entrypoint_of_the_image(engine: Engine) -> None:
    environment = dict(entry.split("=", 1) for entry in engine.inspect(".Config.Env"))

    assert environment["AIRBYTE_ENTRYPOINT"].split() == engine.inspect(".Config.Entrypoint")


def test_the_image_runs_as_user_1000(engine: Engine) -> None:
    assert engine.inspect(".Config.User") == "1000"
    assert engine.inside("id", "-u") == "1000"


def test_of_this_project_the_image_holds_only_the_connector(engine: Engine) -> None:
    held = set(
        engine.inside(
            "find", "/airbyte", "-path", "/airbyte/venv", "-prune", "-o", "-type", "f", "-print"
        ).splitlines()
    )

    ours = {
        f"/airbyte/integration_code/{path.relative_to(TOP)}"
        for path in (TOP / "source_streak").rglob("*.*")
        if path.suffix != ".pyc"
    }
    other = {f"/airbyte/integration_code/{name}" for name in ("README.md", "pyproject.toml")}
    locked = {
        f"/airbyte/lock/{name}"
        for name in ("poetry.lock", "requirements.txt", "tools/requirements.py")
    }
    assert held == ours | other | locked


def test_the_image_holds_only_the_libraries_locked_for_the_connector(engine: Engine) -> None:
    ask = (
        "from importlib.metadata import distributions as d; "
        "print(*sorted(x.metadata['Name'] for x in d()))"
    )
    installed = {
        plain(name) for name in engine.inside("/airbyte/venv/bin/python", "-c", ask).split()
    }

    requirements = subprocess.run(
        [sys.executable, TOP / "tools/requirements.py", "main"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    always = {
        plain(line.split("==")[0])
        for line in requirements.splitlines()
        if " ; " not in line.split("--hash")[0]
    }
    anywhere = {plain(line.split("==")[0]) for line in requirements.splitlines()}
    assert always <= installed - {"airbyte-source-streak"} <= anywhere


def test_every_imported_module_of_a_library_is_compiled_in_advance(
    engine: Engine,
) -> None:
    ask = (
        "import os, sys, source_streak.source; from importlib.util import cache_from_source as c;"
        "print([m.__file__ for m in sys.modules.values() if (getattr(m, '__file__', None) or "
        "'').endswith('.py')"
        " and '/site-packages/' in m.__file__ and not os.path.exists(c(m.__file__))])"
    )

    assert engine.inside("/airbyte/venv/bin/python", "-c", ask) == "[]"


def plain(name: str) -> str:
    """A distribution's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


# --- The four commands: read-only, no capabilities, 512 MB, nothing on stdin ----------------------


def test_spec_prints_the_specification(desk: Desk) -> None:
    ran = desk.run("spec")

    written = json.loads((TOP / "source_streak/spec.json").read_text())
    assert ran.only("SPEC")["connectionSpecification"] == written["connectionSpecification"]
    assert (ran.code, ran.err) == (0, "")


def test_check_succeeds(desk: Desk) -> None:
    ran = desk.run("check", "--config", "/secrets/config.json")

    assert (ran.code, ran.only("CONNECTION_STATUS")["status"], ran.err) == (0, "SUCCEEDED", "")


def test_check_refuses_a_wrong_key(desk: Desk) -> None:
    desk.write("config.json", {"api_key": "strk_wrong"})

    ran = desk.run("check", "--config", "/secrets/config.json")

    assert (ran.code, ran.only("CONNECTION_STATUS")["status"], ran.err) == (0, "FAILED", "")


def test_the_error_for_an_unmounted_folder_names_the_path(desk: Desk) -> None:
    ran = desk.run("check", "--config", "/elsewhere/config.json")

    assert ran.code == 1
    assert b"/elsewhere/config.json" in ran.out
    assert ran.messages


def test_read_completes_every_stream(desk: Desk, streak: Sandbox) -> None:
    arguments = desk.reading()
    ran = desk.run(*arguments)

    statuses = Counter(
        message["trace"]["stream_status"]["status"]
        for message in ran.messages
        if message["type"] == "TRACE" and message["trace"]["type"] == "STREAM_STATUS"
    )
    assert (ran.code, ran.err) == (0, "")
    assert statuses["COMPLETE"] == len(
        json.loads((desk.secrets / "catalog.json").read_text())["streams"]
    )
    assert statuses["INCOMPLETE"] == 0
    assert sorted(ran.keys("boxes")) == sorted(streak.account.boxes)


def test_an_incremental_read_delivers_only_the_changed_box(desk: Desk, streak: Sandbox) -> None:
    arguments = desk.reading("boxes", "box_comments", incremental=True)
    first = desk.run(*arguments)
    changed = first.keys("boxes")[7]
    streak.account.add_comment(changed, "Written between two syncs")

    second = desk.run(*arguments, "--state", desk.write("state.json", first.last_states))

    assert (first.code, second.code) == (0, 0)
    assert len(first.keys("boxes")) == 150
    assert second.keys("boxes") == [changed]
    assert len(second.keys("box_comments")) < len(first.keys("box_comments"))


# --- As the platform starts it -------------------------------------------------------------------

STRANGER = ("--user", "54321:54321", "-e", "HOME=/proc", "-e", "TMPDIR=/proc")
PLATFORM = tuple(
    word for name, value in test_pod.PLATFORM.items() for word in ("-e", f"{name}={value}")
)


def replayed(desk: Desk, *arguments: str, catalog: Message | None = None) -> Run:
    """Run a container to its end; asserts that it breaks no rule of the platform."""
    ran = desk.run(*arguments)
    run = Run(
        arguments[0],
        ran.out,
        ran.err.encode(),
        ran.code,
        catalog=catalog or {"streams": []},
        secrets=forms_of(desk.key),
    )
    assert [str(broken) for broken in replay.report(run)] == []
    assert run.code == 0
    return run


def test_any_user_can_run_the_four_commands_in_the_environment_of_the_platform(desk: Desk) -> None:
    """With ROOTLESS_WORKLOAD the platform chooses the container's user."""
    desk.options = (*STRANGER, *PLATFORM)
    config = ("--config", "/secrets/config.json")
    catalog = configured(replayed(desk, "discover", *config))
    read = ("read", *config, "--catalog", desk.write("catalog.json", catalog))
    replayed(desk, "spec")
    replayed(desk, "check", *config)
    first = replayed(desk, *read, catalog=catalog)
    state = desk.write("state.json", first.last_states())
    second = replayed(desk, *read, "--state", state, catalog=catalog)

    assert sum(record.stream == "boxes" for record in first.records) == 150
    assert not [record for record in second.records if record.stream == "boxes"]


@pytest.mark.parametrize("mode", test_pod.MODES)
def test_every_destination_sync_mode_is_accepted(desk: Desk, mode: str) -> None:
    config = ("--config", "/secrets/config.json")
    catalog = configured(replayed(desk, "discover", *config), "boxes", "teams")
    for one in catalog["streams"]:
        one["destination_sync_mode"] = test_pod.MODES[mode][1]
        one.update(test_pod.EXTRAS)

    replayed(
        desk, "read", *config, "--catalog", desk.write("catalog.json", catalog), catalog=catalog
    )


def test_the_image_has_the_shell_commands_that_the_platform_wraps_around_it(engine: Engine) -> None:
    """ContainerCommandFactory.kt:58-117: a shell that evaluates AIRBYTE_ENTRYPOINT, sleep, mv."""
    wrapped = 'command -v sleep mv >/dev/null && eval "$AIRBYTE_ENTRYPOINT spec"'
    said = engine.inside("sh", "-c", wrapped)

    assert '"SPEC"' in said


# --- Limits ---------------------------------------------------------------------------------------


def test_the_container_engine_enforces_a_memory_limit(engine: Engine, tmp_path: Path) -> None:
    """Without a limit the next test would prove nothing."""
    take = [
        "run",
        "--rm",
        "--memory",
        "64m",
        "--memory-swap",
        "64m",
        "--entrypoint",
        "python3",
        IMAGE,
        "-c",
        "len(bytearray(200_000_000))",
    ]

    # podman leaves a file "oom" in its working directory
    assert (
        subprocess.run(["docker", *take], cwd=tmp_path, capture_output=True, check=False).returncode
        == OUT_OF_MEMORY
    )


def test_50_000_boxes_are_read_in_512_megabytes(engine: Engine, tmp_path: Path) -> None:
    rows, types = Counter[str](), set[str]()
    with runs.sandbox(BOXES) as streak:
        desk = Desk(engine, tmp_path, streak.url, streak.key)
        with container(desk, *desk.reading(*FROM_LISTS)) as (_, process):
            for message in map(orjson.loads, process.stdout):
                types.add(message["type"])
                rows.update([message["record"]["stream"]] if message["type"] == "RECORD" else [])
            code = process.wait(FAR)

    assert code == 0
    assert rows["boxes"] == BOXES
    assert set(rows) == set(FROM_LISTS)
    assert types <= PROTOCOL


def test_a_stopped_container_ends_by_itself_before_it_is_killed(engine: Engine, desk: Desk) -> None:
    desk.write("config.json", {"api_key": desk.key, "requests_per_second": 1})  # minutes of work
    with container(desk, *desk.reading("pipelines", "box_comments")) as (name, process):
        next(line for line in process.stdout if b'"RECORD"' in line)
        engine("stop", name)  # SIGTERM, and SIGKILL 10 seconds later
        code = process.wait(FAR)

    assert code == TERMINATED
