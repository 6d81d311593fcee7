"""What the marts of the dbt package must hold, computed in Python from the sandbox's account.

The rules come from dbt/README.md, not from the package, and nothing here is SQL. Times are epoch
milliseconds, as in the account.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import datetime, timezone
from functools import cached_property
from statistics import mean, median
from typing import Any, NamedTuple

from streak_sandbox import Account
from streak_sandbox.objects import DAY, MINUTE, Row

WON = ("won", "closed won", "hired", "solved", "done")
LOST = ("lost", "closed lost", "declined", "rejected")
AMOUNTS = ("amount", "deal size", "deal value", "value", "price", "budget")
OF_FIELDS = ("TEXT_INPUT", "FORMULA", "DROPDOWN")
NOBODY = "nobody"


class Mail(NamedTuple):
    """One e-mail; `minutes` is the reply time if it is ours and answers one of theirs."""

    at: int
    sender: str
    ours: bool
    user: str | None
    minutes: float | None


class Expected:
    """The expected rows of one account, as of `now`."""

    def __init__(self, account: Account, now: int) -> None:
        self.account, self.now = account, now
        self.boxes = {key: self._box(box) for key, box in account.boxes.items()}

    # --- boxes ------------------------------------------------------------------------------------

    def _box(self, box: Row) -> Row:
        stage = box.get("stageKey") or None
        status = self.status(box["pipelineKey"], stage)
        entered = self._entered(box, stage)
        touched = max(self._touches(box), default=None)
        forgotten = (self.now - (touched or box["creationTimestamp"])) / DAY
        return {
            "pipeline_key": box["pipelineKey"],
            "stage_key": stage,
            "status": status,
            "amount": self._amount(box),
            "owner_key": self._owner(box),
            "created_at": box["creationTimestamp"],
            "closed_at": None if status == "open" else entered,
            "comments": len(self.account.comments[box["key"]]),
            "files": len(self.account.files[box["key"]]),
            "tasks": len(self.account.tasks[box["key"]]),
            "overdue_tasks": sum(map(self.is_overdue, self.account.tasks[box["key"]])),
            "threads": len(self.account.threads[box["key"]]),
            "last_touch_at": touched,
            "is_stale": status == "open" and min(forgotten, (self.now - entered) / DAY) >= 30,
        }

    def status(self, pipeline: str, stage: str | None) -> str:
        """The status open, won or lost, from the name of a stage."""
        stages = self.account.pipelines[pipeline]["stages"]
        name = stages[stage]["name"] if stage in stages else ""
        spaced = re.sub(r"[ /:_–—-]+", " ", name.lower()).strip()  # noqa: RUF001
        if any(begins(spaced, words) for words in LOST):
            return "lost"
        return "won" if any(begins(spaced, words) for words in WON) else "open"

    def _entered(self, box: Row, stage: str | None) -> int:
        for entry in box.get("stageHistoryEntries") or []:
            if entry["stageKey"] == stage and entry.get("lastEntryToStageTs"):
                return int(entry["lastEntryToStageTs"])
        return int(box.get("lastStageChangeTimestamp") or box["creationTimestamp"])

    def _amount(self, box: Row) -> float | None:
        fields = self.account.pipelines[box["pipelineKey"]]["fields"]
        found = []
        for field in fields:
            value = box.get("fields", {}).get(field["key"])
            name = field["name"].strip().lower()
            if name in AMOUNTS and field["type"] in OF_FIELDS and money(value) is not None:
                found.append((AMOUNTS.index(name), field["key"], money(value)))
        return min(found)[2] if found else None

    def _owner(self, box: Row) -> str:
        assigned = [
            (entry["userKey"] != box["creatorKey"], self.address(entry), entry["userKey"])
            for entry in box.get("assignedToSharingEntries") or []
        ]
        return str(min(assigned)[2]) if assigned else NOBODY

    def address(self, entry: Row) -> str:
        """The e-mail address of a user, in lower case."""
        return str(self.account.users[entry["userKey"]]["email"].lower())

    def _touches(self, box: Row) -> list[int]:
        children = self.account
        times = [row["timestamp"] for row in children.comments[box["key"]]]
        times += [row["startTimestamp"] for row in children.meetings[box["key"]]]
        times += [mail.at for _, mails in self.threads_of(box["key"]) for mail in mails]
        for name in ("EmailSent", "EmailReceived", "Comment"):
            times.append(box.get(f"last{name}Timestamp"))
        for name in ("CallLog", "MeetingNotes"):
            times.append(box.get(f"mostRecent{name}Timestamp"))
        return [time for time in times if time and 0 < time <= self.now]

    # --- stages -----------------------------------------------------------------------------------

    def position(self, pipeline: str, stage: str) -> int | None:
        order = self.account.pipelines[pipeline]["stageOrder"]
        return order.index(stage) if stage in order else None

    def explicit(self, key: str) -> dict[str, int]:
        """The stages that a box was in, each with the last time at which it entered."""
        box = self.account.boxes[key]
        found = {
            entry["stageKey"]: entry.get("lastEntryToStageTs") or box["creationTimestamp"]
            for entry in box.get("stageHistoryEntries") or []
        }
        if stage := self.boxes[key]["stage_key"]:
            found.setdefault(stage, self._entered(box, stage))
        return found

    def reached(self, key: str) -> set[str]:
        """The stages that a box was in, and all open stages before the furthest one."""
        pipeline, found = self.boxes[key]["pipeline_key"], set(self.explicit(key))
        furthest = self.furthest_position(key)
        for place, stage in enumerate(self.account.pipelines[pipeline]["stageOrder"]):
            if place < furthest and self.status(pipeline, stage) == "open":
                found.add(stage)
        return found

    def furthest_position(self, key: str) -> int:
        pipeline = self.boxes[key]["pipeline_key"]
        places = [
            self.position(pipeline, stage)
            for stage in self.explicit(key)
            if self.status(pipeline, stage) != "lost"
        ]
        return max((place for place in places if place is not None), default=-1)

    def lost_from(self, key: str) -> str:
        """The furthest stage of a lost box, apart from lost stages."""
        pipeline, times = self.boxes[key]["pipeline_key"], self.explicit(key)
        open_ones = [
            (-1 if (place := self.position(pipeline, stage)) is None else place, time, stage)
            for stage, time in times.items()
            if self.status(pipeline, stage) != "lost"
        ]
        return max(open_ones)[2] if open_ones else str(self.boxes[key]["stage_key"])

    @cached_property
    def funnel(self) -> dict[tuple[str, str], Counter[str]]:
        """Counts by pipeline and stage, all months together."""
        found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for key, box in self.boxes.items():
            here = box["stage_key"] or "(none)"
            for stage in self.reached(key) or {"(none)"}:
                counts = found[box["pipeline_key"], stage]
                counts["reached"] += 1
                counts["there_now"] += stage == here
                counts["won"] += box["status"] == "won"
                counts["lost_here"] += box["status"] == "lost" and self.lost_from(key) == stage
        return found

    # --- months, users ----------------------------------------------------------------------------

    @cached_property
    def months(self) -> dict[tuple[str, str], Row]:
        """Rows by pipeline and month, only for months in which something happened."""
        found: dict[tuple[str, str], Row] = defaultdict(lambda: defaultdict(list))
        for box in self.boxes.values():
            found[box["pipeline_key"], month(box["created_at"])]["created"].append(box)
            if box["closed_at"]:
                found[box["pipeline_key"], month(box["closed_at"])][box["status"]].append(box)
        return {place: self._month(boxes) for place, boxes in found.items()}

    def _month(self, boxes: Row) -> Row:
        won, lost = boxes["won"], boxes["lost"]
        amounts = [box["amount"] for box in won if box["amount"] is not None]
        days = [(box["closed_at"] - box["created_at"]) / DAY for box in won]
        return {
            "created": len(boxes["created"]),
            "won": len(won),
            "lost": len(lost),
            "win_rate": len(won) / len(won + lost) if won + lost else None,
            "won_amount": sum(amounts),
            "average_amount": mean(amounts) if amounts else None,
            "cycle_days": mean(days) if days else None,
        }

    @cached_property
    def users(self) -> dict[str, Row]:
        """Rows of all users who own boxes or have replied to mail."""
        found: dict[str, Row] = defaultdict(lambda: {"replies": [], "boxes": []})
        for box in self.boxes.values():
            found[box["owner_key"]]["boxes"].append(box)
        for mail in (mail for _, mails in self.threads.items() for mail in mails):
            if mail.minutes is not None:
                found[mail.user or NOBODY]["replies"].append(mail.minutes)
        return {key: self._user(key, facts) for key, facts in found.items()}

    def _user(self, key: str, facts: Row) -> Row:
        by_status = {
            name: [box for box in facts["boxes"] if box["status"] == name]
            for name in ("open", "won", "lost")
        }
        tasks = [task for _, task in self.account.all("tasks") if self.assignee(task) == key]
        comments = [
            row
            for _, row in self.account.all("comments")
            if row["creatorKey"] == key and row["timestamp"] <= self.now
        ]
        return {
            **{f"{name}_boxes": len(boxes) for name, boxes in by_status.items()},
            "won_amount": sum(box["amount"] or 0 for box in by_status["won"]),
            "comments": len(comments),
            "tasks_done": sum(task["status"] == "DONE" for task in tasks),
            "overdue_tasks": sum(map(self.is_overdue, tasks)),
            "median_reply_minutes": median(facts["replies"]) if facts["replies"] else None,
        }

    def assignee(self, task: Row) -> str:
        entries = task.get("assignedTo") or task.get("assignedToSharingEntries") or []
        return str(entries[0]["userKey"] if entries else task.get("creatorKey") or NOBODY)

    def is_overdue(self, task: Row) -> bool:
        return task["status"] != "DONE" and 0 < (task.get("dueDate") or self.now) < self.now

    # --- mail -------------------------------------------------------------------------------------

    @cached_property
    def threads(self) -> dict[tuple[str, str], list[Mail]]:
        """Mails by box and thread."""
        return {
            (box, thread): mails
            for box in self.account.boxes
            for thread, mails in self.threads_of(box)
        }

    def threads_of(self, box: str) -> list[tuple[str, list[Mail]]]:
        return [(row["key"], self._mails(row)) for row in self.account.threads[box]]

    def _mails(self, thread: Row) -> list[Mail]:
        listed = thread.get("senderEmailSendTimestampPairs") or [
            {"email": thread.get("lastEmailFrom"), "sendTimestamp": thread["lastEmailTimestamp"]}
        ]
        mails: list[Mail] = []
        asked = None  # the time since when they wait
        for pair in sorted(listed, key=lambda pair: pair["sendTimestamp"]):
            at, sender = pair["sendTimestamp"], (pair["email"] or "").lower()
            ours = sender in self.addresses or sender.partition("@")[2] in self.domains
            minutes = None if not ours or asked is None else (at - asked) / MINUTE
            mails.append(Mail(at, sender, ours, self.addresses.get(sender), minutes))
            asked = None if ours else asked or at
        return mails

    @cached_property
    def addresses(self) -> dict[str, str]:
        """User keys by address, of all users that the connector can see in a team or a box."""
        seen = {
            member["userKey"] for team in self.account.teams.values() for member in team["members"]
        }
        for box in self.account.boxes.values():
            seen |= {entry["userKey"] for entry in box.get("assignedToSharingEntries") or []}
            seen |= {box["creatorKey"]} if box.get("creatorSharingEntry") else set()
        return {self.account.users[key]["email"].lower(): key for key in seen}

    @cached_property
    def domains(self) -> set[str]:
        return {address.partition("@")[2] for address in self.addresses}


def begins(name: str, words: str) -> bool:
    """Whether a name begins with these whole words."""
    after = name[len(words) : len(words) + 1]
    return name.startswith(words) and not after.isalpha() and after not in ("'", "’")  # noqa: RUF001


def money(value: Any) -> float | None:
    """The amount in a value, as people write it; None if there is not exactly one.

    The last separator precedes decimals, unless it is the only one and three digits follow.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    figures = re.findall(r"\d[\d.,’' ]*", value) if isinstance(value, str) else []  # noqa: RUF001
    if len(figures) != 1:
        return None
    figure = re.sub(r"[’' ]", "", figures[0]).rstrip(".,")  # noqa: RUF001
    marks = re.findall(r"[.,]", figure)
    thousands = len(marks) == 1 and re.search(r"[.,]\d{3}$", figure)
    if marks and not thousands:
        whole, _, decimals = figure.rpartition(marks[-1])
        figure = f"{re.sub('[.,]', '', whole)}.{decimals}"
    else:
        figure = re.sub("[.,]", "", figure)
    return float(figure) * (1000 if value.lower().rstrip().endswith("k") else 1)


def month(time: int) -> str:
    """The first day of a month, such as 2026-05-01."""
    return datetime.fromtimestamp(time / 1000, timezone.utc).strftime("%Y-%m-01")
