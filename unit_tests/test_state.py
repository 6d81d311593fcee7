"""The state of a stream: any state is accepted, and what is in doubt is read again."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_streak.incremental.room import EVERYTHING, Share
from source_streak.incremental.sights import HOUR_MS
from source_streak.incremental.state import (
    DAMAGED,
    KEYS_DAMAGED,
    VERSION,
    StreamState,
    shortfalls_in,
)
from source_streak.records.shape import DAY_MS, iso_time, milliseconds_of

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)

NOW = 1_795_284_000_123  # 2026-11-21
START = 1_704_067_200_000  # 2024-01-01
BOXES = [("one", {"name": "Acme"}), ("two", {"name": "Globex"}), ("three", {"name": "Initech"})]
KEYS = [key for key, _ in BOXES]
SCOPES = ("sales", "hiring")
State = dict[str, Any]


def first_sync(now: int = NOW, recheck_days: int = 0, start: int | None = None) -> StreamState:
    """The state after two pipelines were delivered, with a comment of each box."""
    state = StreamState({}, now, recheck_days, start)
    for scope in ("sales", "hiring"):
        sync(state, scope)
        for key in KEYS:
            state.delivered.remember(scope, key, [f"{scope} comment of {key}"])
    return state


def sync(
    state: StreamState,
    scope: str,
    boxes: list[tuple[str, Any]] = BOXES,
    keep: Iterable[str] = (),
) -> list[str]:
    """Read one pipeline and return the keys of the boxes that were read."""
    state.compare(scope, boxes, len(boxes), keep)
    pending = [key for key, _ in boxes if state.differs(scope, key)]
    for key in pending:
        state.mark_delivered(scope, key)
    return pending


def later(
    saved: State | StreamState,
    now: int = NOW + 1_000,
    recheck_days: int = 0,
    start: int | None = None,
) -> StreamState:
    """The next sync, with the state read from JSON."""
    state = saved.as_dict() if isinstance(saved, StreamState) else saved
    return StreamState(json.loads(json.dumps(state)), now, recheck_days, start)


# Writing and reading


def test_delivered_boxes_and_comments_are_remembered() -> None:
    state = later(first_sync())

    assert [sync(state, scope) for scope in ("sales", "hiring", "new")] == [[], [], KEYS]
    assert state.delivered.rows("hiring", "one") == {"hiring comment of one"}
    assert not state.complaint


def test_the_state_begins_with_a_summary_in_words() -> None:
    state = first_sync(start=START)
    state.things = ("boxes", "pipelines")
    state.user = "agxUser"
    written = state.as_dict()

    assert written["summary"] == "6 boxes in 2 pipelines are up to date"
    assert written["readAt"] == iso_time(NOW) == state.read_at
    assert written["startDate"] == "2024-01-01T00:00:00.000Z"
    assert written["user"] == "agxUser"
    assert written["ledgers"].keys() == written["keys"].keys() == {"sales", "hiring"}
    assert list(written)[:3] == ["version", "readAt", "summary"], "what people read comes first"


def test_a_state_that_was_returned_does_not_change_later() -> None:
    state = StreamState({}, NOW, 0)
    state.compare("sales", BOXES, 3)
    state.mark_delivered("sales", "one")
    state.delivered.remember("sales", "one", ["a"])
    state.sights.seen_before("missing:sales", 3)
    state.events.see("sales", ["e"], NOW)
    before = state.as_dict()
    as_it_was = copy.deepcopy(before)
    state.mark_delivered("sales", "two")
    state.delivered.remember("sales", "two", ["b"])
    state.sights.seen_before("missing:hiring", 3)
    state.unlisted.remember("sales", "one", ["1"])
    state.events.see("hiring", ["e"], NOW)
    after = state.as_dict()

    assert before == as_it_was
    assert sync(later(before), "sales") == ["two", "three"]
    assert sync(later(after), "sales") == ["three"]


def test_a_state_can_be_written_before_anything_was_delivered() -> None:
    assert StreamState({}, NOW, 0).as_dict() == {"version": VERSION, "readAt": iso_time(NOW)}


@pytest.mark.parametrize("times", [1, 3])
def test_a_sync_that_finds_nothing_new_changes_only_the_time_in_the_state(
    times: int,
) -> None:
    state = first_sync(start=START)
    state.user = "agxUser"
    state.unlisted.remember("sales", "four", ["7"])
    state.events.see("sales", ["e"], NOW)
    saved = state.as_dict()
    for _ in range(times):
        state = later(saved, start=START)
        assert sync(state, "sales") == sync(state, "hiring") == []
        assert {**state.as_dict(), "readAt": saved["readAt"]} == saved


def test_only_the_pipeline_that_changed_is_packed_again() -> None:
    state = first_sync()
    before = state.as_dict()
    sync(state, "sales", BOXES[:1])
    state.delivered.remember("sales", "one", ["another"])
    after = state.as_dict()

    for part in ("ledgers", "keys"):
        assert after[part]["hiring"] is before[part]["hiring"]
        assert after[part]["sales"] != before[part]["sales"]


def test_a_pipeline_may_be_compared_twice_in_a_sync() -> None:
    state = later(first_sync())
    changed = [("one", "changed"), *BOXES[1:]]
    state.compare("sales", changed, 3, keep=["four"])
    state.mark_delivered("sales", "one")

    assert sync(state, "sales", [*changed, ("five", 5)]) == ["five"]
    assert sync(later(state), "sales", [*changed, ("five", 5)]) == []


def test_a_closed_state_can_still_be_written() -> None:
    state = first_sync()
    before = state.as_dict()
    state.close()

    assert state.as_dict() == before


def test_a_box_is_read_again_when_what_is_visible_of_it_changes() -> None:
    state = later(first_sync())

    assert sync(state, "sales", [*BOXES[:2], ("three", {"name": "Umbrella"})]) == ["three"]


def test_a_box_in_a_pipeline_that_was_not_compared_counts_as_different() -> None:
    state = later(first_sync())

    assert state.differs("sales", "one")


# Pipelines that are not listed or are gone


def test_the_ledger_of_a_pipeline_that_was_not_listed_is_kept_unchanged() -> None:
    known = first_sync().as_dict()
    state = later(known)
    sync(state, "sales", BOXES[:1])

    assert state.as_dict()["ledgers"]["hiring"] == known["ledgers"]["hiring"]
    assert sync(later(state), "hiring") == []


def test_a_forgotten_pipeline_leaves_the_state_and_is_read_whole_when_it_comes_back() -> None:
    state = later(first_sync())
    sync(state, "sales")
    assert state.scopes() == {"sales", "hiring"}
    state.unlisted.remember("sales", "four", ["7"])
    state.events.see("sales", ["e"], NOW)
    state.sights.seen_before("missing:sales", 3)
    state.sights.seen_before("missing:hiring", 3)
    for scope in ("sales", "hiring", "never heard of"):
        state.forget_scope(scope)

    assert state.scopes() == set()
    assert state.as_dict().keys() == {"version", "readAt", "keys"}, "keys are told deleted first"
    assert sync(later(state), "hiring") == KEYS


def test_a_large_pipeline_that_is_not_listed_takes_its_part_of_the_entries() -> None:
    numbers = Random(1)  # noqa: S311 # keys whose hashes are as irregular as real ones
    saved: State = {}
    for pipeline in ("sales", "hiring"):  # each sync has another one in its settings
        state = StreamState(saved, NOW, 0)
        state.share = Share(entries=8_000, key_bytes=0)
        sync(state, pipeline, [(f"{numbers.getrandbits(60):x}", 0) for _ in range(8_000)])
        saved = state.as_dict()

    assert saved["ledgers"].keys() == {"sales", "hiring"}
    assert len(saved["ledgers"]["hiring"]) < 0.6 * len(saved["ledgers"]["sales"])


@pytest.mark.parametrize("others", [{}, {"gone": f"{10**30}.15."}, {"gone": f"{2**39}.15."}])
def test_an_unlisted_pipeline_takes_entries_from_others_unless_its_count_is_impossible(
    others: State,
) -> None:
    """The entries are shared out by what is listed, and by counts in the state that can be true."""
    saved = first_sync().as_dict()
    state = later({**saved, "ledgers": {"sales": saved["ledgers"]["sales"], **others}})
    state.share = Share(entries=3, key_bytes=0)

    assert sync(state, "sales") == []
    bits = state.as_dict()["ledgers"]["sales"].split(".")[1]
    assert bits == ("0" if f"{2**39}.15." in others.values() else "15")


MOVES = st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.sampled_from(SCOPES)), max_size=3)
ROUNDS = st.lists(
    st.tuples(MOVES, st.sets(st.sampled_from(SCOPES)), st.sets(st.sampled_from(KEYS))), max_size=6
)


@EXAMPLES
@example(  # sales is left out by the settings for a while
    [([("one", "sales")], {*SCOPES}, set()), ([("one", "hiring")], {"hiring"}, set())],
    [("one", "sales")],
    80_000,
)
@example(  # suspected at first, since the other list came late
    [([("one", "hiring")], {*SCOPES}, set()), ([("one", "sales")], {*SCOPES}, {"one"})],
    [("one", "hiring")],
    80_000,
)
@given(ROUNDS, MOVES, st.sampled_from([1, 2, 80_000]))
def test_a_box_that_moves_is_delivered_even_if_not_every_sync_lists_all_pipelines(
    rounds: list[tuple[list[Any], set[str], set[str]]], last: list[Any], most: int
) -> None:
    """A pipeline may be refused or left out for a while, or a missing box may only be suspected.

    All boxes look the same, so only the pipeline shows that a box has moved.
    """
    saved: State = {}
    account: dict[str, str] = {}
    delivered: dict[str, str] = {}
    for number, (moves, listed, suspected) in enumerate([*rounds, (last, set(SCOPES), set())]):
        for key, scope in moves:
            account.pop(key, None)
            if scope:
                account[key] = scope
        state = later(saved, NOW + number)
        state.share = Share(most, 0)
        seen = {key for key, scope in account.items() if scope in listed}
        for scope in sorted(listed):
            boxes = [(key, "looks") for key, where in account.items() if where == scope]
            # A list that was refused at first comes late, and a box may turn up in it.
            late = {key for key in suspected if account.get(key, "") > scope}
            state.compare(scope, boxes, len(account), suspected - seen | late)
        for key in seen:
            if state.differs(account[key], key):
                delivered[key] = account[key]
                state.mark_delivered(account[key], key)
        saved = state.as_dict()

    assert {key: scope for key, scope in delivered.items() if key in account} == account


def test_a_pipeline_that_was_not_listed_does_not_claim_a_box_that_has_moved() -> None:
    """Even after a kill: its row was emitted after the last state, and then it moved back."""
    first = later(first_sync())
    sync(first, "sales", BOXES)
    sync(first, "hiring", [])
    killed = later(first)
    killed.compare("hiring", BOXES[:1], 1)  # sales is refused, and this box is listed here
    saved = killed.as_dict()
    assert killed.differs("hiring", "one")
    last = later(saved)

    assert sync(last, "hiring", []) == []
    assert sync(last, "sales", BOXES) == ["one"]


def test_a_listed_pipeline_keeps_a_box_that_is_also_read_from_another_one() -> None:
    """`listing` names the listed pipelines before the first of them is compared."""
    state = later(first_sync())
    state.listing(["sales", "hiring"])

    assert sync(state, "sales", [("one", "moved and changed")]) == ["one"]
    assert sync(state, "hiring") == []


# Suspected, kept and forgotten boxes


def test_a_kept_box_is_not_read_again_when_it_is_listed_again() -> None:
    state = later(first_sync())
    assert sync(state, "sales", BOXES[:1], keep=["two", "never heard of"]) == []
    again = later(state)
    assert sync(again, "sales", BOXES[:1], keep=["two"]) == []
    back = later(again)

    assert back.knows("sales", "two")
    assert not back.knows("sales", "three")
    assert sync(back, "sales") == ["three"]


def test_a_forgotten_box_is_read_when_it_is_listed_again() -> None:
    state = later(first_sync())
    sync(state, "sales", BOXES[:1], keep=["two", "three"])
    state.forget("sales", ["two"])
    state.forget("hiring", ["one"])
    back = later(state)
    back.listing(SCOPES)

    assert sync(back, "sales") == ["two"]
    assert sync(back, "hiring") == ["one"]


def test_a_box_is_known_from_the_sync_after_its_delivery() -> None:
    state = later(first_sync())
    assert [state.knows("sales", key) for key in ("one", "never")] == [True, False]
    assert not state.knows("new", "one")
    sync(state, "sales", [("one", "changed"), ("never", 1)])

    assert [state.knows("sales", key) for key in ("one", "never")] == [True, False]
    assert later(state).knows("sales", "never")


def test_a_first_sight_is_believed_only_after_an_hour() -> None:
    state = StreamState({}, NOW, 0)
    assert not state.sights.seen_before("missing:sales", 12)
    assert not state.sights.seen_before("missing:sales", 12), "nor in the same sync"
    again = later(state, NOW + HOUR_MS - 1)
    assert not again.sights.seen_before("missing:sales", 12)
    last = later(again, NOW + HOUR_MS)

    assert last.sights.seen_before("missing:sales", 12)
    assert last.sights.seen_before("missing:sales", 12)


def test_a_first_sight_starts_anew_with_another_value() -> None:
    state = StreamState({}, NOW, 0)
    state.sights.seen_before("count:sales", 1)
    other = later(state, NOW + HOUR_MS)
    assert not other.sights.seen_before("count:sales", 2)
    assert not later(other, NOW + 2 * HOUR_MS - 1).sights.seen_before("count:sales", 2)

    assert later(other, NOW + 2 * HOUR_MS).sights.seen_before("count:sales", 2)
    assert not later(other, NOW + 2 * HOUR_MS).sights.seen_before("count:sales")


def test_a_sight_that_is_no_longer_true_leaves_the_state() -> None:
    state = StreamState({}, NOW, 0)
    state.sights.seen_before("missing:sales")
    state.sights.unsee("missing:sales")
    state.sights.unsee("missing:hiring")

    assert "suspected" not in state.as_dict()
    assert not later(state, NOW + HOUR_MS).sights.seen_before("missing:sales")


def test_a_first_sight_in_the_future_counts_as_now() -> None:
    """The clock was ahead. The sight is believed an hour from now, and not years from now."""
    ahead = StreamState({}, NOW + 1_000 * DAY_MS, 0)
    ahead.sights.seen_before("missing:sales")
    now = later(ahead, NOW)
    assert not now.sights.seen_before("missing:sales")

    assert not later(now, NOW + HOUR_MS - 1).sights.seen_before("missing:sales")
    assert later(now, NOW + HOUR_MS).sights.seen_before("missing:sales")


# Keys and their share of the state


def test_keys_fit_while_they_take_no_more_than_the_share() -> None:
    state = first_sync()
    state.unlisted.remember("sales", "four", ["7"])
    size = state.delivered.size() + state.unlisted.size()
    assert state.share == EVERYTHING
    assert state.keys_fit()
    state.share = Share(1_000, size)
    assert state.keys_fit()
    state.share = Share(1_000, size - 1)
    assert not state.keys_fit()


def test_keys_that_were_given_up_are_in_no_state() -> None:
    state = first_sync()
    state.unlisted.remember("sales", "four", ["7"])
    state.share = Share(1_000, 0)
    state.give_up_keys()
    state.delivered.remember("sales", "one", ["a"])

    assert state.keys_fit()
    assert not {"keys", "unlisted"} & state.as_dict().keys()
    assert sync(later(state), "sales") == []


def test_keys_that_were_given_up_stay_given_up() -> None:
    """Otherwise rows deleted while there was no room would never be reported."""
    state = first_sync()
    state.give_up_keys()
    again = later(state)
    again.delivered.remember("sales", "one", ["a"])

    assert again.keys_given_up
    assert not later(again).delivered.holds("sales", "one")
    assert not later(first_sync()).keys_given_up


@pytest.mark.parametrize("anything", [None, False, 0, 1, "true", [], {}])
def test_keys_count_as_given_up_only_if_the_state_says_true(anything: Any) -> None:
    state = later(first_sync().as_dict() | {"keysGivenUp": anything})

    assert not state.keys_given_up
    assert state.delivered.holds("sales", "one")


def test_boxes_share_entries_when_there_are_few() -> None:
    boxes = [(f"box{number}", number) for number in range(1_000)]
    state = StreamState({}, NOW, 0)
    state.share = Share(100, 0)
    sync(state, "sales", boxes)
    again = later(state)
    again.share = Share(100, 0)
    boxes[7] = ("box7", "changed")

    assert 1 < len(sync(again, "sales", boxes)) < 60


# readAt and the clock


@EXAMPLES
@given(st.lists(st.integers(1, 4_102_444_800_000), min_size=1, max_size=8))
def test_read_at_grows_from_sync_to_sync_whatever_the_clock_does(
    clock: list[int],
) -> None:
    saved: State = {}
    times = []
    for now in clock:
        state = later(saved, now)
        times.append(state.read_at)
        saved = state.as_dict()

    assert times == sorted(set(times))
    assert all(milliseconds_of(time) >= now for time, now in zip(times, clock, strict=True))


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("now", [NOW, 10**18])
def test_read_at_is_a_valid_time_even_after_the_last_possible_one(time: str, now: int) -> None:
    state = StreamState({"version": VERSION, "readAt": time}, now, 0)

    assert milliseconds_of(state.read_at) is not None, f"{state.read_at} is no time"


def test_last_read_is_when_the_last_sync_was_by_its_clock() -> None:
    assert StreamState({}, NOW, 0).last_read is None
    second = later(first_sync(), NOW + 5_000)
    assert second.last_read == NOW
    assert "clock" not in second.as_dict()

    assert later(second, NOW + 9_000).last_read == NOW + 5_000


def test_last_read_is_unknown_after_a_sync_whose_clock_was_ahead() -> None:
    ahead = first_sync(NOW + 4_000 * DAY_MS)
    second = later(ahead, NOW)
    assert second.last_read is None
    third = later(second, NOW + 9_000)

    assert third.last_read == NOW, "though `readAt` is still that of the wrong clock"
    assert third.read_at > second.read_at > ahead.read_at


@pytest.mark.parametrize("clock", [5, "soon", None, [], "9999-12-31T23:59:59.999Z"])
def test_an_impossible_clock_in_the_state_is_not_believed(clock: Any) -> None:
    state = later(first_sync().as_dict() | {"clock": clock}, NOW + 5_000)

    assert state.last_read in (None, NOW)


# The recheck slot


def test_each_box_is_read_again_within_recheck_days_and_no_box_twice() -> None:
    state, again = first_sync(recheck_days=7), []
    for day in range(1, 8):
        state = later(state, NOW + day * DAY_MS, recheck_days=7)
        again += sync(state, "sales")

    assert sorted(again) == sorted(KEYS)


def test_with_0_recheck_days_nothing_is_read_again() -> None:
    assert sync(later(first_sync(), NOW + 4_000 * DAY_MS), "sales") == []


def test_one_sync_with_a_clock_years_ahead_does_not_switch_recheck_off() -> None:
    """`readAt` stays ahead, but days and slots follow the present clock."""
    ahead = first_sync(NOW + 4_000 * DAY_MS, recheck_days=7)
    state, again = later(ahead, NOW, recheck_days=7), []
    assert milliseconds_of(state.read_at) > NOW + 4_000 * DAY_MS
    sync(state, "sales")
    for day in range(1, 8):
        state = later(state, NOW + day * DAY_MS, recheck_days=7)
        again += sync(state, "sales")

    assert sorted(again) == sorted(KEYS)


# The start date


@pytest.mark.parametrize(
    ("then", "now", "moved", "forward"),
    [
        *((None, None, False, False), (None, 500, True, True), (500, 900, True, True)),
        *((500, 500, False, False), (500, 499, True, False), (500, None, True, False)),
    ],
)
def test_the_state_notices_whether_the_start_date_moved_and_whether_forward(
    then: int | None, now: int | None, moved: bool, forward: bool
) -> None:
    first = first_sync(start=then and then * DAY_MS)
    assert not first.start_moved
    state = later(first, start=now and now * DAY_MS)

    assert (state.start_moved, state.start_moved_forward) == (moved, forward)
    assert sync(state, "sales") == [], "what the ledgers know needs no start date"
    again = later(state, start=now and now * DAY_MS)
    assert not again.start_moved


@pytest.mark.parametrize(("start", "forward"), [(None, False), (START, True)])
def test_an_unreadable_start_date_counts_as_moved(start: int | None, forward: bool) -> None:
    state = later(first_sync(start=START).as_dict() | {"startDate": "soon"}, start=start)

    assert (state.start_moved, state.start_moved_forward) == (True, forward)
    assert state.complaint == DAMAGED


# Any state

SMALL = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=4)
)
JSON = st.recursive(
    SMALL,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
TIMES = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
SCOPED = st.sampled_from(["sales", "hiring", "gone", "", "\0", "\ud800", "missing:sales"])
WHOLE = first_sync(start=START)
WHOLE.unlisted.remember("sales", "four", ["7"])
WHOLE.untold.remember("sales", "five")
WHOLE.events.see("sales", ["e"], NOW)
WHOLE.sights.seen_before("missing:sales", 3)
WHOLE.user = "agxUser"
SAVED = WHOLE.as_dict()
PACKED = ("ledgers", "keys", "unlisted", "untold", "events")
TEXTS = st.sampled_from([text for part in PACKED for text in SAVED[part].values()])
PARTS = JSON | st.dictionaries(SCOPED, TEXTS | JSON, max_size=3)
SIGHTS = st.dictionaries(
    SCOPED, JSON | st.fixed_dictionaries({"since": SMALL}, optional={"value": SMALL}), max_size=3
)
STATES = st.fixed_dictionaries(
    {},
    optional={
        "version": JSON | st.just(VERSION) | st.just(VERSION) | st.just(VERSION),
        "readAt": JSON | TIMES,
        "summary": JSON,
        "user": JSON,
        "clock": JSON | TIMES,
        "keysGivenUp": JSON,
        **dict.fromkeys(PACKED, PARTS),
        "suspected": JSON | SIGHTS,
        "startDate": JSON | TIMES,
        "somethingNew": JSON,
    },
)


def use(state: StreamState, scope: str) -> list[str]:
    """Do with a state all that a stream does with it."""
    for part in (state.delivered, state.unlisted, state.untold):
        for parent in list(part.parents(scope)):
            part.rows(scope, parent)
    state.delivered.remember(scope, "one", ["a"])
    state.events.see(scope, ["e"], NOW)
    assert not state.events.is_new(scope, "e")
    state.sights.seen_before(f"missing:{scope}", 3)
    return sync(state, scope)


@settings(EXAMPLES, max_examples=600)
@given(STATES | st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_any_state_is_accepted_and_what_it_does_not_know_is_read_again(saved: State) -> None:
    state = StreamState(saved, NOW, 30, START)
    pending = [use(state, scope) for scope in ("sales", "hiring")]

    if not saved.get("ledgers"):
        assert pending == [KEYS] * 2
    written = json.dumps(state.as_dict())
    assert "\\u0000" not in written
    assert "\\ud800" not in written
    again = later(json.loads(written), recheck_days=30, start=START)
    assert [use(again, scope) for scope in ("sales", "hiring")] == [[], []]
    assert not again.complaint or "gone" in str(saved), "what was damaged is said once"
    assert again.read_at > state.read_at >= str(iso_time(NOW))


@EXAMPLES
@given(st.sampled_from(sorted(SAVED)), JSON)
def test_a_wrong_part_of_the_state_loses_only_what_that_part_covered(part: str, wrong: Any) -> None:
    state = later({**SAVED, part: wrong}, start=START)
    pending = [sync(state, scope) for scope in ("sales", "hiring")]

    covered = part == "ledgers" or (part == "version" and wrong != VERSION)
    assert pending == ([KEYS] * 2 if covered else [[]] * 2)
    if part not in ("keys", "version"):
        assert state.delivered.rows("sales", "one") == {"sales comment of one"}
    if part not in ("events", "version"):
        assert not state.events.is_new("sales", "e")


@EXAMPLES
@given(st.sampled_from(PACKED), JSON)
def test_a_damaged_text_in_the_state_loses_only_what_that_text_covered(
    part: str, wrong: Any
) -> None:
    state = later({**SAVED, part: {**SAVED[part], "sales": wrong}}, start=START)
    state.listing(SCOPES)
    pending = [sync(state, scope) for scope in ("sales", "hiring")]

    assert pending == ([KEYS, []] if part == "ledgers" else [[], []])
    held = [state.delivered.holds(scope, "one") for scope in ("sales", "hiring")]
    assert held == [part != "keys", True]
    assert state.unlisted.holds("sales", "four") == (part != "unlisted")
    assert state.untold.holds("sales", "five") == (part != "untold")
    assert state.events.is_new("sales", "e") == (part == "events")
    if wrong != ".":  # which means that there were no events
        assert state.complaint == (KEYS_DAMAGED if part == "keys" else DAMAGED)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"version": 3}, id="a later version"),
        pytest.param({"version": None}, id="a foreign state"),
        pytest.param({"version": 1}, id="the state of 0.1.0"),
        pytest.param({"readAt": None}, id="no time"),
        pytest.param({"readAt": "soon"}, id="a time that is none"),
        pytest.param({"ledgers": []}, id="ledgers no object"),
        pytest.param({"ledgers": {"sales": None, "hiring": 5}}, id="texts that are none"),
        pytest.param({"ledgers": {"sales": "", "hiring": "1.5"}}, id="texts cut off"),
        pytest.param({"ledgers": {"\0": "1.13.eJw="}}, id="a key that no database takes"),
        pytest.param({"keys": 5}, id="keys no object"),
        pytest.param({"keys": {"sales": "\u00e9"}}, id="keys no ASCII"),
        pytest.param({"unlisted": "x"}, id="unlisted no object"),
        pytest.param({"untold": 5}, id="untold no object"),
        pytest.param({"events": {"sales": "x"}}, id="events that are none"),
        pytest.param({"suspected": ["sales"]}, id="suspected no object"),
        pytest.param({"suspected": {"missing:sales": 5}}, id="a sight that is none"),
        pytest.param({"suspected": {"missing:sales": {"since": -5}}}, id="before all time"),
        pytest.param({"suspected": {"missing:sales": {"since": 10**25}}}, id="after all time"),
        pytest.param({"suspected": {"a": {"since": 5, "value": "x"}}}, id="a value no number"),
        pytest.param({"suspected": {"a": {"since": 5, "value": 2**64}}}, id="a value too large"),
        pytest.param({"user": 5}, id="a user no text"),
        pytest.param({"user": "\0"}, id="a user that no database takes"),
        pytest.param({"startDate": "soon"}, id="a start date no date"),
    ],
)
def test_damage_in_a_state_causes_one_complaint(damage: State) -> None:
    state = later(SAVED | damage, start=START)
    pending = [sync(state, scope) for scope in ("sales", "hiring")]

    if damage.keys() <= {"version"} or ("ledgers" in damage and "\0" not in str(damage)):
        assert pending == [KEYS] * 2
    else:
        assert pending == ([KEYS] * 2 if "ledgers" in damage else [[]] * 2)
    assert state.complaint.endswith(".")
    again = later(state, start=START)
    sync(again, "sales")
    assert not again.complaint


def test_a_state_of_version_0_1_0_causes_a_complaint_and_everything_is_read_again() -> None:
    old = {
        "version": 1,
        "readAt": "2026-11-21T18:00:00.000Z",
        "summary": "3 boxes in 1 pipelines delivered as they are",
        "ledgers": {"sales": {"settled": 3, "bits": 15, "prints": "eJxjYGBgAAAABAAB"}},
        "keys": {"sales": "eJzLz0vlKskvB5IpXAAbXgQs"},
        "doubted": ["sales"],
        "marks": {"team": 5},
    }
    state = later(old)

    assert "0.1.0" in state.complaint
    assert sync(state, "sales") == KEYS
    assert state.delivered.scopes() == set()
    assert not state.first
    assert not state.start_moved


def test_an_intact_or_empty_state_causes_no_complaint() -> None:
    for saved in ({}, SAVED, first_sync().as_dict(), StreamState({}, NOW, 0).as_dict()):
        state = later(saved, start=START)
        use(state, "sales")
        assert not state.complaint


# Shortfalls of lists in earlier syncs


def test_shortfalls_are_found_in_the_states_of_all_streams() -> None:
    boxes, comments = first_sync(), first_sync()
    boxes.sights.seen_before("count:sales", 3)
    boxes.sights.seen_before("missing:hiring", 5)
    comments.sights.seen_before("count:hiring", 7)
    comments.sights.seen_before("count:support")

    states = [boxes.as_dict(), comments.as_dict(), {}]

    assert shortfalls_in(states, NOW) == {"sales": (3, False), "hiring": (7, False)}
    assert shortfalls_in(states, NOW + HOUR_MS) == {"sales": (3, True), "hiring": (7, True)}


@EXAMPLES
@given(st.lists(STATES, max_size=3))
def test_shortfalls_are_numbers_whatever_the_states_are(saved: list[State]) -> None:
    assert all(type(count) is int for count, _ in shortfalls_in(saved, NOW).values())


# The state is never ahead of what was delivered


@EXAMPLES
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)),
            st.sets(st.sampled_from("abcdef")),
            st.lists(st.sampled_from("abcdef"), unique=True),
            st.sets(st.sampled_from("abcdef")),
        ),
        max_size=5,
    ),
    st.sampled_from([1, 3, 80_000]),
)
def test_a_state_never_claims_more_than_was_marked_delivered(syncs: list[Any], most: int) -> None:
    """`delivered`: what each box looked like when it was last marked as delivered."""
    saved: State = {}
    delivered: dict[str, int] = {}
    for looks, keep, marked, forgotten in syncs:
        state = later(saved)
        state.share = Share(most, 0)
        state.compare("sales", looks.items(), len(looks), keep - looks.keys())
        unread = {key for key in looks if not state.differs("sales", key)}
        assert {key: looks[key] for key in unread} == {key: delivered.get(key) for key in unread}
        for key in marked:
            if key in looks and key not in unread:
                state.mark_delivered("sales", key)
                delivered[key] = looks[key]
        state.forget("sales", forgotten)
        for key in forgotten:
            delivered.pop(key, None)
        saved = state.as_dict()


# First syncs


def test_a_first_sync_is_one_without_any_state() -> None:
    """Only without any state is the destination certainly empty."""
    cut_off = StreamState({}, NOW, 0)
    cut_off.compare("sales", BOXES, 3)

    assert StreamState({}, NOW, 0).first
    for saved in (
        *(first_sync().as_dict(), cut_off.as_dict(), {"version": 1}, {"foreign": 1}),
        {"version": VERSION, "ledgers": 5},
    ):
        assert not later(saved).first


# The user


@pytest.mark.parametrize("user", [None, "agxUser"])
def test_the_user_is_remembered(user: str | None) -> None:
    state = StreamState({}, NOW, 0)
    assert state.user is None
    state.user = user

    assert later(state).user == user
