"""`make test-dbt`: incremental syncs with deletions give the same marts as a full refresh.

Also: the package as a dependency of another dbt project.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from dbt_answers import CHECKS
from dbt_expected import Expected
from dbt_runs import MARTS, NOW_MS, PACKAGE, Project, Streams, Synced, change, into_duckdb, read
from streak_sandbox import Account, Sandbox

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("syncs")]
BOXES = 60
EVERYTHING = {"streak_use_daily_box_history": True}


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> tuple[Streams, Streams, Account]:
    """The destination after two syncs, the streams of a full refresh, and the account."""
    folder = tmp_path_factory.mktemp("syncs")
    with Sandbox(boxes=BOXES) as streak:
        connection = Synced(streak, folder / "incremental")
        connection.sync()
        change(streak.account)
        return connection.sync(), read(streak, folder / "whole"), streak.account


@pytest.fixture(scope="module")
def projects(
    moments: tuple[Streams, Streams, Account], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Project]:
    """The marts after the syncs, and those of the full refresh."""
    found = []
    for streams in moments[:2]:
        folder = tmp_path_factory.mktemp("built")
        into_duckdb(streams, folder / "streak.duckdb")
        project = Project(folder, duckdb=folder / "streak.duckdb", variables=EVERYTHING)
        project.run("--warn-error", "build", "--exclude-resource-type", "unit_test")
        found.append(project)
    return found[0], found[1]


@pytest.mark.parametrize("mart", MARTS)
def test_incremental_syncs_give_the_same_marts_as_a_full_refresh(
    mart: str, projects: tuple[Project, Project]
):
    kept, whole = projects

    assert kept.rows(mart) == whole.rows(mart)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_marts_match_the_account(
    check, projects: tuple[Project, Project], moments: tuple[Streams, Streams, Account]
):
    check(projects[0], Expected(moments[2], NOW_MS))


PROJECT = """
name: theirs
version: "1.0"
profile: streak
model-paths: [models]
vars:
  streak_now: "2026-06-01"
  streak_use_tasks: false
models:
  streak:
    marts: {+schema: crm}
"""


def test_the_package_works_inside_another_dbt_project(
    moments: tuple[Streams, Streams, Account], projects: tuple[Project, Project], tmp_path: Path
):
    """`dbt deps` installs it; it takes that project's variables, and its unit tests do not run."""
    into_duckdb(moments[1], tmp_path / "streak.duckdb")
    theirs = tmp_path / "theirs"
    (theirs / "models").mkdir(parents=True)
    shutil.copytree(PACKAGE, tmp_path / "package", ignore=shutil.ignore_patterns("target", "logs"))
    (theirs / "dbt_project.yml").write_text(PROJECT)
    (theirs / "packages.yml").write_text("packages:\n  - local: ../package\n")
    (theirs / "models" / "won.sql").write_text(
        "select sum(won_boxes) as won from {{ ref('streak', 'streak__user_performance') }}"
    )
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", place=theirs)
    project.run("deps")
    project.run("--warn-error", "build", "--exclude", "test_name:not_null")

    results = project.results()
    assert "streak__boxes" in results
    assert "streak__tasks" not in results
    assert not [name for name in results if "money" in name]
    assert project.rows("streak__boxes", schema="crm") == projects[1].rows("streak__boxes")
