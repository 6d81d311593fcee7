"""Custom fields: keys become names, and values become columns without guesses."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_streak.records.fields import (
    definitions_of,
    field_keys,
    field_values,
    fits,
    linked_keys,
    misshapen,
    named,
    options_of,
    set_fields,
    team_definitions,
    typed,
    unset_fields,
)
from source_streak.records.shape import as_json

settings.register_profile(
    "no clock", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no clock")

AT, ISO = 1_772_323_200_000, "2026-03-01T00:00:00.000Z"
DROPDOWN = {
    "key": "1002",
    "name": "Source",
    "type": "DROPDOWN",
    "dropdownSettings": {
        "items": [{"key": "9001", "name": "Web"}, {"key": "9002", "name": "Messe 🤝"}]
    },
}
TAG = {
    "key": "1004",
    "name": "Labels",
    "type": "TAG",
    "tagSettings": {"tags": [{"key": "9001", "tag": "VIP"}, {"key": "9002", "tag": "Größe XL"}]},
}
KINDS = (
    "TEXT_INPUT",
    "DROPDOWN",
    "DATE",
    "TAG",
    "CHECKBOX",
    "PERSON",
    "FORMULA",
    "TEAM_CONTACT",
    "TEAM_ORGANIZATION",
)
MIA, NOAH = {"email": "mia@example.org", "fullName": "Mia Muster"}, {"email": "noah@example.net"}

any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["name", "key", "email"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


def columns(kind: str, value: Any) -> dict[str, Any]:
    """The columns that this value fills."""
    made = typed({"DROPDOWN": DROPDOWN, "TAG": TAG}.get(kind, {"type": kind}), value)
    return {name: column for name, column in made.items() if column is not None}


# --- The nine types -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("TEXT_INPUT", "Found us", {"textValue": "Found us"}),
        ("TEXT_INPUT", "12000", {"textValue": "12000", "numberValue": 12000}),
        ("TEXT_INPUT", "-3.5", {"textValue": "-3.5", "numberValue": -3.5}),
        ("TEXT_INPUT", "1.200,50", {"textValue": "1.200,50"}),
        ("TEXT_INPUT", "1,200.50", {"textValue": "1,200.50"}),
        ("TEXT_INPUT", "$12", {"textValue": "$12"}),
        ("TEXT_INPUT", 42, {"textValue": "42", "numberValue": 42}),
        ("TEXT_INPUT", "true", {"textValue": "true"}),
        ("FORMULA", 4800.0, {"textValue": "4800.0", "numberValue": 4800.0}),
        ("FORMULA", 16.8, {"textValue": "16.8", "numberValue": 16.8}),
        ("FORMULA", "n/a", {"textValue": "n/a"}),
        (
            "DROPDOWN",
            "9002",
            {"textValue": "Messe 🤝", "optionKeys": ["9002"], "labels": ["Messe 🤝"]},
        ),
        ("DROPDOWN", "9099", {"textValue": "9099", "optionKeys": ["9099"], "labels": ["9099"]}),
        (
            "TAG",
            ["9001", "9002"],
            {
                "textValue": "VIP, Größe XL",
                "optionKeys": ["9001", "9002"],
                "labels": ["VIP", "Größe XL"],
            },
        ),
        (
            "TAG",
            ["9001", "9098"],
            {"textValue": "VIP, 9098", "optionKeys": ["9001", "9098"], "labels": ["VIP", "9098"]},
        ),
        ("TAG", "9001", {"textValue": "VIP", "optionKeys": ["9001"], "labels": ["VIP"]}),
        ("DATE", AT, {"textValue": ISO, "timeValue": AT}),
        (
            "DATE",
            1_772_361_296_789,
            {"textValue": "2026-03-01T10:34:56.789Z", "timeValue": 1_772_361_296_789},
        ),
        ("DATE", str(AT), {"textValue": ISO, "timeValue": AT}),
        ("DATE", float(AT), {"textValue": ISO, "timeValue": AT}),
        ("DATE", "next week", {"textValue": "next week"}),
        ("DATE", 10**15, {"textValue": "1000000000000000", "numberValue": 10**15}),
        ("CHECKBOX", True, {"textValue": "true", "booleanValue": True}),
        ("CHECKBOX", False, {"textValue": "false", "booleanValue": False}),
        ("CHECKBOX", "true", {"textValue": "true", "booleanValue": True}),
        ("CHECKBOX", "maybe", {"textValue": "maybe"}),
        ("PERSON", [MIA], {"textValue": "Mia Muster"}),
        ("PERSON", [MIA, NOAH], {"textValue": "Mia Muster, noah@example.net"}),
        ("PERSON", MIA, {"textValue": "Mia Muster"}),
        ("TEAM_CONTACT", ["agxContact"], {"textValue": "agxContact"}),
        ("TEAM_CONTACT", "agxContact", {"textValue": "agxContact"}),
        ("TEAM_ORGANIZATION", ["agxOrg", "agxOther"], {"textValue": "agxOrg, agxOther"}),
    ],
)
def test_a_value_fills_the_columns_of_its_field_type(
    kind: str, value: Any, expected: dict[str, Any]
) -> None:
    assert columns(kind, value) == expected


@pytest.mark.parametrize("value", [5, "text", True, [1], {"a": 1}], ids=repr)
@pytest.mark.parametrize("kind", ["SOMETHING_NEW", None])
def test_a_value_of_an_unknown_type_is_shown_as_text(kind: Any, value: Any) -> None:
    assert typed({"type": kind}, value)["textValue"]


@pytest.mark.parametrize(
    "value", [10**15, AT * 1000, str(AT * 1000), 2**64 - 1, -(10**15), "NaN", "1e400"]
)
def test_a_date_outside_the_years_1_to_9999_is_kept_as_text_and_does_not_fit(
    value: Any,
) -> None:
    (row,) = field_values({"1001": {"name": "Closes", "type": "DATE"}}, {"1001": value})

    assert (row["textValue"], row["rawValue"]) == (str(value), as_json(value))
    assert "timeValue" not in row
    assert not fits("DATE", value)


@pytest.mark.parametrize("kind", ["TEXT_INPUT", "FORMULA", "SOMETHING_NEW"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"])
def test_a_number_that_json_cannot_hold_is_kept_as_text(kind: str, value: str) -> None:
    assert columns(kind, value) == {"textValue": value}


@pytest.mark.parametrize("value", [0, -1])
def test_a_date_of_0_or_minus_1_means_never_and_has_no_text(value: int) -> None:
    assert typed({"type": "DATE"}, value)["textValue"] is None


def test_a_checkbox_has_no_number_value_and_a_number_no_boolean_value() -> None:
    assert "numberValue" not in columns("CHECKBOX", True)
    assert "booleanValue" not in columns("CHECKBOX", 1)


@pytest.mark.parametrize("kind", KINDS)
@given(value=any_json)
def test_any_value_of_any_type_gives_columns_of_the_right_types(kind: str, value: Any) -> None:
    made = columns(kind, value)

    assert isinstance(made.get("textValue", ""), str)
    assert isinstance(made.get("numberValue", 0), (int, float))
    assert not isinstance(made.get("numberValue", 0), bool)
    assert isinstance(made.get("booleanValue", True), bool)
    assert isinstance(made.get("timeValue", 0), int)
    for name in ("optionKeys", "labels"):
        assert all(isinstance(one, str) for one in made.get(name, []))


@pytest.mark.parametrize("kind", [None, 5, ["TAG"], {"a": 1}, True, "SOMETHING_NEW", ""], ids=repr)
@pytest.mark.parametrize("value", ["text", 5, [5], {"a": 1}, [{}]], ids=repr)
def test_a_value_of_an_unknown_type_always_fits(kind: Any, value: Any) -> None:
    assert fits(kind, value)


@given(any_json, any_json)
def test_fits_accepts_any_type_and_value_without_an_error(kind: Any, value: Any) -> None:
    assert fits(kind, value) in (True, False)


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ("agx", ["agx"]),
        (["agx", {"key": "agy", "name": "Acme"}, None, 5], ["agx", "agy", "5"]),
        ([None], []),
        ([{"email": "mia@example.org"}], None),
        ({"a": 1}, None),
        ([["agx"]], None),
    ],
    ids=repr,
)
def test_linked_keys_are_none_if_an_entry_is_neither_a_key_nor_an_object_with_one(
    value: Any, keys: Any
) -> None:
    assert linked_keys(value) == keys


# --- Rows ---------------------------------------------------------------------------------------


def test_each_field_with_a_value_is_a_row_with_its_name_and_raw_value() -> None:
    rows = list(field_values(definitions_of([DROPDOWN, TAG]), {"1002": "9001", "1004": ["9001"]}))

    assert [(row["fieldKey"], row["fieldName"], row["fieldType"]) for row in rows] == [
        ("1002", "Source", "DROPDOWN"),
        ("1004", "Labels", "TAG"),
    ]
    assert [row["rawValue"] for row in rows] == ['"9001"', '["9001"]']


@pytest.mark.parametrize("value", [None, "", []], ids=repr)
def test_a_field_without_a_value_gives_no_row(value: Any) -> None:
    assert list(field_values({}, {"1001": value})) == []


@pytest.mark.parametrize("value", [0, False, 0.0, "0", " ", {}, [None]], ids=repr)
def test_a_value_like_0_false_or_a_space_gives_a_row(value: Any) -> None:
    assert len(list(field_values({}, {"1001": value}))) == 1


def test_no_column_of_a_value_contains_a_secret() -> None:
    value = [{"email": "mia@example.org", "apiKey": "s3cret"}, {"directUrl": "s3cret"}]
    rows = [
        *field_values({}, {"1001": value}),
        *named({}, {"1001": value}),
        *field_values({"1001": {"type": "TAG"}}, {"1001": value}),
    ]

    assert "s3cret" not in str(rows)


def test_a_field_without_a_definition_is_named_by_its_key() -> None:
    (row,) = field_values({}, {"1055": "who knows"})

    assert (row["fieldName"], row["fieldType"], row["textValue"]) == ("1055", None, "who knows")


@pytest.mark.parametrize("values", [None, [], "x", 5, ["1001"]], ids=repr)
def test_fields_that_are_not_an_object_have_no_values(values: Any) -> None:
    assert list(set_fields({}, values)) == []


@pytest.mark.parametrize("settings", ["contactSettings", "organizationSettings"])
def test_the_fields_of_a_contact_or_organization_are_rows_like_those_of_a_box(
    settings: str,
) -> None:
    date = {"name": "Birthday", "type": "DATE"}
    team = {"key": "agxTeam", settings: {"fields": {"1002": DROPDOWN, "1003": date, "1004": TAG}}}
    values = {"1002": "9002", "1003": str(AT), "1099": "gone"}
    definitions = team_definitions(team, settings)
    rows = [*field_values(definitions, values), *unset_fields(definitions, values)]

    assert [(row["fieldKey"], row["fieldName"], row["textValue"]) for row in rows] == [
        ("1002", "Source", "Messe 🤝"),
        ("1003", "Birthday", ISO),
        ("1099", "1099", "gone"),
        ("1004", "Labels", None),
    ]
    assert rows[1]["timeValue"] == AT


@pytest.mark.parametrize("settings", [None, 5, [], {}, {"fields": None}, {"fields": [5]}], ids=repr)
def test_a_team_without_settings_has_no_definitions(settings: Any) -> None:
    assert team_definitions({"contactSettings": settings}, "contactSettings") == {}
    assert team_definitions({}, "contactSettings") == {}


def test_the_custom_fields_of_a_contact_have_name_type_value_and_label() -> None:
    made = named(definitions_of({"1002": DROPDOWN}), {"1002": "9002", "1099": ["gone"], "1001": ""})

    assert made == [
        {"key": "1002", "name": "Source", "type": "DROPDOWN", "value": "9002", "label": "Messe 🤝"},
        {"key": "1099", "name": "1099", "type": None, "value": '["gone"]', "label": "gone"},
    ]


def test_a_date_of_a_contact_comes_as_digits_and_is_labelled_as_a_time() -> None:
    made = named({"1003": {"name": "Birthday", "type": "DATE"}}, {"1003": "536457600000"})

    assert (made[0]["value"], made[0]["label"]) == ("536457600000", "1987-01-01T00:00:00.000Z")


@given(st.dictionaries(st.text(max_size=5), any_json, max_size=5))
def test_any_values_give_rows_that_can_be_written_and_raw_values_that_can_be_read_back(
    values: dict[str, Any],
) -> None:
    for row in field_values(definitions_of([DROPDOWN, TAG]), values):
        assert orjson.loads(row["rawValue"]) == orjson.loads(as_json(values[row["fieldKey"]]))
    orjson.dumps(named(definitions_of([DROPDOWN, TAG]), values))


# --- Definitions --------------------------------------------------------------------------------


def test_definitions_are_read_from_an_array_and_from_an_object() -> None:
    assert definitions_of([DROPDOWN]) == definitions_of({"1002": DROPDOWN}) == {"1002": DROPDOWN}
    assert definitions_of({"1002": {"name": "Source"}}) == {
        "1002": {"key": "1002", "name": "Source"}
    }


@pytest.mark.parametrize(
    "fields",
    [None, [], {}, [None, 5, "x", [], {}, {"key": 5}], {"1001": None, "1002": 5}, "x", 5],
    ids=repr,
)
def test_what_is_not_a_definition_is_ignored(fields: Any) -> None:
    assert definitions_of(fields) == {}


def test_options_are_key_and_label_in_streaks_order() -> None:
    assert options_of(DROPDOWN) == [
        {"key": "9001", "label": "Web"},
        {"key": "9002", "label": "Messe 🤝"},
    ]
    assert options_of(TAG) == [
        {"key": "9001", "label": "VIP"},
        {"key": "9002", "label": "Größe XL"},
    ]
    assert options_of({"type": "TEXT_INPUT"}) == []


@pytest.mark.parametrize(
    "settings",
    [None, {}, {"items": None}, {"items": [None, 5]}, {"items": {}}, "x", 5, []],
    ids=repr,
)
def test_options_of_an_unexpected_shape_are_ignored(settings: Any) -> None:
    assert options_of({"dropdownSettings": settings}) == []


@pytest.mark.parametrize("label", [None, "", 5, ["x"]], ids=repr)
def test_an_option_without_a_proper_name_still_has_a_text(label: Any) -> None:
    definition = {
        "type": "DROPDOWN",
        "dropdownSettings": {"items": [{"key": "9001", "name": label}]},
    }

    assert typed(definition, "9001")["textValue"]


@given(st.dictionaries(st.text(max_size=3), any_json, max_size=4) | any_json)
def test_field_keys_are_those_of_the_rows_of_field_values(values: Any) -> None:
    assert field_keys(values) == [row["fieldKey"] for row in field_values({}, values)]


def test_values_that_do_not_fit_their_type_are_reported_by_type() -> None:
    definitions = {"1": {"type": "DATE"}, "2": {"type": "CHECKBOX"}, "3": {"type": "TAG"}}
    values = {"1": "soon", "2": True, "3": [{}], "4": {"no": "definition"}, "5": ""}

    assert list(misshapen(definitions, values)) == ["DATE", "TAG"]


@given(any_json, any_json)
def test_misshapen_accepts_any_type_and_values_without_an_error(kind: Any, values: Any) -> None:
    assert all(isinstance(one, str) for one in misshapen({"name": {"type": kind}}, values))
