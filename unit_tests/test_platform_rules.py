"""Each rule of tools/replay for spec, check, discover and any line finds the runs that break it.

A case has the number of the rule that must find the fault and those of others that the fault also
breaks; the fault in words; and the run.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import orjson
import pytest
import replay
from platform_runs import (
    ANSWER,
    BOXES,
    DELETED_AT,
    DELETION,
    FOUND,
    KEY,
    READ,
    SPEC,
    TEAMS,
    answering,
    box,
    boxes,
    boxes_failing,
    changed,
    check,
    discover,
    error,
    failing,
    finding,
    key_setting,
    log,
    read,
    setting,
    spec,
    specifying,
    state,
    status,
    with_column,
)
from replay import Run
from replay.ecmascript import matches, not_ecmascript

SECRET = "strk_0123456789abcdef"
DEEP = b'{"type":"LOG","log":' + b"[" * 1001 + b"]" * 1001 + b"}"
LINE = orjson.dumps(log())
NO_TRACE = {"type": "TRACE", "trace": {"type": "NOISE", "emitted_at": 1}}
NO_ERROR = {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": 1}}
CONTROL = {"type": "CONTROL", "control": {"type": "CONNECTOR_CONFIG", "emitted_at": 1}}
WIDE = {"properties": {f"c{number}": KEY for number in range(20_001)} | {"key": KEY}}
CONST = {"properties": {"kind": {"type": "string", "const": "a"}}}
NO_CONST = {"properties": {"kind": {"type": "string"}}}
LIST = {"type": "array", "items": {"type": "object", "properties": {"a": {}}}}
DOWN = {"status": "FAILED", "message": "Streak did not answer."}

Case = tuple[str, str, Run]

EVERY_COMMAND: list[Case] = [
    ("A1", "text", read(b"Reading", *READ)),
    ("A1", "an empty line", read(b"", *READ)),
    ("A1", "two messages in a line", read(LINE + LINE, *READ)),
    ("A1", "text before a message", read(b"warning: " + LINE, *READ)),
    ("A1", "a list", read(b"[]", *READ)),
    ("A1", "NaN", read(b'{"type":"LOG","log":{"level":"INFO","message":NaN}}', *READ)),
    ("A1", "bytes that are no UTF-8", read(b'{"type":"LOG","log":{"message":"\xff"}}', *READ)),
    ("A1", "half an emoji", read(b'{"type":"LOG","log":{"message":"\\ud83d"}}', *READ)),
    ("A1", "1,002 levels", read(DEEP, *READ)),
    ("A1", "1,001 digits", read(b'{"type":"LOG","n":' + b"1" * 1001 + b"}", *READ)),
    ("A1", "a last line without its end", replace(check(), stdout=check().stdout + LINE)),
    ("A2", "an unknown type", read({"type": "NEWS"}, *READ)),
    ("A2", "no type", read({"log": log()["log"]}, *READ)),
    ("A2", "a log without its body", read({"type": "LOG", "log": None}, *READ)),
    ("A2", "an unknown trace", read(NO_TRACE, *READ)),
    ("A2", "a trace without its body", read(NO_ERROR, *READ)),
    ("A3", "a log without a level", read(changed(log(), level=None), *READ)),
    ("A3", "a log of an unknown level", read(log(level="NOTICE"), *READ)),
    ("A3", "a log that says a number", read(changed(log(), message=1), *READ)),
    ("A3", "a trace without its time", read(READ[0], status("boxes", "STARTED", None), *READ[2:])),
    ("A4", "an error without a message", boxes_failing(changed(error("boxes"), message=""))),
    ("A4", "an unknown failure", boxes_failing(changed(error("boxes"), failure_type="user"))),
    ("A4", "a novel", boxes_failing(changed(error("boxes"), internal_message="x" * 50_001))),
    ("A4", "a long stack", boxes_failing(changed(error("boxes"), stack_trace="x" * 100_001))),
    ("A4", "a secret in the log", read(log(SECRET), *READ, secrets=[SECRET])),
    ("A4", "a secret in a record", boxes(box("b1", name=SECRET), secrets=[SECRET])),
    ("A4 A6", "a secret in stderr", check(stderr=SECRET.encode(), secrets=[SECRET])),
    ("A5", "a record of 20 MB", boxes(box("b1", name="x" * 20_000_000))),
    ("A6", "a warning in stderr", check(stderr=b"DeprecationWarning")),
    ("A7", "other settings", check(CONTROL, ANSWER)),
    ("A8", "U+0000 in a record", boxes(box("b1", name="a\0b"))),
    ("A8", "U+0000 in a state", boxes(box("b1"), state("boxes", 1, at="\0"))),
    ("A8", "U+0000 in the name of a property", boxes(state("boxes", **{"a\0": 1}))),
]
SPECS: list[Case] = [
    ("S1", "no specification", spec(log())),
    ("S1", "two of them", spec(SPEC, SPEC)),
    ("S1", "another exit status", spec(SPEC, code=1)),
    ("S1", "ten lines before it", spec(*[log()] * 10, SPEC)),
    ("S2", "a group of Python's", setting(type="string", pattern="(?P<year>[0-9]+)")),
    ("S2", "an end of Python's", setting(type="string", pattern=r"^\d+\Z")),
    ("S2", "no pattern at all", setting(type="string", pattern="(")),
    ("S2", "an example it refuses", setting(type="string", pattern="^[0-9]$", examples=["x"])),
    ("S2", "a default it refuses", setting(type="string", pattern="^[0-9]$", default="x")),
    ("S3", "a setting without a type", setting(title="More")),
    ("S3", "null before the real type", setting(type=["null", "string"])),
    ("S3", "the same in a list", setting(**LIST)),
    ("S4", "a choice that is a text", setting(type="string", oneOf=[CONST])),
    ("S4", "choices without a const", setting(type="object", oneOf=[CONST, NO_CONST])),
    ("S4", "a choice of lists", setting(type="object", oneOf=[CONST | {"type": "array"}])),
    ("S5", "a key that is shown", key_setting()),
    ("S5", "a key marked with a text", key_setting(airbyte_secret="true")),
    ("S6", "a root that is a list", specifying(type="array")),
    ("S6", "an order twice", setting(type="string", order=0)),
    ("S6", "an order that is a text", setting(type="string", order="2")),
    ("S6", "required, and not there", specifying(required=["api_key", "key"])),
    ("S6", "required, and hidden", key_setting(airbyte_secret=True, airbyte_hidden=True)),
    ("S7", "no address", spec(changed(SPEC, documentationUrl="the docs"))),
    ("S8", "another protocol", spec(changed(SPEC, protocol_version="1.0.0"))),
]
CHECKS: list[Case] = [
    ("C1", "no answer", check(log())),
    ("C1", "two answers", check(ANSWER, ANSWER)),
    ("C1", "an answer, and status 1", check(ANSWER, code=1)),
    ("C1", "an answer of another kind", answering({"status": "MAYBE"})),
    ("C1", "a refusal without a sentence", answering({"status": "FAILED"})),
    ("C2", "an outage as a wrong setting", answering(DOWN, unreachable=True)),
    ("C2", "an outage, and status 0", check(error(None), unreachable=True)),
    ("C2", "an outage without a word", check(log(), code=1, unreachable=True)),
    ("C2", "another kind", check(error(None, "config_error"), code=1, unreachable=True)),
    ("C3", "ten minutes", check(seconds=600.0)),
]
DISCOVERS: list[Case] = [
    ("D1", "no catalog", discover(log())),
    ("D1", "two catalogs", discover(FOUND, FOUND)),
    ("D2", "8 MB", finding(description="x" * 8_400_000)),
    ("D3", "a stream twice", finding(TEAMS)),
    ("D4", "no type", finding(with_column("more", description="?"))),
    ("D4", "no type within", finding(with_column("more", type="object", properties={"a": {}}))),
    ("D4", "no type in a list", finding(with_column("more", **LIST))),
    ("D4 D5", "no columns", finding(TEAMS, name="others", json_schema={"type": "object"})),
    ("D5", "a key that is no column", finding(source_defined_primary_key=[["id"]])),
    ("D5", "a key within a column", finding(source_defined_primary_key=[["key", "id"]])),
    ("D5", "a cursor that is no column", finding(default_cursor_field=["updatedAt"])),
    ("D6", "is_resumable", finding(is_resumable=True)),
    ("D6", "a cursor to be chosen", finding(source_defined_cursor=False)),
    ("D6", "no cursor", finding(default_cursor_field=[])),
    ("D6", "no primary key", finding(source_defined_primary_key=[])),
    ("D7", "no sync mode", finding(supported_sync_modes=[])),
    ("D8", "20,001 columns", finding(TEAMS, name="wide", json_schema=WIDE)),
    ("D9", "a date", finding(with_column(DELETED_AT, **DELETION | {"format": "date"}))),
    ("D9", "never null", finding(with_column(DELETED_AT, **DELETION | {"type": "string"}))),
    ("D9", "no zone", finding(with_column(DELETED_AT, **DELETION | {"airbyte_type": "?"}))),
    ("D10", "a failure beside a catalog", discover(FOUND, error(None), code=1)),
    ("D10", "a failure without a word", discover(log(), code=1)),
    ("D10", "two errors", discover(error(None), error(None), code=1)),
    ("D10", "a failure with status 0", discover(error(None))),
    ("D10", "an outage", discover(error(None, "config_error"), code=1, unreachable=True)),
]
CASES = [*EVERY_COMMAND, *SPECS, *CHECKS, *DISCOVERS]

GOOD = {
    "spec": spec(),
    "check": check(),
    "a check that refuses a key": answering({"status": "FAILED", "message": "Wrong key."}),
    "a check during an outage": check(error(None), code=1, unreachable=True),
    "discover": discover(),
    "a discover that fails": discover(error(None, "config_error"), code=1),
    "a read": read(),
    "a read that fails": failing(),
    "a message of 1,000 levels in a text": read(log("[" * 2000), *READ),
    "digits in a text": read(log("1" * 2000), *READ),
    "U+0000 written out": boxes(box("b1", name="\\u0000")),
    "a number beyond a double": boxes(
        b'{"type":"LOG","log":{"level":"INFO","message":"","n":1e999}}'
    ),
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


def test_a_report_names_rule_and_line() -> None:
    (broken,) = replay.report(read(*READ[:3], b"Reading", *READ[3:]))

    assert str(broken).startswith("A1, line 4: the line is not one JSON value")


def test_a_report_sums_up_a_fault_that_comes_often() -> None:
    found = replay.report(read(*[b"x"] * 30, *READ))

    assert len(found) == 6
    assert "30 times" in found[-1].words


def test_two_discovers_have_to_find_the_same_streams() -> None:
    other = finding(with_column("more", type="string"))

    assert not replay.d1_two_discovers_find_the_same(discover(), discover(log(), log(), FOUND))
    assert replay.d1_two_discovers_find_the_same(discover(), other)


def test_a_release_may_add_columns_and_streams_but_change_no_key() -> None:
    before = finding()
    added = discover({"type": "CATALOG", "catalog": {"streams": [with_column("a", type="string")]}})
    another_key = finding(source_defined_primary_key=[["key"], ["name"]])
    another_cursor = finding(default_cursor_field=["name"])

    assert not replay.d11_a_release_changes_no_key(before, added)
    assert replay.d11_a_release_changes_no_key(before, another_key)
    assert replay.d11_a_release_changes_no_key(before, another_cursor)
    assert not replay.d11_a_release_changes_no_key(discover(FOUND), finding(BOXES))


PATTERNS = {
    r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?$": True,
    "^[A-Za-z0-9_]+$": True,
    "[+*]+": True,
    r"\\A": True,
    "(?<year>[0-9]{4})": True,
    "(?:a|b)(?=c)(?!d)": True,
    "(?P<year>[0-9]{4})": False,
    "(?P=year)": False,
    "(?i)abc": False,
    "(?i:abc)": False,
    r"\Aabc": False,
    r"abc\Z": False,
    "(?#words)a": False,
    "(a)?(?(1)b|c)": False,
    "(?>a)": False,
    "a++": False,
    r"\N{BULLET}": False,
    "[": False,
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_that_only_python_understands_are_told_from_a_browsers(pattern: str) -> None:
    assert (not_ecmascript(pattern) is None) == PATTERNS[pattern]


def test_a_pattern_is_matched_as_airbytes_form_matches_it() -> None:
    assert matches("^a$", "  a\n")
    assert matches("^(?<letter>a)$", "a")
    assert matches("a$", "ba")
    assert not matches("^a$", "a\nb")
    assert matches(r"^a\$", "a$b")


def test_patterns_are_judged_as_node_judges_them() -> None:
    """This checks the table of patterns itself, where node is installed."""
    if shutil.which("node") is None:
        pytest.skip("no node here")
    script = "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(p => {"
    script += "try { new RegExp(p); return true } catch { return false } })))"
    listed = orjson.dumps(list(PATTERNS)).decode()
    ran = subprocess.run(["node", "-e", script, listed], capture_output=True, check=True)  # noqa: S607
    taken = orjson.loads(ran.stdout)

    # Without the flag `u`, node reads \A as A: no error, but another meaning.
    silent = {r"\Aabc", r"abc\Z", r"\N{BULLET}"}
    wrong = [
        pattern
        for pattern, takes in zip(PATTERNS, taken, strict=True)
        if takes != PATTERNS[pattern] and pattern not in silent
    ]
    assert wrong == []
