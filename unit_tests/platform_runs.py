"""Good runs of the four commands, whose messages the tests of test_platform_rules.py spoil."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from replay import Message, Run

NOW = 1_790_000_000_000  # milliseconds since 1970
READ_AT, DELETED_AT = "readAt", "_ab_cdc_deleted_at"
EARLY, LATE = "2026-09-21T14:13:20.000Z", "2026-09-21T14:14:20.000Z"
TIME = {"type": ["null", "string"], "format": "date-time"}
DELETION = TIME | {"airbyte_type": "timestamp_with_timezone"}
KEY = {"type": "string"}

BOXES: Message = {
    "name": "boxes",
    "json_schema": {
        "type": "object",
        "properties": {
            "key": KEY,
            "name": {"type": ["null", "string"]},
            "size": {"type": ["null", "integer"]},
            "tags": {"type": ["null", "array"], "items": {"type": "string"}},
            READ_AT: TIME,
            DELETED_AT: DELETION,
        },
    },
    "supported_sync_modes": ["full_refresh", "incremental"],
    "source_defined_cursor": True,
    "default_cursor_field": [READ_AT],
    "source_defined_primary_key": [["key"]],
    "is_resumable": False,
}
TEAMS: Message = {
    "name": "teams",
    "json_schema": {"type": "object", "properties": {"key": KEY}},
    "supported_sync_modes": ["full_refresh"],
    "source_defined_primary_key": [["key"]],
}
CATALOG: Message = {
    "streams": [
        {"stream": BOXES, "sync_mode": "incremental", "destination_sync_mode": "append_dedup"},
        {"stream": TEAMS, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"},
    ]
}
SPECIFICATION: Message = {
    "type": "object",
    "required": ["api_key"],
    "properties": {
        "api_key": {"type": "string", "airbyte_secret": True, "order": 0},
        "start_date": {
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}$",
            "examples": ["2024-01-31"],
            "order": 1,
        },
    },
}

Lines = Sequence[Message | bytes]


def record(stream: str, at: int = NOW, **data: Any) -> Message:
    """A RECORD; `at` is its emitted_at."""
    return {"type": "RECORD", "record": {"stream": stream, "data": data, "emitted_at": at}}


def box(key: str, read: str = EARLY, at: int = NOW, **data: Any) -> Message:
    """A RECORD of boxes."""
    return record("boxes", at, key=key, **{READ_AT: read}, **data)


def state(name: str, count: float | None = None, **blob: Any) -> Message:
    """A STATE of the type STREAM."""
    stream = {"stream_descriptor": {"name": name}, "stream_state": blob}
    stats = {} if count is None else {"sourceStats": {"recordCount": count}}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": stream, **stats}}


def status(name: str, word: str, at: float = NOW, **more: Any) -> Message:
    """A STREAM_STATUS."""
    body = {"stream_descriptor": {"name": name}, "status": word, **more}
    trace = {"type": "STREAM_STATUS", "emitted_at": at, "stream_status": body}
    return {"type": "TRACE", "trace": trace}


def limited(name: str, at: float = NOW, until: Any = NOW + 60_000) -> Message:
    """A RUNNING with the reason that the stream waits for Streak's rate limit."""
    reason = {"type": "RATE_LIMITED", "rate_limited": {"quota_reset": until}}
    return status(name, "RUNNING", at, reasons=[reason])


def error(name: str | None, kind: str = "transient_error", at: float = NOW) -> Message:
    """An ERROR of a stream, or of the whole sync with None."""
    body: Message = {"message": "Streak did not answer.", "failure_type": kind}
    body |= {"stream_descriptor": {"name": name}} if name else {}
    return {"type": "TRACE", "trace": {"type": "ERROR", "emitted_at": at, "error": body}}


def estimate(name: str, **more: Any) -> Message:
    """An ESTIMATE of one stream."""
    body = {"name": name, "type": "STREAM", "row_estimate": 1, "byte_estimate": 100, **more}
    return {"type": "TRACE", "trace": {"type": "ESTIMATE", "emitted_at": NOW, "estimate": body}}


def log(words: str = "Reading.", level: str = "INFO") -> Message:
    """A LOG."""
    return {"type": "LOG", "log": {"level": level, "message": words}}


