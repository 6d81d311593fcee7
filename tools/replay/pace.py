"""R6, R8, R10, R11, X4 and L1 to L4: how a read goes on.

ORC is airbyte-container-orchestrator/…/orchestrator, WEB airbyte-webapp/src.
"""

from __future__ import annotations

from collections.abc import Iterator

from replay.output import TERMINAL, Error, Record, Run, State, Status
from replay.rules import Found, rule, rule_of_runs

LARGEST_STATES = 8_000_000  # bytes; the platform's own limit is 10,485,760 with what it puts around
HEARTBEAT = 10_800.0  # seconds
STATUSES = ("STARTED", "RUNNING", "COMPLETE", "INCOMPLETE")
FIRST_STATE_RECORDS, FIRST_STATE_SECONDS = 50_000, 300.0
LINES_FOR_A_START, LINES_A_STREAM, RECORDS_A_LINE = 50, 25, 1000
MILLISECONDS = (10**12, 10**13)


@rule("read")
def r6_all_states_can_be_sent_at_once(run: Run) -> Found:
    """R6. The platform sends the newest state of each stream that changed in one request; above its
    limit the sync is green and the state lost: ORC/persistence/SyncPersistence.kt:90-226.
    """
    newest: dict[str | None, int] = {}
    total = 0
    for state in run.states:
        total += state.size - newest.get(state.stream, 0)
        newest[state.stream] = state.size
        if total >= LARGEST_STATES:
            yield state.line, f"the states of {len(newest)} streams have {total:,} bytes"
            return


@rule("read")
def r8_each_stream_goes_from_started_to_its_end(run: Run) -> Found:
    """R8. ORC/bookkeeping/streamstatus/StreamStatusStateStore.kt:44-67, 161-185.

    The reason of a RUNNING: ORC/RateLimitedMessageHelper.kt:14-32, exactly one.
    """
    where: dict[str, str] = {}  # stream -> its last status
    for event in run.events:
        name = event.stream
        if isinstance(event, Record) and where.get(event.stream) in TERMINAL:
            yield event.line, f"{name}: a record after {where[event.stream]}"
        if not isinstance(event, Status):
            continue
        yield from _reasons(event)
        before = where.get(event.stream)
        if event.status not in STATUSES:
            yield event.line, f"{name}: no status: {event.status!r}"
        elif before in TERMINAL:
            yield event.line, f"{name}: {event.status} after {before}"
        elif (before is None) != (event.status == "STARTED"):
            yield event.line, f"{name}: {event.status} after {before or 'nothing'}"
        where[event.stream] = str(event.status)
    if not run.ended_by_signal:
        for name, last in where.items():
            if last not in TERMINAL:
                yield None, f"{name}: {last} is its last status"


def _reasons(event: Status) -> Iterator[tuple[int, str]]:
    if event.reasons is None:
        return
    if not event.limited or len(event.reasons) != 1 or event.status != "RUNNING":
        yield event.line, f"{event.stream}: {event.status} because of {event.reasons}"
        return
    told = event.reasons[0].get("rate_limited") or {}
    until = told.get("quota_reset")
    if until is None:
        return
    if type(until) is not int or not MILLISECONDS[0] <= until < MILLISECONDS[1]:
        yield event.line, f"{event.stream}: quota_reset is {until!r}, no milliseconds since 1970"
    elif isinstance(event.emitted_at, (int, float)) and until < event.emitted_at:
        yield event.line, f"{event.stream}: quota_reset lies before the message"


def beats(run: Run) -> Iterator[tuple[int, float | None]]:
    """Each line that beats the platform's heart, with its second, None where that is not known."""
    for event in run.events:
        if isinstance(event, (Record, State)):
            if run.arrived:
                yield event.line, run.arrived[event.line - 1]
            else:
                stamp = event.emitted_at if isinstance(event, Record) else None
                yield event.line, stamp / 1000 if isinstance(stamp, int) else None


def gaps(run: Run) -> Iterator[tuple[int, float]]:
    """(line, seconds of silence before it), as far as the times are known."""
    last = 0.0 if run.arrived else None
    for line, second in beats(run):
        if last is not None and second is not None:
            yield line, second - last
        last = second
    if run.arrived and last is not None:
        yield len(run.lines), run.arrived[-1] - last


@rule("read")
def r10_there_is_no_long_silence(run: Run) -> Found:
    """R10. RECORD and STATE alone beat the heart: ORC/worker/io/LocalContainerAirbyteSource.kt:194.

    A custom connector has 3 hours: airbyte-data/…/DbConverter.kt:331-349.
    """
    for line, silence in gaps(run):
        if silence >= HEARTBEAT:
            yield line, f"no RECORD and no STATE for {silence:,.0f} s"


