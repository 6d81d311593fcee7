"""Entries of a box's timeline: nobody documents their shape, so each row keeps its entry whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_streak.api.errors import StreakError
from source_streak.records.changes import change, timeline_of

settings.register_profile("no clock", deadline=None, derandomize=True)
settings.load_profile("no clock")


def test_only_objects_count_as_entries_of_a_timeline() -> None:
    assert timeline_of({"entries": [{"a": 1}, None, 5], "nextPageToken": "x"}) == [{"a": 1}]
    assert timeline_of({"entries": []}) == []


@pytest.mark.parametrize(
    ("body", "came"),
    [
        ([], "something else"),
        (None, "something else"),
        ({}, "an empty object"),
        ({"results": [], "more": False}, "an object with more, results"),
        ({"entries": None}, "an object with entries"),
    ],
)
def test_an_unknown_envelope_fails_with_an_error_that_says_what_came(body: Any, came: str) -> None:
    with pytest.raises(StreakError) as raised:
        timeline_of(body)

    assert came in raised.value.sentence
    assert "box_changes" in raised.value.sentence


def test_an_entry_like_a_newsfeed_item_has_its_key_time_and_columns() -> None:
    entry = {"newsfeedItemKey": "n", "timestamp": 7, "creatorKey": "mia", "mood": "new"}

    assert change(entry) == {
        "newsfeedItemKey": "n",
        "creatorKey": "mia",
        "key": "n",
        "timestamp": 7,
        "entry": entry,
    }


def test_an_entry_wrapped_in_an_outer_object_is_read_from_the_inner_one() -> None:
    entry = {"type": "EDIT", "newsfeedEntry": {"key": "n", "date": "7", "creatorKey": "mia"}}

    assert change(entry) == {"creatorKey": "mia", "key": "n", "timestamp": 7, "entry": entry}


def test_outer_properties_win_over_those_of_an_inner_object() -> None:
    entry = {"key": "outside", "creatorKey": "mia", "inner": {"key": "in", "creatorKey": "noah"}}
    row = change(entry)

    assert (row["key"], row["creatorKey"]) == ("outside", "mia")


def test_an_entry_without_a_key_gets_one_from_its_content_whatever_its_order() -> None:
    one, other = change({"a": 1, "b": 2}), change({"b": 2, "a": 1})

    assert one["key"] == other["key"] != change({"a": 1, "b": 3})["key"]
    assert one["timestamp"] is None


@given(
    st.dictionaries(
        st.sampled_from(["key", "timestamp", "date", "inner", "creatorKey"]),
        st.none()
        | st.integers(-(2**63), 2**64 - 1)
        | st.text(max_size=3)
        | st.lists(st.integers(-(2**63), 2**64 - 1), max_size=2)
        | st.dictionaries(st.sampled_from(["key", "timestamp"]), st.none() | st.text(max_size=3)),
    )
)
def test_any_entry_has_a_key_and_is_kept_whole(entry: dict[str, Any]) -> None:
    row = change(entry)

    assert row["key"]
    assert isinstance(row["key"], str)
    assert row["entry"] == entry
