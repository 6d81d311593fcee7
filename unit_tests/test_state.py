"""What an incremental stream remembers: any state is taken without a word of protest from Python, and doubt means reading whole."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from source_streak.memory import VERSION, Memory
from source_streak.records.shape import DAY_MS, iso_time, milliseconds_of

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)

NOW = 1_795_284_000_123  # 2026-11-21
BOXES = [("one", {"name": "Acme"}), ("two", {"name": "Globex"}), ("three", {"name": "Initech"})]
State = dict[str, Any]


def first_sync(now: int = NOW, recheck_days: int = 0, start: int | None = None) -> Memory:
    """All of two pipelines settled, two marks."""
    memory = Memory({}, now, recheck_days, start)
    for scope in ("sales", "hiring"):
        sync(memory, scope)
    memory.marks |= {"team": now - 5, "other": now - 7}
    return memory


def sync(memory: Memory, scope: str, boxes: list[tuple[str, Any]] = BOXES) -> list[str]:
    """Read one pipeline; returns what was read."""
    memory.compare(scope, boxes, of=len(boxes))
    due = [key for key, _ in boxes if memory.differs(scope, key)]
    for key in due:
        memory.settle(scope, key)
    return due


def later(state: State, now: int = NOW + 1_000, recheck_days: int = 0, start: int | None = None) -> Memory:
    """The next sync, with a state that has been on disk meanwhile."""
    return Memory(json.loads(json.dumps(state)), now, recheck_days, start)


# What is written is read


def test_what_was_delivered_is_remembered() -> None:
    memory = later(first_sync().state())

    assert [sync(memory, "sales"), sync(memory, "hiring"), sync(memory, "new")] == [[], [], ["one", "two", "three"]]
    assert memory.marks == {"team": NOW - 5, "other": NOW - 7}
    assert not memory.complaint


def test_the_state_says_what_it_holds_in_words() -> None:
    memory = first_sync(start=1_704_067_200_000)
    memory.things = ("boxes", "pipelines")
    state = memory.state()

    assert state["summary"] == "6 boxes in 2 pipelines delivered as they are"
    assert state["readAt"] == iso_time(NOW) == memory.read_at
    assert state["startDate"] == "2024-01-01T00:00:00.000Z"
    assert {scope: entry["settled"] for scope, entry in state["ledgers"].items()} == {"sales": 3, "hiring": 3}


def test_a_state_handed_out_is_not_changed_by_what_is_settled_later() -> None:
    memory = Memory({}, NOW, 0)
    memory.compare("sales", BOXES, of=3)
    memory.settle("sales", "one")
    before = memory.state()
    as_it_was = copy.deepcopy(before)
    memory.settle("sales", "two")
    memory.marks["team"] = 7
    after = memory.state()

    assert before == as_it_was
    assert after["ledgers"]["sales"]["settled"] == 2
    assert sync(later(before), "sales") == ["two", "three"]
    assert sync(later(after), "sales") == ["three"]


def test_nothing_settled_is_a_state_too() -> None:
    assert Memory({}, NOW, 0).state() == {"version": VERSION, "readAt": iso_time(NOW)}


# Pipelines that are not listed, and those that are no more


def test_what_is_known_of_a_pipeline_that_was_not_listed_is_kept_as_it_is() -> None:
    known = first_sync().state()
    memory = later(known)
    sync(memory, "sales", BOXES[:1])

    assert memory.state()["ledgers"]["hiring"] == known["ledgers"]["hiring"]
    assert sync(later(memory.state()), "hiring") == []


def test_a_forgotten_pipeline_goes_from_the_state_and_is_read_whole_when_it_comes_back() -> None:
    memory = later(first_sync().state())
    sync(memory, "sales")
    assert memory.scopes == {"sales", "hiring"}
    memory.forget({"sales", "hiring", "never heard of"})

    assert "ledgers" not in memory.state()
    assert sync(later(memory.state()), "hiring") == ["one", "two", "three"]


def test_a_state_stays_below_1_mb_also_when_it_keeps_large_pipelines_that_are_not_listed() -> None:
    numbers = Random(1)  # noqa: S311 # keys whose hashes are as irregular as real ones
    state: State = {}
    for pipeline in ("sales", "hiring"):  # the settings name another one each time
        memory = later(state)
        sync(memory, pipeline, [(f"{numbers.getrandbits(60):x}", 0) for _ in range(80_000)])
        state = memory.state()

    assert state["ledgers"].keys() == {"sales", "hiring"}
    assert len(json.dumps(state)) < 1_000_000


SCOPES = ("sales", "hiring")
MOVES = st.lists(st.tuples(st.sampled_from(["one", "two", "three"]), st.none() | st.sampled_from(SCOPES)), max_size=3)


@EXAMPLES
@example([([("one", "sales")], {"sales", "hiring"}), ([("one", "hiring")], {"hiring"})], [("one", "sales")])
@given(st.lists(st.tuples(MOVES, st.sets(st.sampled_from(SCOPES))), max_size=6), MOVES)
def test_a_box_that_moves_between_pipelines_is_delivered_though_not_all_of_them_are_listed_each_time(
    rounds: list[tuple[list, set[str]]], last: list
) -> None:
    """One is refused for a while, or left out by the settings; nothing but its pipeline tells one sight of a box from another."""
    state: State = {}
    account: dict[str, str] = {}
    delivered: dict[str, str] = {}
    for number, (moves, listed) in enumerate([*rounds, (last, set(SCOPES))]):
        for key, scope in moves:
            account.pop(key, None)
            if scope:
                account[key] = scope
        memory = later(state, NOW + number)
        for scope in sorted(listed):
            memory.compare(scope, [(key, "a face") for key, where in account.items() if where == scope], of=len(account))
        for key, scope in account.items():
            if scope in listed and memory.differs(scope, key):
                delivered[key] = scope
                memory.settle(scope, key)
        state = memory.state()

    assert {key: scope for key, scope in delivered.items() if key in account} == account


def test_a_box_delivered_from_another_pipeline_is_not_claimed_by_one_that_was_not_listed_even_after_a_kill() -> None:
    """Its row was handed on after the last state that was written; then it moved back, and looks as it did."""
    first = later(first_sync().state())
    sync(first, "sales", BOXES)
    sync(first, "hiring", [])
    killed = later(first.state())
    killed.compare("hiring", BOXES[:1], of=1)  # sales is refused, and this box was seen here
    state = killed.state()
    assert killed.differs("hiring", "one")
    last = later(state)

    assert sync(last, "hiring", []) == []
    assert sync(last, "sales", BOXES) == ["one"]


# The time of reading


@EXAMPLES
@given(st.lists(st.integers(1, 4_102_444_800_000), min_size=1, max_size=8))
def test_the_time_of_reading_grows_from_sync_to_sync_whatever_the_clock_does(clock: list[int]) -> None:
    state: State = {}
    times = []
    for now in clock:
        memory = later(state, now)
        times.append(memory.read_at)
        state = memory.state()

    assert times == sorted(set(times))
    assert all(milliseconds_of(time) >= now for time, now in zip(times, clock, strict=True))


@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z"])
def test_the_time_of_reading_is_a_time_even_after_the_last_one_that_there_is(time: str) -> None:
    memory = Memory({"version": VERSION, "readAt": time}, NOW, 0)

    assert milliseconds_of(memory.read_at) is not None, f"{memory.read_at} is no time"


def test_marks_of_a_clock_that_was_ahead_are_not_trusted() -> None:
    """Contacts saved before such a mark, but after the sync that set it, would never be asked for."""
    ahead = first_sync(NOW + 40 * DAY_MS).state()

    memory = later(ahead, NOW)

    assert all(mark <= NOW for mark in memory.marks.values())


# The turn


def test_each_box_is_read_again_within_recheck_days_and_no_box_twice() -> None:
    memory, again = first_sync(recheck_days=7), []
    for day in range(1, 8):
        memory = later(memory.state(), NOW + day * DAY_MS, recheck_days=7)
        again += sync(memory, "sales")

    assert sorted(again) == ["one", "three", "two"]


def test_with_0_recheck_days_nothing_is_read_again() -> None:
    assert sync(later(first_sync().state(), NOW + 4_000 * DAY_MS), "sales") == []


# The start date


@pytest.mark.parametrize(
    ("then", "now", "kept"),
    [(None, None, True), (None, 500, True), (500, 900, True), (500, 500, True), (500, 499, False), (500, None, False), (500, 0, False)],
)
def test_marks_hold_unless_the_start_date_has_moved_back(then: int | None, now: int | None, kept: bool) -> None:
    days = 86_400_000
    memory = later(first_sync(start=then and then * days).state(), start=now and now * days)

    assert bool(memory.marks) == kept
    assert sync(memory, "sales") == [], "what the ledgers know needs no start date"


# Any state at all

SMALL = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=4)
JSON = st.recursive(
    SMALL, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6
)
TIMES = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
SCOPED = st.sampled_from(["sales", "hiring", "gone", ""])
PRINTS = JSON | st.just("eJxjYGBgAAAABAAB")
ENTRIES = st.fixed_dictionaries({}, optional={"settled": JSON, "bits": JSON | st.integers(0, 32), "prints": PRINTS})
STATES = st.fixed_dictionaries(
    {},
    optional={
        "version": JSON | st.just(VERSION) | st.just(VERSION),
        "readAt": JSON | TIMES,
        "summary": JSON,
        "ledgers": JSON | st.dictionaries(SCOPED, ENTRIES | JSON, max_size=3),
        "marks": JSON | st.dictionaries(SCOPED, SMALL, max_size=3),
        "startDate": JSON | TIMES,
        "somethingNew": JSON,
    },
)


@settings(EXAMPLES, max_examples=600)
@given(STATES | st.dictionaries(st.text(max_size=5), JSON, max_size=3))
def test_with_any_state_at_all_everything_is_read_that_it_does_not_know_and_written_anew(state: State) -> None:
    memory = Memory(state, NOW, 30, start=1_704_067_200_000)
    due = [sync(memory, scope) for scope in ("sales", "hiring")]

    assert due == [["one", "two", "three"]] * 2
    assert all(type(mark) is int for mark in memory.marks.values())
    written = json.loads(json.dumps(memory.state()))
    again = later(written, recheck_days=30, start=1_704_067_200_000)
    assert [sync(again, scope) for scope in ("sales", "hiring")] == [[], []]
    assert again.now > memory.now >= NOW


@EXAMPLES
@given(st.data())
def test_one_thing_in_a_state_damaged_costs_what_it_covered_and_nothing_else(data: st.DataObject) -> None:
    state = json.loads(json.dumps(first_sync(start=1_704_067_200_000).state()))
    what = data.draw(st.sampled_from(["prints", "bits", "entry"]))
    wrong = data.draw(JSON)
    if what == "entry":
        state["ledgers"]["sales"] = wrong
    else:
        state["ledgers"]["sales"][what] = wrong
    memory = Memory(state, NOW + 1, 0, start=1_704_067_200_000)
    due = sync(memory, "sales")

    assert due == ["one", "two", "three"]
    assert sync(memory, "hiring") == []
    assert memory.marks == {"team": NOW - 5, "other": NOW - 7}


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"version": 2}, id="a later version"),
        pytest.param({"version": None}, id="a foreign state"),
        pytest.param({"ledgers": []}, id="ledgers no object"),
        pytest.param({"ledgers": {"sales": "eJw=", "hiring": None}}, id="entries no objects"),
        pytest.param({"ledgers": {"sales": {}, "hiring": {}}}, id="empty entries"),
        pytest.param({"ledgers": {"sales": {"bits": 32, "prints": "eJw"}, "hiring": {"bits": 32, "prints": ""}}}, id="cut off"),
        pytest.param({"marks": 5}, id="marks no object"),
        pytest.param({"marks": {"team": "yesterday"}}, id="a mark no number"),
        pytest.param({"marks": {"team": True}}, id="a mark a truth"),
        pytest.param({"marks": {"team": -5}}, id="a mark before all time"),
        pytest.param({"marks": {"team": 10**25}}, id="a mark after all time"),
        pytest.param({"startDate": "soon"}, id="a start date no date"),
    ],
)
def test_what_is_damaged_is_complained_of_and_in_doubt(damage: State) -> None:
    known = first_sync(start=1_704_067_200_000).state()
    memory = later(known | damage, start=1_600_000_000_000 if "startDate" in damage else 1_704_067_200_000)
    due = [sync(memory, scope) for scope in ("sales", "hiring")]

    if not damage.keys() & {"marks", "startDate"}:
        assert due == [["one", "two", "three"]] * 2
    if not damage.keys() & {"ledgers"}:
        assert "team" not in memory.marks
    assert memory.complaint


def test_a_whole_state_and_none_are_nothing_to_complain_of() -> None:
    for state in ({}, first_sync().state(), Memory({}, NOW, 0).state()):
        memory = later(state)
        sync(memory, "sales")
        assert not memory.complaint


# Whether there was a sync before


def test_a_first_sync_is_one_without_any_state() -> None:
    """Only then can nothing be in the destination, so that cleared fields need no nulls."""
    cut_off = Memory({}, NOW, 0)
    cut_off.compare("sales", BOXES, of=3)

    assert Memory({}, NOW, 0).first
    for state in (first_sync().state(), cut_off.state(), {"version": 2}, {"version": VERSION, "ledgers": 5}, {"foreign": 1}):
        assert not later(state).first


# --- The keys of what was delivered ----------------------------------------------------------------------------------

key_sets = st.sets(st.text("ABCabc019_-", min_size=1, max_size=12), max_size=20)


@EXAMPLES
@given(st.lists(key_sets, min_size=1, max_size=5))
def test_for_any_lists_the_keys_that_are_missing_are_those_delivered_before_and_not_there(lists: list[set[str]]) -> None:
    memory = Memory({}, NOW, 30)
    delivered: set[str] = set()
    for present in lists:
        assert memory.deliver("sales", present) == delivered - present
        delivered |= present
        memory = later(memory.state())
        assert memory.delivered("sales") == delivered


@EXAMPLES
@given(key_sets, key_sets)
def test_what_is_buried_is_not_missing_any_more(delivered: set[str], buried: set[str]) -> None:
    memory = Memory({}, NOW, 30)
    memory.deliver("sales", delivered)

    memory.bury("sales", buried)

    assert later(memory.state()).deliver("sales", set()) == delivered - buried


def test_keys_are_in_the_state_before_the_stream_has_ended_and_those_of_other_pipelines_stay() -> None:
    memory = Memory({}, NOW, 30)
    memory.deliver("sales", {"a"})
    memory.deliver("hiring", {"b"})
    again = later(memory.state())
    again.deliver("sales", {"c"})

    kept = later(again.state())
    assert (kept.delivered("sales"), kept.delivered("hiring")) == ({"a", "c"}, {"b"})


def test_a_stream_that_is_another_pipelines_now_takes_over_what_the_earlier_one_delivered() -> None:
    memory = Memory({}, NOW, 30)
    memory.deliver("earlier", {"a", "b"})
    again = later(memory.state())

    assert again.adopt("sales") == {"a", "b"}
    assert again.deliver("sales", {"c"}) == {"a", "b"}
    assert again.state()["keys"].keys() == {"sales"}


def test_no_keys_are_kept_when_deletions_are_not_to_be_noticed() -> None:
    memory = Memory({}, NOW, 30)
    memory.deliver("sales", {"a"})
    memory.doubted.add("sales")

    memory.keep_no_keys()

    assert not {"keys", "doubted"} & memory.state().keys()
