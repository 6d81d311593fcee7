"""From a row as Streak sends it to a record that fits its stream's schema: the one place where times are converted.

Which properties are times, numbers or texts is read from the schema, so schema and record cannot disagree.  A property that
the schema does not know, and a value that does not fit its column, go to `otherProperties`; secrets go nowhere.
Pure: knows no framework.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timezone
from functools import lru_cache
from typing import Any

import orjson

Row = dict[str, Any]
Record = dict[str, Any]
Convert = Callable[[Any], Any]

OTHER, OTHER_IN_TABLES = "otherProperties", "other_properties"
# Never in a record: intercomHmac signs its user in to Streak's support chat, directUrl opens a file without a login.
SECRETS = frozenset({"intercomHmac", "directUrl", "apiKey", "apiKeys"})

DAY_MS, MINUTE_MS = 86_400_000, 60_000
EPOCH = date(1970, 1, 1).toordinal()
LAST_MS = (date.max.toordinal() - EPOCH + 1) * DAY_MS - 1
FIRST_MS = (date.min.toordinal() - EPOCH) * DAY_MS
MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]
SECONDS = [f"{second:02d}." for second in range(60)]
MILLISECONDS = [f"{millisecond:03d}Z" for millisecond in range(1000)]
LARGEST = 2**63  # what JSON libraries and warehouses take for an integer ends here
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class Misfit(ValueError):
    """A value that does not fit its column; `fitted` is as much of it as does (an object less its bad property)."""

    def __init__(self, fitted: Any = None) -> None:
        super().__init__()
        self.fitted = fitted


def iso_time(milliseconds: int) -> str | None:
    """Epoch milliseconds -> `2026-09-21T14:13:20.000Z`; None for 0 and -1 (Streak's "never") and years outside 1 to 9999."""
    if milliseconds in (0, -1) or not FIRST_MS <= milliseconds <= LAST_MS:
        return None
    day, rest = divmod(milliseconds, DAY_MS)
    minute, rest = divmod(rest, MINUTE_MS)
    return _day(day) + MINUTES[minute] + SECONDS[rest // 1000] + MILLISECONDS[rest % 1000]


def milliseconds_of(time: Any) -> int | None:
    """The reverse of `iso_time`; None for anything but such a time."""
    try:
        moment = datetime.strptime(time, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        return None
    return round(moment.timestamp() * 1000)


@lru_cache(maxsize=65_536)
def _day(number: int) -> str:
    return date.fromordinal(EPOCH + number).isoformat()


def plain_number(text: str) -> int | float | None:
    """A text that is a plain number ("12", "-3.5"), as that number; None for "1.200,50", "$12" and the like."""
    text = text.strip()
    if INTEGER.fullmatch(text):
        return int(text)
    number = float(text) if NUMBER.fullmatch(text) else None
    return number if number is not None and abs(number) < float("inf") else None


def whole_number(value: Any) -> int | None:
    """The value as an integer, also when it comes as text or as 5.0; None where it is none."""
    try:
        return _integer(value)
    except Misfit:
        return None


def mapping(value: Any) -> Row:
    """The object that a value should be; an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """The array that a value should be; an empty one where it is something else."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[Row]:
    """The objects in what should be an array of them."""
    return [one for one in listing(value) if isinstance(one, dict)]


def as_json(value: Any) -> str:
    """A value as JSON text."""
    return orjson.dumps(value).decode()


def from_json(text: str) -> Any:
    """The reverse of `as_json`."""
    return orjson.loads(text)


def without_secrets(value: Any) -> Any:
    """The value as it is, less the properties that are secrets, at any depth."""
    if type(value) is dict:
        return {
            name: without_secrets(inner) for name, inner in value.items() if name not in SECRETS
        }
    if type(value) is list:
        return [without_secrets(inner) for inner in value]
    return value


class Shape:
    """The columns of one stream, and what did not fit into them so far (by property name)."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.names = frozenset(schema["properties"])
        self.other = OTHER_IN_TABLES if OTHER_IN_TABLES in self.names else OTHER
        self.unknown: Counter[str] = Counter()
        self.misfits: Counter[str] = Counter()
        self._columns = {
            name: _column(column)
            for name, column in schema["properties"].items()
            if name != self.other
        }

    def record(self, row: Mapping[str, Any]) -> Record:
        """One record; absent properties stay absent."""
        record: Record = {}
        other: Row = {}
        for name, value in row.items():
            column = self._columns.get(name)
            if column is None:
                if name not in SECRETS:
                    self.unknown[name] += 1
                    other[name] = without_secrets(value)
                continue
            exact, convert = column
            try:
                record[name] = value if value is None or type(value) is exact else convert(value)
            except Misfit as misfit:
                self.misfits[name] += 1
                record[name] = misfit.fitted
                other[name] = without_secrets(value)
        if other:
            record[self.other] = other
        return record


def _column(schema: Mapping[str, Any]) -> tuple[type | None, Convert]:
    """For a column: the Python type whose values are taken as they are, and the function for all others."""
    if schema.get("format") == "date-time":
        return None, _time
    if "type" not in schema:
        return ANY
    kinds = schema["type"]
    kind = kinds if isinstance(kinds, str) else next(one for one in kinds if one != "null")
    if kind == "array":
        return None, _array(schema.get("items", {}))
    if kind == "object":
        properties = schema.get("properties")
        return None, _object(
            {name: _column(inner) for name, inner in properties.items()}
        ) if properties else _free
    return SCALARS[kind]


def _time(value: Any) -> str | None:
    return iso_time(value if type(value) is int else _integer(value))


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and INTEGER.fullmatch(value):
        return int(value)
    raise Misfit


def _column_integer(value: Any) -> int:
    number = _integer(value)
    if abs(number) >= LARGEST:
        raise Misfit
    return number


def _number(value: Any) -> int | float:
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]
    number = plain_number(value) if type(value) is str else None
    if number is None:
        raise Misfit
    return number


def _string(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) in (bool, int, float):
        return as_json(value)
    raise Misfit


def _boolean(value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    raise Misfit


def _free(value: Any) -> Any:
    if type(value) is not dict:
        raise Misfit
    return value if _plain(value.values()) and SECRETS.isdisjoint(value) else without_secrets(value)


def _plain(values: Iterable[Any]) -> bool:
    """Whether these are scalars, so that nothing can be hidden in them."""
    return NESTED.isdisjoint(map(type, values))


def _object(columns: Mapping[str, tuple[type | None, Convert]]) -> Convert:
    def convert(value: Any) -> Row:
        if type(value) is not dict:
            raise Misfit
        whole, result = True, {}
        for name, inner in value.items():
            if name in SECRETS:
                continue
            exact, inner_convert = columns.get(name, ANY)
            if inner is None or type(inner) is exact:
                result[name] = inner
            else:
                result[name], fits = _fit(inner_convert, inner)
                whole = whole and fits
        if not whole:
            raise Misfit(result)
        return result

    return convert


def _array(items: Mapping[str, Any]) -> Convert:
    exact, inner_convert = _column(items)

    def convert(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Misfit
        if not value or {exact}.issuperset(map(type, value)):
            return value
        fitted = [
            (inner, True) if inner is None or type(inner) is exact else _fit(inner_convert, inner)
            for inner in value
        ]
        if not all(fits for _, fits in fitted):
            raise Misfit([inner for inner, _ in fitted])
        return [inner for inner, _ in fitted]

    return convert


def _fit(convert: Convert, value: Any) -> tuple[Any, bool]:
    """A nested value as its column wants it, and whether all of it fitted."""
    try:
        return convert(value), True
    except Misfit as misfit:
        return misfit.fitted, False


NESTED = frozenset({dict, list})
ANY: tuple[type | None, Convert] = (None, without_secrets)
SCALARS: dict[str, tuple[type, Convert]] = {
    "string": (str, _string),
    "integer": (int, _column_integer),
    "number": (float, _number),
    "boolean": (bool, _boolean),
}
