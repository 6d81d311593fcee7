"""`make test-live` (tools/live.py), with the sandbox in place of Streak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from live import MOST_BOXES, MOST_REQUESTS, Held, latest
from relay import Relay
from streak_sandbox import Sandbox

TOP = Path(__file__).parents[1]


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(TOP / one) for one in ("tools", "sandbox"))
    return subprocess.run(
        [sys.executable, str(TOP / "tools" / "live.py")],
        cwd=folder,
        env=dict(os.environ) | {"PYTHONPATH": paths} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def with_key(folder: Path, key: str) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "config.json").write_text(
        json.dumps({"api_key": key, "requests_per_second": 20})
    )


def test_without_a_key_the_tool_fails_and_names_the_missing_file(tmp_path: Path) -> None:
    ended = run(tmp_path)

    assert ended.returncode == 1
    assert "secrets/config.json" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_tool_reads_every_stream_within_its_request_limit_and_reports_success(
    tmp_path: Path,
) -> None:
    with Sandbox(boxes=150) as streak:
        with_key(tmp_path, streak.key)
        ended = run(tmp_path, STREAK_API_URL=streak.url)
        asked = {entry.path.rpartition("/")[2] for entry in streak.log}

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(streak.log) <= MOST_REQUESTS
    assert {"comments", "files", "contacts", "newsfeed", "snippets"} <= asked
    assert "Everything fits." in ended.stdout
    assert "box_comments" in ended.stdout
    assert "Traceback" not in ended.stderr
    assert streak.key not in ended.stdout + ended.stderr


def test_the_tool_limits_the_boxes_it_reads_and_reports_a_failed_stream(
    tmp_path: Path,
) -> None:
    with Sandbox(account="empty") as streak:
        streak.account.add_team("Team")
        streak.account.add_pipeline("Large", boxes=300)
        with_key(tmp_path, streak.key)
        streak.fault("v1/snippets", "status", times=None, status=410)
        ended = run(tmp_path, STREAK_API_URL=streak.url)

    assert ended.returncode == 1
    assert "FAILED: snippets: not read whole" in ended.stdout
    assert ended.stdout.count(": not read whole") == 1
    ended_well = [line.split() for line in ended.stdout.splitlines() if " COMPLETE" in line]
    rows = {words[0]: words[1] for words in ended_well}
    assert int(rows["boxes"]) == MOST_BOXES


# --- Records against schemas --------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"key": {"type": "string"}, "size": {"type": "integer"}}}


def record(**data: object) -> dict[str, object]:
    return {"type": "RECORD", "record": {"stream": "things", "data": data}}


@pytest.fixture
def held() -> Held:
    stream = {"name": "things", "json_schema": SCHEMA, "source_defined_primary_key": [["key"]]}
    return Held([stream])


def test_records_that_do_not_fit_their_schema_are_reported_without_their_values(held: Held) -> None:
    for message in (
        record(key="a", size="secret"),
        record(key="a", size=1),
        record(key="b", colour="secret"),
        record(key="c", otherProperties={"mascot": "secret"}),
    ):
        held.take(message)
    problems = held.problems()

    assert "things: size: not as type says (1 times)" in problems
    assert "things: its primary key comes twice (1 times)" in problems
    assert "things: colour: not declared (1 times)" in problems
    assert "things: not read whole" in problems
    assert "1 properties in otherProperties" in held.table()
    assert "secret" not in "".join(problems) + held.table()


def test_latest_returns_the_latest_timestamp_of_a_box() -> None:
    stamps = {"creationTimestamp": "2024-01-01", "lastSavedTimestamp": "2025-01-01"}

    assert latest(stamps) == "2025-01-01"
    assert latest({}) < "1971"


# --- The relay ----------------------------------------------------------------------------------


def test_the_relay_passes_requests_on_until_its_limit() -> None:
    with Sandbox(account="empty") as streak, Relay(streak.url, most=2) as relay:
        auth = (streak.key, "")
        answers = [requests.get(relay.url + "v1/users/me", auth=auth, timeout=20) for _ in range(3)]
        direct = requests.get(streak.url + "v1/users/me", auth=auth, timeout=20)

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[0].json() == direct.json()
    assert relay.used_up
    assert len(streak.log) == 3


def test_the_relay_passes_on_refusals_and_queries_and_adds_no_credentials() -> None:
    with Sandbox(account="empty") as streak, Relay(streak.url, most=9) as relay:
        assert requests.get(relay.url + "v1/users/me", timeout=20).status_code == 401
        requests.get(relay.url + "v2/pipelines?limit=3", auth=(streak.key, ""), timeout=20)

    assert streak.log[1].query == {"limit": "3"}


def test_the_relay_answers_503_for_an_unreachable_streak() -> None:
    with Relay("http://127.0.0.1:9/api/", most=9) as relay:
        assert requests.get(relay.url + "v1/users/me", timeout=20).status_code == 503
