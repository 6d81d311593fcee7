"""Print the changelog's section of a version, which becomes the text of its release.

Usage: python tools/section.py 0.1.0
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def main() -> None:
    """Ends with status 1 if there is no such section."""
    print(section(CHANGELOG.read_text(), sys.argv[1]))


def section(text: str, version: str) -> str:
    """The section of a version, without its heading."""
    parts = re.split(r"^## \[([^\]]+)\].*$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not sections.get(version, "").strip():
        sys.exit(f"CHANGELOG.md says nothing of version {version}.")
    return sections[version].strip()


if __name__ == "__main__":
    main()
