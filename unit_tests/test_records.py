"""From Streak's values to columns: what is converted, kept in other properties, or dropped."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from source_streak.records.shape import (
    OTHER,
    SECRETS,
    Shape,
    as_json,
    iso_time,
    plain_number,
    without_secrets,
)

settings.register_profile(
    "no clock", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no clock")

TIME = {"type": ["string", "null"], "format": "date-time"}
PERSON = {
    "type": ["object", "null"],
    "properties": {"name": {"type": ["string", "null"]}, "since": TIME},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "key": {"type": ["string", "null"]},
        "text": {"type": ["string", "null"]},
        "count": {"type": ["integer", "null"]},
        "amount": {"type": ["number", "null"]},
        "done": {"type": ["boolean", "null"]},
        "time": TIME,
        "free": {"type": ["object", "null"]},
        "person": PERSON,
        "people": {"type": ["array", "null"], "items": PERSON},
        "texts": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
        "times": {"type": ["array", "null"], "items": TIME},
        "deep": {
            "type": ["object", "null"],
            "properties": {"people": {"type": ["array", "null"], "items": PERSON}},
        },
        OTHER: {"type": ["object", "null"]},
    },
}
VALIDATOR = Draft7Validator(SCHEMA)
AT, ISO = 1_772_323_200_000, "2026-03-01T00:00:00.000Z"

names = st.text(max_size=8).filter(lambda name: name not in SECRETS)
any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["name", "since"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def record(**row: Any) -> dict[str, Any]:
    made = Shape(SCHEMA).record(row)
    assert not list(VALIDATOR.iter_errors(made))
    assert None not in made.values()
    return made


# --- Times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("milliseconds", "time"),
    [
        (AT, ISO),
        (1, "1970-01-01T00:00:00.001Z"),
        (-2, "1969-12-31T23:59:59.998Z"),
        (1_790_000_000_789, "2026-09-21T14:13:20.789Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_epoch_milliseconds_become_an_iso_time(milliseconds: int, time: str) -> None:
    assert iso_time(milliseconds) == time


@pytest.mark.parametrize(
    "milliseconds", [0, -1, 253_402_300_800_000, -62_135_596_800_001, 10**18, -(10**18), 2**64]
)
def test_0_minus_1_and_times_outside_the_years_1_to_9999_become_null(milliseconds: int) -> None:
    assert iso_time(milliseconds) is None


@given(
    st.integers(-62_135_596_800_000, 253_402_300_799_999).filter(
        lambda number: number not in (0, -1)
    )
)
def test_every_iso_time_parses_back_to_its_milliseconds(milliseconds: int) -> None:
    time = iso_time(milliseconds)

    assert time is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    moment = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert round((moment - epoch).total_seconds() * 1000) == milliseconds


@pytest.mark.parametrize("value", [AT, float(AT), str(AT)], ids=repr)
def test_a_time_may_come_as_a_number_or_as_digits(value: Any) -> None:
    assert record(time=value) == {"time": ISO}


@pytest.mark.parametrize("value", [0, -1, "0", "-1", None, 0.0, -1.0], ids=repr)
def test_a_time_that_means_never_is_null_and_no_misfit(value: Any) -> None:
    assert record(time=value) == {}


NO_TIMES = ["yesterday", "", ISO, True, 1.5, [AT], {"ms": AT}, "9" * 40, "NaN", "Infinity", "1e400"]
TOO_FAR = [
    *(253_402_300_800_000, -62_135_596_800_001, AT * 1000, str(AT * 1000)),
    *(10**15, 2**63, 2**64 - 1, -(2**63), 1e300, -1e300),
]


@pytest.mark.parametrize("value", [*NO_TIMES, *TOO_FAR], ids=repr)
def test_a_value_that_is_not_a_time_of_the_years_1_to_9999_is_kept_in_other_properties(
    value: Any,
) -> None:
    shape = Shape(SCHEMA)

    assert shape.record({"time": value}) == {OTHER: {"time": value}}
    assert shape.misfits == {"time": 1}


@pytest.mark.parametrize("value", TOO_FAR, ids=repr)
def test_a_nested_time_that_is_too_far_away_is_kept_in_other_properties(value: Any) -> None:
    row = {"person": {"name": "Ada", "since": value}, "times": [AT, value]}
    made = record(**row)

    assert made["person"] == {"name": "Ada", "since": None}
    assert made["times"] == [ISO, None]
    assert made[OTHER] == row


# Numbers that JSON cannot hold arrive as text.
LITERALS = ("NaN", "Infinity", "-Infinity", "1e400", "-1e400")

# --- Scalars ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value", "fitted"),
    [
        ("count", "34816", 34816),
        ("count", "-5", -5),
        ("count", 5.0, 5),
        ("count", 2**63 - 1, 2**63 - 1),
        ("count", -(2**63), -(2**63)),
        ("amount", 2**64 - 1, 2**64 - 1),
        ("amount", 1.7e308, 1.7e308),
        ("amount", "0.5", 0.5),
        ("amount", "12", 12),
        ("amount", "-1e3", -1000.0),
        ("amount", 3, 3),
        ("text", 12, "12"),
        ("text", 0.5, "0.5"),
        ("text", True, "true"),
        ("text", "", ""),
        ("done", "true", True),
        ("done", "false", False),
    ],
)
def test_a_scalar_of_another_type_is_converted_to_that_of_its_column(
    column: str, value: Any, fitted: Any
) -> None:
    made = record(**{column: value})

    assert made == {column: fitted}
    assert type(made[column]) is type(fitted)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *[
            ("count", value)
            for value in ("", "many", "1.5", "1,000", 1.5, True, [1], {}, "1_000", " 1")
        ],
        *[
            ("count", value)
            for value in (2**63, 2**64 - 1, float(2**63), -(2.0**64), 1e300, *LITERALS)
        ],
        *[
            ("amount", value)
            for value in ("", "1.200,50", "$12", "1,000", "nan", "inf", "0x10", True, [1], {})
        ],
        *[("amount", value) for value in ("1e999", *LITERALS)],
        *[("done", value) for value in LITERALS],
        *[("text", value) for value in ([], ["a"], {}, {"text": "a"})],
        *[("done", value) for value in (0, 1, "yes", "True", "", [], {}, 1.0)],
        *[("free", value) for value in ("a", 1, [], [{}], True)],
        *[("person", value) for value in ("a", 1, [], True)],
        *[("people", value) for value in ("a", 1, {}, True)],
    ],
    ids=repr,
)
def test_a_value_that_does_not_fit_is_null_and_kept_in_other_properties(
    column: str, value: Any
) -> None:
    assert record(**{column: value}) == {OTHER: {column: value}}


@pytest.mark.parametrize("column", [name for name in SCHEMA["properties"] if name != OTHER])
def test_a_null_column_is_absent_from_the_record(column: str) -> None:
    assert record(**{column: None}) == {}
    assert record() == {}


@pytest.mark.parametrize("value", LITERALS)
def test_a_number_that_json_cannot_hold_stays_text_in_texts_and_free_objects(
    value: str,
) -> None:
    assert record(text=value, free={"1001": value}) == {"text": value, "free": {"1001": value}}


def test_a_nested_integer_that_is_too_large_is_kept_in_other_properties() -> None:
    integers = {"type": ["array", "null"], "items": {"type": ["integer", "null"]}}
    counts = {"type": ["object", "null"], "properties": {"count": {"type": ["integer", "null"]}}}
    shape = Shape(
        {"properties": {"numbers": integers, "counts": counts, OTHER: {"type": ["object", "null"]}}}
    )
    row = {"numbers": [1, 2**63], "counts": {"count": 2**64 - 1}}

    assert shape.record(row) == {"numbers": [1, None], "counts": {"count": None}, OTHER: row}
    assert shape.misfits == {"numbers": 1, "counts": 1}


# --- Nested values ------------------------------------------------------------------------------


def test_times_in_objects_and_arrays_are_converted_at_every_depth() -> None:
    person, converted = {"name": "Ada", "since": AT}, {"name": "Ada", "since": ISO}
    row = {"person": person, "people": [person], "times": [AT, 0], "deep": {"people": [person]}}

    assert record(**row) == {
        "person": converted,
        "people": [converted],
        "times": [ISO, None],
        "deep": {"people": [converted]},
    }


@pytest.mark.parametrize(
    ("column", "value", "fitted"),
    [
        ("person", {"name": ["Ada"], "since": AT}, {"name": None, "since": ISO}),
        ("person", {"name": "Ada", "since": "x"}, {"name": "Ada", "since": None}),
        (
            "people",
            [{"name": "Ada"}, "Björn", {"name": {}}],
            [{"name": "Ada"}, None, {"name": None}],
        ),
        ("texts", ["a", 1, ["b"]], ["a", "1", None]),
        ("times", [AT, "x"], [ISO, None]),
        (
            "deep",
            {"people": [{"name": "Ada", "since": {}}]},
            {"people": [{"name": "Ada", "since": None}]},
        ),
        ("deep", {"people": 5}, {"people": None}),
    ],
)
def test_a_nested_value_keeps_its_fitting_parts_and_is_also_kept_whole(
    column: str, value: Any, fitted: Any
) -> None:
    assert record(**{column: value}) == {column: fitted, OTHER: {column: value}}


def test_unknown_nested_properties_stay_where_they_are() -> None:
    assert record(person={"name": "Ada", "hat": {"size": 5}}) == {
        "person": {"name": "Ada", "hat": {"size": 5}}
    }


def test_an_object_without_declared_properties_is_passed_on_unchanged() -> None:
    value = {"1001": [1, {"a": None}], "1002": "x", "1003": 1.5}

    assert record(free=value) == {"free": value}


# --- Unknown properties, secrets, counts --------------------------------------------------------


@pytest.mark.parametrize("value", [None, "otter", 3, [1, {"a": 2}], {"a": {"b": None}}], ids=repr)
def test_an_unknown_property_is_kept_in_other_properties(value: Any) -> None:
    assert record(mascot=value, text="a") == {"text": "a", OTHER: {"mascot": value}}


def test_a_property_named_like_other_properties_is_kept_in_that_column() -> None:
    assert record(**{OTHER: {"a": 1}}) == {OTHER: {OTHER: {"a": 1}}}


@pytest.mark.parametrize("secret", sorted(SECRETS))
@pytest.mark.parametrize("value", ["s3cret", None, {"a": "s3cret"}, ["s3cret"]], ids=repr)
def test_no_record_contains_a_secret_wherever_it_is_in_the_row(secret: str, value: Any) -> None:
    hidden = {secret: value, "a": [{secret: value}], "b": {"c": {secret: value}}}
    row = {
        secret: value,
        "novelty": hidden,
        "free": hidden,
        "person": hidden,
        "people": [hidden],
        "text": hidden,
        "time": [hidden],
    }
    shape = Shape(SCHEMA)
    made = json.dumps(shape.record(row))

    assert secret not in made
    assert "s3cret" not in made
    assert secret not in shape.unknown


def test_unknown_properties_and_misfits_are_counted_by_name() -> None:
    shape = Shape(SCHEMA)
    for _ in range(3):
        shape.record({"mascot": 1, "time": "x", "text": "a", "person": {"since": "x"}})

    assert shape.unknown == {"mascot": 3}
    assert shape.misfits == {"time": 3, "person": 3}


def test_making_a_record_does_not_change_the_row() -> None:
    row = {
        "person": {"name": ["Ada"], "since": AT, "directUrl": "x"},
        "mascot": {"directUrl": "x"},
        "times": [AT],
    }
    before = json.dumps(row)
    record(**row)

    assert json.dumps(row) == before


# --- Anything -----------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])) | names, any_json, max_size=6))
def test_any_row_gives_a_record_that_fits_the_schema_and_can_be_written(
    row: dict[str, Any],
) -> None:
    made = Shape(SCHEMA).record(row)

    assert not list(VALIDATOR.iter_errors(made))
    assert json.loads(orjson.dumps(made)) == json.loads(json.dumps(made))


@given(st.dictionaries(st.sampled_from(sorted(SCHEMA["properties"])) | names, any_json, max_size=6))
def test_no_value_of_any_row_is_lost(row: dict[str, Any]) -> None:
    made = Shape(SCHEMA).record(row)
    for name, value in row.items():
        misfit_or_unknown = made.get(OTHER, {}).get(name)
        assert (
            value is None
            or misfit_or_unknown == value
            or made.get(name) is not None
            or is_never(name, value)
        )


def is_never(name: str, value: Any) -> bool:
    """Whether a time has a value that means never."""
    return (
        name == "time" and value in (0, -1, "0", "-1", "+0", "-0") and not isinstance(value, bool)
    )


@given(any_json, any_json)
def test_any_value_is_kept_whatever_the_configured_schema_holds(column: Any, value: Any) -> None:
    """Users may configure any columns of any types: no row fails because of it."""
    shape = Shape({"properties": {"name": column, OTHER: {"type": ["object", "null"]}}})

    made = shape.record({"name": value})
    assert (
        value is None
        or made.get("name") is not None
        or made[OTHER] == {"name": value}
        or value in (0, -1, "0", "-1")
    )


@pytest.mark.parametrize(
    "kinds", [["null"], [], "null", None, 5, {}, ["null", "null"], [5], "number of eggs", [None]]
)
@pytest.mark.parametrize("inside", ["column", "items", "properties"])
def test_a_column_of_an_unknown_type_takes_any_value(kinds: Any, inside: str) -> None:
    column = {"type": kinds}
    if inside == "items":
        column = {"type": "array", "items": column}
    elif inside == "properties":
        column = {"type": "object", "properties": {"a": column}}
    value = [1, {"b": 2}] if inside == "items" else {"a": [1, {"b": 2}]}
    shape = Shape({"properties": {"name": column, OTHER: {"type": ["object", "null"]}}})

    assert shape.record({"name": value}) == {"name": value}


@given(any_json)
def test_a_value_without_secrets_is_left_as_it_is(value: Any) -> None:
    assert without_secrets(value) == value


# --- Numbers in texts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        (" 7 ", 7),
        ("0", 0),
        ("-3.5", -3.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("007", 7),
    ],
)
def test_a_plain_number_in_a_text_is_read(text: str, number: float) -> None:
    assert plain_number(text) == number


NO_NUMBERS = [
    "1.200,50",
    "1,200.50",
    "1,5",
    "1 200",
    "1'200",
    "$12",
    "12 €",
    "12%",
    "",
    " ",
    "-",
    ".",
    "e3",
    "nan",
    "inf",
    "1e999",
]


@pytest.mark.parametrize("text", [*NO_NUMBERS, "Infinity", "0x1F", "1_000", "½", "1.2.3", "1-2"])
def test_a_text_that_is_not_a_plain_number_is_not_read_as_one(text: str) -> None:
    assert plain_number(text) is None


@given(st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_that_json_writes_is_read_back(number: float) -> None:
    assert plain_number(as_json(number)) == number


@given(st.text())
def test_any_text_gives_a_finite_number_or_none(text: str) -> None:
    number = plain_number(text)

    assert number is None or abs(number) < float("inf")
