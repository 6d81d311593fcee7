"""The points of the probe, with made-up responses and no sockets."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from probing import boxes, history, keys, lists, more, people, pipelines, properties, values
from probing.asking import ProbeClient
from probing.assumptions import TEXTS, judged
from probing.points import Answer, Point, Question, Sample, Section, Verdict
from probing.run import points

from source_streak.api.client import Client

TOP = Path(__file__).parents[1]
OPEN_POINTS = (TOP / "docs" / "open_points.md").read_text()
Says = Callable[[Question], Any]


def run(point: Point, says: Says) -> Section:
    """Run a point to its end. `says` gives each response its body, or a refusal its status."""
    try:
        question = next(point)
        while True:
            question = point.send(answer(question, says(question)))
    except StopIteration as end:
        return end.value


def answer(question: Question, said: Any) -> Answer:
    if isinstance(said, int):
        return Answer(question, said, body={"error": "x"}, is_json=True, length=9)
    return Answer(question, 200, media="application/json", body=said, is_json=True, length=9)


def verdict(section: Section, assumed: str) -> Verdict:
    (found,) = [one.verdict for one in section.assumptions if assumed in one.assumed]
    return found


def sample(**facts: Any) -> Sample:
    rows = [{"key": f"qzbox{number}", "commentCount": number % 3} for number in range(9)]
    pipeline = {"key": "qzsales", "boxCount": 9, "fields": [{"key": "1001", "type": "DATE"}]}
    return Sample(pipelines=[pipeline], boxes={"qzsales": rows}, teams=[{"key": "qzteam"}], **facts)


def test_the_probe_overrides_only_two_public_methods_of_the_connectors_client() -> None:
    ours = {name for name in vars(ProbeClient) if not name.startswith("__")}
    inherited = vars(Client).keys()

    assert ours & inherited == {"ask_once", "judge"}


# --- Assumptions --------------------------------------------------------------------------------


def test_the_texts_refer_to_points_on_the_page_of_open_points() -> None:
    on_the_page = set(re.findall(r"^\| (\d+) \|", OPEN_POINTS, re.MULTILINE))
    numbers = {text.number for text in TEXTS.values()} - {"", "{number}"}
    numbers |= {kind.number for kind in boxes.KINDS}

    assert on_the_page == {str(number) for number in range(1, 25)}
    assert numbers <= on_the_page


def test_every_text_is_used() -> None:
    code = "".join(path.read_text() for path in (TOP / "tools" / "probing").glob("*.py"))

    assert not [name for name in TEXTS if code.count(f'"{name}"') < 2]


@pytest.mark.parametrize("name", TEXTS)
def test_each_text_says_what_differs_and_where_to_fix_it(name: str) -> None:
    words = dict.fromkeys(
        ["kind", "how", "number", "one", "other", "types", "counters", "stream"], "x"
    )
    row = judged(name, "did", False, **words)

    assert row.verdict is Verdict.DIFFERS
    assert row.assumed.endswith(".")
    assert row.connector.endswith(".")
    assert row.advice.endswith(".") or name in ("stamps", "www")
    assert "{{" not in row.assumed + row.advice


# --- Every point --------------------------------------------------------------------------------


def every_point() -> list[tuple[str, Callable[[Sample], Point]]]:
    return list(points(with_post=True))


@pytest.mark.parametrize(("title", "point"), every_point())
@pytest.mark.parametrize("said", [404, 500, [], {}, "text", None, [1], {"results": None}, [{}]])
def test_a_point_survives_any_answer(
    title: str, point: Callable[[Sample], Point], said: Any
) -> None:
    assert run(point(sample()), lambda _: said).title
    assert run(point(Sample()), lambda _: said).title


@pytest.mark.parametrize(("title", "point"), every_point())
def test_a_point_sends_only_gets_and_the_one_post_that_reads(
    title: str, point: Callable[[Sample], Point]
) -> None:
    asked: list[Question] = []

    def says(question: Question) -> Any:
        asked.append(question)
        return [{"key": "qza"}, {"key": "qzb"}, {"key": "qzc"}]

    run(point(sample()), says)
    assert [one.template for one in asked if one.reads is not None] == [
        one.template for one in asked if one.template.endswith("/batch/")
    ]
    assert all(str(value) not in one.printed() for one in asked for value in one.keys.values())


def test_points_do_no_input_and_no_output() -> None:
    for module in (boxes, history, keys, lists, more, people, pipelines, properties, values):
        tree = ast.parse(Path(module.__file__ or "").read_text())
        names = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert names <= {
            *("__future__", "base64", "binascii", "collections", "collections.abc", "dataclasses"),
            *("itertools", "typing", "probing.assumptions", "probing.names", "probing.points"),
            *("probing.shapes", "source_streak.records.changes"),
        }


# --- Verdicts -----------------------------------------------------------------------------------


def pages(rows: list[dict[str, Any]], cap: int | None = None, envelope: bool = True) -> Says:
    """The responses of a list that honours limit and page."""

    def says(question: Question) -> Any:
        limit = min(question.params.get("limit", 9_999), cap or 9_999)
        start = limit * question.params.get("page", 0)
        found = rows[start : start + limit]
        return {"results": found, "hasNextPage": start + limit < len(rows)} if envelope else found

    return says


def test_a_capped_page_is_told_apart_from_a_short_list() -> None:
    account = sample()
    rows = account.boxes["qzsales"]

    assert run(lists.limits(account), pages(rows, cap=4)).moods == {"limit_cap": 4}
    assert run(lists.limits(account), pages(rows[:4])).moods == {}


def test_an_unknown_envelope_differs_from_the_assumption() -> None:
    section = run(lists.envelopes(sample()), lambda _: {"boxes": []})

    assert verdict(section, "bare array") is Verdict.DIFFERS
    assert "api/paging.py" in section.assumptions[0].advice


def test_an_ignored_page_parameter_differs_from_the_assumption() -> None:
    rows = sample().boxes["qzsales"]
    section = run(lists.envelopes(sample()), lambda _: rows)

    assert verdict(section, "with sortBy") is Verdict.DIFFERS
    assert section.moods["page_ignored"] == "whole"


BOX_KEY = "agxzfm1haWxmb29nYWVyLgsSDE9yZ2FuaXphdGlvbiILZXhhbXBsZS5jb20MCxIEQ2FzZRiVgOHZ6oOQCgw"
ENTRY = {"key": "a", "timestamp": 1_780_000_000_000}


@pytest.mark.parametrize(
    ("said", "mood", "holds"),
    [
        ({"entries": [ENTRY]}, {}, Verdict.HOLDS),
        ({"results": [ENTRY]}, {"timeline": "other_envelope"}, Verdict.DIFFERS),
        ([ENTRY], {"timeline": "other_envelope"}, Verdict.DIFFERS),
        (410, {"timeline": "gone"}, Verdict.DIFFERS),
    ],
)
def test_the_envelope_of_the_timeline_is_judged(
    said: Any, mood: Mapping[str, str], holds: Verdict
) -> None:
    section = run(history.timeline(sample()), lambda _: said)

    assert section.moods == mood
    assert verdict(section, "The timeline takes") is holds


@pytest.mark.parametrize(
    ("entry", "with_key", "with_time"),
    [
        (ENTRY, Verdict.HOLDS, Verdict.HOLDS),
        ({"inside": {"timestamp": 1_780_000_000_000}}, Verdict.DIFFERS, Verdict.HOLDS),
        ({"key": "a", "at": 1_780_000_000_000}, Verdict.HOLDS, Verdict.DIFFERS),
        ("text", Verdict.DIFFERS, Verdict.DIFFERS),
    ],
)
def test_the_keys_and_times_of_timeline_entries_are_judged(
    entry: Any, with_key: Verdict, with_time: Verdict
) -> None:
    section = run(history.timeline(sample()), lambda _: {"entries": [entry]})

    assert verdict(section, "with a key") is with_key
    assert verdict(section, "finds the time") is with_time


@pytest.mark.parametrize(
    ("value", "holds"),
    [(5, Verdict.HOLDS), ("2026-01-01", Verdict.DIFFERS), (None, Verdict.CANNOT_TELL)],
)
def test_the_encoding_of_a_date_field_is_judged(value: Any, holds: Verdict) -> None:
    account = sample()
    account.boxes["qzsales"][0]["fields"] = {"1001": value}

    assert verdict(run(values.fields(account), lambda _: None), "value of DATE") is holds


@pytest.mark.parametrize(
    ("status", "holds"),
    [(404, Verdict.HOLDS), (401, Verdict.HOLDS), (400, Verdict.DIFFERS), (500, Verdict.DIFFERS)],
)
def test_a_key_that_names_nothing_should_answer_404_or_401(status: int, holds: Verdict) -> None:
    account = sample()
    account.boxes["qzsales"] = [{"key": BOX_KEY}]

    assert verdict(run(keys.strangers(account), lambda _: status), "names nothing") is holds


def test_properties_are_compared_with_the_schemas() -> None:
    account = sample()
    account.keep("boxes", [{"key": "a", "commentCount": "3", "mascot": 1, "readAt": "x"}])
    section = run(properties.properties(account), lambda _: None)
    (row,) = section.assumptions

    assert row.verdict is Verdict.DIFFERS
    assert "mascot" in row.streak
    assert "commentCount" in row.streak
    assert "notes" in section.facts[0]