@rule("read")
def r11_the_log_is_no_flood(run: Run) -> Found:
    """R11. Each line costs the platform a parse, each new status a call.

    StreamStatusCachingApiClient.kt:35-60. What each stream says of itself is counted by stream.
    """
    said = len(run.statuses) + sum(1 for _ in run.bodies("LOG", "log"))
    most = LINES_FOR_A_START + LINES_A_STREAM * len(run.configured)
    most += len(run.records) // RECORDS_A_LINE
    if said > most:
        yield None, f"{said:,} statuses and lines of log where {most:,} would do"


@rule("read")
def x4_the_first_state_comes_early(run: Run) -> Found:
    """X4. An attempt that stored no state has made no progress: five of them end the job.

    airbyte-workers/…/application.yml:119-129. Rows of full refresh are read again in any case.
    """
    keeps = {name for name, one in run.configured.items() if one["sync_mode"] == "incremental"}
    records, began = 0, None
    for event in run.events:
        if isinstance(event, State):
            return
        if isinstance(event, Record) and event.stream in keeps:
            records += 1
            second = run.arrived[event.line - 1] if run.arrived else 0.0
            began = second if began is None else began
            if records > FIRST_STATE_RECORDS or second - began > FIRST_STATE_SECONDS:
                yield event.line, f"{records:,} records in {second - began:.0f} s without a state"
                return


@rule("read")
def l1_a_wait_is_said_once(run: Run) -> Found:
    """L1. Once for all requests that wait; RATE_LIMITED again only when that wait is over."""
    waiting: dict[str, Status] = {}
    for event in run.events:
        if isinstance(event, Status) and event.limited:
            before = waiting.get(event.stream)
            if before is not None and not _over(before, event):
                yield event.line, f"{event.stream}: RATE_LIMITED again during the same wait"
            waiting[event.stream] = event
        elif isinstance(event, (Record, Status)):
            waiting.pop(event.stream, None)


def _over(before: Status, now: Status) -> bool:
    told = before.reasons[0].get("rate_limited") or {}
    until, stamp = told.get("quota_reset"), now.emitted_at
    return isinstance(until, int) and isinstance(stamp, (int, float)) and stamp >= until


@rule_of_runs
def l1_waits_are_said(run: Run, at_least: int = 1) -> Found:
    """L1. A run that had to wait, as its caller knows, has said so."""
    said = sum(status.limited for status in run.statuses)
    if said < at_least:
        yield None, f"RATE_LIMITED was said {said} times, not {at_least}"


@rule("read")
def l2_also_a_wait_has_a_heartbeat(run: Run) -> Found:
    """L2. RATE_LIMITED beats no heart; a STATE that says the same again does."""
    limited = [status.line for status in run.statuses if status.limited]
    before = 0
    for line, silence in gaps(run):
        waited = any(before < one <= line for one in limited)
        if waited and silence >= HEARTBEAT:
            yield line, f"a wait with no RECORD and no STATE for {silence:,.0f} s"
        before = line


@rule("read")
def l3_a_wait_ends(run: Run) -> Found:
    """L3. RECORD, or RUNNING without a reason; no STATE: StreamStatusTracker.kt:128-135."""
    waiting: dict[str, int] = {}
    for event in run.events:
        if isinstance(event, Record):
            waiting.pop(event.stream, None)
        elif isinstance(event, Status):
            if event.limited:
                waiting[event.stream] = event.line
                continue
            since = waiting.pop(event.stream, None)
            if event.status == "COMPLETE" and since:
                yield event.line, f"{event.stream}: COMPLETE, RATE_LIMITED since line {since}"


@rule("read")
def l4_giving_up_is_transient(run: Run) -> Found:
    """L4. A limit passes: the platform has to try again (3i), with the states so far."""
    waiting: set[str | None] = set()
    for event in run.events:
        if isinstance(event, Status) and event.status in ("STARTED", "RUNNING"):
            (waiting.add if event.limited else waiting.discard)(event.stream)
        elif isinstance(event, Record):
            waiting.discard(event.stream)
        elif isinstance(event, Error) and (event.stream in waiting or run.unreachable):
            yield from _given_up(event, run)


def _given_up(error: Error, run: Run) -> Iterator[tuple[int, str]]:
    name = error.stream
    if name is None:
        return  # the closing sentence: X2
    if error.kind != "transient_error":
        yield error.line, f"{name}: {error.kind} instead of transient_error"
    keeps = run.configured.get(name, {}).get("sync_mode") == "incremental"
    delivered = any(record.stream == name for record in run.records)
    if keeps and delivered and not any(state.stream == name for state in run.states):
        yield error.line, f"{name}: given up without a state of what was delivered"
