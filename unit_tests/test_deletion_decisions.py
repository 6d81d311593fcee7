"""What the list of one box says about comments that were delivered earlier."""

from __future__ import annotations

import pytest
from rows_that_go import COLUMNS, Account, deletions_of, state_of

from source_streak.incremental.state import StreamState
from source_streak.reading.deletions import DELETED_AT, MOST_SHORT, Conclusion, Deletions
from source_streak.reading.fetching import Answer
from source_streak.reading.parents import Parent


def parent(count: int | None, key: str = "box") -> Parent:
    row = {"key": key} if count is None else {"key": key, "commentCount": count}
    return Parent(row, {"boxKey": key, "pipelineKey": "sales"}, {"key": "sales"})


def after_a_sync(*rows: str) -> StreamState:
    """The state of the sync after these comments of the box were delivered."""
    state = state_of()
    state.delivered.remember("sales", "box", rows)
    return state_of(state)


def conclude(
    deletions: Deletions, *now: str, count: int | None, ended_early: bool = False
) -> Conclusion:
    answer = Answer(parent(count), [{"key": key} for key in now], ended_early=ended_early)
    return deletions.conclude(answer, set(now))


def test_a_comment_missing_from_a_list_as_long_as_its_counter_is_deleted() -> None:
    state = after_a_sync("one", "two")

    assert conclude(deletions_of(state), "two", count=1) == Conclusion(["one"], True)
    assert state.delivered.rows("sales", "box") == {"two"}


def test_the_last_comment_of_a_box_is_deleted_when_the_counter_is_0() -> None:
    assert conclude(deletions_of(after_a_sync("one")), count=0) == Conclusion(["one"], True)


@pytest.mark.parametrize("count", [2, None], ids=["counted", "not counted"])
def test_a_list_that_is_short_of_its_counter_deletes_nothing(count: int | None) -> None:
    state = after_a_sync("one", "two")

    assert conclude(deletions_of(state), count=count) == Conclusion([], False)
    assert state.delivered.rows("sales", "box") == {"one", "two"}


def test_a_list_that_is_still_as_short_an_hour_later_is_believed() -> None:
    state = after_a_sync("one", "two")
    conclude(deletions_of(state), "two", count=2)

    assert conclude(deletions_of(state_of(state, 1)), "two", count=2).gone == ["one"]


def test_a_list_that_ended_early_deletes_nothing() -> None:
    state = after_a_sync("one", "two")

    assert conclude(deletions_of(state), "two", count=1, ended_early=True) == Conclusion([], False)
    assert state.delivered.rows("sales", "box") == {"one", "two"}


def test_a_list_that_always_ends_early_is_not_read_again_in_every_sync() -> None:
    state = after_a_sync("one", "two")
    conclude(deletions_of(state), "two", count=1, ended_early=True)
    later = deletions_of(state_of(state, 1))

    assert conclude(later, "two", count=1, ended_early=True) == Conclusion([], True)


def test_boxes_are_not_read_again_once_too_many_lists_are_short_of_their_counters() -> None:
    deletions = deletions_of(state_of())
    settled = [
        deletions.conclude(Answer(parent(2, f"box{number}"), []), set()).settled
        for number in range(MOST_SHORT + 1)
    ]

    assert settled == [False] * MOST_SHORT + [True]


def test_the_api_key_of_another_user_deletes_nothing() -> None:
    state = after_a_sync("one", "two")
    ours = deletions_of(state)
    ours.introduce("ada")
    ours.end(0, [])
    theirs, again = state_of(state), state_of(state)
    deletions, of_ada = deletions_of(theirs), deletions_of(again)
    deletions.introduce("grace")
    of_ada.introduce("ada")

    assert conclude(deletions, "two", count=1) == Conclusion([], False)
    assert conclude(of_ada, "two", count=1).gone == ["one"]


def test_no_deletion_is_reported_when_the_schema_has_no_column_for_deletions() -> None:
    state = after_a_sync("one", "two")
    deletions = deletions_of(state, columns=COLUMNS - {DELETED_AT})

    assert conclude(deletions, "two", count=1).gone == []
    assert conclude(deletions_of(state_of(state)), "two", count=1).gone == ["one"]


def test_deletions_are_reported_only_after_tracking_is_switched_on() -> None:
    state, account = after_a_sync("one", "two"), Account()
    account.config.track_deletions = False

    assert conclude(deletions_of(state, account), "two", count=1).gone == []
    assert conclude(deletions_of(state_of(state)), "two", count=1).gone == ["one"]


def test_a_tombstone_holds_the_primary_key_the_cursor_and_the_time() -> None:
    state = state_of()
    record = deletions_of(state).tombstone(parent(0).keys, "one")

    assert record == {
        "boxKey": "box",
        "key": "one",
        "readAt": state.read_at,
        DELETED_AT: state.read_at,
    }
