"""The wheel: what it contains, and that it installs and runs on each Python that it supports.

`make test-wheel` runs these tests: each Python installs the framework from the index, not from the
lock file. `make test` skips them.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.wheel

TOP = Path(__file__).parents[1]
VERSIONS = ("3.10", "3.11", "3.12", "3.13")  # pyproject.toml: >=3.10,<3.14
AT_ONCE = 2


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this clone."""
    place = tmp_path_factory.mktemp("wheel")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(place),
        str(TOP),
    )
    (built,) = place.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """For each Python on this machine, an environment with only the wheel and its dependencies."""
    place = tmp_path_factory.mktemp("pythons")
    pythons = {version: python for version in VERSIONS if (python := python_of(version))}

    def install(version: str) -> Path:
        run(pythons[version], "-m", "venv", str(place / version))
        run(
            str(place / version / "bin/pip"),
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            str(wheel),
        )
        return place / version / "bin"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield dict(zip(pythons, pool.map(install, pythons), strict=True))
    shutil.rmtree(place)


def python_of(version: str) -> str | None:
    """A Python of that version on the PATH or from pyenv, if one starts.

    pyenv's shims on the PATH may not start.
    """
    candidates = [
        f"python{version}",
        *sorted(
            map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")), reverse=True
        ),
    ]
    for candidate in filter(shutil.which, candidates):
        said = subprocess.run(
            [candidate, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if said.stdout.strip() == version:
            return candidate
    return None


def run(*command: str, **options: object) -> str:
    """Run a command and return its output. If it fails, the test fails with that output."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert ran.returncode == 0, f"{' '.join(command)}:\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def test_the_wheel_holds_only_the_connector_with_its_spec_and_schemas(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    ours = {
        str(path.relative_to(TOP))
        for path in (TOP / "source_streak").rglob("*.*")
        if path.suffix in (".py", ".json")
    }
    assert {"source_streak/spec.json", "source_streak/schemas/boxes.json"} <= ours
    assert {name for name in names if ".dist-info/" not in name} == ours


def test_the_wheel_requires_exactly_what_pyproject_toml_lists(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(metadata).decode().split("\n\n")[0].splitlines()

    asked = sorted(
        line.removeprefix("Requires-Dist: ").split(" ")[0]
        for line in lines
        if line.startswith("Requires-Dist")
    )
    section = (
        (TOP / "pyproject.toml").read_text().split("[tool.poetry.dependencies]")[1].split("\n[")[0]
    )
    assert asked == sorted(set(re.findall(r"^([a-z0-9-]+) = ", section, re.MULTILINE)) - {"python"})
    assert "Requires-Python: >=3.10,<3.14" in lines


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_in_an_empty_environment_answers_spec(
    installed: dict[str, Path], version: str, tmp_path: Path
) -> None:
    if version not in installed:
        pytest.skip(f"no Python {version} on this machine")
    command = str(installed[version] / "source-streak")

    messages = [json.loads(line) for line in run(command, "spec", cwd=tmp_path).splitlines()]

    (spec,) = [message["spec"] for message in messages if message["type"] == "SPEC"]
    assert (
        spec["connectionSpecification"]
        == json.loads((TOP / "source_streak/spec.json").read_text())["connectionSpecification"]
    )


def test_the_running_python_is_among_those_tried(installed: dict[str, Path]) -> None:
    assert "{}.{}".format(*sys.version_info[:2]) in installed
