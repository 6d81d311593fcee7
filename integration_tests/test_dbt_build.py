"""`make test-dbt`: the dbt package on DuckDB, as `make demo` loads it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from dbt_answers import CHECKS
from dbt_expected import Expected
from dbt_runs import (
    MARTS,
    NOW_MS,
    Project,
    Streams,
    from_duckdb,
    in_upper_case,
    into_duckdb,
    read,
)
from streak_sandbox import Sandbox
from streak_sandbox.demo_account import demo_account

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("duckdb")]
OFF = {f"streak_use_{mart.removeprefix('streak__')}": False for mart in MARTS}
EVERYTHING = {"streak_use_daily_box_history": True}
BUILD = ("build", "--exclude-resource-type", "unit_test", "--exclude", "test_name:not_null")


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Streams:
    """Everything that the connector reads from the demo account."""
    with Sandbox(account=demo_account()) as streak:
        return read(streak, tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def built(streams: Streams, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All models built, all tests run. Tests must not change it."""
    folder = tmp_path_factory.mktemp("built")
    into_duckdb(streams, folder / "streak.duckdb")
    project = Project(folder, duckdb=folder / "streak.duckdb", variables=EVERYTHING)
    project.run("--warn-error", "build")
    return project


@pytest.fixture(scope="module")
def expected() -> Expected:
    return Expected(demo_account(), NOW_MS)


@pytest.fixture
def copy(built: Project, tmp_path: Path) -> Project:
    """A copy of `built` that a test may change."""
    assert built.duckdb
    shutil.copy(built.duckdb, tmp_path / "streak.duckdb")
    return Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)


def test_dbt_builds_every_model_and_every_test_passes_without_a_warning(built: Project):
    results = built.results()

    assert set(results.values()) == {"success", "pass"}
    assert set(MARTS) <= results.keys()
    assert [name for name in results if name.endswith("money_is_read_as_people_write_it")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_marts_match_the_account(
    check: Callable[[Project, Expected], None], built: Project, expected: Expected
):
    check(built, expected)


def test_the_demo_account_has_a_row_for_each_odd_case(built: Project):
    boxes = built.rows("streak__boxes")
    texts = {str(box["amount_text"]) for box in boxes}

    assert [box for box in boxes if box["stage_key"] is None]
    assert [box for box in boxes if box["stage_is_deleted"]]
    assert [box for box in boxes if box["assignees"] > 1]
    assert [box for box in boxes if box["owner_key"] == "nobody"]
    for sign in ("$", "€", "k", "’", "to be negotiated"):  # noqa: RUF001
        assert [text for text in texts if sign in text], sign
    assert [user for user in built.rows("streak__user_performance") if user["has_left"]]
    months = built.rows("streak__pipeline_velocity")
    assert [row for row in months if row["pipeline_name"] == "Partnerships (new)"]


def test_custom_fields_become_columns_of_the_box_mart(built: Project):
    (box,) = (
        box
        for box in built.rows("streak__boxes")
        if box["amount_text"] and box["amount_text"].endswith("€") and box["status"] == "won"
        and box["amount"] == max(
            one["amount"]
            for one in built.rows("streak__boxes")
            if one["amount_text"] and one["amount_text"].endswith("€") and one["status"] == "won"
        )
    )  # fmt: skip

    assert box["field_deal_size"] == box["amount_text"]
    assert box["field_contract_signed"] is True
    assert box["field_source"] in ("Referral", "Website", "Trade fair")
    assert box["field_severity"] is None


def test_every_column_is_described(built: Project):
    """Except custom fields, which differ from account to account."""
    assert built.duckdb
    nodes = json.loads((built.folder / "target" / "manifest.json").read_text())["nodes"].values()
    models = {node["name"]: node for node in nodes if node["resource_type"] == "model"}
    there = from_duckdb(
        built.duckdb,
        "SELECT table_name, column_name FROM duckdb_columns() "
        "WHERE schema_name LIKE 'main_streak%'",
    )
    bare = [
        (row["table_name"], row["column_name"])
        for row in there
        if not row["column_name"].startswith("field_")
        and not models[row["table_name"]]["columns"].get(row["column_name"], {}).get("description")
    ]

    assert len(there) > 500
    assert bare == []
    assert [name for name, model in models.items() if not model["description"]] == []


def test_the_last_day_of_the_history_has_the_current_stage_and_status(
    built: Project, expected: Expected
):
    days = built.rows("streak__daily_box_history")
    boxes = {row["box_key"]: row for row in built.rows("streak__boxes")}
    last = {}
    for row in sorted(days, key=lambda row: row["day"]):
        last[row["box_key"]] = row

    assert last.keys() == boxes.keys()
    for key, row in last.items():
        assert (row["stage_key"], row["status"]) == (
            boxes[key]["stage_key"],
            expected.boxes[key]["status"],
        )


# --- Other warehouses -----------------------------------------------------------------------------


def test_deleted_rows_and_outdated_child_rows_count_in_no_mart(copy: Project):
    """Marts ignore deleted rows that a destination keeps, and children of an earlier read of a box.

    The latter stay behind if the account is so large that the connector gave up its keys.
    """
    before = {mart: copy.rows(mart) for mart in MARTS}
    for table in ("boxes", "box_tasks", "box_threads", "contacts", "organizations"):
        copy.sql(again(table, "key || 'x' AS key, readAt AS _ab_cdc_deleted_at"))
    copy.sql(again("boxes_sales", "box_key || 'x' AS box_key, read_at AS _ab_cdc_deleted_at"))
    earlier = "readAt - INTERVAL 1 DAY AS readAt"
    copy.sql(again("box_comments", f"key || 'x' AS key, {earlier}"))
    copy.sql(again("box_field_values", f"fieldKey || '9' AS fieldKey, {earlier}"))
    copy.run("run")

    assert {mart: copy.rows(mart) for mart in MARTS} == before


def test_a_repeated_key_fails_the_uniqueness_test(copy: Project):
    copy.sql("INSERT INTO boxes FROM boxes LIMIT 1; INSERT INTO box_users FROM box_users LIMIT 1")
    copy.run("build", "--select", "staging", ok=False)

    failed = [name for name, status in copy.results().items() if status == "fail"]
    assert sorted(name.rpartition(".")[0] for name in failed) == [
        "unique_stg_streak__boxes_key",
        "unique_together_stg_streak__box_users_box_key__user_key__role",
    ]


def test_another_schema_a_prefix_and_upper_case_columns_give_the_same_marts(
    streams: Streams, built: Project, tmp_path: Path
):
    """With the schema and prefix of a connection, and columns in upper case as in Snowflake."""
    upper = in_upper_case(streams)
    into_duckdb(upper, tmp_path / "streak.duckdb", schema="RAW", prefix="CRM_")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)
    project.run("run", streak_schema="RAW", streak_prefix="crm_")

    for mart in MARTS:
        assert project.rows(mart) == built.rows(mart), mart


