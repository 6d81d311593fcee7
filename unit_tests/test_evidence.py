"""What may be concluded from lists, counts and answers by key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from source_streak.api.look_up import Gone
from source_streak.incremental.sights import HOUR_MS, Sight, Sights
from source_streak.reading.evidence import (
    MANY,
    Scopes,
    Verdict,
    are_many,
    is_complete,
    shortfall,
    verdict,
)

NOW = 1_795_284_000_123


@dataclass
class List:
    keys: set[str] = field(default_factory=lambda: {"one", "two"})
    ended: bool = True
    expected: int | None = 2
    key: str = "sales"

    @property
    def shortfall(self) -> int:
        return max(0, (self.expected or 0) - len(self.keys))


def sights(**since: tuple[int, int | None]) -> Sights:
    """What earlier syncs saw: how many milliseconds ago, and which value."""
    known = {f"{kind}:sales": Sight(NOW - ago, value) for kind, (ago, value) in since.items()}
    return Sights(known, NOW)


# --- Lists ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "complete",
    [List(), List(expected=None), List(set(), expected=0), List(expected=1)],
    ids=["as counted", "not counted", "empty, and counted 0", "more than counted"],
)
def test_a_list_that_is_not_short_of_its_count_is_complete(complete: List) -> None:
    assert is_complete(complete, sights())


@pytest.mark.parametrize(
    "doubtful",
    [List(ended=False), List(expected=3), List(set(), expected=None), List(set(), expected=4)],
    ids=["ended early", "short", "empty, and not counted", "empty"],
)
def test_a_list_that_ended_early_is_short_or_is_empty_without_a_count_is_incomplete(
    doubtful: List,
) -> None:
    assert not is_complete(doubtful, sights())


@pytest.mark.parametrize(
    ("ago", "value", "believed"),
    [(HOUR_MS, 1, True), (HOUR_MS - 1, 1, False), (HOUR_MS, 2, False), (-HOUR_MS, 1, False)],
)
def test_a_list_that_is_short_by_the_same_number_an_hour_later_is_complete(
    ago: int, value: int, believed: bool
) -> None:
    assert is_complete(List(expected=3), sights(count=(ago, value))) is believed


@pytest.mark.parametrize(("ago", "believed"), [(HOUR_MS, True), (HOUR_MS - 1, False)])
def test_an_uncounted_list_that_is_still_empty_an_hour_later_is_complete(
    ago: int, believed: bool
) -> None:
    empty = List(set(), expected=None)

    assert is_complete(empty, sights(empty=(ago, None))) is believed


def test_a_list_that_ended_early_stays_incomplete_even_an_hour_later() -> None:
    assert not is_complete(List(ended=False), sights(count=(HOUR_MS, 0), empty=(HOUR_MS, None)))


@pytest.mark.parametrize(
    ("missing", "total", "many"),
    [
        (MANY, 60, False),
        (MANY + 1, 60, True),
        (100, 1_000, False),
        (101, 1_000, True),
        (0, 0, False),
    ],
)
def test_more_missing_rows_than_people_delete_at_once_are_many(
    missing: int, total: int, many: bool
) -> None:
    assert are_many(missing, total) is many


@pytest.mark.parametrize(
    ("expected", "there_are", "short"),
    [(3, 3, 0), (3, 2, 1), (3, 0, 3), (0, 0, 0), (2, 5, 0), (None, 0, 1), (None, 4, 0)],
)
def test_the_shortfall_is_how_many_counted_rows_a_list_lacks(
    expected: int | None, there_are: int, short: int
) -> None:
    assert shortfall(expected, there_are) == short


# --- Answers by key -------------------------------------------------------------------------------

SCOPES = Scopes("pipelineKey", lists={"sales", "hiring"}, left_out={"private"})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Gone.GONE, Verdict.DELETED),
        (Gone.UNKNOWN, Verdict.UNKNOWN),
        ({"pipelineKey": "sales"}, Verdict.UNLISTED),
        ({"pipelineKey": None}, Verdict.UNLISTED),
        ({}, Verdict.UNLISTED),
        ({"pipelineKey": "hiring"}, Verdict.MOVED),
        ({"pipelineKey": "private"}, Verdict.DELETED),
        ({"pipelineKey": "refused, or new"}, Verdict.UNLISTED),
    ],
)
def test_an_answer_by_key_tells_deleted_moved_unlisted_and_unknown_rows_apart(
    answer: Any, said: Verdict
) -> None:
    assert verdict(answer, "sales", SCOPES) is said


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ("sales", Verdict.UNLISTED),
        ("hiring", Verdict.MOVED),
        ("private", Verdict.DELETED),
        ("refused, or new", Verdict.DELETED),
    ],
)
def test_rows_that_stay_behind_are_deleted_when_their_box_is_in_an_unknown_pipeline(
    now: str, said: Verdict
) -> None:
    scopes = Scopes("pipelineKey", SCOPES.lists, SCOPES.left_out, rows_stay=True)

    assert verdict({"pipelineKey": now}, "sales", scopes) is said
