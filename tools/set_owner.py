"""Set who owns the project, in every address that names the owner.

    python3 tools/set_owner.py your-github-name

The addresses are on GitHub, its container registry and GitHub Pages. The current owner is read from
pyproject.toml; at first it is the placeholder OWNER. Only files in git are changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[1]
PROJECT = "source-streak"
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?")  # what GitHub allows
OWNED = re.compile(rf'github\.com/({NAME.pattern})/{PROJECT}(?=["/\s])')


def main() -> None:
    """Prints how many files were changed."""
    if len(sys.argv) != 2 or not NAME.fullmatch(sys.argv[1]):
        sys.exit("Usage: python3 tools/set_owner.py GITHUB-NAME (letters, digits and hyphens)")
    changed = set_owner(TOP, sys.argv[1])
    print(f"{sys.argv[1]} owns it now: {len(changed)} files changed. Next: docs/publishing.md.")


def set_owner(top: Path, new: str) -> list[Path]:
    """Replace the owner in all files of a checkout. Returns those that changed."""
    old = owner(top)
    addresses = {
        f"github.com/{old}/{PROJECT}": f"github.com/{new}/{PROJECT}",
        f"ghcr.io/{old}/{PROJECT}": f"ghcr.io/{new.lower()}/{PROJECT}",
        f"{old}.github.io/{PROJECT}": f"{new.lower()}.github.io/{PROJECT}",
    }
    pattern = re.compile("|".join(map(re.escape, addresses)), re.IGNORECASE)
    known = {address.lower(): replacement for address, replacement in addresses.items()}
    changed = []
    for file in text_files(top):
        text = file.read_text()
        replaced = pattern.sub(lambda found: known[found[0].lower()], text)
        if replaced != text:
            file.write_text(replaced)
            changed.append(file)
    return changed


def owner(top: Path) -> str:
    """The current owner."""
    found = OWNED.search((top / "pyproject.toml").read_text())
    if not found:
        sys.exit("pyproject.toml names no repository on github.com.")
    return found[1]


def text_files(top: Path) -> Iterator[Path]:
    """The text files in git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=top, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        file = top / name
        if file.is_file() and not file.is_symlink() and b"\0" not in file.read_bytes()[:8192]:
            yield file


if __name__ == "__main__":
    main()
