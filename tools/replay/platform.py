"""What the platform's parser keeps of a line, and what it drops without a word.

airbyte-commons-worker/…/internal/VersionedAirbyteStreamFactory.kt and
BasicAirbyteMessageValidator.kt; the classes are those of airbyte_protocol.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from replay.output import refuse

CHANGES = ("NULLED", "TRUNCATED")
ORIGINS = ("SOURCE", "PLATFORM", "DESTINATION")
CAUSES = (
    "RETRIEVAL_ERROR",
    "FIELD_SIZE_LIMITATION",
    "RECORD_SIZE_LIMITATION",
    "SERIALIZATION_ERROR",
)
REASONS = {f"{origin}_{cause}" for origin in ORIGINS for cause in CAUSES}
REASONS |= {"PLATFORM_FIELD_SIZE_LIMITATION", "DESTINATION_TYPECAST_ERROR"}
STATE_TYPES = ("STREAM", "GLOBAL", "LEGACY")


def is_kept(raw: bytes, message: Any, keys: Mapping[str, Sequence[str]]) -> bool:
    """Whether a RECORD or STATE goes on. `keys`: primary keys of streams that are deduplicated.

    The platform reads the first JSON value of a line; the rest of the line is lost.
    """
    if message is None:
        message = first_value(raw)
    if not isinstance(message, dict):
        return False
    if message.get("type") == "RECORD":
        return _record(message.get("record"), keys)
    return _state(message.get("state"))


def first_value(raw: bytes) -> Any:
    """The JSON value with which a line begins, or None."""
    try:
        return json.JSONDecoder(parse_constant=refuse).raw_decode(raw.decode())[0]
    except (ValueError, RecursionError):
        return None


def _record(record: Any, keys: Mapping[str, Sequence[str]]) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("stream"), str):
        return False
    data = record.get("data")
    if not isinstance(data, dict) or not data:
        return False
    key = keys.get(record["stream"])
    if key and not any(name in data for name in key):
        return False
    return _time(record.get("emitted_at")) and _meta(record.get("meta"))


def _time(value: Any) -> bool:
    """A number, or a text that is one: Jackson takes both. Absent is not looked at."""
    if isinstance(value, str):
        return value.strip().lstrip("-").isdecimal()
    return value is None or isinstance(value, (int, float))


def _meta(meta: Any) -> bool:
    if meta is None:
        return True
    changes = meta.get("changes") if isinstance(meta, dict) else False
    if changes is None:
        return True
    return isinstance(changes, list) and all(
        isinstance(one, dict)
        and str(one.get("change")).upper() in CHANGES
        and str(one.get("reason")).upper() in REASONS
        for one in changes
    )


def _state(state: Any) -> bool:
    if not isinstance(state, dict):
        return False
    kind = state.get("type")
    return kind is None or str(kind).upper() in STATE_TYPES
