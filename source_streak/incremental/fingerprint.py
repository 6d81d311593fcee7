"""What decides the rows that a stream makes from a record, and a fingerprint of it.

The fingerprint of a box is meant to change if, and only if, its rows in a stream would change.
Nobody knows what changes Streak's timestamps (https://streak.readme.io does not say).  So
everything that a row shows counts, with the names that it is shown with.  Only what drifts with the
clock is left out.
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

# How the names of a box's stamps and counters end. Views say nothing about children.
ACTIVITY = ("Timestamp", "Count", "DueDate", "Total", "Duration", "Emails", "Complete")
VIEWS = "ViewsTimestamp"


def fingerprint(key: str, visible: Any, slot: int) -> int:
    """32 bits that stand for what is visible of a record (any JSON value) and its recheck slot.

    A real digest, because the ledger adds up fingerprints: the sum of two checksums can stay as it
    was when both records change in the same way.
    """
    content = orjson.dumps([key, slot, visible], option=SORTED)
    return int.from_bytes(blake2b(content, digest_size=4).digest(), "little")


def recheck_slot(key: str, day: int, recheck_days: int) -> int:
    """A number that changes every `recheck_days` days (0: never), on a day set by the key."""
    return (day + zlib.crc32(key.encode())) // recheck_days if recheck_days else 0


def visible_record(record: Row, names: str) -> list[Any]:
    """For rows that show a whole record. `names`: a digest of the names that are shown with it."""
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

    The box's pipeline and all its stamps and counters stand in for them.
    """
    return [scope_key, {name: value for name, value in box.items() if _is_activity(name)}]


@lru_cache(maxsize=1024)  # a box has about thirty names, and most boxes the same ones
def _is_activity(name: str) -> bool:
    return name.endswith(ACTIVITY) and not name.endswith(VIEWS)


def names_in(pipeline: Row) -> str:
    """A digest of the names that boxes show: of the pipeline, its stages, fields and options."""
    return _digest([pipeline.get("name"), _stages(pipeline), _fields(pipeline.get("fields"))])


def stage_names_in(pipeline: Row) -> str:
    """A digest of the names of a pipeline's stages."""
    return _digest(_stages(pipeline))


def names_in_team(team: Row, settings: str) -> str:
    """A digest of the names shown with a team's contacts ("contactSettings") or organizations."""
    return _digest(_fields(mapping(team.get(settings)).get("fields")))


def names_of(definitions: Mapping[str, Row]) -> str:
    """A digest of the names of custom fields and their options. `definitions`: by field key."""
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
    """Short, because it is part of every visible record, and there may be hundreds of fields."""
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
