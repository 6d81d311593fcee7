"""What is reported about boxes that were delivered and are no longer in any list."""

from __future__ import annotations

from typing import Any

from rows_that_go import Account, List, missing_of, state_of

from source_streak.incremental.state import StreamState
from source_streak.reading.evidence import MANY
from source_streak.reading.heartbeat import Signal


def after_a_sync(*boxes: str, scope: str = "sales", rest: StreamState | None = None) -> StreamState:
    """The state of the sync after a comment of each of these boxes was delivered."""
    state = rest or state_of()
    for box in boxes:
        state.delivered.remember(scope, box, [f"{box}-1"])
    return state_of(state)


def told(items: list[Any]) -> list[str]:
    """The keys of the comments that are reported as deleted."""
    return [item["key"] for item in items if isinstance(item, dict)]


def sales(*keys: str, **facts: Any) -> Account:
    return Account([List("sales", set(keys), **facts)])


def test_all_rows_of_a_missing_box_that_streak_refuses_are_reported_as_deleted() -> None:
    account = sales("there")
    account.gone = {"box"}
    state = after_a_sync("box", "there")
    state.delivered.remember("sales", "box", ["box-2"])

    assert told(missing_of(state, account)) == ["box-1", "box-2"]
    assert account.asked == ["box"]
    assert state.delivered.parents("sales") == {"there"}


def test_a_missing_box_that_answers_stays_and_is_not_looked_up_again_that_day() -> None:
    state = after_a_sync("box", "there")
    account = sales("there")

    assert told(missing_of(state, account)) == []
    missing_of(state_of(state), account)
    assert account.asked == ["box"]


def test_no_box_is_looked_up_when_none_is_missing() -> None:
    account = sales("box")

    assert missing_of(after_a_sync("box"), account) == []
    assert account.asked == []


def test_a_state_is_emitted_before_a_deletion_is_reported() -> None:
    account = sales("there")
    account.gone = {"box"}
    signal, tombstone = missing_of(after_a_sync("box", "there"), account)

    assert signal is Signal.CHECKPOINT
    assert tombstone["key"] == "box-1"


def test_a_list_that_is_short_of_its_count_leads_to_no_look_up_and_no_deletion() -> None:
    account = sales("there", expected=2)
    account.gone = {"box"}

    assert told(missing_of(after_a_sync("box", "there"), account)) == []
    assert account.asked == []


def test_a_list_that_ended_early_leads_to_no_deletion() -> None:
    account = sales("there", ended=False)
    account.gone = {"box"}

    assert told(missing_of(after_a_sync("box", "there"), account)) == []


def test_many_boxes_missing_at_once_are_reported_as_deleted_only_an_hour_later() -> None:
    boxes = [f"box{number:02}" for number in range(MANY + 1)]
    account = sales("there")
    account.gone = set(boxes)
    state = after_a_sync(*boxes, "there")

    assert told(missing_of(state, account)) == []
    assert told(missing_of(later := state_of(state, 0.9), account)) == []
    assert told(missing_of(state_of(later, 1), account)) == [f"{box}-1" for box in boxes]


def test_an_unlisted_pipeline_counts_as_gone_only_an_hour_later() -> None:
    account = Account([List("hiring", {"there"})])
    account.gone = {"sales"}
    state = after_a_sync("box")

    assert told(missing_of(state, account)) == []
    assert account.asked == []
    assert told(missing_of(state_of(state, 1), account)) == ["box-1"]
    assert account.asked == ["sales"]


def test_an_unlisted_pipeline_that_answers_is_not_gone() -> None:
    account = Account([List("hiring", {"there"})])
    state = after_a_sync("box")
    missing_of(state, account)

    assert told(missing_of(state_of(state, 1), account)) == []


def test_boxes_of_a_deleted_pipeline_are_looked_up_while_another_list_is_incomplete() -> None:
    account = Account([List("hiring", {"there"}, ended=False)])
    account.gone = {"sales"}
    state = after_a_sync("box")
    missing_of(state, account)

    assert told(missing_of(state_of(state, 1), account)) == []
    assert account.asked == ["sales", "box"]


def test_a_box_that_another_pipeline_lists_is_not_looked_up() -> None:
    account = Account([List("sales", {"there"}), List("hiring", {"box"})])

    assert told(missing_of(after_a_sync("box", "there"), account)) == []
    assert account.asked == []