SPEC: Message = {"type": "SPEC", "spec": {"connectionSpecification": SPECIFICATION}}
ANSWER: Message = {"type": "CONNECTION_STATUS", "connectionStatus": {"status": "SUCCEEDED"}}
FOUND: Message = {"type": "CATALOG", "catalog": {"streams": [BOXES, TEAMS]}}
BOXES_READ: list[Message] = [
    status("boxes", "STARTED"),
    status("boxes", "RUNNING"),
    box("b1", name="One", size=3, tags=["a"]),
    box("b2", LATE, NOW + 5, name="Two", **{DELETED_AT: None}),
    state("boxes", 2.0, seen=["b1", "b2"]),
    status("boxes", "COMPLETE"),
]
TEAMS_READ: list[Message] = [
    status("teams", "STARTED"),
    status("teams", "RUNNING"),
    record("teams", key="t1"),
    state("teams", 1.0, done=True),
    status("teams", "COMPLETE"),
]
READ: list[Message] = [log(), *BOXES_READ, *TEAMS_READ]
BOXES_BEGUN, BOXES_ENDED = BOXES_READ[:2], BOXES_READ[-2:]
TEAMS_BEGUN, TEAM, TEAMS_ENDED = TEAMS_READ[:2], TEAMS_READ[2], TEAMS_READ[-2:]
BOXES_INCOMPLETE = status("boxes", "INCOMPLETE")
BOXES_FAILED: list[Message] = [*BOXES_READ[:-1], error("boxes"), BOXES_INCOMPLETE]
TEAMS_FAILED: list[Message] = [
    *TEAMS_READ[:-1],
    error("teams", "config_error", NOW - 1),
    status("teams", "INCOMPLETE"),
]
FAILED: list[Message] = [*TEAMS_READ, *BOXES_FAILED, error(None)]


def written(lines: Lines) -> bytes:
    """The messages as lines of stdout. Bytes are written unchanged."""
    return b"".join(
        (line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines
    )


def spec(*lines: Message | bytes, **more: Any) -> Run:
    """A run of spec. Without arguments it is a good one."""
    return Run("spec", written(lines or (log(), SPEC)), **more)


def check(*lines: Message | bytes, **more: Any) -> Run:
    """A run of check."""
    return Run("check", written(lines or (log(), ANSWER)), **more)


def discover(*lines: Message | bytes, **more: Any) -> Run:
    """A run of discover."""
    return Run("discover", written(lines or (log(), FOUND)), **more)


def read(*lines: Message | bytes, **more: Any) -> Run:
    """A run of read. Without arguments it is a complete and good one."""
    return Run("read", written(lines or READ), **{"catalog": CATALOG, **more})


def failing(*lines: Message | bytes, **more: Any) -> Run:
    """A run of read that failed. Without arguments it breaks no rule."""
    return read(*(lines or FAILED), **{"code": 1, **more})


def boxes(*lines: Message | bytes, **more: Any) -> Run:
    """A read of the stream boxes alone: STARTED, RUNNING, these lines, a STATE, COMPLETE."""
    only = {"streams": CATALOG["streams"][:1]}
    ended = [state("boxes"), status("boxes", "COMPLETE")]
    return read(*BOXES_BEGUN, *lines, *ended, **{"catalog": only, **more})


def boxes_failing(*lines: Message | bytes, **more: Any) -> Run:
    """A read in which teams is COMPLETE, and boxes has these lines, then INCOMPLETE."""
    return failing(*TEAMS_READ, *BOXES_BEGUN, *lines, BOXES_INCOMPLETE, **more)


def specifying(**more: Any) -> Run:
    """A spec whose form has these properties at its root."""
    return spec({"type": "SPEC", "spec": {"connectionSpecification": SPECIFICATION | more}})


def setting(**more: Any) -> Run:
    """A spec with one more setting."""
    return specifying(properties={**SPECIFICATION["properties"], "more": more})


def key_setting(**more: Any) -> Run:
    """A spec whose only setting is the key."""
    return specifying(properties={"api_key": {"type": "string", **more}})


def answering(connection: Message, **more: Any) -> Run:
    """A check with this answer."""
    return check({"type": "CONNECTION_STATUS", "connectionStatus": connection}, **more)


def finding(stream: Message = BOXES, **more: Any) -> Run:
    """A discover of teams and of boxes with these changes."""
    return discover({"type": "CATALOG", "catalog": {"streams": [stream | more, TEAMS]}})


def with_column(name: str, **column: Any) -> Message:
    """The stream boxes with this column added or replaced."""
    schema = BOXES["json_schema"]
    return BOXES | {"json_schema": schema | {"properties": {**schema["properties"], name: column}}}


def changed(message: Message, /, **more: Any) -> Message:
    """A RECORD, STATE, ERROR or SPEC with these properties of its body replaced."""
    (name,) = message.keys() - {"type"}
    if name == "trace":
        trace = message["trace"]
        return {**message, "trace": {**trace, "error": {**trace["error"], **more}}}
    return {**message, name: {**message[name], **more}}
