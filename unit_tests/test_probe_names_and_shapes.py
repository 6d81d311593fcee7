"""What the probe may print of a response, and how responses become types and counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from probing.names import Known, known_names, name
from probing.shapes import against_schema, lines, shape_of, type_of, types

SCHEMA = {
    "properties": {
        "key": {"type": "string"},
        "size": {"type": ["integer", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "share": {"type": ["number", "null"]},
        "readAt": {"$ref": "read_at.json"},
    }
}


def known(*said: Any) -> Known:
    found = Known()
    for value in said:
        found.note(value)
    return found


def printed(values: list[Any], *said: Any) -> list[str]:
    seen = known(*values, *said)
    return [seen.resolve(line) for line in lines(shape_of(values))]


# --- Names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title",
    ["betaScore", "mascot", "createdByUserID", "lastCommentTimestamp", "SOME_NEW_KIND"],
)
def test_a_name_that_looks_like_an_identifier_is_printed(title: str) -> None:
    assert known().may_print(title)


@pytest.mark.parametrize(
    "title",
    [
        "ada@example.com",
        "Deal size",
        "x_",
        "Acme",
        "1001",
        "agxzfm1haWxmb29nYWVyEQsSBFRlYW0Y74Dh2eqDkAoM",
        "VGVhbUNvbnRhY3Qsfn5zdHJlYWtsb25naWR",
        "strk_abc123",
        "größe",
        "a" * 41,
        "",
        "+41440000000",
        "15d52837dc00ff8e",
        "https://example.com",
    ],
)
def test_a_key_an_address_or_a_persons_words_are_not_printed(title: str) -> None:
    assert not known().may_print(title)


def test_a_name_that_also_occurs_in_the_accounts_texts_is_withheld() -> None:
    seen = known({"name": "Acme Corp", "notes": ["about the otter"]})

    assert not seen.may_print("otter")
    assert not seen.may_print("acmeCorp")
    assert seen.may_print("otters")


def test_the_names_in_a_map_count_as_the_accounts_words() -> None:
    assert not known({"customPermissionSets": {"reviewer": {}}}).may_print("reviewer")


def test_schema_names_and_api_words_are_printed_even_if_the_account_uses_them() -> None:
    seen = known("the date of the field", "commentCount")

    assert seen.may_print("commentCount")
    assert seen.may_print("fieldDate")


def test_marked_names_are_resolved_and_everything_else_stays() -> None:
    seen = known("secretive")
    told = seen.resolve(f"a {name('commentCount')}, b {name('secretive')}.")

    assert told == "a commentCount, b …."
    assert seen.resolve(name("secre\0tive")) == "…"


# --- Shapes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((None, "null"), (True, "boolean"), (1, "integer"), (1.5, "number"), ("", "string")),
        *(([], "array"), ({}, "object")),
    ],
)
def test_types_are_those_of_json(value: Any, kind: str) -> None:
    assert type_of(value) == kind


def test_a_shape_shows_names_and_counts_of_types_and_no_values() -> None:
    rows = [{"key": "k1", "size": 1}, {"key": None, "tags": ["x", 2]}]

    assert printed(rows) == [
        "key: string 1/2, null 1/2",
        "size: integer 1/2",
        "tags: array 1/2",
        "  []: string 1/2, integer 1/2",
    ]


def test_nested_objects_are_shown_six_levels_deep() -> None:
    value: Any = "end"
    for _ in range(12):
        value = {"value": value}

    assert len(printed([value])) == 6


def test_the_names_of_a_known_map_are_counted_and_not_shown() -> None:
    rows = [{"fields": {"1001": "a", "size": 2}}]

    assert printed(rows) == ["fields: object 1/1", "  (2 names that are data: string 1, integer 1)"]


def test_objects_that_share_no_name_are_taken_for_a_map() -> None:
    rows = [{"unheardOf": {f"name{letter * 3}": 1}} for letter in "abcdef"]

    assert printed(rows)[1:] == ["  (6 names that are data: integer 6)"]


def test_a_name_that_occurs_only_once_in_an_unknown_object_is_withheld() -> None:
    rows = [{"unheardOf": {"acme": 1, "often": 1, "date": 2}}, {"unheardOf": {"often": 1}}]

    assert printed(rows) == [
        "unheardOf: object 2/2",
        "  …: integer 1/2",
        "  date: integer 1/2",
        "  often: integer 2/2",
    ]


def test_constants_in_a_map_are_shown_as_streaks_own_names() -> None:
    rows = [{"params": {"BOX_NAME": "x", "whatever": 1}}]

    assert printed(rows) == [
        "params: object 1/1",
        "  BOX_NAME: string 1/1",
        "  (1 names that are data: integer 1)",
    ]


def test_an_object_with_many_properties_from_the_schemas_is_not_a_map() -> None:
    row = dict.fromkeys(sorted(known_names())[:90], 1)

    assert len(printed([row])) == 90


def test_types_are_shown_with_their_share_of_all_values() -> None:
    assert types(shape_of([1, 2, "x"]), 4) == "integer 2/4, string 1/4"


def test_rows_are_compared_with_a_schema() -> None:
    rows = [
        {"key": "a", "size": 3, "at": 1_700_000_000_000, "share": 1, "mascot": "x"},
        {"key": 7, "size": "3", "at": None, "intercomHmac": "dropped"},
    ]
    found = against_schema(shape_of(rows), SCHEMA)

    assert set(found.unknown) == {"mascot"}
    assert found.missing == ()
    assert found.other_type == {
        "key": ("string 1/2, integer 1/2", "string"),
        "size": ("integer 1/2, string 1/2", "integer"),
    }


def test_columns_never_seen_are_missing_except_those_that_the_connector_adds() -> None:
    assert against_schema(shape_of([{"key": "a"}]), SCHEMA).missing == ("size", "at", "share")


def test_a_type_that_is_known_to_be_converted_is_no_difference() -> None:
    found = against_schema(shape_of([{"key": "a", "size": "3"}]), SCHEMA, {"size": "string"})

    assert found.other_type == {}


# --- Whatever an account holds --------------------------------------------------------------------

SAID = st.text("abcXYZ 019@.-_/", max_size=12).map(lambda text: f"qzj{text}")
TITLES = st.one_of(
    st.sampled_from(["key", "fields", "commentCount", "entries", "value", "from"]),
    SAID,
    SAID.map(lambda text: f"{text}@example.org"),
    SAID.map(lambda text: f"agxzfm1haWxmb29nYWVy{text}"),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(7_310_000_000, 7_319_999_999), SAID),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TITLES, inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(TITLES, VALUES, max_size=6), min_size=1, max_size=5))
def test_no_shape_shows_what_an_account_holds(rows: list[dict[str, Any]]) -> None:
    """All generated texts and numbers have marks (qzj, @, 731) by which a leak is found."""
    titles = [title for row in rows for title in _titles(row)]
    told = "\n".join(printed(rows, *titles))

    assert "qzj" not in told
    assert "@" not in told
    assert "731" not in told


def _titles(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(title for inner in value.values() for title in _titles(inner))]
    return [title for inner in value for title in _titles(inner)] if isinstance(value, list) else []
