"""Points 13, 14 and 18: values of custom fields, and the stamps of boxes. Nothing is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

from probing.assumptions import judged
from probing.points import Assumption, Point, Row, Sample, Section
from probing.shapes import Shape, type_of

ENCODINGS: dict[str, tuple[str, ...]] = {
    "TEXT_INPUT": ("string", "integer", "number"),
    "DATE": ("integer",),
    "CHECKBOX": ("boolean",),
    "DROPDOWN": ("string",),
    "TAG": ("array",),
    "PERSON": ("array",),
    "FORMULA": ("string", "integer", "number", "boolean"),
    "TEAM_CONTACT": ("string", "array"),
    "TEAM_ORGANIZATION": ("string", "array"),
}
STAMPS = (
    *("lastUpdatedTimestamp", "lastSavedTimestamp", "lastCommentTimestamp"),
    *("lastEmailUpdatedTimestamp", "mostRecentCallLogTimestamp"),
    *("mostRecentMeetingNotesTimestamp", "lastStageChangeTimestamp"),
)
OF_CHANGES = STAMPS[:2]


# --- Custom fields ------------------------------------------------------------------------------


@dataclass
class Values:
    """The values of fields: by the type of their field, and those that are none."""

    by_type: dict[str, Shape] = field(default_factory=dict)
    blank: Counter[str] = field(default_factory=Counter)
    absent: int = 0
    strangers: int = 0

    def note(self, kinds: dict[Any, Any], values: Any) -> None:
        """The fields of one box; `kinds`: the type of each field of its pipeline, by key."""
        values = values if isinstance(values, dict) else {}
        self.absent += len(kinds.keys() - values.keys())
        for key, value in values.items():
            kind = kinds.get(key)
            self.strangers += kind not in ENCODINGS
            if value in (None, "", []):
                self.blank[type_of(value)] += 1
            elif kind in ENCODINGS:
                self.by_type.setdefault(str(kind), Shape()).add(value)


def fields(sample: Sample) -> Point:
    """Points 13 and 14: what the values of custom fields look like."""
    values = Values()
    for pipeline in sample.pipelines:
        kinds = _kinds(pipeline)
        for box in sample.boxes.get(str(pipeline.get("key")), []):
            values.note(kinds, box.get("fields"))
    yield from ()
    told = {kind: _types(shape) for kind, shape in sorted(values.by_type.items())}
    blank = ", ".join(f"{kind} {count}" for kind, count in values.blank.items())
    return Section(
        "Values of custom fields",
        (
            *(f"{kind}: {types}." for kind, types in told.items()),
            f"Without a value: {values.absent} absent; present but empty: {blank or 'none'}.",
            f"Of a field or a type that is not defined: {values.strangers}.",
        ),
        shapes=tuple((f"A value of {kind}", values.by_type[kind]) for kind in told),
        assumptions=(
            *(_encoding(kind, values.by_type.get(kind)) for kind in ENCODINGS),
            _unset(values, blank),
        ),
    )


def _kinds(pipeline: Row) -> dict[Any, Any]:
    rows = [row for row in pipeline.get("fields") or [] if isinstance(row, dict)]
    return {row.get("key"): row.get("type") for row in rows}


def _types(shape: Shape) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in shape.types.items())


def _encoding(kind: str, shape: Shape | None) -> Assumption:
    expected = ENCODINGS[kind]
    fits = set(shape.types) <= set(expected) if shape else None
    told = _types(shape) if shape else "no value"
    return judged("encoding", told, fits, kind=kind, types=" or ".join(expected))


def _unset(values: Values, blank: str) -> Assumption:
    told = f"absent {values.absent} times; present but empty: {blank or 'never'}"
    seen = values.absent or values.blank
    return judged("unset", told, set(values.blank) <= {"string"} if seen else None)


# --- Stamps -------------------------------------------------------------------------------------


def stamps(sample: Sample) -> Point:
    """Point 18: on how many boxes one stamp is later than another."""
    later: Counter[tuple[str, str]] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for box in sample.all_boxes:
        for one, other in permutations(STAMPS, 2):
            first, second = box.get(one), box.get(other)
            if type(first) is int and type(second) is int:
                both[one, other] += 1
                later[one, other] += first > second
    yield from ()
    return Section(
        "Stamps of a box",
        tuple(
            f"{one} is later than {other} on {count} of {both[one, other]} boxes that have both."
            for (one, other), count in sorted(later.items())
            if count and other in OF_CHANGES
        ),
        assumptions=tuple(
            judged(
                "stamps",
                f"older on {later[one, other]} of {both[one, other]} boxes",
                True if later[one, other] else None,
                one=one,
                other=other,
            )
            for one in ("lastCommentTimestamp", "lastEmailUpdatedTimestamp")
            for other in OF_CHANGES
        ),
    )
