"""Take out one guard at a time, and check that the test named after it fails.

Usage: python tools/mutations.py [PART OF A GUARD'S NAME]

Works in a copy of the repository. Ends with status 1 if a guard's test passes without the guard, or
if the guard is not in the code any more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mutation_table import GUARDS, Guard

ROOT = Path(__file__).parents[1]
LEFT_BEHIND = (".git", ".venv*", "__pycache__", ".*_cache", ".hypothesis", "site", "dist", "dbt")
MOST_SECONDS = 300  # for one guard's test, which takes far less
FAILED = re.compile(r"^FAILED \S+?::(\w+)", re.MULTILINE)


class Rotten(Exception):
    """Raised for a row of the table that proves nothing."""


def main() -> None:
    """Print a line for each guard."""
    wanted = " ".join(sys.argv[1:]).lower()
    guards = [guard for guard in GUARDS if wanted in guard.name.lower()]
    if not guards:
        sys.exit(f'No guard has "{wanted}" in its name.')
    width = max(len(guard.name) for guard in guards)
    survived = 0
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        _check_untouched(copy, guards)
        for guard in guards:
            verdict, noticed = _try(copy, guard)
            survived += not noticed
            print(f"{guard.name:{width}}  {verdict}", flush=True)
    print(f"{len(guards) - survived} of {len(guards)} guards are held by a test.")
    sys.exit(bool(survived))


def _check_untouched(copy: Path, guards: list[Guard]) -> None:
    """Make sure that these tests pass while all guards are in place."""
    result = _pytest(copy, *sorted({guard.test for guard in guards}))
    if result.returncode:
        sys.exit(f"Before anything is taken out, a test fails:\n{result.stdout}{result.stderr}")


def _try(copy: Path, guard: Guard) -> tuple[str, bool]:
    """The verdict on one guard in words, and whether its test noticed that it was gone."""
    path = copy / guard.file
    sound = path.read_text()
    try:
        path.write_text(mutated(sound, guard))
        return " ".join(_failing(copy, guard)), True
    except Rotten as problem:
        return str(problem), False
    finally:
        path.write_text(sound)


def _failing(copy: Path, guard: Guard) -> Iterator[str]:
    """The names of the tests that fail. Raises Rotten if none does."""
    try:
        result = _pytest(copy, guard.test)
    except subprocess.TimeoutExpired:
        raise Rotten(f"NO ANSWER within {MOST_SECONDS} seconds") from None
    if not result.returncode:
        raise Rotten("SURVIVED")
    names = FAILED.findall(result.stdout)
    if not names:
        raise Rotten(f"NOT RUN: {result.stdout[-500:]}{result.stderr[-500:]}")
    return iter(dict.fromkeys(names))


def mutated(sound: str, guard: Guard) -> str:
    """The file without the guard. Raises Rotten if its text is not there exactly once."""
    found = sound.count(guard.text)
    if found != 1:
        raise Rotten(f"NOT FOUND: its text is {found} times in {guard.file}")
    return sound.replace(guard.text, guard.replacement)


def _pytest(copy: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Keeps no compiled files: Python would miss a change of the same length and second."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *tests],
        cwd=copy,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
        check=False,
    )


if __name__ == "__main__":
    main()
