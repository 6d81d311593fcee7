"""`make test-dbt`: the package compiled for Snowflake and BigQuery, without a server of either.

dbt's own adapters write the SQL, with the columns that Airbyte's destinations make. sqlglot parses
it in the warehouse's dialect and resolves each column.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from dbt_runs import MARTS, WAREHOUSES, Project

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("warehouses")]
PROFILES = Path(__file__).with_name("dbt_profiles")
DIALECTS = Path(__file__).with_name("dbt_dialects.py")
UNCONNECTED = ("--no-introspect", "--no-populate-cache", "--exclude", "resource_type:unit_test")


@pytest.fixture(scope="module", params=["snowflake", "bigquery"])
def compiled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """The dialect, and the folder with all SQL that dbt would run there."""
    folder = tmp_path_factory.mktemp(request.param)
    variables = {"streak_introspect": False, "streak_use_daily_box_history": True}
    project = Project(folder, variables=variables, profiles=PROFILES)
    project.run("compile", *UNCONNECTED, target=request.param)
    return request.param, folder / "target" / "compiled" / "streak"


def complaints(dialect: str, folder: Path) -> list[str]:
    """The lines that dbt_dialects.py prints: complaints, and last the number of files."""
    done = subprocess.run(
        [WAREHOUSES / "python", DIALECTS, dialect, folder],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_every_compiled_statement_parses_and_every_column_resolves(compiled: tuple[str, Path]):
    dialect, folder = compiled
    said = complaints(dialect, folder)

    assert said[:-1] == []
    assert int(said[-1].split()[0]) > 200
    assert set(MARTS) <= {file.stem for file in folder.rglob("*.sql")}


def test_an_unknown_column_is_reported(compiled: tuple[str, Path], tmp_path: Path):
    dialect, folder = compiled
    for layer in ("staging", "marts"):
        for file in (folder / "models" / layer).glob("*.sql"):
            copy = tmp_path / "models" / layer / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text().replace("boxes.status", "boxes.standing"))

    assert [line for line in complaints(dialect, tmp_path) if "standing" in line.lower()]


def test_staging_selects_columns_in_the_case_of_the_destination(compiled: tuple[str, Path]):
    """Airbyte writes BOXKEY in Snowflake, and boxKey in BigQuery."""
    dialect, folder = compiled
    view = (folder / "models" / "staging" / "stg_streak__box_users.sql").read_text()

    column = {"snowflake": '"BOXKEY"', "bigquery": "`boxKey`"}[dialect]
    assert re.search(rf"cast\({column} as \w+\) as box_key", view)
