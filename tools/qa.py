"""`make qa`: every check of Airbyte's connectors-qa on this project, offline.

Prints what fails and why. The checks expect Airbyte's own repository and the network. So they get a
copy: this project as airbyte-integrations/connectors/source-streak with docs/streak.md as its page,
in a folder under git. The registry, DockerHub and the page's links are not requested. The copy's
metadata.yaml differs in two facts: the page's address, by which the checks find it, and the support
level, because below 300 they skip twelve checks of that page.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
import yaml
from airbyte_ops_mcp import metadata_validator
from airbyte_ops_mcp.connector_ops import utils
from airbyte_ops_mcp.connector_qa.checks import ENABLED_CHECKS
from airbyte_ops_mcp.connector_qa.models import CheckStatus

TOP = Path(__file__).parents[1]
CONNECTOR = "airbyte-integrations/connectors/source-streak"
PAGE = "integrations/sources/streak"
# What fails on purpose. CONTRIBUTING.md says why.
KNOWN = {"CheckConnectorUsesPythonBaseImage"}


def main() -> int:
    """Returns 1 if a check fails that is not known to fail."""
    without_network()
    unexpected = []
    with tempfile.TemporaryDirectory() as place:
        lay_out(Path(place))
        os.chdir(place)
        connector = utils.Connector("source-streak")
        for check in ENABLED_CHECKS:
            name = type(check).__name__
            result = check.run(connector)
            known = result.status is CheckStatus.FAILED and name in KNOWN
            print(
                f"{result.status.value} {name}{' (known: CONTRIBUTING.md)' if known else ''}: "
                f"{result.message.replace(place, '')}"
            )
            if result.status is CheckStatus.FAILED and not known:
                unexpected.append(name)
        os.chdir(TOP)
    print(
        f"\n{len(ENABLED_CHECKS)} checks. Failed, and not known to: "
        f"{', '.join(unexpected) or 'none'}."
    )
    return 1 if unexpected else 0


def lay_out(place: Path) -> None:
    """Copies the project into the shape of Airbyte's repository.

    That is what git has of it, and files not committed yet.
    """
    git("init", "--quiet", "--initial-branch", "master", cwd=place)
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", cwd=TOP).splitlines():
        if (TOP / name).is_file():
            copy(TOP / name, place / CONNECTOR / name)
    if (TOP / "docs/streak.md").is_file():
        copy(TOP / "docs/streak.md", place / f"docs/{PAGE}.md")
    metadata = yaml.safe_load((TOP / "metadata.yaml").read_text())
    metadata["data"]["documentationUrl"] = f"{utils.BASE_AIRBYTE_DOCS_URL.rstrip('/')}/{PAGE}"
    metadata["data"]["ab_internal"]["sl"] = 300
    (place / CONNECTOR / "metadata.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False))
    git("add", "--all", cwd=place)
    git(
        "-c",
        "user.name=qa",
        "-c",
        "user.email=qa@example.org",
        "commit",
        "--quiet",
        "--message",
        "source-streak",
        cwd=place,
    )


def copy(source: Path, target: Path) -> None:
    """Copies a file to a folder that may not exist yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def git(*arguments: str, cwd: Path) -> str:
    """The output of a git command."""
    return subprocess.run(
        ["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True
    ).stdout


def without_network() -> None:
    """Pretends that nothing is released yet and every image exists, and tries no link."""
    utils.download_catalog = lambda _: {"sources": [], "destinations": []}
    metadata_validator.is_image_on_docker_hub = lambda *_, **__: True
    metadata_validator.get_latest_version_on_dockerhub = lambda _: None
    requests.get = unreachable


def unreachable(address: str, *_: object, **__: object) -> requests.Response:
    """On Airbyte's main branch, the connector's page does not exist yet.

    Nothing is known about other addresses.
    """
    if address.endswith("/metadata.yaml"):
        answer = requests.Response()
        answer.status_code = 404
        return answer
    raise requests.exceptions.ConnectionError(address)


if __name__ == "__main__":
    sys.exit(main())
