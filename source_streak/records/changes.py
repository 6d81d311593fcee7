"""A box's timeline as rows. Each row holds its entry whole, because no shape is documented.

https://streak.readme.io/reference/get-timeline. Some entries look like newsfeed items, some have
everything in an inner object, and some have no key.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from source_streak.api.errors import StreakError
from source_streak.records.shape import Row, objects, whole_number

KEYS = ("key", "newsfeedItemKey", "newsfeedEntryKey")
TIMES = ("timestamp", "creationTimestamp", "lastSavedTimestamp", "date")
COLUMNS = (
    *("newsfeedItemKey", "creatorKey", "lastSavedTimestamp", "newsfeedEntryScope"),
    *("newsfeedEntryOperation", "newsfeedEntrySpecific", "specificVariables", "storyTextBox"),
    *("storyTextPipeline", "storyTextGlobal", "moved", "collapsedEntries"),
)


def timeline_of(body: Any) -> list[Row]:
    """The entries in a response.

    Raises StreakError for another envelope, with a sentence that says what came.
    """
    entries = body.get("entries") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise StreakError(
            f"A timeline from Streak came as {_kind_of(body)}, not as an object with "
            '"entries". Leave out the stream box_changes, and please report this to the '
            "connector's developers."
        )
    return objects(entries)


def _kind_of(body: Any) -> str:
    if not isinstance(body, dict):
        return "something else"
    return f"an object with {', '.join(sorted(body))[:200]}" if body else "an empty object"


def change(entry: Row) -> Row:
    """One entry as a row.

    It has the entry's key (or a digest), its time, the newsfeed's columns, and the whole entry.
    """
    inside = list(_layers(entry))
    return {
        **{name: layer[name] for name in COLUMNS for layer in reversed(inside) if name in layer},
        "key": _first_text(inside, KEYS) or _digest(entry),
        "timestamp": _first_time(inside),
        "entry": entry,
    }


def _layers(entry: Row) -> Iterator[Mapping[str, Any]]:
    """The entry, then the objects directly inside it."""
    yield entry
    yield from (value for value in entry.values() if isinstance(value, dict))


def _first_text(layers: list[Mapping[str, Any]], names: tuple[str, ...]) -> str | None:
    found = (layer.get(name) for layer in layers for name in names)
    return next((key for key in found if isinstance(key, str) and key), None)


def _first_time(layers: list[Mapping[str, Any]]) -> int | None:
    found = (whole_number(layer.get(name)) for layer in layers for name in TIMES)
    return next((time for time in found if time), None)


def _digest(entry: Row) -> str:
    text = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return blake2b(text, digest_size=16).hexdigest()
