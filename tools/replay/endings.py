"""F1, F2, I2, X1 to X3, K1 to K3: how a read ends.

ORC is airbyte-container-orchestrator/…/orchestrator.
"""

from __future__ import annotations

import signal
from collections import Counter

from replay.output import Run, Status
from replay.reads import input_streams
from replay.rules import Found, rule, rule_of_runs

CLOSED_PIPE = (141, -signal.SIGPIPE)
TERMINATED = (143, -signal.SIGTERM)
SOON = 10.0  # seconds


@rule("read")
def f1_status_0_is_a_whole_sync(run: Run) -> Found:
    """F1. With 0 the platform tells the destination COMPLETE for every stream, whatever was said.

    ORC/tracker/StreamStatusCompletionTracker.kt:56-64: overwritten tables get half of their rows.
    """
    if run.ended_by_signal:
        return
    ends = run.ends()
    unfinished = [name for name in run.configured if ends.get(name) != "COMPLETE"]
    if run.code == 0:
        for name in unfinished:
            yield None, f"status 0, and {name} is {ends.get(name) or 'not ended'}"
        for error in run.errors:
            yield error.line, f"status 0, and an ERROR: {error.body.get('message')}"
    elif not unfinished and not run.errors:
        yield None, f"every stream is COMPLETE, and the exit status is {run.code}"


@rule("read")
def f2_every_stream_has_a_last_state(run: Run) -> Found:
    """F2. Without one a stream is never shown as complete: StreamStatusTracker.kt:138-151."""
    if run.code:
        return
    last_record = {record.stream: record.line for record in run.records}
    last_state = {state.stream: state.line for state in run.states}
    for name in run.configured:
        if name not in last_state:
            yield None, f"{name}: no state"
        elif last_record.get(name, 0) > last_state[name]:
            yield last_record[name], f"{name}: a record after its last state"


@rule("read")
def i2_states_of_other_streams_are_no_matter(run: Run) -> Found:
    """I2. The platform hands in the whole connection's state, deselected streams included."""
    others = set(input_streams(run)) - set(run.configured)
    for state in run.states:
        if state.stream in others:
            yield state.line, f"the state of {state.stream} came back, which is not configured"


@rule("read")
def x1_a_stream_that_failed_says_so(run: Run) -> Found:
    """X1. Exit status 1, INCOMPLETE, and one ERROR that names the stream."""
    if run.ended_by_signal or run.code == 0:
        return  # 0: F1
    if run.code != 1:
        yield None, f"exit status {run.code} instead of 1"
    failed = {name for name, end in run.ends().items() if end == "INCOMPLETE"}
    errors = Counter(error.stream for error in run.errors)
    for name in sorted(failed):
        if errors[name] != 1:
            yield None, f"{name} is INCOMPLETE, with {errors[name]} ERRORs that name it"
    for name in sorted(name for name in errors if name is not None and name not in failed):
        yield None, f"an ERROR names {name}, which is not INCOMPLETE"
    if run.code and not run.errors:
        yield None, "a failure without an ERROR that says why"


@rule("read")
def x2_the_earliest_error_leaves_the_others_their_retries(run: Run) -> Found:
    """X2. A config_error that was emitted first ends the job, whatever else failed.

    ConnectionManagerWorkflowImpl.kt:514-544, ORC/…/AirbyteMessageTracker.kt:89-98: by `emitted_at`.
    """
    stamped = [error for error in run.errors if isinstance(error.emitted_at, (int, float))]
    if not stamped:
        return
    earliest = min(stamped, key=lambda error: (error.emitted_at, error.line))
    others = {str(error.kind) for error in stamped} - {"config_error"}
    if earliest.kind == "config_error" and others:
        yield earliest.line, f"a config_error is the earliest, beside {', '.join(sorted(others))}"


@rule("read")
def x3_what_was_read_is_safe_before_a_failure_is_told(run: Run) -> Found:
    """X3. A failure may leave the queue unread: ORC/worker/ReplicationWorker.kt:145-157."""
    stored: set[str | None] = set()
    complete: set[str] = set()
    states = {state.line: state.stream for state in run.states}
    errors = {error.line for error in run.errors}
    for event in run.events:
        if event.line in states:
            stored.add(states[event.line])
        elif event.line in errors:
            for name in sorted(complete - stored):
                yield event.line, f"an ERROR before any state of {name}, which is COMPLETE"
        elif isinstance(event, Status) and event.status == "COMPLETE":
            complete.add(event.stream)


@rule("read")
def k1_what_was_written_before_a_kill_is_whole(run: Run) -> Found:
    """K1. Only the last line of a run that was killed may be a part of one."""
    if run.killed:
        for line in run.lines:
            if line.fault:
                yield line.number, f"a broken line before the kill: {line.raw[:80]!r}"


@rule_of_runs
def k2_it_ends_when_nobody_reads(run: Run) -> Found:
    """K2. The platform closes the pipe to stop it: ContainerIOHandle.kt:105-142."""
    if run.code not in CLOSED_PIPE:
        yield None, f"exit status {run.code} when nobody reads"
    if run.seconds > SOON:
        yield None, f"it took {run.seconds:.0f} s to end when nobody reads"
    if b"Traceback" in run.stderr:
        yield None, f"a traceback when nobody reads: {run.stderr[-200:]!r}"


@rule_of_runs
def k3_a_sync_that_is_stopped_is_not_whole(run: Run) -> Found:
    """K3. SIGTERM: no exit status 0, and not every stream COMPLETE."""
    if run.code not in TERMINATED:
        yield None, f"exit status {run.code} after SIGTERM"
    ends = run.ends()
    if run.configured and all(ends.get(name) == "COMPLETE" for name in run.configured):
        yield None, "every stream is COMPLETE after SIGTERM"
