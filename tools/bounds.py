"""Print requirements for the lowest or the newest versions that pyproject.toml allows, and the
tools of the tests as locked.

Usage: python tools/bounds.py lowest|newest
"""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10: pip brings the same parser along
    from pip._vendor import tomli as tomllib

TOP = Path(__file__).parents[1]
FOR_TESTS = (
    "aiohttp",
    "airbyte-connector-models",
    "cryptography",
    "duckdb",
    "hypothesis",
    "pytest",
    "pytest-mock",
    "pytest-xdist",
    "rich",
    "streak-crm",
)


def main() -> None:
    """One line for each direct dependency."""
    lowest = sys.argv[1] == "lowest"
    poetry = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["poetry"]
    for name, bound in poetry["dependencies"].items():
        if name == "python":
            continue
        least, below = limits(bound)
        print(f"{name}=={least}" if lowest else f"{name}>={least},<{below}")
    for package in tomllib.loads((TOP / "poetry.lock").read_text())["package"]:
        if package["name"] in FOR_TESTS:
            markers = package.get("markers", "")
            print(f"{package['name']}=={package['version']}{' ; ' if markers else ''}{markers}")


def limits(bound: str) -> tuple[str, str]:
    """The lowest version, and the first that is too new, in `^2.32.3` or `>=0.22,<1`."""
    if caret := re.fullmatch(r"\^((\d+)\.(\d+)(?:\.\d+)*)", bound):
        major, minor = int(caret[2]), int(caret[3])
        return caret[1], str(major + 1) if major else f"0.{minor + 1}"
    least, below = re.fullmatch(r">=([\d.]+),<([\d.]+)", bound).groups()
    return least, below


if __name__ == "__main__":
    main()
