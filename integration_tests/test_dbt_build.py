"""dbt builds examples/dbt on the demo's DuckDB file.

Every view, every test. Run by `make test-dbt`, for it needs .venv-dbt.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from demo_account import demo

pytestmark = pytest.mark.dbt
TOP = Path(__file__).parents[1]
DBT = TOP / ".venv-dbt" / "bin" / "dbt"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project, and a copy of the demo's file beside it."""
    shutil.copytree(TOP / "examples" / "dbt", tmp_path / "dbt")
    shutil.copy(demo()[0], tmp_path / "streak.duckdb")
    return tmp_path / "dbt"


def dbt(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "STREAK_DUCKDB": str(project.parent / "streak.duckdb"),
        "DO_NOT_TRACK": "1",
    }
    command = [str(DBT), *arguments, "--profiles-dir", "."]
    return subprocess.run(
        command,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def results(project: Path) -> dict[str, str]:
    """How each view and test went."""
    found = json.loads((project / "target" / "run_results.json").read_text())["results"]
    return {result["unique_id"]: result["status"] for result in found}


def asked(project: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(project.parent / "streak.duckdb")) as database:
        return database.execute(sql).fetchall()


def test_every_view_is_built_and_every_test_passes_without_a_warning(project: Path):
    done = dbt(project, "--warn-error", "build")

    assert done.returncode == 0, done.stdout
    assert set(results(project).values()) == {"success", "pass"}
    views = [name for name in results(project) if name.startswith("model.")]
    assert len(views) == len(list((project / "models" / "staging").glob("*.sql")))
    assert len(results(project)) > 2 * len(views)


def test_the_views_have_the_rows_of_the_streams_under_their_new_names(project: Path):
    dbt(project, "run")

    joined = """
        SELECT b.pipeline_name, b.stage_name, s.deal_size, s.source
        FROM main_staging.stg_streak__boxes_sales s JOIN main_staging.stg_streak__boxes b ON b.key = s.box_key
        WHERE s.name LIKE 'Acme % 200 anvils'
    """
    assert asked(project, joined) == [("Sales", "Angebot 📄", "12000", "Empfehlung 🤝")]


def test_deleted_boxes_are_in_no_view(project: Path):
    asked(
        project, "INSERT INTO boxes (key, readAt, _ab_cdc_deleted_at) VALUES ('gone', now(), now())"
    )

    assert dbt(project, "build", "--select", "stg_streak__boxes").returncode == 0
    assert asked(project, "SELECT count(*) FROM main_staging.stg_streak__boxes") == [(150,)]


@pytest.mark.parametrize(
    ("damage", "failing"),
    [
        ("INSERT INTO boxes FROM boxes LIMIT 1", "unique_stg_streak__boxes_key"),
        ("INSERT INTO box_users FROM box_users LIMIT 1", "unique_together_stg_streak__box_users"),
        (
            "UPDATE box_users SET role = NULL WHERE role = 'follower'",
            "not_null_stg_streak__box_users_role",
        ),
    ],
)
def test_a_key_that_comes_twice_or_is_missing_fails_its_test(
    project: Path, damage: str, failing: str
):
    asked(project, damage)

    assert dbt(project, "build").returncode == 1
    (failed,) = (
        name.split(".")[2] for name, status in results(project).items() if status == "fail"
    )
    assert failed.startswith(failing)


@pytest.mark.parametrize(
    ("case", "column"), [("as_sent", '"boxKey"'), ("lower", '"boxkey"'), ("upper", '"BOXKEY"')]
)
def test_the_case_of_the_columns_is_that_of_the_destination(project: Path, case: str, column: str):
    done = dbt(
        project,
        "compile",
        "--select",
        "stg_streak__box_comments",
        "--vars",
        json.dumps({"streak_column_case": case}),
    )

    assert f"{column} as box_key" in done.stdout
