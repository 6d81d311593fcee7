"""JSON values as types and counts: what can be told of an answer without telling what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from probing.names import CONSTANT, MAPS, WITHHELD, is_api_word, known_names, name
from source_streak.records.shape import SECRETS

MOST_NAMES = 60  # of one object; more are a map's, whatever it is called
DEPTH = 5  # of objects in objects that are shown
MAP_FROM = 4  # objects that have no name in common are a map
ADDED = frozenset(  # by the connector
    [
        "readAt",
        "_ab_cdc_deleted_at",
        "otherProperties",
        "pipelineName",
        "stageName",
        "teamName",
        "customFields",
        "options",
        "position",
        "appliesTo",
    ]
)


@dataclass
class Shape:
    """Many values at one place: how often each type, and the same of what is in them."""

    seen: int = 0
    types: Counter[str] = field(default_factory=Counter)
    names: dict[str, Shape] = field(default_factory=dict)
    items: Shape | None = None

    def add(self, value: Any) -> None:
        """One more value."""
        self.seen += 1
        self.types[type_of(value)] += 1
        if isinstance(value, dict):
            for title, inner in value.items():
                self.names.setdefault(title, Shape()).add(inner)
        elif isinstance(value, list):
            self.items = self.items or Shape()
            for inner in value:
                self.items.add(inner)

    @property
    def objects(self) -> int:
        """How many of the values are objects."""
        return self.types["object"]

    def is_map(self, title: str) -> bool:
        """Whether its names are data: then none is printed, but constants of Streak's."""
        if title in MAPS:
            return True
        if len(self.names.keys() & known_names()) * 2 >= len(self.names):
            return False
        if len(self.names) > MOST_NAMES:
            return True
        most = max((inner.seen for inner in self.names.values()), default=0)
        return len(self.names) >= MAP_FROM and self.objects >= MAP_FROM and most * 2 < self.objects


def type_of(value: Any) -> str:
    """The JSON type; whole numbers are integers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds = {str: "string", int: "integer", float: "number", list: "array", dict: "object"}
    return kinds.get(type(value), "unknown")


def shape_of(values: Iterable[Any]) -> Shape:
    """The shape of many values of one kind, such as the rows of a list."""
    shape = Shape()
    for value in values:
        shape.add(value)
    return shape


def types(shape: Shape, of: int) -> str:
    """string 10/12, null 1/12: how many of `of` objects have the property with each type."""
    return ", ".join(f"{kind} {count}/{of}" for kind, count in shape.types.most_common())


def lines(shape: Shape, within: tuple[str, ...] = (), most: int = DEPTH) -> Iterator[str]:
    """The tree of a shape, a property a line; names are marked. `within`: where it stands."""
    space = "  " * len(within)
    if shape.items is not None and shape.items.seen:
        yield f"{space}[]: {types(shape.items, shape.items.seen)}"
        if len(within) < most:
            yield from lines(shape.items, (*within, ""), most)
    if not shape.names:
        return
    if shape.is_map(within[-1] if within else ""):
        yield from _map_lines(shape, space)
        return
    for title, inner in sorted(shape.names.items()):
        shown = name(title) if _is_streaks(title, inner, shape, within) else WITHHELD
        yield f"{space}{shown}: {types(inner, shape.objects)}"
        if len(within) < most:
            yield from lines(inner, (*within, title), most)


def _is_streaks(title: str, inner: Shape, shape: Shape, within: tuple[str, ...]) -> bool:
    """Whether a name can be Streak's: in an object that no schema knows, a lone one may be data."""
    if all(one in known_names() or not one for one in within) or is_api_word(title):
        return True
    return inner.seen > 1 and inner.seen * 2 >= shape.objects


def _map_lines(shape: Shape, space: str) -> Iterator[str]:
    constants = sorted(title for title in shape.names if CONSTANT.fullmatch(title))
    for title in constants:
        yield f"{space}{name(title)}: {types(shape.names[title], shape.objects)}"
    others = [inner for title, inner in shape.names.items() if title not in constants]
    kinds: Counter[str] = sum((inner.types for inner in others), Counter())
    if others:
        told = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
        yield f"{space}({len(others)} names that are data: {told})"


@dataclass(frozen=True)
class Difference:
    """How the properties of some rows differ from what a schema declares."""

    unknown: dict[str, Shape]
    missing: tuple[str, ...]
    other_type: dict[str, tuple[str, str]]  # name: (types as seen, type as declared)


def against_schema(
    shape: Shape, schema: Mapping[str, Any], converted: Mapping[str, str] | None = None
) -> Difference:
    """Properties that the schema does not know, those never seen, and those of another type.

    `converted`: types beside those of the schema that Streak is known to send, by property.
    """
    declared = {title: inner for title, inner in schema["properties"].items() if title not in ADDED}
    unknown = {
        title: inner
        for title, inner in shape.names.items()
        if title not in declared and title not in SECRETS
    }
    missing = tuple(title for title in declared if title not in shape.names)
    other = {
        title: (types(inner, shape.objects), expected(declared[title]))
        for title, inner in shape.names.items()
        if title in declared
        and not set(inner.types) <= _allowed(declared[title]) | {(converted or {}).get(title, "")}
    }
    return Difference(unknown, missing, other)


def expected(declared: Mapping[str, Any]) -> str:
    """What Streak is thought to send for a column: times are whole numbers there."""
    return " or ".join(sorted(_allowed(declared) - {"null"}))


def _allowed(declared: Mapping[str, Any]) -> set[str]:
    if declared.get("format") == "date-time":
        return {"integer", "null"}
    if "$ref" in declared:
        return {"object", "null"}
    kinds = declared.get("type", [])
    found = {kinds} if isinstance(kinds, str) else set(kinds)
    return found | {"null"} | ({"integer"} if "number" in found else set())
