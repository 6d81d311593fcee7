"""Random changes to a sandbox's account, one at a time: what people do while Streak is read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from random import Random
from typing import Any

from streak_sandbox.account import Account

Row = dict[str, Any]
KINDS = ("comments", "meetings", "tasks", "threads", "files")
DIRECTORY = ("contacts", "organizations")
FEWEST_BOXES, FEWEST_PIPELINES, MOST_PIPELINES, FEWEST_ENTRIES = 20, 3, 8, 3
TEXTS = {"comments": "message", "meetings": "notes", "tasks": "text", "threads": "subject"}
OPENED = (
    *("totalNumberOfSentEmailsViews", "totalNumberOfLastSentEmailViews"),
    *("totalNumberOfLastSentEmailLinksClicks", "mostRecentSentEmailsViewsTimestamp"),
)
OFTEN = 3  # how much likelier common changes are than rare ones


class Happenings:
    """`hidden`: (stream, key) of rows that changed while their box did not.

    `lasting`: pipelines that are never deleted or hidden, because the settings name them.
    """

    def __init__(self, account: Account, lasting: Collection[str] = ()) -> None:
        self.account, self.lasting = account, lasting
        self.hidden: set[tuple[str, str]] = set()
        common = [name for name in dir(self) if name.startswith("_often_")]
        rare = [name for name in dir(self) if name.startswith("_rarely_")]
        self._names = [*common * OFTEN, *rare]

    def happen(self, seed: object) -> str:
        """Makes one change, always the same for the same seed and account.

        Returns its name, or "" if it was not possible.
        """
        random = Random(f"{seed}")  # noqa: S311 # the same again is the point
        name = random.choice(self._names)
        with self.account.lock:
            done = getattr(self, name)(random)
        return name.split("_", 2)[2].replace("_", " ") if done is not False else ""

    # --- Random picks

    def _boxes(self) -> list[str]:
        """The keys of boxes that a list shows."""
        account = self.account
        return sorted(key for key in account.boxes if key not in account.archived)

    def _box(self, random: Random) -> Row:
        return self.account.boxes[random.choice(self._boxes())]

    def _pipeline(self, random: Random) -> Row:
        return self.account.pipelines[random.choice(sorted(self.account.pipelines))]

    def _child(self, random: Random) -> tuple[str, str, Row] | None:
        kind = random.choice(KINDS)
        rows = [(key, row) for key in self._boxes() for row in self.account.children[kind][key]]
        return (kind, *random.choice(rows)) if rows else None

    def _entry(self, random: Random) -> tuple[str, Row]:
        kind = random.choice(DIRECTORY)
        rows = [row for team in getattr(self.account, kind).values() for row in team]
        return kind, random.choice(sorted(rows, key=lambda row: row["key"]))

    # --- Boxes

    def _often_add_box(self, random: Random) -> Any:
        pipeline = self._pipeline(random)
        return bool(pipeline["stageOrder"]) and self.account.add_box(pipeline["key"], word(random))

    def _often_edit_box(self, random: Random) -> Any:
        return self.account.edit_box(self._box(random)["key"], name=word(random))

    def _often_change_stage(self, random: Random) -> Any:
        box = self._box(random)
        stages = self.account.pipelines[box["pipelineKey"]]["stageOrder"]
        return self.account.edit_box(box["key"], stageKey=random.choice(stages))

    def _often_set_or_clear_field(self, random: Random) -> Any:
        box = self._box(random)
        fields = self.account.pipelines[box["pipelineKey"]]["fields"]
        keys = sorted({field["key"] for field in fields} | box["fields"].keys())
        if not keys:
            return False
        value = random.choice((word(random), None, None, "", 42))
        return self.account.edit_box(box["key"], fields={random.choice(keys): value})

    def _often_move_box(self, random: Random) -> Any:
        pipeline = self._pipeline(random)
        box = self._box(random)
        if not pipeline["stageOrder"] or pipeline["key"] == box["pipelineKey"]:
            return False
        return self.account.move_box(box["key"], pipeline["key"])

    def _often_delete_box(self, random: Random) -> Any:
        if len(self._boxes()) <= FEWEST_BOXES:
            return False
        return self.account.delete_box(self._box(random)["key"])

    def _often_open_mail(self, random: Random) -> Any:
        """Views change, but no stamp shows it."""
        box = self._box(random)
        stamps = {name: box.get(name) for name in ("lastUpdatedTimestamp", "lastSavedTimestamp")}
        seen = {name: (box.get(name) or 0) + 1 for name in OPENED}
        return self.account.edit_box(box["key"], **stamps, **seen)

    def _rarely_archive_box(self, random: Random) -> Any:
        if len(self._boxes()) <= FEWEST_BOXES:
            return False
        return self.account.archive_box(self._box(random)["key"], random.random() < 0.3)

    def _rarely_unarchive_box(self, random: Random) -> Any:
        archived = sorted(self.account.archived)
        return bool(archived) and self.account.unarchive_box(random.choice(archived))

    def _rarely_merge_boxes(self, random: Random) -> Any:
        if len(self._boxes()) <= FEWEST_BOXES:
            return False
        kept, gone = random.sample(self._boxes(), 2)
        return self.account.merge_boxes(kept, gone)

    def _rarely_let_a_day_drift_by(self, random: Random) -> Any:
        return self.account.drift()

    def _rarely_miscount_boxes(self, random: Random) -> Any:
        """A list shorter than its count looks incomplete, and is doubted for an hour."""
        pipeline = self._pipeline(random)
        pipeline["boxCount"] = max(0, pipeline["boxCount"] + random.choice((-1, 1)))

    def _rarely_miscount_children(self, random: Random) -> Any:
        box = self._box(random)
        box["commentCount"] = len(self.account.comments.keep(box["key"])) + 1

    # --- Children of boxes

    def _often_add_child(self, random: Random) -> Any:
        add = random.choice([getattr(self.account, f"add_{kind[:-1]}") for kind in KINDS])
        return add(self._box(random)["key"], word(random))

    def _often_delete_child(self, random: Random) -> Any:
        found = self._child(random)
        if not found:
            return False
        kind, box, row = found
        if kind == "threads":
            for other in row.get("boxKeys", ()):  # their rows drop this box's key
                self.hidden.add(("box_threads", other))
            return self.account.delete_thread(box, row["key"])
        return self.account.delete_child(kind, box, row["key"])

    def _often_edit_child(self, random: Random) -> Any:
        """The box may not change at all, so the edit is found only within recheck_days."""
        found = self._child(random)
        if not found or found[0] not in TEXTS:
            return False
        kind, box, row = found
        change = {TEXTS[kind]: word(random)}
        self._note_children(box, self.account.edit_child, kind, box, row["key"], **change)
        return None

    def _rarely_complete_task(self, random: Random) -> Any:
        found = self._child(random)
        if not found or found[0] != "tasks":
            return False
        _, box, row = found
        self._note_children(box, self.account.edit_child, "tasks", box, row["key"], status="DONE")
        return None

    def _note_children(
        self, box: str, act: Callable[..., Any], *args: Any, **properties: Any
    ) -> None:
        """Makes a change, and notes that the box's children may differ while the box does not."""
        act(*args, **properties)
        for kind in KINDS:
            self.hidden.add((f"box_{kind}", box))

    # --- Pipelines

    def _rarely_rename_pipeline(self, random: Random) -> Any:
        return self.account.edit_pipeline(self._pipeline(random)["key"], name=word(random))

    def _rarely_rename_stage(self, random: Random) -> Any:
        pipeline = self._pipeline(random)
        if not pipeline["stageOrder"]:
            return False
        stage = random.choice(pipeline["stageOrder"])
        return self.account.rename_stage(pipeline["key"], stage, word(random))

    def _rarely_add_stage(self, random: Random) -> Any:
        return self.account.add_stage(self._pipeline(random)["key"], word(random))

    def _rarely_delete_stage(self, random: Random) -> Any:
        pipeline = self._pipeline(random)
        used = {box["stageKey"] for box in self.account.boxes.values()}
        free = [key for key in pipeline["stageOrder"] if key not in used]
        with_history = random.random() < 0.5
        if len(pipeline["stageOrder"]) < 2 or not free:
            return False
        return self.account.delete_stage(pipeline["key"], random.choice(free), with_history)

    def _rarely_add_field(self, random: Random) -> Any:
        kind = random.choice(("TEXT_INPUT", "DATE", "CHECKBOX"))
        return self.account.add_field(self._pipeline(random)["key"], word(random), kind)

    def _rarely_rename_field(self, random: Random) -> Any:
        return self._field(random, self.account.rename_field, word(random))

    def _rarely_delete_field(self, random: Random) -> Any:
        return self._field(random, self.account.delete_field, random.random() < 0.7)

    def _field(self, random: Random, act: Callable[..., Any], value: Any) -> Any:
        pipeline = self._pipeline(random)
        if not pipeline["fields"]:
            return False
        return act(pipeline["key"], random.choice(pipeline["fields"])["key"], value)

    def _rarely_change_option(self, random: Random) -> Any:
        choices = [
            (pipeline["key"], field["key"], option["key"])
            for pipeline in self.account.pipelines.values()
            for field in pipeline["fields"]
            for option in (field.get("dropdownSettings") or {}).get("items", ())
        ]
        if not choices:
            return False
        chosen = random.choice(sorted(choices))
        if random.random() < 0.5:
            return self.account.delete_option(*chosen)
        return self.account.rename_option(*chosen, word(random))

    def _rarely_add_pipeline(self, random: Random) -> Any:
        account = self.account
        if len(account.pipelines) >= MOST_PIPELINES:
            return False
        return account.add_pipeline(word(random), boxes=random.randint(0, 3))

    def _rarely_delete_pipeline(self, random: Random) -> Any:
        """Deletes a pipeline, after its boxes were moved or deleted."""
        account = self.account
        pipeline, into = self._pipeline(random)["key"], self._pipeline(random)
        many = len(account.pipelines) > FEWEST_PIPELINES
        if (
            not many
            or pipeline in self.lasting
            or pipeline == into["key"]
            or not into["stageOrder"]
        ):
            return False
        left = [key for key in self._boxes() if account.boxes[key]["pipelineKey"] != pipeline]
        move = random.random() < 0.5 or len(left) < FEWEST_BOXES
        for box in [key for key, row in account.boxes.items() if row["pipelineKey"] == pipeline]:
            if move:
                account.move_box(box, into["key"])
        account.empty_pipeline(pipeline)
        return account.delete_emptied_pipeline(pipeline)

    def _rarely_hide_pipeline(self, random: Random) -> Any:
        account = self.account
        seen = sorted(account.pipelines.keys() - account.hidden)
        chosen = random.choice(seen) if len(seen) > FEWEST_PIPELINES else None
        if chosen is None or chosen in self.lasting:
            return False
        return account.hide_pipeline(chosen)

    def _often_show_pipeline(self, random: Random) -> Any:
        account = self.account
        hidden = [
            key
            for key in sorted(account.hidden & account.pipelines.keys())
            if account.pipelines[key]["teamKey"] not in account.hidden
        ]
        return bool(hidden) and account.show_pipeline(random.choice(hidden))

    def _rarely_leave_team(self, random: Random) -> Any:
        """Leaves a team with all its pipelines. The second team has none."""
        account = self.account
        team = random.choice(sorted(account.teams))
        named = any(account.pipelines[key]["teamKey"] == team for key in self.lasting)
        if named or team in account.hidden:
            return False
        return account.leave_team(team)

    def _often_rejoin_team(self, random: Random) -> Any:
        account = self.account
        left = sorted(account.hidden & account.teams.keys())
        return bool(left) and account.rejoin_team(left[0])

    # --- Contacts and organizations

    def _often_add_entry(self, random: Random) -> Any:
        team = random.choice(sorted(self.account.teams))
        if random.random() < 0.5:
            return self.account.add_contact(team, givenName=word(random))
        return self.account.add_organization(team, name=word(random))

    def _often_edit_entry(self, random: Random) -> Any:
        kind, row = self._entry(random)
        if kind == "contacts":
            self._note_tasks()
            return self.account.edit_contact(row["key"], title=word(random))
        return self.account.edit_organization(row["key"], other=word(random))

    def _often_set_or_clear_field_of_an_entry(self, random: Random) -> Any:
        kind, row = self._entry(random)
        value = random.choice((word(random), None))
        self._note_tasks()
        edit = self.account.edit_contact if kind == "contacts" else self.account.edit_organization
        return edit(row["key"], fields={random.choice(("1001", "1004")): value})

    def _often_delete_entry(self, random: Random) -> Any:
        kind, row = self._entry(random)
        if not self._enough(kind):
            return False
        self._note_tasks()
        if kind == "contacts":
            return self.account.delete_contact(row["key"])
        return self.account.delete_organization(row["key"])

    def _rarely_merge_entries(self, random: Random) -> Any:
        kind, _ = self._entry(random)
        rows = [row["key"] for team in getattr(self.account, kind).values() for row in team]
        if not self._enough(kind):
            return False
        self._note_tasks()
        kept, gone = random.sample(sorted(rows), 2)
        if kind == "contacts":
            return self.account.merge_contacts(kept, gone)
        return self.account.merge_organizations(kept, gone)

    def _rarely_change_field_of_a_team(self, random: Random) -> Any:
        kind, team = random.choice(DIRECTORY), random.choice(sorted(self.account.teams))
        settings = {"contacts": "contactSettings", "organizations": "organizationSettings"}[kind]
        fields = sorted(self.account.teams[team][settings]["fields"])
        if not fields or random.random() < 0.3:
            return self.account.add_team_field(kind, team, word(random))
        if random.random() < 0.5:
            return self.account.rename_team_field(kind, team, random.choice(fields), word(random))
        self._note_tasks()
        gone = random.choice(fields)
        return self.account.delete_team_field(kind, team, gone, random.random() < 0.5)

    def _enough(self, kind: str) -> bool:
        return sum(map(len, getattr(self.account, kind).values())) > FEWEST_ENTRIES

    def _note_tasks(self) -> None:
        """A task may hold a copy of a contact."""
        tasks = self.account.tasks
        self.hidden |= {
            ("box_tasks", key)
            for key in self.account.boxes
            if any(row.get("actions") for row in tasks[key])
        }


def word(random: Random) -> str:
    """A new random word."""
    return f"word {random.randrange(10**6)}"
