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
    """All that the connector brings of the demo's account."""
    with Sandbox(account=demo_account()) as streak:
        return read(streak, tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def built(streams: Streams, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Everything, with all tests. Not to be changed."""
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
    """The same, to be changed."""
    assert built.duckdb
    shutil.copy(built.duckdb, tmp_path / "streak.duckdb")
    return Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)


def test_everything_is_built_and_every_test_passes_without_a_warning(built: Project):
    results = built.results()

    assert set(results.values()) == {"success", "pass"}
    assert set(MARTS) <= results.keys()
    assert [name for name in results if name.endswith("money_is_read_as_people_write_it")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_answers_are_those_of_the_account(
    check: Callable[[Project, Expected], None], built: Project, expected: Expected
):
    check(built, expected)


def test_there_is_a_row_for_each_odd_case(built: Project):
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


def test_custom_fields_pass_through(built: Project):
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
    """But the custom fields, which are the account's own."""
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


def test_a_day_of_the_history_has_the_stage_of_its_end(built: Project, expected: Expected):
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


# --- What a stranger's warehouse is like ----------------------------------------------------------


def test_what_is_gone_counts_nowhere(copy: Project):
    """Rows that were told deleted, where a destination keeps them; and rows of an older reading of
    a box, where the connector had to give up the keys of too large an account.
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


def test_a_key_that_comes_twice_fails_its_test(copy: Project):
    copy.sql("INSERT INTO boxes FROM boxes LIMIT 1; INSERT INTO box_users FROM box_users LIMIT 1")
    copy.run("build", "--select", "staging", ok=False)

    failed = [name for name, status in copy.results().items() if status == "fail"]
    assert sorted(name.rpartition(".")[0] for name in failed) == [
        "unique_stg_streak__boxes_key",
        "unique_together_stg_streak__box_users_box_key__user_key__role",
    ]


def test_other_names_and_upper_case(streams: Streams, built: Project, tmp_path: Path):
    """A schema and a prefix of the connection, and columns as Snowflake has them."""
    upper = in_upper_case(streams)
    into_duckdb(upper, tmp_path / "streak.duckdb", schema="RAW", prefix="CRM_")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)
    project.run("run", streak_schema="RAW", streak_prefix="crm_")

    for mart in MARTS:
        assert project.rows(mart) == built.rows(mart), mart


def again(table: str, other: str) -> str:
    """SQL that puts every row in again, with other values in these columns."""
    return f"INSERT INTO {table} SELECT * REPLACE ({other}) FROM {table}"  # noqa: S608


# --- Streams and marts that are not there ---------------------------------------------------------


def test_without_any_table_everything_is_empty_and_green(tmp_path: Path):
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb", variables=EVERYTHING)
    project.run("--warn-error", *BUILD)

    assert [mart for mart in MARTS if project.rows(mart)] == []


def test_boxes_alone_are_enough(streams: Streams, expected: Expected, tmp_path: Path):
    """What hangs on other streams is Streak's own count, or empty."""
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


def test_what_hangs_on_a_stream_that_is_switched_off_is_not_built(streams: Streams, tmp_path: Path):
    into_duckdb(streams, tmp_path / "streak.duckdb")
    project = Project(tmp_path, duckdb=tmp_path / "streak.duckdb")
    off = {"streak_use_box_tasks": False, "streak_use_box_threads": False}
    project.run("--warn-error", *BUILD, **off)

    missing = set(MARTS) - project.results().keys()
    assert missing == {"streak__tasks", "streak__email_engagement", "streak__daily_box_history"}
