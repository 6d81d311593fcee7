"""Counts what a stream could not deliver as it is, and reports it once at the stream's end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from source_streak.api.errors import Refusals
from source_streak.reading.heartbeat import names
from source_streak.records.shape import Shape


@dataclass
class LeftOut:
    """The counts of one reading."""

    refusals: Refusals
    without_key: int = 0  # rows
    ended_early: int = 0  # lists
    # Values of custom fields, by the field's type.
    misshapen: Counter[str] = field(default_factory=Counter)

    def sentences(self, shape: Shape) -> Iterator[str]:
        """One warning for each count that is not 0."""
        other, misfits = shape.other, sum(shape.misfits.values())
        for count, one, many, why in (
            (self.refusals.gone, "box", "boxes", "left out: deleted while being read"),
            (
                *(self.refusals.set_aside, "box", "boxes"),
                "refused or failed, even on a second try: their rows are missing from this sync",
            ),
            (self.without_key, "row", "rows", "left out: no key"),
            (
                *(self.ended_early, "list", "lists"),
                "promised more pages but brought nothing new: the rows so far are used",
            ),
            (
                misfits,
                "value",
                "values",
                f"did not fit the column: kept in {other} ({names(shape.misfits)})",
            ),
            (
                *(sum(self.misshapen.values()), "value", "values"),
                "did not have the shape of the field's type: kept as text in textValue and "
                f"rawValue ({names(self.misshapen)})",
            ),
        ):
            if count:
                yield f"{count:,} {one if count == 1 else many} {why}."
