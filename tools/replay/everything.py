"""A1 to A8: what holds for every line of every command.

ORC, CW: where in airbyte-platform it is read. ORC is airbyte-container-orchestrator/…/orchestrator,
CW airbyte-commons-worker/…/workers, CS airbyte-commons-server/…/commons/server.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from replay.output import Run
from replay.rules import Found, rule

EVERY = ("spec", "check", "discover", "read")
BODIES = {
    "RECORD": "record",
    "STATE": "state",
    "LOG": "log",
    "SPEC": "spec",
    "CONNECTION_STATUS": "connectionStatus",
    "CATALOG": "catalog",
    "TRACE": "trace",
    "CONTROL": "control",
}
TRACES = {
    "ERROR": "error",
    "ESTIMATE": "estimate",
    "STREAM_STATUS": "stream_status",
    "ANALYTICS": "analytics",
}
LEVELS = ("FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE")
FAILURES = ("config_error", "system_error", "transient_error")
LONGEST_LINE = 20_000_000  # characters
LONGEST_MESSAGE, LONGEST_STACK = 50_000, 100_000  # characters
NUL = b"\\u0000"


@rule(*EVERY)
def a1_every_line_is_one_json_object(run: Run) -> Found:
    """A1. Anything else is a "Malformed non-Airbyte record" in the job's log, and lost.

    CW/internal/VersionedAirbyteStreamFactory.kt:262-355; limits of airbyte-commons/…/json/Jsons.kt.
    """
    for line in run.lines:
        if line.fault:
            yield line.number, f"the line {line.fault}: {line.raw[:80]!r}"


@rule(*EVERY)
def a2_every_message_has_a_known_type_and_its_body(run: Run) -> Found:
    """A2. airbyte_protocol.yaml, AirbyteMessage and AirbyteTraceMessage.

    A trace without its body is a NullPointerException: ORC/worker/ReplicationTask.kt:190-194.
    """
    for number, message in run.messages:
        kind = message.get("type")
        body = BODIES.get(kind) if isinstance(kind, str) else None
        if body is None:
            yield number, f"no type of the protocol: {kind!r}"
        elif not isinstance(message.get(body), dict):
            yield number, f"{kind} without {body}"
        elif kind == "TRACE":
            trace = message[body]
            inner = TRACES.get(trace["type"]) if isinstance(trace.get("type"), str) else None
            if inner is None:
                yield number, f"no type of a TRACE: {trace.get('type')!r}"
            elif not isinstance(trace.get(inner), dict):
                yield number, f"TRACE of the type {trace['type']} without {inner}"


@rule(*EVERY)
def a3_logs_and_traces_are_complete(run: Run) -> Found:
    """A3. A log without level or message is dropped, one of another level does not parse.

    CW/internal/BasicAirbyteMessageValidator.kt:105-114, VersionedAirbyteStreamFactory.kt:226-248.
    """
    for number, log in run.bodies("LOG", "log"):
        if log.get("level") not in LEVELS:
            yield number, f"no level of a LOG: {log.get('level')!r}"
        if not isinstance(log.get("message"), str):
            yield number, "a LOG without a message"
    for kind, body in (("TRACE", "trace"), ("CONTROL", "control")):
        for number, content in run.bodies(kind, body):
            if not _number(content.get("emitted_at")):
                yield number, f"{kind} without the time at which it was emitted"


@rule(*EVERY)
def a4_error_traces_are_complete_and_hold_no_secret(run: Run) -> Found:
    """A4. An unknown failure_type does not parse; long texts are cut; no log masks secrets.

    CW/helper/FailureHelper.kt:21-25, 70-108.
    """
    for number, _, error in run.traces("ERROR", "error"):
        if not error.get("message") or not isinstance(error["message"], str):
            yield number, "an ERROR without a message"
        if error.get("failure_type") not in FAILURES:
            yield number, f"no failure_type: {error.get('failure_type')!r}"
        for name, longest in (
            ("message", LONGEST_MESSAGE),
            ("internal_message", LONGEST_MESSAGE),
            ("stack_trace", LONGEST_STACK),
        ):
            if len(error.get(name) or "") > longest:
                yield number, f"{name} of more than {longest} characters"
    yield from _shown(run)


def _shown(run: Run) -> Found:
    for secret in run.secrets:
        if secret.encode() in run.stderr:
            yield None, "a secret can be read in stderr"
        if secret.encode() in run.stdout:
            shown = (line.number for line in run.lines if secret.encode() in line.raw)
            yield next(shown, None), "a secret can be read in this line"


@rule(*EVERY)
def a5_no_line_is_too_long(run: Run) -> Found:
    """A5. CW/internal/VersionedAirbyteStreamFactory.kt:55, 284-312."""
    for line in run.lines:
        if len(line.raw) >= LONGEST_LINE and len(line.raw.decode(errors="replace")) >= LONGEST_LINE:
            yield line.number, f"a line of {len(line.raw):,} bytes"


@rule(*EVERY)
def a6_stderr_is_empty(run: Run) -> Found:
    """A6. Each line is logged as an ERROR: ORC/worker/io/LocalContainerAirbyteSource.kt:98."""
    if run.stderr.strip():
        yield None, f"stderr says {run.stderr.strip()[:200]!r}"


@rule(*EVERY)
def a7_no_message_changes_the_configuration(run: Run) -> Found:
    """A7. CONTROL replaces the stored settings at once: ORC/worker/ReplicationTask.kt:195-201."""
    for number, message in run.messages:
        if message.get("type") == "CONTROL":
            yield number, "a CONTROL message; this source has no settings that change by themselves"


@rule(*EVERY)
def a8_no_text_holds_u_0000(run: Run) -> Found:
    """A8. PostgreSQL refuses it in JSONB (states, catalogs, specs are kept so) and in texts.

    airbyte-config/config-persistence/…/StatePersistence.kt:320-321.
    """
    kinds = ("RECORD", "STATE", "CATALOG", "SPEC")
    for line in run.lines:
        if NUL not in line.raw or line.message is None or line.message.get("type") not in kinds:
            continue
        if any("\0" in text for text in texts(line.message)):
            yield line.number, f"U+0000 in a {line.message['type']}"


def texts(value: Any) -> Iterator[str]:
    """Every text in a value, names of properties included."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list):
            left += one


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
