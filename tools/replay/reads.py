"""R1 to R5, R7 and R9: what holds for each message of a read, however it ends.

ORC is airbyte-container-orchestrator/…/orchestrator, CW airbyte-commons-worker/…/workers, LOAD
airbyte-cdk/bulk/core/load of the destinations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from replay.output import Error, Message, Record, Run, State, Status, name_of
from replay.platform import is_kept
from replay.rules import Found, rule
from replay.values import Fit

MOST_TIMES = (10**11, 10**14)  # milliseconds since 1970 in 12 to 14 digits


@rule("read")
def r1_only_configured_streams_are_named(run: Run) -> Found:
    """R1. Otherwise the attempt fails: CW/internal/BasicAirbyteMessageValidator.kt:67-77.

    For a status ORC/tracker/StreamStatusCompletionTracker.kt:93-104. An absent namespace and an
    empty one are two streams.
    """
    spaces = {name: one["stream"].get("namespace") for name, one in run.configured.items()}
    for event in run.events:
        name, space = event.stream, namespace(event)
        if name is None:
            continue
        if name not in spaces:
            yield event.line, f"{type(event).__name__} of {name}, which is not configured"
        elif space != spaces[name]:
            yield event.line, f"{name}: the namespace {space!r} instead of {spaces[name]!r}"
    for number, _, estimate in run.traces("ESTIMATE", "estimate"):
        if estimate.get("namespace") != spaces.get(str(estimate.get("name"))):
            yield number, f"ESTIMATE with the namespace {estimate.get('namespace')!r}"


def namespace(event: Record | State | Status | Error) -> Any:
    """Which one a message names; "" is another one than none, null is none."""
    if isinstance(event, Record):
        return event.body.get("namespace")
    holder = event.body.get("stream") if isinstance(event, State) else event.body
    descriptor = holder.get("stream_descriptor") if isinstance(holder, dict) else None
    return descriptor.get("namespace") if isinstance(descriptor, dict) else None


@rule("read")
def r2_records_fit_the_configured_schema(run: Run) -> Found:
    """R2. What the configured schema does not have is taken away, what does not fit becomes null.

    ORC/worker/filter/FieldSelector.kt:96-159, ORC/worker/RecordSchemaValidator.kt:25-57.
    """
    fits = {name: Fit(one["stream"]["json_schema"]) for name, one in run.configured.items()}
    latest: dict[str, int] = {}
    for record in run.records:
        name, fit = record.stream, fits.get(record.stream)
        if not isinstance(record.data, dict) or not record.data:
            yield record.line, f"{name}: the data is {record.data!r}"
        elif fit is not None:
            if undeclared := record.data.keys() - fit.columns:
                yield record.line, f"{name}: {', '.join(sorted(undeclared))} not configured"
            elif problem := fit.problem(record.data):
                yield record.line, f"{name}: {problem}"
        stamp = record.emitted_at
        if type(stamp) is not int or not MOST_TIMES[0] <= stamp < MOST_TIMES[1]:
            yield record.line, f"{name}: emitted_at is {stamp!r}, no milliseconds since 1970"
        elif stamp < latest.get(name, 0):
            yield record.line, f"{name}: emitted_at falls"
        else:
            latest[name] = stamp


@rule("read")
def r3_rows_to_be_deduplicated_have_key_and_cursor(run: Run) -> Found:
    """R3. Without any key the attempt fails: CW/internal/BasicAirbyteMessageValidator.kt:78-101.

    All of the key and the cursor, because a destination orders by them (ClickHouse declares them
    NOT NULL).
    """
    needed = {name: key_columns(one) for name, one in run.configured.items() if merges(one)}
    for record in run.records:
        if record.stream in needed and isinstance(record.data, dict):
            absent = [name for name in needed[record.stream] if record.data.get(name) is None]
            if absent and record.data:
                yield record.line, f"{record.stream}: null or absent: {', '.join(absent)}"


def merges(configured: Message) -> bool:
    """Whether a stream is read incrementally into a mode that keeps one row for each key."""
    modes = (configured.get("sync_mode"), configured.get("destination_sync_mode"))
    return modes[0] == "incremental" and modes[1] in ("append_dedup", "overwrite_dedup")


def primary_key(configured: Message) -> list[str]:
    """The columns of a stream's primary key: as configured, else as the source defines it."""
    paths = configured.get("primary_key") or configured["stream"].get("source_defined_primary_key")
    return [path[0] for path in paths or ()]


