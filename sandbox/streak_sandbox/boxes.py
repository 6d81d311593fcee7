"""What can happen to boxes and their children: counters, stamps and timelines follow (19)."""

from __future__ import annotations

from typing import Any

from . import objects, timelines
from .crm import Crm, change, update, without_none
from .objects import CHILD_KINDS, TALLIES, Row

# Children added later get numbers from here on, far from those of untouched ones (1, 2, 3, …).
FIRST_ADDED_CHILD = 500_000


class Boxes(Crm):
    """Boxes are listed, archived, merged and deleted."""

    @change
    def add_box(self, pipeline_key: str, name: str, **properties: Any) -> Row:
        pipeline = self.pipelines[pipeline_key]
        box = objects.box(self.number(), name, pipeline, self.me, self.now()) | properties
        box["stageHistoryEntries"][0]["stageKey"] = box["stageKey"]
        self.put_box(box)
        self._tell(box, "NEW_BOX")
        return box

    @change
    def put_box(self, box: Row) -> None:
        """Adds a box exactly as it is, without an event in the newsfeed."""
        self.boxes[box["key"]] = box
        self._boxes_of[box["pipelineKey"]][box["key"]] = box
        self._count(box, +1)

    @change
    def edit_box(self, box_key: str, **properties: Any) -> Row:
        """Sets properties; None removes one. `fields` changes only the fields that it names.

        Both stamps move, unless they are among the properties.
        """
        box = self.boxes[box_key]
        stamps = self._stamps()
        self._write_timeline(box, stamps["lastUpdatedTimestamp"], properties)
        if properties.get("stageKey", box["stageKey"]) != box["stageKey"]:
            self._enter_stage(box, properties["stageKey"], stamps["lastUpdatedTimestamp"])
        if "fields" in properties:
            properties["fields"] = without_none(box["fields"] | properties["fields"])
        update(box, stamps | properties)
        return box

    @change
    def move_box(self, box_key: str, pipeline_key: str, **properties: Any) -> Row:
        """Moves a box to another pipeline. It keeps its key, and gets a stage that exists there."""
        box = self.boxes[box_key]
        self.changes.keep(box_key)
        stages = self.pipelines[pipeline_key]["stageOrder"]
        archived = self._take_out(box)
        box["pipelineKey"] = pipeline_key
        if box["stageKey"] not in stages:
            box["stageKey"] = stages[0]
        self._put_in(box, archived)
        for kind in CHILD_KINDS:
            for row in self.children[kind].keep(box_key):
                if "pipelineKey" in row:
                    row["pipelineKey"] = pipeline_key
        stamps = self._stamps()
        self._note_move(box, stamps["lastUpdatedTimestamp"], "EDIT_PIPELINE")
        update(box, stamps | properties)
        return box

    @change
    def delete_box(self, box_key: str) -> None:
        """Deletes a box with its comments, meetings, tasks and files (4.3)."""
        self._take_out(self.boxes[box_key])
        del self.boxes[box_key]
        self.changes.forget(box_key)
        for kind in CHILD_KINDS:
            self.children[kind].forget(box_key)

    @change
    def archive_box(self, box_key: str, counted: bool = False) -> Row:
        """Removes a box from every list. It and its children still answer by key.

        `counted`: whether its pipeline's boxCount still counts it.
        """
        box = self.boxes[box_key]
        self._take_out(box)
        self._put_in(box, counted)
        box.update(self._stamps())
        return box

    @change
    def unarchive_box(self, box_key: str) -> Row:
        box = self.boxes[box_key]
        self._take_out(box)
        self._put_in(box, None)
        box.update(self._stamps())
        return box

    @change
    def merge_boxes(self, kept_key: str, gone_key: str) -> Row:
        """Moves the second box's children to the first. Its key then answers with the first box."""
        kept = self.boxes[kept_key]
        for kind in CHILD_KINDS:
            rows = [row | {"boxKey": kept_key} for row in self.children[kind][gone_key]]
            rows = [_in_pipeline(row, kept["pipelineKey"]) for row in rows]
            self.put_children(kind, kept_key, rows)
        fields = self.boxes[gone_key]["fields"] | kept["fields"]
        self.delete_box(gone_key)
        self.merged[gone_key] = kept_key
        return self.edit_box(kept_key, fields=fields)

    @change
    def drift(self) -> None:
        """A day without work: only what Streak computes by itself changes, and no stamp moves."""
        for box in self.boxes.values():
            if "freshness" in box:
                box["freshness"] = round(box["freshness"] * 0.97, 6)
            for entry in box.get("stageHistoryEntries", [])[-1:]:
                entry["timeInStageMs"] += objects.DAY
            if "totalNumberOfSentEmailsViews" in box:
                box["totalNumberOfSentEmailsViews"] += 1

    @change
    def put_changes(
        self, box_key: str, bodies: dict[int, Row], kind: str = timelines.EDITS
    ) -> None:
        """Adds timeline entries exactly as they are, by time. Nothing else in the box changes."""
        entries = self.changes.keep(box_key)
        entries.extend(timelines.Entry(at, kind, body) for at, body in bodies.items())
        entries.sort(key=lambda entry: entry.at)

    def _take_out(self, box: Row) -> bool | None:
        """Takes a box off its pipeline's list and count. Returns how it was archived; None: not."""
        archived = self.archived.pop(box["key"], None)
        if archived is not False:
            self._count(box, -1)
        self._boxes_of[box["pipelineKey"]].pop(box["key"], None)
        return archived

    def _put_in(self, box: Row, archived: bool | None) -> None:
        if archived is not False:
            self._count(box, +1)
        if archived is None:
            self._boxes_of[box["pipelineKey"]][box["key"]] = box
        else:
            self.archived[box["key"]] = archived

    def _count(self, box: Row, step: int) -> None:
        pipeline = self.pipelines[box["pipelineKey"]]
        pipeline["boxCount"] += step
        if box["stageKey"] in pipeline["stages"]:
            pipeline["stages"][box["stageKey"]]["boxCount"] += step

    def _enter_stage(self, box: Row, stage_key: str, now: int) -> None:
        counted = self.archived.get(box["key"], True)
        self._count(box, -counted)
        box["stageKey"] = stage_key
        box["lastStageChangeTimestamp"] = now
        # Only the last entry into each stage is kept.
        visits = box.get("stageHistoryEntries", [])
        others = [entry for entry in visits if entry["stageKey"] != stage_key]
        entered = {"stageKey": stage_key, "lastEntryToStageTs": now, "timeInStageMs": 0}
        box["stageHistoryEntries"] = [*others, entered]
        self._count(box, +counted)
        self._tell(box, "EDIT_STAGE", STAGE_KEY=stage_key)

    def _tell(self, box: Row, specific: str, **variables: str) -> None:
        """Puts an event into the pipeline's newsfeed."""
        known = {"BOX_NAME": box["name"], "STORY_AUTHOR_DISPLAY_NAME": self.me["displayName"]}
        number, pipeline = self.number(), box["pipelineKey"]
        item = objects.event(
            number, pipeline, self.my_key, self.now(), specific, **known | variables
        )
        self.newsfeed[pipeline].append(item | {"boxKey": box["key"]})

    def _write_timeline(self, box: Row, at: int, properties: Row) -> None:
        """Writes what an edit is about to change into the timeline."""
        entries = self.changes.keep(box["key"])
        for key, value in properties.get("fields", {}).items():
            before = box["fields"].get(key)
            if value != before:
                place = len(entries) + 1
                entries.append(timelines.field_edit(box, place, at, key, (before, value)))
        texts = {
            name: (box.get(name), properties[name])
            for name in ("name", "notes")
            if name in properties and properties[name] != box.get(name)
        }
        if texts:
            entries.append(timelines.text_edit(box, at, texts))
        stage = properties.get("stageKey", box["stageKey"])
        if stage != box["stageKey"]:
            self._note_move(box, at, "EDIT_STAGE", STAGE_KEY=stage)

    def _note_move(self, box: Row, at: int, specific: str, **variables: str) -> None:
        entries = self.changes.keep(box["key"])
        entries.append(timelines.move(box, len(entries) + 1, at, specific, **variables))


