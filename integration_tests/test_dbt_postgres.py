"""`make test-dbt`: the dbt package on a real PostgreSQL server, with only variables set.

PyAirbyte loads the tables in two syncs, with deletions in between. Then they are loaded as
Airbyte's destination makes them, with column names as sent and in upper case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import postgres
import pytest
import test_postgres
from dbt_answers import CHECKS
from dbt_expected import Expected
from dbt_runs import (
    MARTS,
    NOW_MS,
    Project,
    Streams,
    change,
    command,
    into_duckdb,
    into_postgres,
    read,
)
from postgres import Database
from replay.command import configured
from streak_sandbox import Account, Sandbox
from streak_sandbox.demo_account import demo_account
from test_clients import Place

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("postgres")]
EVERYTHING = {"streak_use_daily_box_history": True}
RAW = "RAW"


@dataclass
class Synced:
    """The marts after the first and the second sync, the streams of a full refresh, the account."""

    first: Project
    second: Project
    whole: Streams
    account: Account


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgres.server() as running:
        yield running


@pytest.fixture(scope="module")
def synced(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Synced:
    """Two syncs by PyAirbyte, each followed by a full build. Tests must not change them."""
    folder = tmp_path_factory.mktemp("synced")
    variables = EVERYTHING | {"streak_schema": test_postgres.LOADED}
    with Sandbox(account=demo_account()) as streak:
        hand = command(streak, folder / "by-hand")
        client = Place(streak.url, dict(hand.config), tmp_path_factory.mktemp("pyairbyte"))
        project = Project(folder, postgres=database, variables=variables)
        for moment in range(2):
            if moment:
                change(streak.account)
            configured_ones = configured(hand.discover())["streams"]
            streams = {one["stream"]["name"]: one["stream"] for one in configured_ones}
            test_postgres.load(client, database, hand.executable(), streams)
            project.run("--warn-error", "build")
            if not moment:
                first = replace(project, postgres=another(database, "first", database.name))
        return Synced(first, project, read(streak, folder / "whole"), streak.account)


def another(database: Database, name: str, template: str = "template0") -> Database:
    """Create another database on the same server, empty or a copy."""
    within = replace(database, name="postgres")
    within.sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    return replace(database, name=name)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_marts_match_the_account_after_the_first_sync(
    check: Callable[[Project, Expected], None], synced: Synced
):
    check(synced.first, Expected(demo_account(), NOW_MS))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_marts_match_the_account_after_changes_and_deletions(
    check: Callable[[Project, Expected], None], synced: Synced
):
    check(synced.second, Expected(synced.account, NOW_MS))


def test_deleted_boxes_stay_in_their_table_and_count_in_no_mart(synced: Synced):
    """Boxes of the first sync that were deleted are still in the table, but in no mart."""
    kept = {row["key"] for row in synced.second.postgres.rows(test_postgres.LOADED, "boxes")}
    gone = kept - synced.account.boxes.keys()

    assert gone
    for mart in MARTS:
        assert not [row for row in synced.second.rows(mart) if row.get("box_key") in gone], mart


@pytest.mark.parametrize("upper", [False, True], ids=["as-sent", "upper-case"])
def test_the_tables_of_airbytes_destination_give_the_same_marts(
    upper: bool, synced: Synced, database: Database, tmp_path: Path
):
    """A full refresh, with columns as sent and in upper case, gives the marts of the two syncs."""
    own = another(database, f"upper_{upper}".lower())
    into_postgres(synced.whole, own, RAW, upper=upper)
    project = Project(tmp_path, postgres=own, variables=EVERYTHING | {"streak_schema": RAW})
    project.run("--warn-error", "build", "--exclude-resource-type", "unit_test")

    for mart in MARTS:
        assert project.rows(mart) == synced.second.rows(mart), mart


def test_duckdb_gives_the_same_marts_as_postgres(synced: Synced, tmp_path: Path):
    into_duckdb(synced.whole, tmp_path / "streak.duckdb")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)
    project.run("run")

    for mart in MARTS:
        assert project.rows(mart) == synced.second.rows(mart), mart
