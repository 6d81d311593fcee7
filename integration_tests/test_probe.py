"""`make probe` with the sandbox: the report names every mood, and nothing of the account."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from probing.keys import stranger
from probing.report import Report
from probing.run import probe
from quick import QuickClock
from streak_sandbox import Sandbox, keys
from streak_sandbox.seed import default_account

from source_streak.config import Config

TOP = Path(__file__).parents[1]
MARK = "qzj"  # in no word of the report


def probed(streak: Sandbox, patch: pytest.MonkeyPatch, post: bool = False) -> Report:
    patch.setenv("STREAK_API_URL", streak.url)
    config = Config.from_settings({"api_key": streak.key, "requests_per_second": 5})
    return probe(config, QuickClock(), lambda *_: None, with_post=post)


@pytest.fixture(scope="module")
def usual() -> Iterator[tuple[Sandbox, Report]]:
    """The default account, probed once."""
    with Sandbox(boxes=150) as streak, pytest.MonkeyPatch.context() as patch:
        yield streak, probed(streak, patch)


def verdicts(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in report.assumptions:
        found.setdefault(one.number, []).append(one.verdict.value)
    return found


# --- The report -----------------------------------------------------------------------------------


def test_every_numbered_point_has_a_verdict(
    usual: tuple[Sandbox, Report],
) -> None:
    _, report = usual

    assert set(verdicts(report)) == {"", *map(str, range(1, 25))}
    assert "The probe itself failed" not in report.markdown()


def test_the_probe_sends_only_gets_and_at_most_200(usual: tuple[Sandbox, Report]) -> None:
    streak, report = usual

    assert {entry.method for entry in streak.log} == {"GET"}
    assert report.requests == len(streak.log) <= 200
    assert not report.ended


def test_the_default_account_leaves_at_most_seven_assumptions_undecided(
    usual: tuple[Sandbox, Report],
) -> None:
    _, report = usual
    unsettled = [one.assumed for one in report.assumptions if one.verdict.value == "cannot tell"]

    assert len(unsettled) <= 7, unsettled


def test_paths_in_the_report_have_placeholders_instead_of_keys(
    usual: tuple[Sandbox, Report],
) -> None:
    _, report = usual
    asked = re.findall(r"^\| `(GET [^`]*)`", report.markdown(), re.MULTILINE)

    assert "GET v2/boxes/{boxKey}/comments" in asked
    assert any("nextPageToken={nextPageToken}" in path for path in asked)
    assert all(re.fullmatch(r"GET v[12]/[\w/{}.?=&\[\],]+", path) for path in asked)


def test_the_report_ends_with_a_table_that_says_what_to_do_about_differences(
    usual: tuple[Sandbox, Report],
) -> None:
    _, report = usual
    table = report.markdown().partition("## What was assumed")[2]

    assert "| point | assumption | what the connector does | what Streak did | verdict |" in table
    assert table.count("**holds**") > 40
    assert "Complete schemas/teams.json" in table
    assert "\n## " not in table


def test_the_report_names_undocumented_properties(usual: tuple[Sandbox, Report]) -> None:
    _, report = usual

    for title in ("betaScore", "mascot", "favouriteColour", "creditRating"):
        assert title in report.markdown()


def test_the_batch_read_is_sent_once_if_the_user_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(boxes=30) as streak:
        report = probed(streak, monkeypatch, post=True)
        posts = [entry.path for entry in streak.log if entry.method == "POST"]

    assert len(posts) == 1
    assert posts[0].endswith("/boxes/batch/")
    assert verdicts(report)["5"] == ["holds"]


# --- Moods ----------------------------------------------------------------------------------------

MOODS: list[dict[str, Any]] = [
    {"box_list_shape": "by_call"},
    {"box_list_shape": "array"},
    {"box_list_shape": "envelope"},
    {"pages_disordered": True},
    {"limit_cap": 37},
    {"page_ignored": "whole"},
    {"page_ignored": "first"},
    {"v2_limit_cap": 2},
    {"v2_page_ignored": "whole"},
    {"v2_page_ignored": "first"},
    {"flag_absent": True},
    {"box_count_absent": True},
    {"counters_absent": True},
    {"timeline": "gone"},
    {"timeline": "other_envelope"},
    {"timeline": "filters_refused"},
    {"documents": "plain"},
    {"documents": "html"},
    {"documents": "json"},
    {"v2_pipelines_missing": True},
    {"forget_page_cursor": True},
]


@pytest.mark.parametrize("mood", MOODS, ids=str)
def test_the_report_names_each_mood_of_the_sandbox(
    mood: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(boxes=150, **mood) as streak:
        report = probed(streak, monkeypatch)
    (title, value), *_ = mood.items()

    assert report.moods == {"box_list_shape": "by_call"} | mood
    assert f"- `{title}`: {value}" in report.markdown()
    assert "The probe itself failed" not in report.markdown()


@pytest.mark.parametrize(
    "name", ["empty_pipelines", "refused_pipelines", "gone_boxes", "failing_boxes"]
)
def test_the_report_says_how_many_pipelines_or_boxes_are_odd(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(boxes=150) as streak:
        account = streak.account
        some = account.pipelines if name.endswith("pipelines") else account.boxes
        streak.moods.become(**{name: list(some)[: len(some) // 2 + 1]})
        report = probed(streak, monkeypatch)

    assert " of " in report.moods[name]
    assert f"- `{name}`: " in report.markdown()


def test_the_report_says_that_hidden_pipelines_answer_404(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(boxes=150, hidden_is_404=True) as streak:
        streak.moods.refused_pipelines = list(streak.account.pipelines)[:1]
        report = probed(streak, monkeypatch)

    assert report.moods["hidden_is_404"]
    assert verdicts(report)["16"] == ["differs"]


@pytest.mark.parametrize("retry_after", [None, 1])
def test_the_report_names_a_rate_limit(
    retry_after: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(boxes=30) as streak:
        streak.fault("*", "status", status=429, times=2, after=9, retry_after=retry_after)
        report = probed(streak, monkeypatch)

    assert report.moods["rate_limit_per_second"]
    assert ("retry_after" in report.moods) == bool(retry_after)
    assert not report.ended


def test_the_report_names_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(account="empty", latency_ms=60) as streak:
        assert probed(streak, monkeypatch).moods["latency_ms"] >= 50


def test_nothing_but_429s_ends_the_probe_within_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(boxes=30, rate_limit_per_second=0) as streak:
        report = probed(streak, monkeypatch)

    assert "429" in report.ended
    assert report.requests <= 5
    assert report.seconds < 60


def test_an_unknown_key_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(boxes=30) as streak:
        streak.key = "strk_other"
        monkeypatch.setenv("STREAK_API_URL", streak.url)
        config = Config.from_settings({"api_key": "strk_wrong", "requests_per_second": 5})
        report = probe(config, QuickClock(), lambda *_: None)

    assert report.ended == "Streak does not know this API key."
    assert "strk_wrong" not in report.markdown()


FAULTS = (
    "html",
    "not_json",
    "wrong_shape",
    "empty",
    "half_json",
    "half_body",
    "reset",
    "reset_in_body",
)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_of_fault_still_gives_a_report(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sandbox(boxes=30) as streak:
        streak.fault("*", kind, times=None, after=4)
        report = probed(streak, monkeypatch)

    assert "The probe itself failed" not in report.markdown()
    assert "**cannot tell**" in report.markdown()


def test_an_empty_account_gives_a_report_without_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Sandbox(account="empty") as streak:
        report = probed(streak, monkeypatch)

    assert "The probe itself failed" not in report.markdown()
    assert "differs" not in itertools.chain(*verdicts(report).values())


# --- Nothing of the account in the report ---------------------------------------------------------


class Marks:
    """Puts a unique mark into every text of an account, and into numbers and names."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def mark(self, text: str) -> str:
        self.made.append(f"{MARK}{len(self.made)}x")
        return f"{self.made[-1]} {text}"

    def number(self) -> int:
        self.made.append(str(7_310_000_000_000 + len(self.made)))
        return int(self.made[-1])

    def into(self, value: Any, title: str = "") -> Any:
        """Marks all but keys, enums and timestamps, which requests need unchanged."""
        if isinstance(value, dict):
            return {name: self.into(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.into(inner, title) for inner in value]
        if isinstance(value, str) and not STRUCTURE.search(title):
            return self.mark(value)
        return value


STRUCTURE = re.compile(
    r"[kK]eys?$|[tT]ype$|^(stageOrder|role|status|userKey|snippetType|creator|fields)$"
)


@pytest.fixture
def marked() -> tuple[Sandbox, Marks]:
    """The default account with every text marked, as well as property names that are data."""
    marks, account = Marks(), default_account(boxes=60)
    for rows in (account.users, account.teams, account.pipelines, account.boxes):
        for key, row in rows.items():
            row.update(marks.into(row))
            row["key"] = key
    for directory in (account.contacts, account.organizations, account.newsfeed):
        for rows in directory.values():
            rows[:] = [marks.into(row) for row in rows]
    account.snippets[:] = [marks.into(row) for row in account.snippets]
    for box in account.boxes.values():
        for kind, children in account.children.items():
            children.keep(box["key"])[:] = [
                marks.into(row) for row in account.children[kind][box["key"]]
            ]
        box["fields"] = {title: marks.into(value) for title, value in box["fields"].items()}
        box["fields"][marks.mark("").strip()] = marks.number()
        box[marks.mark("").strip() + "@example.org"] = {marks.mark(""): marks.number()}
        entries = {marks.number() % 10**12: {"what": marks.mark("told"), "by": {marks.mark(""): 1}}}
        account.put_changes(box["key"], entries)
    for pipeline in account.pipelines.values():
        pipeline["customPermissionSets"] = {marks.mark("").strip(): {"permissions": []}}
        pipeline["boxCount"] = len(account.boxes_of(pipeline["key"]))
    return Sandbox(account=account, key=f"strk_{MARK}key"), marks


def everything(streak: Sandbox) -> Iterator[str]:
    """Every key of the account."""
    account = streak.account
    yield from (*account.users, *account.teams, *account.pipelines, *account.boxes, streak.key)
    for rows in (*account.contacts.values(), *account.organizations.values(), account.snippets):
        yield from (row["key"] for row in rows)


@pytest.mark.parametrize(
    "mood",
    [{}, {"timeline": "other_envelope"}, {"documents": "json"}, {"box_list_shape": "array"}],
    ids=str,
)
def test_the_report_holds_no_text_number_or_key_of_the_account(
    marked: tuple[Sandbox, Marks],
    mood: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    streak, marks = marked
    streak.moods.become(**mood)
    with streak:
        report = probed(streak, monkeypatch)
    text = report.markdown() + "".join(capsys.readouterr())

    assert len(marks.made) > 2_000
    assert "The probe itself failed" not in text
    assert MARK not in text
    assert not [mark for mark in marks.made if mark in text]
    assert not [key for key in everything(streak) if key in text]
    assert "@" not in text


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 500])
def test_refusals_are_reported_without_their_words(
    status: int, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    said = {"error": f'Box "{MARK} Ltd" of {MARK}@example.org', MARK: MARK, f"{MARK}@b.org": 1}
    with Sandbox(boxes=30) as streak:
        streak.fault(
            "*", "status", times=None, after=6, status=status, body=said, headers={"X-Thing": MARK}
        )
        report = probed(streak, monkeypatch)
    text = report.markdown() + "".join(capsys.readouterr())

    assert MARK not in text
    assert str(status) in text
    assert "x-thing" in text


def test_unexpected_responses_are_reported_without_their_values(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    odd = {
        "results": [{"key": MARK, "boxCount": MARK, "fields": [MARK, {MARK: MARK}]}],
        "hasNextPage": MARK,
    }
    with Sandbox(boxes=30) as streak:
        streak.fault("*", "wrong_shape", times=None, after=1, body=odd)
        report = probed(streak, monkeypatch)

    assert "hasNextPage" in report.markdown()
    assert MARK not in report.markdown() + "".join(capsys.readouterr())


# --- Invented keys --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        keys.box_key(7),
        keys.pipeline_key(1),
        keys.team_key(2),
        keys.contact_key(3),
        keys.organization_key(4),
        keys.child_key("Comment", keys.box_key(7), 1),
    ],
)
def test_an_invented_key_has_the_right_form_and_differs_from_the_original(key: str) -> None:
    assert keys.is_key(stranger(key))
    assert stranger(key) != key
    assert len(stranger(key)) == len(key)


