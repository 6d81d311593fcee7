"""Compare marts with dbt_expected.py: the same checks for each database."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Any

import pytest
from dbt_expected import Expected
from dbt_runs import Project, Row, by


def assert_same(row: Row, right: Row) -> None:
    """Assert that the columns in `right` are equal, numbers to nine digits."""
    for name, value in right.items():
        near = isinstance(value, int | float) and not isinstance(value, bool)
        assert row[name] == (pytest.approx(value, rel=1e-9) if near else value), (name, row)


def check_boxes(project: Project, expected: Expected) -> None:
    rows = by(project.rows("streak__boxes"), "box_key")
    assert rows.keys() == expected.boxes.keys()
    for key, right in expected.boxes.items():
        assert_same(rows[key], right)


def check_stages(project: Project, expected: Expected) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for row in project.rows("streak__box_stages"):
        found[row["box_key"]].add(row["stage_key"])
    assert found == {key: stages for key in expected.boxes if (stages := expected.reached(key))}


def check_funnel(project: Project, expected: Expected) -> None:
    found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    months: dict[tuple[str, str], int] = {}
    for row in project.rows("streak__funnel"):
        for name in ("reached", "there_now", "won", "lost_here"):
            found[row["pipeline_key"], row["stage_key"]][name] += row[name]
        months[row["pipeline_key"], row["created_month"]] = row["boxes"]
    assert {place: counts for place, counts in found.items() if counts["reached"]} == {
        place: Counter(counts) for place, counts in expected.funnel.items()
    }
    assert months == {
        place: right["created"] for place, right in expected.months.items() if right["created"]
    }


def check_months(project: Project, expected: Expected) -> None:
    rows = by(project.rows("streak__pipeline_velocity"), "pipeline_key", "month")
    for place, right in expected.months.items():
        assert_same(rows[place], right)
    for place in rows.keys() - expected.months.keys():
        assert_same(rows[place], {"created": 0, "won": 0, "lost": 0, "win_rate": None})
    last = {row["pipeline_key"]: row["open_at_end"] for row in sorted_by_month(rows)}
    for pipeline in expected.account.pipelines:
        boxes = [box for box in expected.boxes.values() if box["pipeline_key"] == pipeline]
        assert last[pipeline] == sum(box["status"] == "open" for box in boxes)


def sorted_by_month(rows: dict[Any, Row]) -> list[Row]:
    return [rows[place] for place in sorted(rows, key=lambda place: place[1])]


def check_users(project: Project, expected: Expected) -> None:
    rows = by(project.rows("streak__user_performance"), "user_key")
    for key, right in expected.users.items():
        assert_same(rows[key], right)
    for name in ("won", "lost", "open"):
        boxes = sum(box["status"] == name for box in expected.boxes.values())
        assert sum(row[f"{name}_boxes"] for row in rows.values()) == boxes


def check_mail(project: Project, expected: Expected) -> None:
    rows = by(project.rows("streak__email_engagement"), "box_key", "thread_key")
    assert rows.keys() == expected.threads.keys()
    for place, mails in expected.threads.items():
        minutes = [mail.minutes for mail in mails if mail.minutes is not None]
        right = {
            "emails_sent": sum(mail.ours for mail in mails),
            "emails_received": sum(not mail.ours for mail in mails),
            "last_email_at": mails[-1].at,
            "waiting_on": "them" if mails[-1].ours else "us",
            "first_reply_minutes": None,
            "median_reply_minutes": None,
        }
        if minutes:
            right |= {"first_reply_minutes": minutes[0], "median_reply_minutes": median(minutes)}
        assert_same(rows[place], right)


def check_tasks(project: Project, expected: Expected) -> None:
    rows = by(project.rows("streak__tasks"), "task_key")
    tasks = {task["key"]: (box, task) for box, task in expected.account.all("tasks")}
    assert rows.keys() == tasks.keys()
    for key, (box, task) in tasks.items():
        right = {
            "box_key": box["key"],
            "assignee_key": expected.assignee(task),
            "is_done": task["status"] == "DONE",
            "is_overdue": expected.is_overdue(task),
            "due_at": task.get("dueDate") or None,
        }
        assert_same(rows[key], right)


def check_people(project: Project, expected: Expected) -> None:
    """Check contacts and organizations by the boxes that link to them."""
    for mart, key, links, kept in (
        ("streak__contacts", "contact_key", "contacts", expected.account.contacts),
        (
            "streak__organizations",
            "organization_key",
            "organizations",
            expected.account.organizations,
        ),
    ):
        rows = by(project.rows(mart), key)
        assert rows.keys() == {one["key"] for of_team in kept.values() for one in of_team}
        found: dict[str, list[Row]] = defaultdict(list)
        for box in expected.account.boxes.values():
            for link in box.get(links) or []:
                found[link["key"]].append(expected.boxes[box["key"]])
        for one, row in rows.items():
            right = {
                f"{name}_boxes": sum(box["status"] == name for box in found[one])
                for name in ("open", "won", "lost")
            }
            won = [box["amount"] or 0 for box in found[one] if box["status"] == "won"]
            assert_same(row, right | {"boxes": len(found[one]), "won_amount": sum(won)})


def check_activities(project: Project, expected: Expected) -> None:
    kinds = Counter(row["kind"] for row in project.rows("streak__activities"))
    account = expected.account
    meetings = Counter(row["meetingType"] for _, row in account.all("meetings"))
    mails = [mail for mails in expected.threads.values() for mail in mails]
    tasks = [task for _, task in account.all("tasks")]
    right = {
        "box_created": len(account.boxes),
        "comment": sum(1 for _ in account.all("comments")),
        "call": meetings["CALL_LOG"],
        "meeting": meetings["MEETING_NOTES"],
        "file": sum(1 for _ in account.all("files")),
        "email_sent": sum(mail.ours for mail in mails),
        "email_received": sum(not mail.ours for mail in mails),
        "task_created": len(tasks),
        "task_done": sum(task["status"] == "DONE" for task in tasks),
    }
    assert {kind: kinds[kind] for kind in right} == right


CHECKS = [
    check_boxes,
    check_stages,
    check_funnel,
    check_months,
    check_users,
    check_mail,
    check_tasks,
    check_people,
    check_activities,
]
