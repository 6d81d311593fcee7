"""Each rule of tools/replay for one or several reads finds the runs that break it.

A case has the number of the rule that must find the fault and those of others that the fault also
breaks; the fault in words; and the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import replay
import test_platform_rules
from platform_runs import (
    BOXES_BEGUN,
    BOXES_ENDED,
    BOXES_FAILED,
    BOXES_READ,
    CATALOG,
    DELETED_AT,
    EARLY,
    LATE,
    NOW,
    READ,
    READ_AT,
    TEAM,
    TEAMS,
    TEAMS_BEGUN,
    TEAMS_ENDED,
    TEAMS_FAILED,
    TEAMS_READ,
    box,
    boxes,
    boxes_failing,
    changed,
    error,
    estimate,
    failing,
    limited,
    log,
    read,
    record,
    state,
    status,
    with_column,
)
from replay import Broken, Message, Run

Case = tuple[str, str, Run]
THREE_HOURS = 10_800


def choosing(column: str, *words: str) -> Message:
    """A catalog with the stream boxes, one of whose columns accepts only these words."""
    stream = with_column(column, type="string", enum=words)
    return {"streams": [{**CATALOG["streams"][0], "stream": stream}]}


def begun(*lines: Message) -> list[Message]:
    """These lines after the STARTED of boxes, then the rest of a good read."""
    return [BOXES_READ[0], *lines, *BOXES_READ[1:], *TEAMS_READ]


A_WAIT = [0, 0, 1, THREE_HOURS, THREE_HOURS, THREE_HOURS]
LIMIT = [{"type": "RATE_LIMITED"}]
STREAM = state("boxes")["state"]["stream"]
LOST = {"changes": [{"field": "name", "change": "LOST", "reason": "?"}]}
LARGE = [
    *[*BOXES_BEGUN, state("boxes", 0, a="x" * 5_000_000), BOXES_READ[-1]],
    *[*TEAMS_BEGUN, state("teams", 0, a="x" * 3_000_000), TEAMS_READ[-1]],
]
OVERLAPPING = [*TEAMS_BEGUN, *BOXES_BEGUN, TEAM, box("b1"), state("teams", 2), state("boxes", 1)]
ENDED_LIMITED = status("teams", "COMPLETE", reasons=LIMIT)
KNOWN = {"changes": [{"field": "a", "change": "NULLED", "reason": "SOURCE_FIELD_SIZE_LIMITATION"}]}
SLOWLY = [limited("boxes"), state("boxes"), box("b1")]
WORDS = choosing("name", "One", "Two")
DELETION = box("b1", LATE, **{DELETED_AT: LATE})


MESSAGES: list[Case] = [
    ("R1", "a record of another stream", boxes(record("deals", key="d1"))),
    ("R1", "a state of another stream", boxes(state("deals", 0))),
    ("R1", "a status of another", boxes(status("deals", "STARTED"), status("deals", "COMPLETE"))),
    ("R1", "a namespace", boxes(changed(box("b1"), namespace=""))),
    ("R1", "the namespace of an estimate", read(*READ, estimate("boxes", namespace="x"))),
    ("R2 R9", "a record that is a list", boxes(changed(box("b1"), data=[1]))),
    ("R2 R9", "an empty record", boxes(record("boxes"))),
    ("R2", "a column that is not configured", boxes(box("b1", colour="red"))),
    ("R2", "a value of another type", boxes(box("b1", size="large"))),
    ("R2", "a number in a list of texts", boxes(box("b1", tags=["a"]), box("b2", tags=["a", 1]))),
    ("R2", "another word", boxes(box("b1", name="One"), box("b2", name="2"), catalog=WORDS)),
    ("R2", "a day that is none", boxes(box("b1", "2026-02-30T00:00:00.000Z"))),
    ("R2", "a time without a zone", boxes(box("b1", "2026-02-20T00:00:00.000"))),
    ("R2", "seconds", boxes(box("b1", at=NOW // 1000))),
    ("R2", "a part of a millisecond", boxes(changed(box("b1"), emitted_at=NOW + 0.5))),
    ("R2", "an emission before the last", boxes(box("b1"), box("b2", at=NOW - 1))),
    ("R3 R2", "no primary key", boxes(record("boxes", key=None, **{READ_AT: EARLY}))),
    ("R3", "no cursor", boxes(record("boxes", key="b1"))),
    ("R3", "a cursor of null", boxes(record("boxes", key="b1", **{READ_AT: None}))),
    ("R3 R9", "neither", boxes(record("boxes", name="One"))),
    ("R4", "a state of all", boxes({"type": "STATE", "state": {"type": "GLOBAL", "global": {}}})),
    ("R4", "a state of no type", boxes({"type": "STATE", "state": {"stream": STREAM}})),
    ("R4", "a state of no stream", boxes(changed(state("boxes"), stream={}))),
    ("R4", "null", boxes(changed(state("boxes"), stream=STREAM | {"stream_state": None}))),
    ("R4", "an id", boxes(changed(state("boxes"), id=7))),
    ("R5", "one record too many", boxes(box("b1"), state("boxes", 2))),
    ("R5", "two streams as one", read(*OVERLAPPING, TEAMS_READ[-1], BOXES_READ[-1])),
    ("R5", "nothing counted", boxes(changed(state("boxes"), sourceStats={}))),
    ("R6", "8 MB in two states", read(*LARGE)),
    ("R7", "half an estimate", boxes(estimate("boxes", byte_estimate=None))),
    ("R7", "an estimate without rows", boxes(estimate("boxes", row_estimate=-1))),
    ("R7", "two types", boxes(estimate("boxes"), estimate("boxes", type="SYNC"))),
    ("R7", "an estimate of another stream", boxes(estimate("deals"))),
    ("R9 A1", "a state cut short", boxes(b'{"type": "STATE", "state": {')),
    ("R9", "a change nobody knows", boxes(changed(box("b1"), meta=LOST))),
    ("R9 R2", "an emission at some time", boxes(changed(box("b1"), emitted_at="soon"))),
]
PACE: list[Case] = [
    ("R8", "RUNNING first", read(*BOXES_READ[1:], *TEAMS_READ)),
    ("R8", "STARTED twice", read(BOXES_READ[0], *BOXES_READ, *TEAMS_READ)),
    ("R8", "two ends", read(*READ, READ[-1])),
    ("R8 F2", "a record after the end", read(*READ, record("teams", key="t2"))),
    ("R8 F1", "no end", read(*READ[:-1])),
    ("R8", "an unknown status", read(*begun(status("boxes", "RESTING")))),
    ("R8", "two reasons", read(*begun(status("boxes", "RUNNING", reasons=LIMIT * 2)))),
    ("R8", "another reason", read(*begun(status("boxes", "RUNNING", reasons=[{"type": "TIRED"}])))),
    ("R8", "COMPLETE because of a limit", read(*READ[:-1], ENDED_LIMITED)),
    ("R8", "a limit in seconds", read(*begun(limited("boxes", until=NOW // 1000)))),
    ("R8", "a limit that is over", read(*begun(limited("boxes", until=NOW - 1)))),
    ("R10", "silence from the start", boxes(arrived=[0.0, 1.0, THREE_HOURS, THREE_HOURS])),
    ("R10", "silence until the end", boxes(arrived=[0.0, 0.0, 1.0, THREE_HOURS + 1])),
    ("R10", "silence by the stamps", boxes(box("b1"), box("b2", at=NOW + 1000 * THREE_HOURS))),
    ("R11", "200 lines of log", read(*[log()] * 200, *READ)),
    ("X4", "302 s without a state", boxes(box("b1"), box("b2"), arrived=[0, 0, 1, 303, 304, 304])),
    ("L1", "each request says it", boxes(limited("boxes"), limited("boxes", NOW + 9), box("b1"))),
    (
        "L2 R10",
        "a wait of 3 h",
        boxes(limited("boxes"), box("b1"), arrived=A_WAIT),
    ),
    ("L3", "COMPLETE while it waits", boxes(box("b1"), limited("boxes"))),
]
ENDINGS: list[Case] = [
    ("F1 F2", "a stream that nobody read", read(*BOXES_READ)),
    ("F1", "status 0, and a failure", read(*TEAMS_READ, *BOXES_FAILED)),
    ("F1", "status 0, and an error", read(*READ, error(None))),
    ("F1 X1", "all COMPLETE, and status 1", read(code=1)),
    ("F2", "no state", read(*BOXES_READ, *TEAMS_BEGUN, TEAM, TEAMS_ENDED[-1])),
    (
        "F2",
        "a record after the state",
        read(*TEAMS_READ, *BOXES_READ[:-1], box("b3", LATE, NOW + 9), BOXES_READ[-1]),
    ),
    ("I2 R1", "a deselected stream", boxes(state("deals"), state=[state("deals")["state"]])),
    ("X1", "another exit status", failing(code=2)),
    ("X1", "INCOMPLETE without its error", boxes_failing(error(None))),
    ("X1", "INCOMPLETE without any", boxes_failing()),
    ("X1", "an error of what is COMPLETE", boxes_failing(error("boxes"), error("teams"))),
    ("X1", "two errors", boxes_failing(error("boxes"), error("boxes"))),
    ("X2", "a config_error first", failing(*TEAMS_FAILED, *BOXES_FAILED)),
    ("X2", "a config_error held back with its time", failing(*BOXES_FAILED, *TEAMS_FAILED)),
    ("X3", "a failure before a state", failing(*TEAMS_BEGUN, TEAMS_ENDED[-1], *BOXES_FAILED)),
    ("K1 A1", "a broken line before a kill", read(BOXES_READ[0], b'{"type', log(), code=-9)),
    ("L4", "for ever", boxes_failing(limited("boxes"), error("boxes", "config_error"))),
    ("L4", "no state", boxes_failing(box("b1"), limited("boxes"), error("boxes"))),
    ("L4", "an outage", boxes_failing(error("boxes", "config_error"), unreachable=True)),
]
CASES = [*MESSAGES, *PACE, *ENDINGS]

GOOD = {
    "a row that is deleted": boxes(box("b1"), DELETION),
    "streams side by side": read(
        *[*TEAMS_BEGUN, *BOXES_BEGUN, TEAM, box("b1"), state("teams", 1), state("boxes", 1)],
        *[TEAMS_READ[-1], BOXES_READ[-1]],
    ),
    "both estimates": boxes(estimate("boxes"), estimate("boxes")),
    "a wait": boxes(limited("boxes"), box("b1")),
    "two waits": boxes(limited("boxes"), limited("boxes", NOW + 60_000, NOW + 90_000), box("b1")),
    "a wait that no record ends": boxes(limited("boxes"), status("boxes", "RUNNING")),
    "a long wait with a state": boxes(*SLOWLY, arrived=[0, 0, 1, 9_000, 18_000, 18_001, 18_001]),
    "giving up": boxes_failing(box("b1"), state("boxes", 1), limited("boxes"), error("boxes")),
    "nothing but config_errors": boxes_failing(error("boxes", "config_error")),
    "a config_error that is told last": failing(
        *[*BOXES_FAILED, *TEAMS_READ[:-1]],
        *[error("teams", "config_error", NOW + 9), status("teams", "INCOMPLETE")],
    ),
    "a kill in the middle of a line": replace(
        read(code=-9), stdout=read(*READ[:5]).stdout + b'{"type": "REC'
    ),
    "a change that the protocol knows": boxes(changed(box("b1"), meta=KNOWN)),
    "the state of a deselected stream": boxes(state=[state("deals")["state"]]),
    "words that an enum knows": boxes(box("b1", name="One"), box("b2", name="Two"), catalog=WORDS),
}


def numbers(run: Run) -> set[str]:
    """The numbers of the rules that the run breaks."""
    return {broken.rule for broken in replay.report(run)}


@pytest.mark.parametrize(("rules", "words", "run"), CASES, ids=[f"{a}: {b}" for a, b, _ in CASES])
def test_a_fault_is_found_by_the_rules_that_it_breaks_and_by_no_others(
    rules: str, words: str, run: Run
) -> None:
    assert numbers(run) == set(rules.split())


@pytest.mark.parametrize("name", GOOD)
def test_a_good_run_breaks_no_rule(name: str) -> None:
    assert [str(broken) for broken in replay.report(GOOD[name])] == []


def test_50_001_records_without_a_state_are_too_many() -> None:
    """Not in the table, since it takes a second."""
    rows = [box(f"b{number}") for number in range(50_001)]

    assert numbers(boxes(*rows)) == {"X4"}


def test_every_rule_has_a_case() -> None:
    cases = [*CASES, *test_platform_rules.CASES]

    assert {rules.split()[0] for rules, _, _ in cases} == set(replay.ONE_RUN)


def test_every_number_in_the_list_of_rules_has_a_check() -> None:
    count = {"A": 8, "S": 8, "C": 3, "D": 11, "R": 11, "F": 3, "I": 3, "X": 4, "K": 3, "L": 4}
    wanted = {f"{letter}{number + 1}" for letter, most in count.items() for number in range(most)}

    assert set(replay.ONE_RUN) | set(replay.SEVERAL_RUNS) == wanted


@pytest.mark.parametrize("registered", [*replay.ONE_RUN.items(), *replay.SEVERAL_RUNS.items()])
def test_every_check_starts_its_docstring_with_its_number(
    registered: tuple[str, tuple[object, Callable[[], None]]],
) -> None:
    number, rule = registered
    check = rule[1] if isinstance(rule, tuple) else rule

    assert (check.__doc__ or "").startswith(f"{number}. ")


# --- Rules of several runs ------------------------------------------------------------------------

ROWS = replay.rows_of([read()])


def words_of(found: list[Broken]) -> str:
    """The report of all broken rules as one text."""
    return "\n".join(map(str, found))


def test_rows_are_those_with_the_greatest_cursor_without_deleted_ones() -> None:
    rows = replay.rows_of(
        [boxes(box("b1", LATE), box("b2"), box("b3")), boxes(box("b1"), DELETION)]
    )

    assert set(rows["boxes"]) == {("b2",), ("b3",)}


def test_each_run_of_a_full_refresh_replaces_the_rows() -> None:
    second = read(*BOXES_READ, *TEAMS_BEGUN, *TEAMS_ENDED)

    assert replay.rows_of([read(), second])["teams"] == {}


def test_a_kill_after_any_line_loses_nothing_if_the_rest_is_read() -> None:
    for lines in range(len(READ)):
        assert not replay.k1_nothing_is_lost_by_a_kill([read().cut(lines), read()], ROWS)


def test_rows_that_a_kill_lost_are_found() -> None:
    rest = read(*BOXES_BEGUN, *BOXES_ENDED, *TEAMS_READ)
    found = replay.k1_nothing_is_lost_by_a_kill([read().cut(4), rest], ROWS)

    assert "boxes: 1 of 2 rows are lost, such as ('b2',)" in words_of(found)


def test_rows_that_a_kill_left_stale_are_found() -> None:
    other = read(*BOXES_BEGUN, box("b1"), box("b2"), *BOXES_ENDED, *TEAMS_READ)
    found = replay.k1_nothing_is_lost_by_a_kill([other.cut(4), other], ROWS, ignored=[READ_AT])

    assert "the row ('b1',) is stale in name, size, tags" in words_of(found)


def test_a_state_that_claims_too_much_is_found() -> None:
    rest = read(*BOXES_BEGUN, *BOXES_ENDED, *TEAMS_READ)

    assert not replay.i1_any_state_can_be_handed_back(read().cut(6), rest, ROWS)
    assert replay.i1_any_state_can_be_handed_back(read().cut(4), rest, ROWS)
    assert replay.i1_any_state_can_be_handed_back(read().cut(6), replace(rest, code=1), ROWS)


def test_the_last_states_of_a_run_include_those_of_streams_that_it_did_not_read() -> None:
    before = [state("deals", a=1)["state"], state("boxes", a=0)["state"]]
    run = boxes(state("boxes", a=1), state=before)

    assert [one["stream"] for one in run.last_states()] == [
        {"stream_descriptor": {"name": "deals"}, "stream_state": {"a": 1}},
        {"stream_descriptor": {"name": "boxes"}, "stream_state": {}},
    ]


def test_a_resumable_full_refresh_may_neither_repeat_nor_lose_rows() -> None:
    stream = {"stream": TEAMS | {"is_resumable": True}, "sync_mode": "full_refresh"}
    whole = read(
        record("teams", key="t1"), record("teams", key="t2"), catalog={"streams": [stream]}
    )
    first, second = whole.cut(1), replace(whole, stdout=whole.lines[1].raw + b"\n")

    assert not replay.f3_a_resumable_full_refresh_goes_on(first, second, whole)
    assert "came twice" in words_of(replay.f3_a_resumable_full_refresh_goes_on(first, whole, whole))
    assert "are lost" in words_of(replay.f3_a_resumable_full_refresh_goes_on(first, first, whole))


def test_a_deletion_needs_its_key_and_a_cursor_that_does_not_fall() -> None:
    deletes = replay.i3_a_deletion_wins_over_what_it_deletes
    without_cursor = record("boxes", key="b1", **{DELETED_AT: LATE})

    assert not deletes([boxes(box("b1"), DELETION, box("b1", LATE))])
    assert "falls" in words_of(deletes([boxes(box("b1", LATE)), boxes(box("b1", EARLY))]))
    assert "without its whole key" in words_of(deletes([boxes(without_cursor)]))
    assert "falls" in words_of(deletes([boxes(DELETION, box("b1", EARLY))]))


def test_a_command_that_nobody_reads_ends_soon_and_quietly() -> None:
    ends = replay.k2_it_ends_when_nobody_reads

    assert not ends(boxes(code=141))
    assert not ends(boxes(code=-13))
    assert "exit status 0" in words_of(ends(boxes()))
    assert "took 60 s" in words_of(ends(boxes(code=141, seconds=60.0)))
    assert "traceback" in words_of(
        ends(boxes(code=141, stderr=b"Traceback (most recent call last)"))
    )


def test_a_stopped_run_must_not_look_complete() -> None:
    stopped = replay.k3_a_sync_that_is_stopped_is_not_whole

    assert not stopped(replace(read(*READ[:5]), code=143))
    assert "exit status 0" in words_of(stopped(read(*READ[:5])))
    assert "every stream is COMPLETE" in words_of(stopped(replace(read(), code=-15)))


def test_an_unannounced_wait_is_found() -> None:
    assert not replay.l1_waits_are_said(boxes(limited("boxes"), box("b1")))
    assert replay.l1_waits_are_said(boxes(box("b1")))
    assert replay.l1_waits_are_said(boxes(limited("boxes"), box("b1")), at_least=2)
