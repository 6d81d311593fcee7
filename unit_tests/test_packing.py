"""Packed rows are unpacked unchanged, whole or in part."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from anything import ANY, NAMES
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressor

from source_streak.api.packing import Packed, Properties
from source_streak.api.parsing import parse_unchecked, written
from source_streak.streams import STREAMS

# Names of requested properties. msgspec sometimes mixes up names that are not ASCII.
ASKED = NAMES.filter(str.isascii)
ROWS = st.lists(st.dictionaries(NAMES, ANY, max_size=6), max_size=4)
PROPERTIES = sorted({stream.made_of for stream in STREAMS if stream.made_of})


def listed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as they are parsed from a response, with keys b0, b1, …"""
    keyed = [{**row, "key": f"b{number}"} for number, row in enumerate(rows)]
    parsed: list[dict[str, Any]] = parse_unchecked(json.dumps(keyed).encode())
    return parsed


def packed(rows: list[dict[str, Any]]) -> Packed:
    keys = tuple(row["key"] for row in rows)
    return Packed(ZstdCompressor().compress(written(rows)), keys, "p", 0.0)


def chosen(rows: list[dict[str, Any]], properties: Properties) -> list[dict[str, Any]]:
    """The rows with these properties only, chosen in plain Python."""
    names = {"key", *(properties or ())}
    return [{name: row[name] for name in row if name in names} for row in rows]


@given(ROWS)
def test_whole_rows_are_unpacked_unchanged(rows: list[dict[str, Any]]) -> None:
    kept = listed(rows)

    assert orjson.dumps(packed(kept).rows()) == orjson.dumps(kept)


@given(ROWS, st.sets(ASKED, max_size=3))
def test_unpacking_a_few_properties_equals_choosing_them_from_whole_rows(
    rows: list[dict[str, Any]], names: set[str]
) -> None:
    kept, properties = listed(rows), tuple(sorted(names - {"key"}))

    assert orjson.dumps(packed(kept).rows(properties)) == orjson.dumps(chosen(kept, properties))


@pytest.mark.parametrize("properties", PROPERTIES, ids=" ".join)
def test_properties_that_streams_ask_for_have_plain_names(properties: tuple[str, ...]) -> None:
    assert all(name.isascii() and name.isidentifier() for name in properties)


@pytest.mark.parametrize("properties", PROPERTIES, ids=" ".join)
def test_properties_that_a_row_lacks_stay_absent(properties: tuple[str, ...]) -> None:
    assert packed(listed([{}, {"other": 1}])).rows(properties) == [{"key": "b0"}, {"key": "b1"}]


@pytest.mark.parametrize("properties", [None, *PROPERTIES], ids=str)
def test_a_superseded_row_is_left_out(properties: Properties) -> None:
    kept = packed(listed([{"name": "one"}, {"name": "two"}]))
    kept.superseded.add("b0")

    assert [row["key"] for row in kept.rows(properties)] == ["b1"]


def test_every_read_of_packed_rows_returns_the_same_key_objects() -> None:
    kept = packed(listed([{}, {}]))

    assert [row["key"] for row in kept.rows()] == ["b0", "b1"]
    assert all(row["key"] is key for row, key in zip(kept.rows(), kept.keys, strict=True))