def again(table: str, other: str) -> str:
    """SQL that inserts every row again, with other values in these columns."""
    return f"INSERT INTO {table} SELECT * REPLACE ({other}) FROM {table}"  # noqa: S608


# --- Missing streams and marts --------------------------------------------------------------------


def test_without_any_table_the_build_succeeds_with_empty_marts(tmp_path: Path):
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)
    project.run("--warn-error", *BUILD)

    assert [mart for mart in MARTS if project.rows(mart)] == []


def test_the_box_mart_needs_only_the_boxes_table(
    streams: Streams, expected: Expected, tmp_path: Path
):
    """Columns that need other streams hold Streak's own counts, or are empty."""
    into_duckdb({"boxes": streams["boxes"]}, tmp_path / "streak.duckdb")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)
    project.run("--warn-error", *BUILD)

    for row in project.rows("streak__boxes"):
        right = expected.boxes[row["box_key"]]
        assert [row[name] for name in ("comments", "files", "tasks", "threads")] == [
            right[name] for name in ("comments", "files", "tasks", "threads")
        ]
        assert row["owner_key"] == "nobody"
        assert row["amount"] is None
        known = right["stage_key"] is None or right["status"] == row["status"]
        assert known, row
    assert project.rows("streak__tasks") == []


def test_marts_that_are_switched_off_are_not_built(streams: Streams, tmp_path: Path):
    into_duckdb(streams, tmp_path / "streak.duckdb")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb")
    project.run("--warn-error", *BUILD, **OFF | {"streak_use_funnel": True})

    assert set(MARTS) & project.results().keys() == {"streak__funnel"}


def test_marts_that_need_a_switched_off_stream_are_not_built(streams: Streams, tmp_path: Path):
    into_duckdb(streams, tmp_path / "streak.duckdb")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb")
    off = {"streak_use_box_tasks": False, "streak_use_box_threads": False}
    project.run("--warn-error", *BUILD, **off)

    missing = set(MARTS) - project.results().keys()
    assert missing == {"streak__tasks", "streak__email_engagement", "streak__daily_box_history"}
