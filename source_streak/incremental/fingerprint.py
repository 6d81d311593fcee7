"""What decides the rows that come of a record, and a fingerprint of it.

Two sights of a box have the same fingerprint if, and only if, its rows of a stream would be the
same.  Nobody knows what moves Streak's stamps (https://streak.readme.io says nothing of it), so
everything counts that a row shows, with the names that it is shown with.  Left out is what drifts
with the clock alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from source_streak.records.fields import definitions_of, options_of
from source_streak.records.shape import mapping

Row = Mapping[str, Any]

SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
DRIFTING = frozenset({"freshness"})  # Streak's recency score, which falls from day to day
HISTORY = "stageHistoryEntries"
TIME_IN_STAGE = "timeInStageMs"  # grows while a box stays where it is

# How the names of a box's stamps and counters end; when mail was opened says nothing of children.
ACTIVITY = ("Timestamp", "Count", "DueDate", "Total", "Duration", "Emails", "Complete")
VIEWS = "ViewsTimestamp"


def fingerprint(key: str, visible: Any, slot: int) -> int:
    """32 bits of what is visible (any JSON value) of a record, and of its recheck slot.

    A real digest, since the ledger adds them up: the sum of two checksums can stay as it was when
    the same is changed in both.
    """
    content = orjson.dumps([key, slot, visible], option=SORTED)
    return int.from_bytes(blake2b(content, digest_size=4).digest(), "little")


def recheck_slot(key: str, day: int, recheck_days: int) -> int:
    """Changes once in `recheck_days` days (0: never), on a day that depends on the key."""
    return (day + zlib.crc32(key.encode())) // recheck_days if recheck_days else 0


def visible_record(record: Row, names: str) -> list[Any]:
    """For rows that show a record whole. `names`: a digest of the names it is shown with."""
    shown = dict(record)
    for name in DRIFTING:
        shown.pop(name, None)
    if HISTORY in shown:
        shown[HISTORY] = _without_time(shown[HISTORY])
    return [shown, names]


def visible_fields(record: Row, names: str) -> list[Any]:
    """For the rows of a record's custom fields."""
    return [record.get("fields"), names]


def visible_history(box: Row, names: str) -> list[Any]:
    """For the rows of a box's stage history."""
    return [_without_time(box.get(HISTORY)), names]


def visible_activity(box: Row, scope_key: str) -> list[Any]:
    """For comments, meetings, tasks, threads and files, which a box does not show.

    That is where it is, and every stamp and counter that it has.
    """
    return [scope_key, {name: value for name, value in box.items() if _is_activity(name)}]


@lru_cache(maxsize=1024)  # a box has some thirty names, and most boxes the same
def _is_activity(name: str) -> bool:
    return name.endswith(ACTIVITY) and not name.endswith(VIEWS)


def names_in(pipeline: Row) -> str:
    """The names that a pipeline's boxes are shown with, as a digest.

    Its own, and those of its stages, fields and options.
    """
    return _digest([pipeline.get("name"), _stages(pipeline), _fields(pipeline.get("fields"))])


def field_names_in(pipeline: Row) -> str:
    """The same, of fields and options alone."""
    return _digest(_fields(pipeline.get("fields")))


def stage_names_in(pipeline: Row) -> str:
    """The same, of stages alone."""
    return _digest(_stages(pipeline))


def names_in_team(team: Row, settings: str) -> str:
    """The names that a team's contacts ("contactSettings") or organizations are shown with."""
    return _digest(_fields(mapping(team.get(settings)).get("fields")))


def names_of(definitions: Mapping[str, Row]) -> str:
    """The names of custom fields and their options, by the fields' keys."""
    return _digest(_fields(definitions))


def stamps(record: Row) -> Iterable[int]:
    """The times in epoch milliseconds that a box or contact carries at its top level."""
    return (
        value
        for name, value in record.items()
        if name.endswith(("Timestamp", "DueDate")) and type(value) is int and value > 0
    )


def _stages(pipeline: Row) -> dict[str, Any]:
    stages = mapping(pipeline.get("stages"))
    return {key: mapping(stage).get("name") for key, stage in stages.items()}


def _fields(fields: Any) -> list[Any]:
    return [
        [key, field.get("name"), field.get("type"), options_of(field)]
        for key, field in definitions_of(fields).items()
    ]


def _digest(names: Any) -> str:
    """Short: it is part of what is visible of every record, and there may be hundreds of fields."""
    return blake2b(orjson.dumps(names, option=SORTED), digest_size=16).hexdigest()


def _without_time(history: Any) -> Any:
    if not isinstance(history, list):
        return history
    return [
        {name: value for name, value in entry.items() if name != TIME_IN_STAGE}
        if isinstance(entry, dict)
        else entry
        for entry in history
    ]
