"""The CRM in memory, and everything that can happen to it.

Objects are plain dicts as the API answers them. Read them freely; change them through the methods,
which move counters and stamps as Streak is thought to (API notes, section 19), and which any thread
may call while the sandbox serves. The methods are in people.py, pipelines.py and boxes.py; what is
held, and how it is read, in crm.py.
"""

from __future__ import annotations

from typing import Any

from . import objects
from .boxes import Boxes, Children
from .crm import change, wall_clock
from .objects import Row
from .people import People
from .pipelines import Pipelines

__all__ = ["Account", "wall_clock"]


class Account(Boxes, Children, Pipelines, People):
    """What one API key can see. A new account holds only the key's own user."""

    @change
    def add_pipeline(
        self,
        name: str,
        boxes: int = 0,
        fields: tuple[Row, ...] | list[Row] = (),
        stages: tuple[str, ...] | list[str] = ("Lead", "Talking", "Won", "Lost"),
        **properties: Any,
    ) -> Row:
        """`boxes`: number of plain boxes; `fields`: from objects.field(); `stages`: their names."""
        team_key = next(iter(self.teams), None)
        row = objects.pipeline(self.number(), name, self.me, team_key, self.now())
        row["fields"] = list(fields)
        numbered = [(str(5001 + place), label) for place, label in enumerate(stages)]
        row["stages"] = {key: objects.stage(key, label) for key, label in numbered}
        row["stageOrder"] = list(row["stages"])
        row.update(properties)
        self.pipelines[row["key"]] = row
        self._boxes_of[row["key"]], self.newsfeed[row["key"]] = {}, []
        for place in range(boxes):
            self.add_box(row["key"], f"{name} {place + 1}")
        return row

    @change
    def empty_pipeline(self, pipeline_key: str, into: str | None = None) -> None:
        """Moves a pipeline's boxes elsewhere or deletes them, as people do before deleting it."""
        for box in list(self.boxes.values()):
            if box["pipelineKey"] == pipeline_key and into:
                self.move_box(box["key"], into)
            elif box["pipelineKey"] == pipeline_key:
                self.delete_box(box["key"])

    @change
    def delete_pipeline(self, pipeline_key: str) -> None:
        """Deletes a pipeline with all its boxes, as the old documentation says."""
        self.empty_pipeline(pipeline_key)
        self.delete_emptied_pipeline(pipeline_key)

    @change
    def delete_emptied_pipeline(self, pipeline_key: str) -> None:
        """As in the new documentation: ValueError while it has boxes, archived ones included."""
        if any(box["pipelineKey"] == pipeline_key for box in self.boxes.values()):
            raise ValueError("a pipeline that still has boxes cannot be deleted")
        del self.pipelines[pipeline_key], self._boxes_of[pipeline_key]
        self.newsfeed.pop(pipeline_key, None)
        self.hidden.discard(pipeline_key)
