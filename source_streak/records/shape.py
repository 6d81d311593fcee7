"""Turn a row as Streak sends it into a record that fits its stream's schema.

The schema says which properties are times, numbers or texts, so schema and record cannot disagree.
A property that the schema does not know, and a value that does not fit its column, go to
`otherProperties` and are counted: nothing is dropped silently. Only secrets are dropped.
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
# intercomHmac signs its user in to Streak's support chat, directUrl opens a file without a login.
SECRETS = frozenset({"intercomHmac", "directUrl", "apiKey", "apiKeys"})

DAY_MS, MINUTE_MS = 86_400_000, 60_000
EPOCH = date(1970, 1, 1).toordinal()
LAST_MS = (date.max.toordinal() - EPOCH + 1) * DAY_MS - 1
FIRST_MS = (date.min.toordinal() - EPOCH) * DAY_MS
MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(1440)]
SECONDS = [f"{second:02d}." for second in range(60)]
MILLISECONDS = [f"{millisecond:03d}Z" for millisecond in range(1000)]
NEVER = (0, -1)  # how Streak says that there is no time
LARGEST = 2**63  # the integers of JSON libraries and warehouses end before this
INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


class Misfit(ValueError):
    """A value that does not fit its column.

    `fitted` is the part that fits: null, or an object or array with null for what does not.
    """

    def __init__(self, fitted: Any = None) -> None:
        super().__init__()
        self.fitted = fitted


def iso_time(milliseconds: int) -> str | None:
    """Epoch milliseconds -> `2026-09-21T14:13:20.000Z`.

    None for NEVER and for times outside the years 1 to 9999.
    """
    after_1970 = 0 < milliseconds <= LAST_MS
    if not after_1970 and (milliseconds in NEVER or not FIRST_MS <= milliseconds < 0):
        return None
    rest = milliseconds % DAY_MS  # tables are twice as fast as formatting, and rows have many times
    return (
        f"{_day(milliseconds // DAY_MS)}{MINUTES[rest // MINUTE_MS]}"
        f"{SECONDS[rest // 1000 % 60]}{MILLISECONDS[rest % 1000]}"
    )


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
    """The number in a text that is a plain number ("12", "-3.5").

    None for texts like "1.200,50" and "$12", and for what no float can hold ("NaN", "1e400").
    """
    text = text.strip()
    if INTEGER.fullmatch(text):
        return int(text)
    number = float(text) if NUMBER.fullmatch(text) else None
    return number if number is not None and abs(number) < float("inf") else None


def whole_number(value: Any) -> int | None:
    """A value as an integer, even if it comes as text or as 5.0; None if it is not one."""
    try:
        return _integer(value)
    except Misfit:
        return None


def mapping(value: Any) -> Row:
    """A value that should be an object; an empty one if it is something else."""
    return value if isinstance(value, dict) else {}


def listing(value: Any) -> list[Any]:
    """A value that should be an array; an empty one if it is something else."""
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[Row]:
    """The objects in a value that should be an array of objects."""
    return [one for one in listing(value) if isinstance(one, dict)]


def as_json(value: Any) -> str:
    """A value as JSON text."""
    return orjson.dumps(value).decode()


def without_secrets(value: Any) -> Any:
    """A value without the properties that are secrets, at any depth."""
    if type(value) is dict:
        return {
            name: without_secrets(inner) for name, inner in value.items() if name not in SECRETS
        }
    if type(value) is list:
        return [without_secrets(inner) for inner in value]
    return value


class Shape:
    """The columns of one stream.

    Counts, by name, the properties that are unknown and the values that do not fit.
    """

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
        """Turn one row into a record. Properties that are absent or null are absent."""
        record: Record = {}
        other: Row = {}
        column_of = self._columns.get
        for name, value in row.items():
            column = column_of(name)
            if column is None:
                if name not in SECRETS:
                    self.unknown[name] += 1
                    other[name] = without_secrets(value)
                continue
            exact, convert = column
            if type(value) is exact:
                record[name] = value
                continue
            if value is None:
                continue
            try:
                fitted = convert(value)
            except Misfit as misfit:
                self.misfits[name] += 1
                fitted = misfit.fitted
                other[name] = without_secrets(value)
            if fitted is not None:
                record[name] = fitted
        if other:
            record[self.other] = other
        return record


def _column(schema: Any) -> tuple[type | None, Convert]:
    """The Python type that a column takes unchanged, and the function that converts the rest.

    A configured schema may hold anything. Where it says nothing useful, any value is taken.
    """
    schema = mapping(schema)
    if schema.get("format") == "date-time":
        return None, _time
    kinds = schema.get("type")
    kind = next((one for one in listing(kinds) if one != "null"), kinds)
    if kind == "array":
        return None, _array(schema.get("items"))
    if kind == "object":
        properties = mapping(schema.get("properties"))
        columns = {name: _column(inner) for name, inner in properties.items()}
        return None, _object(columns) if columns else _free
    return SCALARS.get(kind, ANY) if isinstance(kind, str) else ANY


def _time(value: Any) -> str | None:
    if type(value) is int and 0 < value <= LAST_MS:  # the fast path of iso_time
        day, rest = divmod(value, DAY_MS)
        minute, rest = divmod(rest, MINUTE_MS)
        second, rest = divmod(rest, 1000)
        return f"{_day(day)}{MINUTES[minute]}{SECONDS[second]}{MILLISECONDS[rest]}"
    milliseconds = _integer(value)
    time = iso_time(milliseconds)
    if time is None and milliseconds not in NEVER:
        raise Misfit
    return time


def _integer(value: Any) -> int:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and INTEGER.fullmatch(value):
        return int(value)
    raise Misfit


def _column_integer(value: Any) -> int:
    number: int = value if type(value) is int else _integer(value)
    if -LARGEST <= number < LARGEST:
        return number
    raise Misfit


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
    """Whether all values are scalars, so that no secret can hide in them."""
    return NESTED.isdisjoint(map(type, values))


def _object(columns: Mapping[str, tuple[type | None, Convert]]) -> Convert:
    known = {name: column for name, column in columns.items() if name not in SECRETS}

    def convert(value: Any) -> Row:
        if type(value) is not dict:
            raise Misfit
        fits, result = True, {}
        for name, inner in value.items():
            column = known.get(name)
            if column is None:
                if name in SECRETS:
                    continue
                column = ANY
            exact, inner_convert = column
            try:
                taken = inner is None or type(inner) is exact
                result[name] = inner if taken else inner_convert(inner)
            except Misfit as misfit:
                fits, result[name] = False, misfit.fitted
        if not fits:
            raise Misfit(result)
        return result

    return convert


def _array(items: Any) -> Convert:
    exact, inner_convert = _column(items)
    alike = frozenset({exact})

    def convert(value: Any) -> list[Any]:
        if type(value) is not list:
            raise Misfit
        if not value or alike.issuperset(map(type, value)):
            return value
        fits, result = True, []
        for inner in value:
            try:
                taken = inner is None or type(inner) is exact
                result.append(inner if taken else inner_convert(inner))
            except Misfit as misfit:
                fits = False
                result.append(misfit.fitted)
        if not fits:
            raise Misfit(result)
        return result

    return convert


NESTED = frozenset({dict, list})
ANY: tuple[type | None, Convert] = (None, without_secrets)
SCALARS: dict[str, tuple[type | None, Convert]] = {
    "string": (str, _string),
    "integer": (None, _column_integer),  # integers in JSON can be too large
    "number": (float, _number),
    "boolean": (bool, _boolean),
}
