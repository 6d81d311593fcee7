"""Which events of a pipeline were delivered. A late event is new, whatever its time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_streak.incremental.events import MOST, Events

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)
NOW = 1_795_284_000_123


def later(events: Events) -> Events:
    """The one of the next sync, read from the texts as JSON."""
    return Events(json.loads(json.dumps(events.texts())))


def seen(*keys: str, newest: int | None = NOW) -> Events:
    events = Events()
    events.see("sales", keys, newest)
    return later(events)


def test_an_event_is_new_until_it_has_been_seen_in_its_pipeline() -> None:
    events = seen("a", "b")

    assert events.known("sales")
    assert events.newest("sales") == NOW
    assert [events.is_new("sales", key) for key in "abc"] == [False, False, True]
    assert events.is_new("hiring", "a")


def test_every_event_of_a_pipeline_never_seen_before_is_new() -> None:
    events = Events()

    assert not events.known("sales")
    assert events.newest("sales") is None
    assert events.is_new("sales", "a")
    assert events.texts() == {}


def test_a_pipeline_that_was_read_without_events_is_known() -> None:
    events = seen(newest=None)

    assert events.known("sales")
    assert events.newest("sales") is None


def test_the_last_50_events_of_a_pipeline_are_remembered() -> None:
    events = Events()
    for number in range(0, 120, 10):
        events.see("sales", [str(number + place) for place in range(10)], number)
        events = later(events)

    known = [number for number in range(120) if not events.is_new("sales", str(number))]
    assert known == list(range(70, 120))


def test_a_response_with_fewer_events_forgets_no_earlier_ones() -> None:
    events = seen("a", "b")
    events.see("sales", [], None)
    again = later(events)

    assert not again.is_new("sales", "a")
    assert again.newest("sales") == NOW


def test_the_newest_time_is_that_of_the_last_response() -> None:
    """Otherwise one event from the future would hide every later gap."""
    events = seen("a", newest=NOW * 2)
    events.see("sales", ["b"], NOW)

    assert later(events).newest("sales") == NOW


def test_forgetting_a_pipeline_forgets_its_events() -> None:
    events = seen("a")
    events.forget_scope("sales")
    events.forget_scope("never heard of")

    assert events.texts() == {}
    assert events.is_new("sales", "a")


@EXAMPLES
@given(
    st.lists(st.tuples(st.lists(st.text(max_size=3), max_size=60), st.none() | st.integers(0, NOW)))
)
def test_the_events_of_the_last_response_are_known_whatever_came_before(answers: list[Any]) -> None:
    events = Events()
    for keys, newest in answers:
        events.see("sales", keys, newest)
        events = later(events)

        unique = list(dict.fromkeys(keys))
        assert not any(events.is_new("sales", key) for key in unique[:MOST])
        assert newest is None or events.newest("sales") == newest
        assert len(events.texts()["sales"]) < 360
    assert not events.complaint


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ".",
            "x.",
            "5",
            "5.x",
            "5.AAAA",
            "1.2.3",
            "9" * 5_000 + ".",
            "9" * 20 + ".",
            "5.\u00e9",
        ),
        "5." + "AAAAAAA=" * 51,
    ],
    ids=lambda text: text[:12],
)
def test_an_unreadable_text_is_forgotten_with_a_complaint_and_others_stay(text: str) -> None:
    events = Events({**seen("a").texts(), "hiring": text})

    assert events.complaint == (text != ".")
    assert events.known("hiring") == (text == ".")
    assert not events.is_new("sales", "a")


@EXAMPLES
@given(st.text(max_size=20) | st.from_regex(r"-?[0-9]{0,20}\.[A-Za-z0-9+/=]{0,24}", fullmatch=True))
def test_any_text_is_either_read_or_complained_about(text: str) -> None:
    events = Events({"sales": text})

    assert events.complaint != events.known("sales")
    assert later(events).texts() == events.texts()
