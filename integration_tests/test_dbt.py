"""examples/dbt.

What is committed is what its generator makes of the demo's account. `make test-dbt` builds it, in
check_dbt.py.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from runs import COMMAND, sandbox

from source_streak.records.columns import SQL

PROJECT = Path(__file__).parents[1] / "examples" / "dbt"
GENERATOR = PROJECT / "generate.py"


def module() -> Any:
    """The generator, which is a script and no module of the project."""
    spec = importlib.util.spec_from_file_location("dbt_generate", GENERATOR)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


generate = module()


@pytest.fixture(scope="module")
def discovered(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `source-streak discover` prints of the demo's account."""
    config = tmp_path_factory.mktemp("dbt") / "config.json"
    with sandbox(150) as streak:
        config.write_text(json.dumps({"api_key": streak.key}))
        command = [COMMAND, "discover", "--config", str(config)]
        return subprocess.run(
            command, env=streak.environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout


def written(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def stream(*columns: str, description: str = "", key: tuple[str, ...] = ("key",)) -> dict[str, Any]:
    properties = {column: {"description": description} for column in columns}
    return {
        "name": "boxes",
        "json_schema": {"properties": properties},
        "source_defined_primary_key": [[column] for column in key],
    }


def test_the_committed_files_are_those_of_the_demo_s_account(discovered: str, tmp_path: Path):
    generate.write(generate.streams(discovered), tmp_path)

    made = written(tmp_path)
    assert made == written(PROJECT / "models" / "staging"), (
        "source-streak discover … | python examples/dbt/generate.py"
    )
    assert len(made) == len(generate.streams(discovered)) + 2


def test_the_script_writes_the_folder_beside_it_from_a_pipe(discovered: str, tmp_path: Path):
    script = tmp_path / "generate.py"
    script.write_text(GENERATOR.read_text())

    subprocess.run(
        [sys.executable, str(script)], input=discovered, text=True, check=True, capture_output=True
    )

    assert written(tmp_path / "models" / "staging") == written(PROJECT / "models" / "staging")


def test_streams_that_are_named_are_the_only_ones(discovered: str, tmp_path: Path):
    script, catalog = tmp_path / "generate.py", tmp_path / "catalog.json"
    script.write_text(GENERATOR.read_text())
    catalog.write_text(discovered)

    subprocess.run(
        [sys.executable, str(script), str(catalog), "boxes", "users"],
        check=True,
        capture_output=True,
    )

    views = sorted(path.stem for path in (tmp_path / "models" / "staging").glob("*.sql"))
    assert views == ["stg_streak__boxes", "stg_streak__users"]


def test_a_stream_that_does_not_exist_is_refused(discovered: str):
    with pytest.raises(SystemExit, match="no stream nobody"):
        generate.chosen(generate.streams(discovered), ["boxes", "nobody"])


def test_a_view_of_a_stream_that_is_gone_goes(tmp_path: Path):
    generate.write([stream("key")], tmp_path)
    generate.write([stream("key") | {"name": "contacts"}], tmp_path)

    assert sorted(written(tmp_path)) == [
        "_streak__models.yml",
        "_streak__sources.yml",
        "stg_streak__contacts.sql",
    ]


def test_what_is_no_catalog_is_refused():
    with pytest.raises(SystemExit, match="no catalog"):
        generate.streams('{"type": "LOG"}\nnot json\n')


def test_a_name_that_would_end_the_sql_is_refused():
    catalog = {"type": "CATALOG", "catalog": {"streams": [stream("a'); drop table boxes; --")]}}
    with pytest.raises(SystemExit, match="no name"):
        generate.streams(json.dumps(catalog))


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("boxKey", "box_key"),
        ("logoURL", "logo_url"),
        ("gmailAPIFileId", "gmail_api_file_id"),
        ("contextIOStatus", "context_io_status"),
        ("timeInStageMs", "time_in_stage_ms"),
        ("source_1010", "source_1010"),
    ],
)
def test_columns_are_called_in_snake_case(column: str, name: str):
    assert generate.snake(column) == name


def test_two_columns_of_one_name_keep_their_own():
    assert list(generate.renamed(stream("boxKey", "box_key", "name")).values()) == [
        "boxKey",
        "box_key",
        "name",
    ]


def test_no_column_of_a_view_needs_quotes(discovered: str):
    names = {
        name for one in generate.streams(discovered) for name in generate.renamed(one).values()
    }

    assert not names & SQL
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]*", name) for name in names)


def test_views_of_boxes_leave_out_the_deleted_ones_and_only_those(discovered: str):
    views = {one["name"]: generate.view(one) for one in generate.streams(discovered)}

    with_deletions = {
        name
        for name, view in views.items()
        if view.endswith("where {{ streak_column('_ab_cdc_deleted_at') }} is null\n")
    }
    assert with_deletions == {"boxes", *(name for name in views if name.startswith("boxes_"))}


def test_every_primary_key_is_tested(discovered: str):
    models = {
        one["name"]: one
        for one in yaml.safe_load((PROJECT / "models/staging/_streak__models.yml").read_text())[
            "models"
        ]
    }

    for one in generate.streams(discovered):
        key = generate.keys(one)
        tests = {
            column["name"]: column["data_tests"]
            for column in models[generate.model(one)]["columns"]
            if "data_tests" in column
        }
        together = models[generate.model(one)].get("data_tests", [])
        assert key, one["name"]
        assert tests == {
            column: ["unique", "not_null"] if len(key) == 1 else ["not_null"] for column in key
        }
        assert together == (
            [{"unique_together": {"arguments": {"columns": key}}}] if len(key) > 1 else []
        )


@pytest.mark.parametrize(
    "name",
    [
        'say "hi": #1',
        "{{ env_var('HOME') }}",
        "{% raw %}",
        "back\\slash",
        "line\nbreak",
        "👩‍💻 株",
        "\x7f\ufeff",
    ],
)
def test_a_custom_field_of_any_name_is_text_in_the_files(name: str):
    made = [
        yaml.safe_load(write([stream("key", description=name)]))
        for write in (generate.sources, generate.models)
    ]

    shown = (
        made[0]["sources"][0]["tables"][0]["columns"][0]["description"],
        made[1]["models"][0]["columns"][0]["description"],
    )
    assert shown[0] == shown[1]
    assert not re.search(r"\{[{%#]", shown[0])
    assert [letter for letter in shown[0] if not letter.isspace()] == [
        letter for letter in name if letter.isprintable() and not letter.isspace()
    ]
