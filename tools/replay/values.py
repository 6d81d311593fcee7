"""Whether records fit the schema that the configured catalog carries, quickly: each shape once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jsonschema import Draft7Validator, FormatChecker

TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"(Z|[+-]\d{2}:\d{2})"
)
# What depends on more than the kinds of JSON values: each record is looked at, not each shape.
FINER = {"enum", "const", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
FINER |= {"minLength", "maxLength", "multipleOf", "minItems", "maxItems", "uniqueItems"}

FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time")
def _is_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not TIME.fullmatch(value):
        return False
    try:
        datetime.strptime(value[:10], "%Y-%m-%d")
    except ValueError:
        return False
    return True


class Fit:
    """The schema of one configured stream. Draft 7 in any case, as the platform takes it."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        properties = schema.get("properties")
        self.columns = frozenset(properties if isinstance(properties, dict) else ())
        self._validator = Draft7Validator(schema, format_checker=FORMATS)
        self._fine = _mentions(schema, FINER)
        self._known: dict[Any, str | None] = {}  # shape -> what is wrong with it

    def problem(self, data: Mapping[str, Any]) -> str | None:
        """What does not fit; None if all does."""
        if self._fine:
            return self._look(data)
        known = shape(data)
        if known not in self._known:
            self._known[known] = self._look(data)
        return self._known[known]

    def _look(self, data: Mapping[str, Any]) -> str | None:
        error = next(iter(self._validator.iter_errors(data)), None)
        if error is None:
            return None
        return f"{'.'.join(map(str, error.path))}: {error.message[:150]}"


def shape(value: Any) -> Any:
    """The kinds of JSON values in a value; equal for two that a schema treats alike."""
    kind = type(value)
    if kind is str:
        return "time" if len(value) > 19 and value[4] == "-" and _is_time(value) else "text"
    if kind is dict:
        return tuple((name, shape(inner)) for name, inner in value.items())
    if kind is list:
        return frozenset(map(shape, value))
    if kind is float:
        return "whole" if value.is_integer() else "number"
    return kind.__name__


def _mentions(schema: Any, words: set[str]) -> bool:
    if isinstance(schema, dict):
        here = words & schema.keys()
        return bool(here) or any(_mentions(inner, words) for inner in schema.values())
    return isinstance(schema, list) and any(_mentions(inner, words) for inner in schema)
