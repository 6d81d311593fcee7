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
    "duckdb",
    "hypothesis",
    "pytest",
    "pytest-mock",
    "streak-crm",
)


def main() -> None:
    """One line for each direct dependency."""
    lowest = sys.argv[1] == "lowest"
    poetry = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["poetry"]
    for name, bound in poetry["dependencies"].items():
        if name == "python":
            continue
        version = re.fullmatch(r"\^(\d+(?:\.\d+)+)", bound)[1]
        print(
            f"{name}=={version}"
            if lowest
            else f"{name}>={version},<{int(version.split('.')[0]) + 1}"
        )
    for package in tomllib.loads((TOP / "poetry.lock").read_text())["package"]:
        if package["name"] in FOR_TESTS:
            markers = package.get("markers", "")
            print(f"{package['name']}=={package['version']}{' ; ' if markers else ''}{markers}")


if __name__ == "__main__":
    main()
