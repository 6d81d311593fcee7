"""What a release publishes and what the workflows run exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import distributions
import pytest
import section
import yaml

TOP = Path(__file__).parents[1]
README = (TOP / "README.md").read_text()
WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))
REPOSITORY, RAW = "https://github.com/any/name", "https://raw.githubusercontent.com/any/name"


def test_every_link_of_the_readme_is_a_full_address_on_pypi() -> None:
    page = distributions.absolute(README, REPOSITORY, "v0.1.0")
    links = re.findall(r'\]\(([^)]+)\)|src(?:set)?="([^"]+)"', page)

    assert len(links) > 20
    assert all(re.match(r"https://|#", next(filter(None, link))) for link in links)
    assert f"{REPOSITORY}/blob/v0.1.0/docs/streak.md#set-up-streak" in page
    assert f"{RAW}/v0.1.0/docs/assets/" in page


def test_only_the_links_of_the_readme_are_changed_for_pypi() -> None:
    addresses = rf"{REPOSITORY}/blob/v1/|{RAW}/v1/"
    page = distributions.absolute(README, REPOSITORY, "v1")

    assert re.sub(addresses, "", page) == README


def test_the_text_of_a_release_is_its_section_of_the_changelog() -> None:
    text = "# Changelog\n\n## [0.2.0] - 2026-12-01\n\nNew.\n\n## [0.1.0] - 2026-11-21\n\nFirst.\n"

    assert section.section(text, "0.2.0") == "New."
    assert section.section(text, "0.1.0") == "First."
    with pytest.raises(SystemExit, match=r"0\.3\.0"):
        section.section(text, "0.3.0")


def test_the_readme_and_agents_md_stay_short() -> None:
    assert len(README.splitlines()) <= 150
    assert len((TOP / "AGENTS.md").read_text().splitlines()) <= 60


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_make_target_that_a_workflow_runs_exists(workflow: Path) -> None:
    targets = set(re.findall(r"^([\w.-]+(?: [\w.-]+)*):", (TOP / "Makefile").read_text(), re.M))
    targets = {name for names in targets for name in names.split()}
    text = workflow.read_text()
    made = {name for line in re.findall(r"run: make (.+)", text) for name in line.split()}
    made |= set(re.findall(r"[\w-]+", " ".join(re.findall(r"target: \[(.+)\]", text))))

    assert {name for name in made if re.fullmatch(r"[a-z][\w-]+", name)} - {
        "matrix",
        "target",
    } <= targets


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)", workflow.read_text())

    assert used
    assert not [action for action in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)]


def test_the_menu_of_the_site_names_every_page() -> None:
    text = re.sub(r"!!python\S+", "", (TOP / "mkdocs.yml").read_text())
    menu: Any = yaml.safe_load(text)["nav"]
    named = set(re.findall(r"[\w/]+\.md", str(menu)))
    written = {str(page.relative_to(TOP / "docs")) for page in (TOP / "docs").rglob("*.md")}

    assert written | {"contributing.md", "changelog.md"} == named
