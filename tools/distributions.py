"""`make dist`: wheel and sdist in dist/, as the release publishes them, and twine's check of both.

They are built from the files in git. PyPI shows the README as the project's page, without the other
files. So its links to files become links to the repository at this version's tag.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).parents[1]
DIST = TOP / "dist"
RELATIVE = re.compile(r'(\]\(|srcset="|src=")(?![a-z]+:|#)([^)"\s]+)')


def main() -> None:
    """Leaves two files in dist/."""
    project = (TOP / "pyproject.toml").read_text()
    repository = found(r'^repository = "([^"]+)"', project)
    version = found(r'^version = "([^"]+)"', project)
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        copy_to(place)
        readme = place / "README.md"
        readme.write_text(absolute(readme.read_text(), repository, f"v{version}"))
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(DIST), str(place))
    built = sorted(map(str, DIST.iterdir()))
    run(sys.executable, "-m", "twine", "check", "--strict", *built)


def absolute(text: str, repository: str, ref: str) -> str:
    """README with full addresses for files: raw ones for pictures, GitHub's pages for others."""
    raw = repository.replace("github.com", "raw.githubusercontent.com")

    def address(link: re.Match[str]) -> str:
        base = f"{raw}/{ref}" if link[2].endswith(".svg") else f"{repository}/blob/{ref}"
        return f"{link[1]}{base}/{link[2]}"

    return RELATIVE.sub(address, text)


def copy_to(place: Path) -> None:
    """Copies the project's files that are in git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=TOP, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (TOP / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TOP / name, place / name)


def found(pattern: str, text: str) -> str:
    """The text of the pattern's group."""
    match = re.search(pattern, text, re.MULTILINE)
    return match[1] if match else sys.exit(f"pyproject.toml has no {pattern}")


def run(*command: str) -> None:
    """Runs a command. If it fails, this script ends too."""
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
