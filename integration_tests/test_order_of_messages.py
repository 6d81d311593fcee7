"""The order of keys, rows and fingerprints: a sync may be killed after any message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Read, Reading
from streak_sandbox import Sandbox

from source_streak.incremental.delivered import Delivered
from source_streak.incremental.ledger import Ledger

pytestmark = pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True)


def rows_and_states(reading: Reading) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each record with the last state before it."""
    state: dict[str, Any] | None = None
    for message in reading.messages:
        if message.state:
            state = vars(message.state.stream.stream_state)
        elif message.record:
            yield dict(message.record.data), state


def test_the_keys_of_comments_are_in_a_state_before_the_comments_come(read: Read) -> None:
    reading = read("box_comments", incremental=True)

    assert reading.records["box_comments"]
    for row, state in rows_and_states(reading):
        assert state, "a row comes before any state"
        known = Delivered(state.get("keys"))
        assert row["key"] in known.rows(row["pipelineKey"], row["boxKey"])


def test_a_state_without_the_changed_box_comes_before_its_record(
    streak: Sandbox, read: Read
) -> None:
    before = read("boxes", incremental=True).last_states
    box = next(box for key in streak.account.pipelines for box in streak.account.boxes_of(key))
    streak.account.edit_box(box["key"], name="Another name")
    reading = read("boxes", incremental=True, state=before)

    ((row, state),) = rows_and_states(reading)
    assert row["key"] == box["key"]
    assert state, "the row comes before any state"
    ledger = Ledger.from_text(state["ledgers"][row["pipelineKey"]])
    assert not ledger.knows(box["key"])
