"""The names of tables and columns, and which values a column holds."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

import source_streak.records.columns
from source_streak.records.columns import (
    FIELD_KEY,
    LAST,
    PIPELINE_KEY,
    Table,
    column_names,
    completed,
    schema_of,
    table_names,
    words,
)
from source_streak.records.fields import definitions_of
from source_streak.records.shape import Shape, mapping, whole_number

settings.register_profile(
    "no clock", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no clock")

SCHEMAS = Path(source_streak.records.columns.__file__).parents[1] / "schemas"
NAMES = {path.stem for path in SCHEMAS.glob("*.json")} - {"pipeline_table"}  # of all other streams


@cache
def fixed_columns() -> dict[str, Any]:
    """The schema with the columns that every table of a pipeline has."""
    return ResourceSchemaLoader("source_streak").get_schema("pipeline_table")


FIXED = fixed_columns()["properties"]
NAME = re.compile(r"[a-z][a-z0-9_]*")
AT = 1_772_323_200_000

# Words that need quotes as a column's name, from the reference of each database.
POSTGRESQL = """
all analyse analyze and any array as asc asymmetric authorization binary both case cast check
collate collation column concurrently constraint create cross current_catalog current_date
current_role current_schema current_time current_timestamp current_user default deferrable desc
distinct do else end except false fetch for foreign freeze from full grant group having ilike in
initially inner intersect into is isnull join lateral leading left like limit localtime
localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
references returning right select session_user similar some symmetric system_user table tablesample
then to trailing true union unique user using variadic verbose when where window with tableoid xmin
cmin xmax cmax ctid
"""
SNOWFLAKE = """
account all alter and any as between by case cast check column connect connection constraint create
cross current current_date current_time current_timestamp current_user database delete distinct
drop else exists false following for from full grant group gscluster having ilike in increment
inner insert intersect into is issue join lateral left like localtime localtimestamp minus natural
not null of on or order organization qualify regexp revoke right rlike row rows sample schema
select set some start table tablesample then to trigger true try_cast union unique update using
values view when whenever where with
"""
BIGQUERY = """
all and any array as asc assert_rows_modified at between by case cast collate contains create cross
cube current default define desc distinct else end enum escape except exclude exists extract false
fetch following for from full group grouping groups hash having if ignore in inner intersect
interval into is join lateral left like limit lookup merge natural new no not null nulls of on or
order outer over partition preceding proto qualify range recursive respect right rollup rows select
set some struct tablesample then to treat true unbounded union unnest using when where window with
within
"""
RESERVED = frozenset(f"{POSTGRESQL} {SNOWFLAKE} {BIGQUERY}".split())


def columns_of(*names: Any) -> list[str]:
    """The columns of fields with these names, whose keys are 1001, 1002, …"""
    definitions = {str(1001 + place): {"name": name} for place, name in enumerate(names)}
    return list(column_names(definitions, FIXED).values())


def pipeline_keys() -> list[str]:
    return [
        f"agxzfnN0cmVhay1{letter}zZXIWCxIIV29ya2Zsb3cYgICA{letter}ICA"
        for letter in "ZYXWVUTSRQPONMLK"
    ]


def tables_of(*names: Any) -> list[str]:
    """The tables of pipelines with these names, the oldest first. Their keys tell no age."""
    ages = zip(pipeline_keys(), names, range(AT, AT + len(names)), strict=False)
    pipelines = [
        {"key": key, "name": name, "creationTimestamp": created} for key, name, created in ages
    ]
    return list(table_names(reversed(pipelines), NAMES).values())


def assert_good(names: list[str], longest: int, taken: Any) -> None:
    """Check that every warehouse accepts these names unquoted, and that all are different."""
    assert not [name for name in names if not NAME.fullmatch(name)]
    assert not [name for name in names if len(name.encode()) > longest]
    assert not [name for name in names if name in RESERVED]
    assert len(set(names)) == len(names)
    assert not set(names) & set(taken)


# --- Columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Deal size", "deal_size"),
        ("  Close   date  ", "close_date"),
        ("dealSize", "dealsize"),
        ("Größe (m²)", "grosse_m2"),
        ("Kunde seit…", "kunde_seit"),
        ("C++ / C#", "c_c"),
        ("Don't call", "dont_call"),
        ("Don’t call", "dont_call"),  # noqa: RUF001
        ("💰 Budget", "budget"),
        ("❤️ Love", "love"),
        ("100 % sure", "field_100_sure"),
        ("2nd contact", "field_2nd_contact"),
        ("1️⃣ first", "field_1_first"),
        ("№ 5", "no_5"),
        ("Цена", "tsena"),
        ("Ελλάδα", "ellada"),
        ("東京", "dongjing"),
        ("हिन्दी", "hindi"),
        ("บริษัท", "brisath"),
        ("العربية", "lrbyh"),
        ("__init__", "init"),
        ("Kunden\u00adnummer", "kundennummer"),
        ("line\nbreak\ttab", "line_break_tab"),
        ("'; drop table boxes; --", "drop_table_boxes"),
    ],
)
def test_a_column_is_named_after_its_field_in_snake_case_and_latin_letters(
    name: str, column: str
) -> None:
    assert columns_of(name) == [column]


def test_the_oldest_of_fields_with_one_name_keeps_it_and_later_ones_add_their_key() -> None:
    assert columns_of("Source", "Source", "Source") == ["source", "source_1002", "source_1003"]


@pytest.mark.parametrize(
    "other",
    ["source", "SOURCE", "Source!", "source?", " source ", "Sóurce", "So'urce", "Source 🌍"],
)
def test_names_that_differ_only_in_case_accents_or_punctuation_count_as_equal(other: str) -> None:
    assert columns_of("Source", other) == ["source", "source_1002"]


@pytest.mark.parametrize(
    "name", ["💰", "👍🏽", "👨‍👩‍👧", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "→", "...", "$", " ", "---", "\u200b"]
)
def test_a_field_whose_name_has_no_letters_is_named_by_its_key(name: str) -> None:
    assert columns_of("Source", name, name) == ["source", "field_1002", "field_1003"]


@pytest.mark.parametrize("name", [None, "", [], {}, ["x"], {"name": "x"}], ids=repr)
def test_a_field_without_a_name_is_named_by_its_key(name: Any) -> None:
    assert columns_of(name) == ["field_1001"]


@pytest.mark.parametrize(
    ("name", "column"),
    [(5, "field_5"), (0, "field_0"), (1.5, "field_1_5"), (True, "field_true")],
    ids=repr,
)
def test_a_field_name_that_is_a_number_or_boolean_is_used_as_text(name: Any, column: str) -> None:
    assert columns_of(name) == [column]


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_a_column_named_like_an_sql_keyword_gets_a_prefix(word: str) -> None:
    assert columns_of(word, word.upper()) == [f"field_{word}", f"field_{word}_1002"]


def test_duckdb_accepts_every_column_unquoted_even_those_named_like_its_keywords() -> None:
    keywords = [
        word for (word,) in duckdb.sql("select keyword_name from duckdb_keywords()").fetchall()
    ]
    columns = [*FIXED, *columns_of(*keywords)]
    with duckdb.connect() as connection:
        connection.execute(f"create table boxes ({', '.join(f'{name} text' for name in columns)})")
        for name in columns:
            rest = f"where {name} = 'x' group by {name} order by {name}"
            connection.execute(f"select {name} from boxes {rest}")  # noqa: S608


@pytest.mark.parametrize("name", sorted(FIXED))
def test_a_field_never_takes_the_name_of_a_fixed_column(
    name: str,
) -> None:
    for field in (name, name.replace("_", " ").strip().title()):
        (column,) = columns_of(field)
        assert column in (f"{words(name)}_1001", f"{words(name)}")
        assert column not in FIXED


def test_the_fixed_columns_have_valid_names_themselves() -> None:
    assert_good([name for name in FIXED if name != "_ab_cdc_deleted_at"], 55, ())


def test_an_older_field_named_like_anothers_name_with_key_keeps_its_name() -> None:
    definitions = {
        "1002": {"name": "Source"},
        "1003": {"name": "Source 1010"},
        "1010": {"name": "Source"},
    }
    names = column_names(definitions, FIXED)

    assert (names["1002"], names["1003"]) == ("source", "source_1010")
    assert re.fullmatch(r"source_[0-9a-f]{4}", names["1010"])


def test_a_younger_field_named_like_anothers_name_with_key_adds_its_own_key() -> None:
    names = columns_of("Source", "Source", "Source 1002")

    assert names == ["source", "source_1002", "source_1002_1003"]


def test_a_field_named_field_and_a_key_does_not_clash_with_one_named_by_its_key() -> None:
    assert_good(columns_of("Field 1002", "💰", "Field", "field_1001", "1001"), 55, FIXED)


def test_names_of_300_letters_are_cut_and_stay_distinct() -> None:
    long = "customer lifetime value in thousands " * 9
    names = columns_of(long[:300], long[:300] + "a", long[:300] + "b", long[:300])

    assert_good(names, 55, FIXED)
    assert all(
        re.fullmatch(r"customer_lifetime_value_in_thousands_.*_[0-9a-f]{4}", name) for name in names
    )
    assert names[:2] == columns_of(long[:300], long[:300] + "a")


def test_the_length_of_a_name_is_measured_in_latin_letters() -> None:
    assert_good(columns_of("株式会社サンプル" * 20, "ß" * 60, "€" * 60), 55, FIXED)


def test_a_table_of_200_fields_has_200_columns() -> None:
    names = columns_of(
        *(
            ("Source", "source", "💰", f"Field {number}", "Order")[number % 5]
            for number in range(200)
        )
    )

    assert_good(names, 55, FIXED)
    assert len(names) == 200


def test_the_number_in_its_key_tells_the_age_of_a_field() -> None:
    fields = [{"key": key, "name": "Source"} for key in ("10000", "1010", "999", "1002")]

    assert column_names(definitions_of(fields), FIXED) == {
        "999": "source",
        "1002": "source_1002",
        "1010": "source_1010",
        "10000": "source_10000",
    }


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "key of letters",
        "agxzfnN0cmVhay1ocm",
        "9" * 5000,
        "²",
        "١٢",
        "-1",
        "1.5",
        "💰",
        "date",
        "\x00",
        "../..",
        "_ab_cdc_deleted_at",
    ],
    ids=lambda key: ascii(key[:20]),
)
def test_a_field_whose_key_is_not_a_number_still_gets_its_own_column(key: str) -> None:
    names = column_names(
        {
            key: {"name": "Current"},
            "1001": {"name": "Current"},
            "1002": {},
            "x-": {"name": "current"},
        },
        FIXED,
    )

    assert len(names) == 4
    assert_good(list(names.values()), 55, FIXED)
    assert names["1001"] == "field_current"


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        {},
        "x",
        5,
        [None, 5, "x", []],
        [{}],
        [{"key": 5}],
        [{"key": None}],
        [{"key": ["x"]}],
        {"1001": None},
    ],
    ids=repr,
)
def test_a_pipeline_without_a_valid_field_has_only_the_fixed_columns(fields: Any) -> None:
    assert schema_of({"key": "agx", "fields": fields}, fixed_columns())["properties"] == FIXED


# --- Tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("Sales", "boxes_sales"),
        ("Hiring – Bewerbungen", "boxes_hiring_bewerbungen"),  # noqa: RUF001
        ("Support 🎧", "boxes_support"),
        ("Stages", "boxes_stages"),
        ("Select", "boxes_select"),
        ("2026", "boxes_2026"),
        (2026, "boxes_2026"),
    ],
)
def test_a_table_is_named_boxes_followed_by_its_pipelines_name(name: Any, table: str) -> None:
    assert tables_of(name) == [table]


@pytest.mark.parametrize(
    "name", ["Boxes", "boxes", "Contacts", "Stage History", "Field Values", "Comments"]
)
def test_a_table_never_takes_the_name_of_another_stream(name: str) -> None:
    assert_good(tables_of(name, name), 40, NAMES)
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", [None, "", "💰", "…", [], {}, 0], ids=repr)
def test_pipelines_whose_names_have_no_letters_are_named_by_a_hash_of_their_keys(
    name: Any,
) -> None:
    names = tables_of(name, name, "Sales")

    assert all(re.fullmatch(r"boxes_[0-9a-f]{4}", table) for table in names[:2])
    assert_good(names, 40, NAMES)


def test_the_oldest_of_pipelines_with_one_name_keeps_it_wherever_it_is_listed() -> None:
    first, second, third = tables_of("Sales", "SALES", "Sales!")

    assert first == "boxes_sales"
    assert all(re.fullmatch(r"boxes_sales_[0-9a-f]{4}", name) for name in (second, third))
    assert second != third


def test_pipeline_names_of_300_letters_are_cut() -> None:
    names = tables_of("Vertrieb Süd " * 30, "Vertrieb Süd " * 31, "Vertrieb Süd " * 30)

    assert_good(names, 40, NAMES)
    assert all(name.startswith("boxes_vertrieb_sud_vertrieb_sud_") for name in names)


# --- Any names ----------------------------------------------------------------------------------

any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "name", "email", "contacts", "stageKey"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
# Few letters, so that names, suffixes and cuts collide; and sometimes any text at all.
any_name = (
    st.text(max_size=70)
    | st.text("aA1_ é💰", max_size=8)
    | st.sampled_from(
        [
            "Source",
            "source 1002",
            "source_1003",
            "Field",
            "field 1004",
            "Order",
            "name",
            "read_at",
            "",
            "x" * 300,
            "x" * 301,
        ]
    )
    | st.none()
    | st.integers(-(2**63), 2**63)
    | st.lists(st.text(max_size=2), max_size=2)
)
any_key = st.text(max_size=20) | st.integers(0, 2000).map(str)


@given(st.lists(any_name, max_size=30), any_name)
def test_a_new_field_changes_no_other_name_and_all_names_are_valid(
    names: list[Any], younger: Any
) -> None:
    before = columns_of(*names)
    after = columns_of(*names, younger)

    assert after[:-1] == before
    assert_good(after, 55, FIXED)


@given(st.lists(any_name, max_size=15), any_name)
def test_a_new_pipeline_changes_no_other_name_and_all_names_are_valid(
    names: list[Any], younger: Any
) -> None:
    before = tables_of(*names)
    after = tables_of(*names, younger)

    assert after[: len(names)] == before
    assert_good(after, 40, NAMES)


@given(st.dictionaries(any_key, any_name, max_size=20))
def test_names_are_valid_whatever_the_keys_are(fields: dict[str, Any]) -> None:
    names = column_names({key: {"name": name} for key, name in fields.items()}, FIXED)

    assert names.keys() == fields.keys()
    assert_good(list(names.values()), 55, FIXED)


# --- The schema ---------------------------------------------------------------------------------


def test_fixed_columns_come_first_then_the_fields_then_what_the_connector_adds() -> None:
    fields = [
        {"key": key, "name": name, "type": "TEXT_INPUT"}
        for key, name in (("1003", "C"), ("1001", "A"), ("1002", "B"))
    ]
    columns = list(schema_of({"key": "agx", "fields": fields}, fixed_columns())["properties"])

    assert columns[:4] == ["box_key", "name", "stage", "stage_key"]
    assert columns[-6:] == ["c", "a", "b", *LAST]
    assert set(columns) == {*FIXED, "a", "b", "c"}


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        *(
            (kind, {"type": ["string", "null"]})
            for kind in (
                "TEXT_INPUT",
                "FORMULA",
                "PERSON",
                "DROPDOWN",
                "SOMETHING_NEW",
                None,
                ["x"],
                5,
            )
        ),
        (
            "DATE",
            {
                "type": ["string", "null"],
                "format": "date-time",
                "airbyte_type": "timestamp_with_timezone",
            },
        ),
        ("CHECKBOX", {"type": ["boolean", "null"]}),
        *(
            (kind, {"type": ["array", "null"], "items": {"type": ["string", "null"]}})
            for kind in ("TAG", "TEAM_CONTACT", "TEAM_ORGANIZATION")
        ),
    ],
)
def test_each_field_type_has_its_column_type_and_the_column_names_its_field(
    kind: Any, column: dict[str, Any]
) -> None:
    schema = schema_of(
        {"key": "agx", "fields": [{"key": "1001", "name": "Big\n deal", "type": kind}]},
        fixed_columns(),
    )
    made = schema["properties"]["big_deal"]

    assert {
        name: value for name, value in made.items() if name not in ("description", FIELD_KEY)
    } == column
    assert made[FIELD_KEY] == "1001"
    assert re.fullmatch(r'Custom field "Big deal" \(.*\).*\.', made["description"])
    assert "None" not in made["description"]
    assert schema[PIPELINE_KEY] == "agx"


def test_a_very_long_name_does_not_make_the_schema_long() -> None:
    schema = schema_of(
        {"key": "agx", "fields": [{"key": "1001", "name": "x" * 100_000, "type": "DATE"}]},
        fixed_columns(),
    )

    assert len(json.dumps(schema)) < 20_000


def test_a_tables_signature_changes_with_a_new_or_renamed_column_or_type_and_nothing_else() -> None:
    def signature(*fields: tuple[str, str, str]) -> str:
        made = [{"key": key, "name": name, "type": kind} for key, name, kind in fields]
        return Table(schema_of({"key": "agx", "fields": made}, fixed_columns())).signature

    two = (("1001", "A", "TEXT_INPUT"), ("1002", "B", "TAG"))
    assert (
        signature(*two) == signature(*reversed(two)) == signature(("1001", "a!", "FORMULA"), two[1])
    )
    others = [
        signature(two[0]),
        signature(*two, ("1003", "C", "TEXT_INPUT")),
        signature(("1001", "AA", "TEXT_INPUT"), two[1]),
        signature(("1000", "A", "TEXT_INPUT"), two[1]),
        signature(("1001", "A", "DATE"), two[1]),
        signature(("1001", "A", "CHECKBOX"), two[1]),
    ]
    assert len({signature(*two), *others}) == 7


# --- Configured schemas -------------------------------------------------------------------------

SALES = {
    "key": "agx",
    "fields": [
        {"key": "1001", "name": "Size", "type": "TEXT_INPUT"},
        {"key": "1002", "name": "Tags", "type": "TAG"},
    ],
}


def known(**renamed: str) -> dict[str, Any]:
    """The schema of Sales with some fields renamed."""
    fields = [
        {**field, "name": renamed.get(field["name"], field["name"])} for field in SALES["fields"]
    ]
    return schema_of({**SALES, "fields": fields}, fixed_columns())


@pytest.mark.parametrize(
    "stripped", [{}, {"type": "object"}, {"properties": {}}, {"properties": None}], ids=str
)
def test_a_schema_without_columns_becomes_the_discovered_one(
    stripped: dict[str, Any],
) -> None:
    made = completed(stripped, known())

    assert (made["properties"], made[PIPELINE_KEY]) == (known()["properties"], "agx")


def test_a_schema_reduced_to_types_gets_its_fields_back() -> None:
    types = {name: {"type": column["type"]} for name, column in known()["properties"].items()}

    assert completed({"properties": types}, known())["properties"] == known()["properties"]
    assert (
        completed({"properties": types, PIPELINE_KEY: "agx"}, known())["properties"]
        == known()["properties"]
    )


def test_deselected_columns_stay_out_except_those_that_every_record_needs() -> None:
    columns = {
        name: column for name, column in known()["properties"].items() if name in ("stage", "tags")
    }

    assert set(completed({"properties": columns}, known())["properties"]) == {
        "box_key",
        "stage",
        "tags",
        *LAST,
    }


def test_a_column_that_names_its_field_keeps_its_name_when_the_field_is_renamed() -> None:
    made = completed({"properties": known()["properties"]}, known(Size="Volume"))

    assert Table(made).columns == {"size": "1001", "tags": "1002"}


# --- Rows ---------------------------------------------------------------------------------------

OPTIONS = {
    "DROPDOWN": {
        "dropdownSettings": {
            "items": [
                {"key": "9001", "name": "Web"},
                {"key": 9002, "name": 7},
                {"key": "9003"},
                {"name": "x"},
                5,
            ]
        }
    },
    "TAG": {
        "tagSettings": {
            "tags": [
                {"key": "9001", "tag": "VIP"},
                {"key": 9002, "tag": 7},
                {"key": "9003", "tag": None},
                None,
            ]
        }
    },
}


def value_of(kind: str, value: Any, now: dict[str, Any] | None = None) -> Any:
    """The value in a column made for a field of type `kind`; `now`: the present definition."""
    definition = {"key": "1001", "name": "Size", "type": kind, **OPTIONS.get(kind, {})}
    table = Table(schema_of({"key": "agx", "fields": [definition]}, fixed_columns()))
    return table.row(
        {"key": "agxBox", "fields": {"1001": value}},
        {"1001": definition if now is None else now},
        None,
    )["size"]


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        ("TEXT_INPUT", "12000", "12000"),
        ("TEXT_INPUT", 42, "42"),
        ("TEXT_INPUT", False, "false"),
        ("TEXT_INPUT", {"a": 1}, '{"a":1}'),
        ("FORMULA", 16.8, "16.8"),
        (
            "PERSON",
            [{"email": "mia@example.org"}, {"email": "x", "fullName": "Noah"}],
            "mia@example.org, Noah",
        ),
        ("DROPDOWN", "9001", "Web"),
        ("DROPDOWN", 9001, "Web"),
        ("DROPDOWN", "9002", "7"),
        ("DROPDOWN", "9003", "9003"),
        ("DROPDOWN", "9099", "9099"),
        ("TAG", ["9001", "9002", "9003", "9099"], ["VIP", "7", "9003", "9099"]),
        ("TAG", "9001", ["VIP"]),
        ("TAG", ["9001", None], ["VIP"]),
        ("TAG", [None], []),
        ("DATE", AT, AT),
        ("DATE", str(AT), AT),
        ("DATE", 0, 0),
        ("CHECKBOX", False, False),
        ("CHECKBOX", "true", True),
        ("TEAM_CONTACT", ["agxA", {"key": "agxB"}], ["agxA", "agxB"]),
        ("TEAM_ORGANIZATION", "agxA", ["agxA"]),
        *(
            (kind, unset, None)
            for kind in ("TEXT_INPUT", "TAG", "DATE", "CHECKBOX")
            for unset in (None, "", [])
        ),
    ],
)
def test_a_column_holds_a_value_as_people_see_it(kind: str, value: Any, column: Any) -> None:
    assert value_of(kind, value) == column


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("DATE", "next week"),
        ("DATE", [AT]),
        ("DATE", True),
        ("CHECKBOX", "maybe"),
        ("CHECKBOX", 1),
        ("TAG", [{"a": 1}]),
        ("TAG", {"a": 1}),
        ("TAG", [["9001"]]),
        ("TEAM_CONTACT", [{"email": "mia@example.org"}]),
    ],
)
def test_a_value_that_does_not_fit_its_column_type_is_passed_on_unchanged(
    kind: str, value: Any
) -> None:
    assert value_of(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "now", "value", "column"),
    [
        ("TEXT_INPUT", {"type": "TAG", **OPTIONS["TAG"]}, ["9001", "9003"], "VIP, 9003"),
        ("TEXT_INPUT", {"type": "DATE"}, AT, "2026-03-01T00:00:00.000Z"),
        ("TEXT_INPUT", {"type": "CHECKBOX"}, True, "true"),
        ("TAG", {"type": "TEXT_INPUT"}, "hello", ["hello"]),
        ("DATE", {"type": "TEXT_INPUT"}, "hello", "hello"),
        ("DROPDOWN", {}, "9001", "9001"),
        ("TAG", {}, ["9001"], ["9001"]),
        ("DATE", {}, AT, AT),
    ],
)
def test_a_column_keeps_its_type_when_its_field_changes_type_or_is_deleted(
    kind: str, now: dict[str, Any], value: Any, column: Any
) -> None:
    assert value_of(kind, value, now) == column


@pytest.mark.parametrize(
    "kind", ["TEXT_INPUT", "DROPDOWN", "DATE", "TAG", "CHECKBOX", "TEAM_CONTACT"]
)
@given(value=any_json, now=any_json)
def test_any_value_ends_up_in_its_column_or_in_other_properties(
    kind: str, value: Any, now: Any
) -> None:
    schema = schema_of(
        {"key": "agx", "fields": [{"key": "1001", "name": "Size", "type": kind}]}, fixed_columns()
    )
    box = {
        **(now if isinstance(now, dict) else {"name": now}),
        "key": "agxBox",
        "fields": {"1001": value},
    }
    record = Shape(schema).record(
        Table(schema).row(box, definitions_of([{"key": "1001", "type": now}]), now)
    )

    Draft7Validator({**schema, "additionalProperties": False}).validate(record)
    never = kind == "DATE" and whole_number(value) in (0, -1)
    assert (
        "size" in record or value in (None, "", []) or never or "size" in record["other_properties"]
    )


@pytest.mark.parametrize(
    "value", [10**15, str(AT * 1000), -(10**15), 2**64 - 1, 1e300, "NaN", "1e400"]
)
def test_a_date_outside_the_years_1_to_9999_is_kept_in_other_properties(
    value: Any,
) -> None:
    field = {"key": "1001", "name": "Closes", "type": "DATE"}
    schema = schema_of({"key": "agx", "fields": [field]}, fixed_columns())
    shape = Shape(schema)
    row = Table(schema).row({"key": "b", "fields": {"1001": value}}, {"1001": field}, "Lead")
    record = shape.record(row)

    assert "closes" not in record
    assert record["other_properties"] == {"closes": value}
    assert shape.misfits == {"closes": 1}


@pytest.mark.parametrize("kind", ["TEXT_INPUT", "FORMULA"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_a_number_that_json_cannot_hold_stays_text_in_a_text_column(kind: str, value: str) -> None:
    assert value_of(kind, value) == value


@pytest.mark.parametrize("entries", ["mia@example.org", {"email": "mia@example.org"}, 5])
def test_people_and_links_of_an_unexpected_shape_are_kept_in_other_properties(entries: Any) -> None:
    lists = {
        "assigned_to_emails": "assignedToSharingEntries",
        "follower_emails": "followerSharingEntries",
        "contact_keys": "contacts",
        "organization_keys": "organizations",
    }
    box = {"key": "agxBox", **dict.fromkeys(lists.values(), entries)}
    record = Shape(known()).record(Table(known()).row(box, {}, "Lead"))

    assert record.keys().isdisjoint(lists)
    assert record["other_properties"] == dict.fromkeys(lists, entries)


def test_nul_characters_are_removed_from_names() -> None:
    """PostgreSQL cannot store U+0000, in a name or in a state."""
    fields = [{"key": "10\0", "name": "Deal\0 size", "type": "TEXT_INPUT"}]
    schema = schema_of({"key": "agx", "fields": fields}, fixed_columns())
    (name,) = schema["properties"].keys() - FIXED.keys()

    assert name == "deal_size"
    assert schema["properties"][name]["description"] == 'Custom field "Deal size" (TEXT_INPUT).'
    assert tables_of("Sales\0 EMEA") == ["boxes_sales_emea"]


@given(
    st.dictionaries(st.sampled_from(["a", "b", "name", "stage"]), any_json, max_size=4), any_json
)
def test_a_box_becomes_a_record_whatever_columns_are_configured(columns: Any, value: Any) -> None:
    fields = {name: {FIELD_KEY: "1001", **mapping(one)} for name, one in columns.items()}
    for configured in (columns, fields):
        schema = completed({"properties": configured}, known())
        box = {"key": "agxBox", "name": "Acme", "fields": {"1001": value}}
        row = Table(schema).row(box, definitions_of(SALES["fields"]), "Lead")
        record = Shape(schema).record(row)

        assert record["box_key"] == "agxBox"
        assert set(record) <= {*schema["properties"]}


@pytest.mark.parametrize("fields", [None, [], "x", 5, {}], ids=repr)
def test_a_box_without_fields_still_becomes_a_row(fields: Any) -> None:
    row = Table(known()).row(
        {"key": "agxBox", "name": "Acme", "fields": fields}, definitions_of(SALES["fields"]), "Lead"
    )

    assert (row["box_key"], row["name"], row["stage"], row["size"], row["tags"]) == (
        "agxBox",
        "Acme",
        "Lead",
        None,
        None,
    )
    assert set(row) == set(known()["properties"]) - set(LAST)
