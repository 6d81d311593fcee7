"""What can happen to pipelines, their stages and fields."""

from __future__ import annotations

from typing import Any

from . import objects
from .crm import Crm, change
from .objects import Row


class Pipelines(Crm):
    """Changes of definitions. They move the pipeline's stamps, but change no box."""

    @change
    def edit_pipeline(self, pipeline_key: str, **properties: Any) -> Row:
        row = self.pipelines[pipeline_key]
        row.update(self._stamps() | properties)
        return row

    @change
    def hide_pipeline(self, pipeline_key: str) -> None:
        """Somebody stops sharing it: it is in no list, and this key cannot read it or its boxes."""
        self.hidden.add(self.pipelines[pipeline_key]["key"])

    @change
    def show_pipeline(self, pipeline_key: str) -> None:
        self.hidden.discard(pipeline_key)

    # --- stages -----------------------------------------------------------------------------------

    @change
    def add_stage(self, pipeline_key: str, name: str) -> Row:
        pipeline = self.edit_pipeline(pipeline_key)
        key = str(max(map(int, pipeline["stages"]), default=5000) + 1)
        pipeline["stages"][key] = objects.stage(key, name)
        pipeline["stageOrder"] = [*pipeline["stageOrder"], key]
        return pipeline["stages"][key]

    @change
    def rename_stage(self, pipeline_key: str, stage_key: str, name: str) -> Row:
        stage = self.edit_pipeline(pipeline_key)["stages"][stage_key]
        stage["name"] = name
        return stage

    @change
    def delete_stage(self, pipeline_key: str, stage_key: str, with_history: bool = False) -> None:
        """ValueError while it has boxes, where Streak answers 400. History may keep its key."""
        boxes = self._boxes_of[pipeline_key].values()
        if any(box["stageKey"] == stage_key for box in boxes):
            raise ValueError("a stage that still has boxes cannot be deleted")
        pipeline = self.edit_pipeline(pipeline_key)
        del pipeline["stages"][stage_key]
        pipeline["stageOrder"] = [key for key in pipeline["stageOrder"] if key != stage_key]
        for box in boxes if with_history else ():
            visits = box.get("stageHistoryEntries", [])
            box["stageHistoryEntries"] = [row for row in visits if row["stageKey"] != stage_key]

    # --- fields -----------------------------------------------------------------------------------

    @change
    def add_field(
        self,
        pipeline_key: str,
        name: str,
        kind: str = "TEXT_INPUT",
        options: tuple[str, ...] | list[str] = (),
    ) -> Row:
        fields = self.edit_pipeline(pipeline_key)["fields"]
        number = max((int(row["key"]) for row in fields), default=1000) + 1
        fields.append(objects.field(str(number), name, kind, tuple(options)))
        return fields[-1]

    @change
    def rename_field(self, pipeline_key: str, field_key: str, name: str) -> Row:
        row = self._changed_field(pipeline_key, field_key)
        row["name"] = name
        return row

    @change
    def delete_field(self, pipeline_key: str, field_key: str, with_values: bool = False) -> None:
        """Deletes a definition. Boxes keep their values, unless `with_values` deletes them too."""
        row = self.edit_pipeline(pipeline_key)
        row["fields"] = [field for field in row["fields"] if field["key"] != field_key]
        for box in self.boxes.values() if with_values else ():
            if box["pipelineKey"] == pipeline_key:
                box["fields"].pop(field_key, None)

    @change
    def add_option(self, pipeline_key: str, field_key: str, label: str) -> Row:
        return objects.add_option(self._changed_field(pipeline_key, field_key), label)

    @change
    def rename_option(self, pipeline_key: str, field_key: str, option_key: str, label: str) -> Row:
        field = self._changed_field(pipeline_key, field_key)
        return objects.rename_option(field, option_key, label)

    @change
    def delete_option(self, pipeline_key: str, field_key: str, option_key: str) -> None:
        """Values that use the option stay as they are."""
        objects.delete_option(self._changed_field(pipeline_key, field_key), option_key)

    def _changed_field(self, pipeline_key: str, field_key: str) -> Row:
        fields = self.edit_pipeline(pipeline_key)["fields"]
        row = next(row for row in fields if row["key"] == field_key)
        row["lastUpdatedTimestamp"] = self.now()
        return row
