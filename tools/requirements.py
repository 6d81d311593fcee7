"""Print poetry.lock as requirements with hashes, so that pip installs exactly what was tested.

Usage: python tools/requirements.py [group …]        (default: main dev)
"""

import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10: pip brings the same parser along
    from pip._vendor import tomli as tomllib


def main() -> None:
    """Print one line for each locked package of the groups."""
    groups = set(sys.argv[1:] or ["main", "dev"])
    lock = tomllib.loads((Path(__file__).parents[1] / "poetry.lock").read_text())
    for package in lock["package"]:
        wanted = groups.intersection(package["groups"])
        if not wanted:
            continue
        markers = package.get("markers", "")
        if isinstance(markers, dict):
            markers = (
                " or ".join(f"({markers[group]})" for group in wanted)
                if wanted <= markers.keys()
                else ""
            )
        hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
        print(
            f"{package['name']}=={package['version']}{' ; ' if markers else ''}{markers} {hashes}"
        )


if __name__ == "__main__":
    main()
