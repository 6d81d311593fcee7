"""`make test-dbt`: an unfamiliar account with 5,000 boxes, on DuckDB and PostgreSQL.

The package was not developed with this account, and only its variables are set. The tests compute
the expected figures from the stories that the account is made of: dbt_other_account.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timezone
from statistics import median

import postgres
import pytest
from dbt_other_account import SELECTED, STAGES, VARIABLES, Story, other_account, stories
from dbt_runs import NOW_MS, Project, Row, Streams, in_upper_case, into_duckdb, into_postgres, read
from postgres import Database
from streak_sandbox import Sandbox
from streak_sandbox.objects import DAY, MINUTE

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("other")]
WON, LOST, GONE = 3, 4, 9


@pytest.fixture(scope="module")
def told() -> list[Story]:
    return stories()


@pytest.fixture(scope="module")
def streams(told: list[Story], tmp_path_factory: pytest.TempPathFactory) -> Streams:
    with Sandbox(account=other_account(told)) as streak:
        return read(streak, tmp_path_factory.mktemp("read"), *SELECTED)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgres.server() as running:
        yield running


@pytest.fixture(scope="module", params=["duckdb-upper-case", "postgres-as-sent"])
def project(
    request: pytest.FixtureRequest, streams: Streams, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """All models built, and all tests of the package passed."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "duckdb-upper-case":
        file = folder / "streak.duckdb"
        into_duckdb(in_upper_case(streams), file)
        project = Project(folder, duckdb=file, variables=VARIABLES)
    else:
        server = request.getfixturevalue("database")
        into_postgres(streams, server, "raw")
        variables = VARIABLES | {"streak_schema": "raw"}
        project = Project(folder, postgres=server, variables=variables)
    project.run("--warn-error", "build", "--exclude-resource-type", "unit_test")
    return project


def of_pipelines(told: list[Story]) -> dict[str, list[Story]]:
    found: dict[str, list[Story]] = defaultdict(list)
    for story in told:
        found[story.pipeline].append(story)
    return found


def total(rows: list[Row], column: str, by: str = "pipeline_name") -> Counter[str]:
    found: Counter[str] = Counter()
    for row in rows:
        found[row[by]] += row[column] or 0
    return +found


def test_won_boxes_of_each_pipeline_are_the_same_in_every_mart(project: Project, told: list[Story]):
    right = Counter(story.pipeline for story in told if story.place == WON)
    by_owner = Counter(story.owner for story in told if story.place == WON)
    funnel = project.rows("streak__funnel")

    assert len(right) == len(STAGES)
    boxes = project.rows("streak__boxes")
    assert Counter(box["pipeline_name"] for box in boxes if box["status"] == "won") == right
    in_won = [row for row in funnel if row["stage_status"] == "won"]
    assert total(in_won, "there_now") == right
    assert total(in_won, "won") == right
    assert total(project.rows("streak__pipeline_velocity"), "won") == right
    users = project.rows("streak__user_performance")
    assert total(users, "won_boxes", "user_name") == by_owner


def test_the_funnel_counts_boxes_that_reached_a_stage_and_moved_on(
    project: Project, told: list[Story]
):
    """A box that went straight to the won stage counts as having passed those between."""
    rows = project.rows("streak__funnel")
    for name, of_pipeline in of_pipelines(told).items():
        furthest = [max(place for place, _ in one.visits if place < LOST) for one in of_pipeline]
        for place, stage in enumerate(STAGES[name][:WON]):
            here = [
                row for row in rows if (row["pipeline_name"], row["stage_name"]) == (name, stage)
            ]
            reached = sum(far >= place for far in furthest)
            moved_on = sum(far > place for far in furthest)
            assert sum(row["reached"] for row in here) == reached, (name, stage)
            assert sum(row["moved_on"] for row in here) == moved_on, (name, stage)
            won = sum(row["won"] for row in here)
            assert won == sum(one.place == WON for one in of_pipeline)


def test_box_stages_give_the_right_median_days_in_each_stage(project: Project, told: list[Story]):
    right: dict[tuple[str, str], list[float]] = defaultdict(list)
    for story in told:
        for (place, at), (_, end) in zip(story.visits, story.visits[1:], strict=False):
            right[story.pipeline, STAGES[story.pipeline][place]].append((end - at) / DAY)
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in project.rows("streak__box_stages"):
        if row["left_at"]:
            found[row["pipeline_name"], row["stage_name"]].append(row["days"])

    assert {place: median(days) for place, days in found.items()} == {
        place: pytest.approx(median(days)) for place, days in right.items()
    }


def test_open_boxes_untouched_for_30_days_are_stale(project: Project, told: list[Story]):
    """Stale: open, and not moved, mailed or commented on for 30 days."""
    right = []
    for story in told:
        touches = [at for _, at in story.mails] + [story.comment_at or story.created]
        quiet = NOW_MS - max(touches)
        if story.place not in (WON, LOST) and min(quiet, NOW_MS - story.since) >= 30 * DAY:
            right.append(f"{story.owner} – {story.number}")  # noqa: RUF001

    assert len(right) > 100
    boxes = project.rows("streak__boxes")
    assert sorted(box["box_name"] for box in boxes if box["is_stale"]) == sorted(right)


def test_reply_times_are_right_for_each_thread_and_each_user(project: Project, told: list[Story]):
    first, by_owner = {}, defaultdict(list)
    for story in told:
        waiting, answers = None, []
        for ours, at in story.mails:
            if ours and waiting is not None:
                answers.append((at - waiting) / MINUTE)
            waiting = None if ours else waiting or at
        by_owner[story.owner] += answers
        if answers:
            first[f"{story.owner} – {story.number}"] = answers[0]  # noqa: RUF001

    threads = project.rows("streak__email_engagement")
    assert {row["box_name"]: row["first_reply_minutes"] for row in threads if row["replies"]} == {
        box: pytest.approx(minutes) for box, minutes in first.items()
    }
    users = project.rows("streak__user_performance")
    assert {row["user_name"]: row["median_reply_minutes"] for row in users if row["replies"]} == {
        owner: pytest.approx(median(minutes)) for owner, minutes in by_owner.items()
    }


def test_monthly_revenue_is_right_and_adds_up_to_that_of_all_users(
    project: Project, told: list[Story]
):
    right: Counter[tuple[str, str]] = Counter()
    for story in told:
        if story.place == WON and story.amount:
            day = datetime.fromtimestamp(story.since / 1000, timezone.utc)
            right[story.pipeline, f"{day:%Y-%m}-01"] += story.amount
    found = {
        (row["pipeline_name"], row["month"]): row["won_amount"]
        for row in project.rows("streak__pipeline_velocity")
        if row["won_amount"]
    }

    assert found == {month: pytest.approx(amount) for month, amount in right.items()}
    revenue = sum(row["won_amount"] for row in project.rows("streak__user_performance"))
    assert revenue == pytest.approx(sum(right.values()))


def test_boxes_in_a_deleted_stage_are_flagged(project: Project, told: list[Story]):
    right = Counter(story.pipeline for story in told if story.place == GONE)
    boxes = project.rows("streak__boxes")

    assert right
    assert Counter(box["pipeline_name"] for box in boxes if box["stage_is_deleted"]) == right


def test_activities_hold_only_rows_of_the_selected_streams(project: Project):
    kinds = {row["kind"] for row in project.rows("streak__activities")}
    assert kinds == {"box_created", "comment", "email_sent", "email_received"}