def cursor_column(configured: Message) -> str | None:
    """The column by which a destination tells which of two rows is newer."""
    stream = configured["stream"]
    source_s = stream.get("default_cursor_field") if stream.get("source_defined_cursor") else None
    path = source_s or configured.get("cursor_field") or stream.get("default_cursor_field")
    return str(path[0]) if path else None


def key_columns(configured: Message) -> list[str]:
    """Primary key and cursor, those that the configured schema has."""
    columns = configured["stream"]["json_schema"].get("properties") or {}
    cursor = cursor_column(configured)
    wanted = [*primary_key(configured), *([cursor] if cursor else [])]
    return [name for name in wanted if name in columns]


@rule("read")
def r4_states_are_of_single_streams(run: Run) -> Found:
    """R4. ORC/bookkeeping/ParallelStreamStatsTracker.kt:182-208, worker/state/StateWithId.kt:21-51.

    A state of null deletes what is stored: StatePersistence.writeStateToDb.
    """
    for state in run.states:
        kind, stream = state.body.get("type"), state.body.get("stream")
        if kind != "STREAM":
            yield state.line, f"a state of the type {kind!r}"
        elif state.stream is None or not isinstance(stream, dict):
            yield state.line, "a state that names no stream"
        elif not isinstance(stream.get("stream_state"), dict):
            yield state.line, f"{state.stream}: the state is {stream.get('stream_state')!r}"
        if "id" in state.body:
            yield state.line, f"{state.stream}: a state with an id of its own"


@rule("read")
def r5_each_state_counts_its_records(run: Run) -> Found:
    """R5. A destination acknowledges a state only when it holds as many records as that says.

    LOAD/…/dataflow/state/StateHistogramStore.kt; `sourceStats: {}` is a NullPointerException:
    ORC/worker/state/StateEnricher.kt:36-54.
    """
    since: Counter[str | None] = Counter()
    for event in run.events:
        if isinstance(event, Record):
            since[event.stream] += 1
        elif isinstance(event, State):
            counted = since.pop(event.stream, 0)
            stats = event.body.get("sourceStats")
            if stats is None:
                continue
            said = stats.get("recordCount") if isinstance(stats, dict) else None
            if not isinstance(said, (int, float)) or isinstance(said, bool):
                yield event.line, f"{event.stream}: sourceStats without recordCount"
            elif said != counted:
                yield (
                    event.line,
                    f"{event.stream}: the state counts {said:g} records, not {counted}",
                )


@rule("read")
def r7_estimates_are_whole(run: Run) -> Found:
    """R7. Half of one is a NullPointerException that ends the attempt.

    ORC/bookkeeping/StatsTracker.kt:499-503; types mixed: ParallelStreamStatsTracker.kt:69-81.
    """
    kinds = set()
    for number, _, estimate in run.traces("ESTIMATE", "estimate"):
        kinds.add(estimate.get("type"))
        for name in ("row_estimate", "byte_estimate"):
            value = estimate.get(name)
            if type(value) is not int or value < 0:
                yield number, f"{estimate.get('name')}: {name} is {value!r}"
        if estimate.get("type") == "STREAM" and estimate.get("name") not in run.configured:
            yield number, f"an estimate of {estimate.get('name')}, which is not configured"
    if len(kinds) > 1 or kinds - {"STREAM", "SYNC"}:
        yield None, f"estimates of the types {sorted(map(str, kinds))}"


@rule("read")
def r9_the_platform_drops_nothing(run: Run) -> Found:
    """R9. What is dropped was counted by the source: then R5 fails at the destination.

    Only the lines that look like a RECORD or a STATE; replay/platform.py is the parser.
    """
    keys = {name: primary_key(one) for name, one in run.configured.items() if merges(one)}
    for line in run.lines:
        wanted = next((kind for kind in (b"RECORD", b"STATE") if looks_like(kind, line.raw)), None)
        if wanted and not is_kept(line.raw, line.message, keys):
            yield line.number, f"the platform drops this {wanted.decode()}: {line.raw[:80]!r}"


def looks_like(kind: bytes, raw: bytes) -> bool:
    """Whether a line begins as a message of that type."""
    return raw[:40].replace(b" ", b"").startswith(b'{"type":"%s"' % kind)


def input_streams(run: Run) -> Iterator[str]:
    """The streams that the state handed in is about."""
    for message in run.state:
        if name := name_of(message.get("stream")):
            yield name