@pytest.mark.parametrize("text", ["", "x", "None", "5001", "not a key", "ö"])
def test_no_key_is_invented_from_a_text_that_is_no_key(text: str) -> None:
    assert not keys.is_key(stranger(text))


# --- The command ----------------------------------------------------------------------------------


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(TOP / one) for one in ("tools", "sandbox"))
    known = {name: value for name, value in os.environ.items() if not name.startswith("STREAK_")}
    return subprocess.run(
        [sys.executable, str(TOP / "tools" / "probe.py")],
        cwd=folder,
        env=known | {"PYTHONPATH": paths} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_without_a_key_says_where_to_put_one(tmp_path: Path) -> None:
    ended = run(tmp_path)

    assert ended.returncode == 1
    assert "STREAK_API_KEY" in ended.stderr
    assert "secrets/config.json" in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["no json", "[]", "{}", '{"api_key": 7}', '{"api_key": " "}'])
def test_the_command_names_a_config_file_that_holds_no_key(tmp_path: Path, content: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "config.json").write_text(content)
    ended = run(tmp_path)

    assert (ended.returncode, "secrets/config.json" in ended.stderr) == (1, True)
    assert "Traceback" not in ended.stderr


def test_the_command_prints_and_saves_the_report_within_its_rate(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    with Sandbox(account="empty") as streak:
        settings = {"api_key": streak.key, "ignored": True}
        (tmp_path / "secrets" / "config.json").write_text(json.dumps(settings))
        ended = run(tmp_path, STREAK_API_URL=streak.url)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == (tmp_path / "probe.md").read_text() + "\n"
    assert "Written to probe.md" in ended.stderr
    assert streak.key not in ended.stdout + ended.stderr
    assert streak.busiest_second() <= 6  # 5, and one more for the jitter of a busy machine