class Children(Crm):
    """Comments, meetings, tasks, threads and files of a box."""

    @change
    def add_comment(self, box_key: str, message: str, **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        row = objects.comment(box, number, self.my_key, now, message)
        return self._add_child("comments", row | properties)

    @change
    def add_meeting(self, box_key: str, notes: str = "", **properties: Any) -> Row:
        """A call log, unless meetingType says something else."""
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        self._tell(box, "ADD_MEETING", MEETING_NOTES=notes)
        row = objects.meeting(box, number, self.my_key, now, notes, **properties)
        return self._add_child("meetings", row)

    @change
    def add_task(self, box_key: str, text: str = "Call back", **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        self._tell(box, "ADD_TASK", TASK_TEXT=text)
        brief = objects.user_brief(self.me)
        return self._add_child("tasks", objects.task(box, number, brief, now, text, **properties))

    @change
    def add_thread(self, box_key: str, subject: str = "Offer", **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        row = objects.thread(box, number, now, subject, "buyer@example.org")
        return self._add_child("threads", row | {"creatorKey": self.my_key} | properties)

    @change
    def add_file(self, box_key: str, name: str = "offer.pdf", **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        row = objects.file(box, number, self.my_key, now, name)
        return self._add_child("files", row | properties)

    @change
    def edit_comment(self, box_key: str, comment_key: str, message: str) -> Row:
        return self.edit_child("comments", box_key, comment_key, message=message)

    @change
    def delete_comment(self, box_key: str, comment_key: str) -> None:
        self.delete_child("comments", box_key, comment_key)

    @change
    def delete_meeting(self, box_key: str, meeting_key: str) -> None:
        self.delete_child("meetings", box_key, meeting_key)

    @change
    def delete_task(self, box_key: str, task_key: str) -> None:
        self.delete_child("tasks", box_key, task_key)

    @change
    def delete_thread(self, box_key: str, thread_key: str) -> None:
        """Removes a thread from this box. Other boxes keep it, without this box in their rows."""
        rows = self.threads[box_key]
        holders = next(row for row in rows if row["key"] == thread_key).get("boxKeys", [])
        self.delete_child("threads", box_key, thread_key)
        left = [key for key in holders if key != box_key and key in self.boxes]
        for other in left:
            if any(row["key"] == thread_key for row in self.threads[other]):
                self.edit_child("threads", other, thread_key, boxKeys=left)

    @change
    def delete_file(self, box_key: str, file_key: str) -> None:
        self.delete_child("files", box_key, file_key)

    @change
    def edit_child(self, kind: str, box_key: str, key: str, **properties: Any) -> Row:
        """Moves the row's own stamp, and the box's only if its summary of children changes."""
        row = next(row for row in self.children[kind].keep(box_key) if row["key"] == key)
        row.update({"lastSavedTimestamp": self.now()} | properties)
        box = self.boxes[box_key]
        before = dict(box)
        self._recount(box, kind)
        if box != before:
            box["lastSavedTimestamp"] = self.now()
        return row

    @change
    def delete_child(self, kind: str, box_key: str, key: str) -> None:
        rows = self.children[kind].keep(box_key)
        rows.remove(next(row for row in rows if row["key"] == key))
        self._child_changed(kind, box_key)

    @change
    def put_children(self, kind: str, box_key: str, rows: list[Row]) -> None:
        """Adds rows exactly as they are. The box's counters follow, its own stamps do not."""
        self.children[kind].keep(box_key).extend(rows)
        self._recount(self.boxes[box_key], kind)

    def _add_child(self, kind: str, row: Row) -> Row:
        self.children[kind].keep(row["boxKey"]).append(row)
        self._child_changed(kind, row["boxKey"])
        return row

    def _child_changed(self, kind: str, box_key: str) -> None:
        """One more or less changes counters and lastSavedTimestamp, not lastUpdatedTimestamp."""
        box = self.boxes[box_key]
        self._recount(box, kind)
        box["lastSavedTimestamp"] = self.now()

    def _recount(self, box: Row, kind: str) -> None:
        update(box, TALLIES[kind](self.children[kind][box["key"]]))

    def _child_number(self) -> int:
        return FIRST_ADDED_CHILD + self.number()

    def _tell(self, box: Row, specific: str, **variables: str) -> None:
        raise NotImplementedError  # Boxes implements it


def _in_pipeline(row: Row, pipeline_key: str) -> Row:
    return row | {"pipelineKey": pipeline_key} if "pipelineKey" in row else row
