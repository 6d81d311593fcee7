"""What looks doubtful is believed only if it still looks so an hour later."""

from __future__ import annotations

import json

import pytest

from source_streak.incremental.sights import HOUR_MS, MOST, Sight, Sights

NOW = 1_795_284_000_123


def later(sights: Sights, milliseconds: int) -> Sights:
    """The sights of a sync this long after NOW, read from the state as JSON."""
    saved = json.loads(json.dumps(sights.as_dict()))
    known = {what: Sight(one["since"], one.get("value")) for what, one in saved.items()}
    return Sights(known, NOW + milliseconds)


def first(what: str = "gone:sales", value: int | None = None) -> Sights:
    sights = Sights({}, NOW)
    assert not sights.seen_before(what, value)
    return sights


@pytest.mark.parametrize(
    ("milliseconds", "believed"),
    [(0, False), (10_000, False), (HOUR_MS - 1, False), (HOUR_MS, True), (30 * HOUR_MS, True)],
)
def test_a_first_sight_is_believed_when_it_is_seen_again_after_an_hour(
    milliseconds: int, believed: bool
) -> None:
    assert later(first(), milliseconds).seen_before("gone:sales") is believed


def test_the_hour_starts_with_the_first_sight_and_not_with_a_later_one() -> None:
    between = later(first(), HOUR_MS // 2)
    assert not between.seen_before("gone:sales")

    assert later(between, HOUR_MS).seen_before("gone:sales")


def test_a_sight_with_another_value_starts_the_hour_anew() -> None:
    second = later(first("count:sales", 3), HOUR_MS)
    assert not second.seen_before("count:sales", 4)

    assert not later(second, 2 * HOUR_MS - 1).seen_before("count:sales", 4)
    assert later(second, 2 * HOUR_MS).seen_before("count:sales", 4)


@pytest.mark.parametrize("back", [HOUR_MS, 10 * 365 * 24 * HOUR_MS])
def test_a_first_sight_in_the_future_counts_as_now(back: int) -> None:
    second = later(first(), -back)
    assert not second.seen_before("gone:sales")

    assert not later(second, -back + HOUR_MS - 1).seen_before("gone:sales")
    assert later(second, -back + HOUR_MS).seen_before("gone:sales")


def test_a_sight_that_a_sync_does_not_see_again_is_forgotten_at_its_end() -> None:
    second = later(first(), HOUR_MS)
    second.end()

    assert not second.as_dict()
    assert not later(second, 2 * HOUR_MS).seen_before("gone:sales")


def test_a_sight_stays_if_the_sync_sees_it_again_or_does_not_end() -> None:
    second = later(first(), HOUR_MS)
    kept = second.as_dict()
    second.seen_before("gone:sales")
    second.end()

    assert second.as_dict() == kept == later(first(), HOUR_MS).as_dict()


def test_unsee_forgets_one_sight_and_unsee_all_of_a_pipelines_sights() -> None:
    sights = first()
    for what in ("missing:sales", "count:sales", "rows:a box", "gone:hiring"):
        sights.seen_before(what)
    sights.unsee("rows:a box")
    sights.unsee("rows:never seen")
    sights.unsee_all_of("sales")

    assert list(sights.as_dict()) == ["gone:hiring"]


def test_clear_forgets_all_sights() -> None:
    second = later(first(), HOUR_MS)
    second.clear()

    assert not second.seen_before("gone:sales")
    assert later(second, 2 * HOUR_MS).seen_before("gone:sales")


def test_each_kind_of_sight_is_remembered_only_while_there_is_room() -> None:
    sights = first()
    for number in range(MOST + 10):
        assert not sights.seen_before(f"rows:{number}", 1)
    assert len(sights.as_dict()) == MOST + 1

    second = later(sights, HOUR_MS)

    assert second.seen_before("rows:0", 1)
    assert not second.seen_before(f"rows:{MOST}", 1)
    assert not second.seen_before("missing:sales"), "which has room of its own"
    second.unsee("rows:0")
    second.seen_before(f"rows:{MOST}", 1)
    assert later(second, 2 * HOUR_MS).seen_before(f"rows:{MOST}", 1)
    assert len(json.dumps(second.as_dict())) < 150 * MOST
