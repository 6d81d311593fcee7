"""Real runs of the command, checked against every rule that the Airbyte platform has for them.

The rules are in tools/replay, each with its place in the platform's code. `hold` says which rules a
run breaks, and where. No run waits: see tools/replay/command.py.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import replay
from replay import Message, Rows, Run
from replay.command import CONSOLE, Command, Copies, configured
from streak_sandbox import Sandbox

CHILDREN = ("box_comments", "box_meetings", "box_tasks", "box_threads", "box_files")
ONE_REQUEST_A_BOX = (*CHILDREN, "box_changes", "box_documents")
READ_AT = ("readAt", "read_at")  # another time in each read
CHANGED = ("boxes", "box_field_values", "box_comments", "contacts")
SERVER_ERROR = {"kind": "status", "status": 503}
LIMITED = {"kind": "status", "status": 429, "retry_after": 30}
FOR_EVER = None

Place = Callable[..., Command]


def hold(*runs: Run) -> None:
    """Assert that no rule for one run is broken."""
    said = [f"{run.command}: {broken}" for run in runs for broken in replay.report(run)]
    assert not said, "\n".join(said)


def broken_by(found: list[replay.Broken]) -> str:
    """What a rule of several runs found, as text: empty if the rule holds."""
    return "\n".join(map(str, found))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Creates a command that reads a sandbox, each in a folder of its own."""
    with Copies() as copies:

        def command(streak: Sandbox, **settings: Any) -> Command:
            config = {"api_key": streak.key, "requests_per_second": 20, **settings}
            return Command(tmp_path_factory.mktemp("run"), streak.url, config, copies=copies)

        yield command


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox that a test may change."""
    with Sandbox(**getattr(request, "param", {"boxes": 40})) as sandbox:
        yield sandbox


@pytest.fixture
def command(streak: Sandbox, place: Place) -> Command:
    return place(streak)


@pytest.fixture(scope="module")
def quiet(place: Place) -> Iterator[Command]:
    """The command with a sandbox that no test changes."""
    with Sandbox(boxes=40) as sandbox:
        yield place(sandbox)


@pytest.fixture(scope="module")
def found(quiet: Command) -> Run:
    """What discover finds in that sandbox, and in every other sandbox of its size."""
    return quiet.discover()


@pytest.fixture(scope="module")
def everything(found: Run) -> Message:
    """All streams, as Airbyte configures them by default."""
    return configured(found)


@pytest.fixture(scope="module")
def whole(quiet: Command, everything: Message) -> Run:
    """A first incremental sync with many states: on its clock they are minutes apart."""
    slow = replace(quiet, config={**quiet.config, "requests_per_second": 1})
    return slow.read(everything)


@pytest.fixture(scope="module")
def rows(whole: Run) -> Rows:
    """What a destination holds after that sync."""
    return replay.rows_of([whole])


# --- spec, check, discover ------------------------------------------------------------------------


def test_spec_breaks_no_rule(quiet: Command) -> None:
    hold(Command(quiet.folder / "console", quiet.url, {}, CONSOLE).spec())


@pytest.mark.parametrize(("key", "status"), [("", "SUCCEEDED"), ("strk_wrong", "FAILED")])
def test_check_tells_a_good_key_from_a_wrong_one(quiet: Command, key: str, status: str) -> None:
    config = {**quiet.config, "api_key": key or quiet.config["api_key"]}
    run = Command(quiet.folder / "console", quiet.url, config, CONSOLE).check()

    hold(run)
    ((_, answer),) = run.bodies("CONNECTION_STATUS", "connectionStatus")
    assert answer["status"] == status


FAILURES: dict[str, dict[str, Any]] = {
    "Streak's own errors": SERVER_ERROR,
    "429 for long": {**LIMITED, "retry_after": 3600},
    "429 without a time": {"kind": "status", "status": 429},
    "connections that break": {"kind": "reset"},
    "a login page": {"kind": "not_json"},
}


@pytest.mark.parametrize("name", FAILURES)
def test_check_reports_an_outage_as_an_error_and_not_as_a_wrong_setting(
    streak: Sandbox, command: Command, name: str
) -> None:
    streak.fault("*", times=FOR_EVER, **FAILURES[name])
    run = command.check(unreachable=True)

    hold(run)
    assert run.code == 1


def test_check_and_discover_break_no_rule_where_nothing_listens(place: Place) -> None:
    with Sandbox(boxes=1) as gone:
        command = place(gone)

    hold(command.check(unreachable=True), command.discover(unreachable=True))


def test_check_waits_out_a_short_rate_limit(streak: Sandbox, command: Command) -> None:
    streak.fault("*", times=2, kind="status", status=429, retry_after=2)
    run = command.check()

    hold(run)
    assert run.code == 0


def test_discover_finds_the_same_twice(quiet: Command, found: Run) -> None:
    hold(found)

    assert not broken_by(replay.d1_two_discovers_find_the_same(found, quiet.discover()))


def test_discover_with_a_wrong_key_fails_with_a_config_error(quiet: Command) -> None:
    config = {**quiet.config, "api_key": "strk_wrong"}
    run = replace(quiet, config=config).discover()

    hold(run)
    assert run.errors[0].kind == "config_error"


# --- Reads that succeed ---------------------------------------------------------------------------


def test_no_estimate_is_sent(whole: Run) -> None:
    """Airbyte shows estimates nowhere."""
    assert not list(whole.traces("ESTIMATE", "estimate"))


def test_a_full_refresh_breaks_no_rule(quiet: Command, found: Run) -> None:
    run = quiet.read(configured(found, incremental=False))

    hold(run)
    assert len(run.states) >= len(run.configured)


def test_a_first_sync_breaks_no_rule(whole: Run) -> None:
    hold(whole)


def test_three_syncs_in_a_row_send_each_change_once_and_lose_nothing(
    streak: Sandbox, command: Command, everything: Message
) -> None:
    """The second sync finds nothing new, the third what was changed, added or deleted."""
    first = command.read(everything)
    second = command.read(everything, first.last_states())
    change(streak)
    third = command.read(everything, second.last_states())
    runs = [first, second, third]
    afterwards = replay.rows_of([command.read(everything)])

    hold(*runs)
    assert not [record for record in second.records if record.stream in CHANGED]
    assert {record.stream for record in third.records} >= set(CHANGED)
    ignored = (*READ_AT, "document")  # may be old: it names linked boxes
    assert not broken_by(replay.k1_nothing_is_lost_by_a_kill(runs, afterwards, ignored))
    assert not broken_by(replay.i3_a_deletion_wins_over_what_it_deletes(runs))


def change(streak: Sandbox) -> None:
    """Add, change and delete rows."""
    account = streak.account
    renamed, commented, deleted, *_ = account.boxes
    team = next(iter(account.teams))
    account.edit_box(renamed, name="Another name", fields={"1001": "Another value"})
    account.add_comment(commented, "Since the second sync")
    account.delete_box(deleted)
    account.edit_contact(account.contacts[team][0]["key"], givenName="Another name")
    account.add_contact(team)


def test_a_state_that_also_names_deselected_streams_is_accepted(
    quiet: Command, found: Run, whole: Run
) -> None:
    run = quiet.read(configured(found, "boxes", "teams"), whole.last_states())

    hold(run)
    assert not [record for record in run.records if record.stream == "boxes"]


def test_deselected_columns_are_not_sent(quiet: Command, everything: Message) -> None:
    """Otherwise the platform would drop them, with a warning for each stream."""
    run = quiet.read({"streams": [narrowed(one) for one in everything["streams"]]})

    hold(run)
    assert run.code == 0


def narrowed(one: Message) -> Message:
    """A configured stream with only every second of its optional columns."""
    stream = one["stream"]
    properties = stream["json_schema"]["properties"]
    keys = {path[0] for path in stream["source_defined_primary_key"]}
    needed = keys | set(stream.get("default_cursor_field") or ())
    kept = {
        name: column
        for place, (name, column) in enumerate(properties.items())
        if name in needed or name.startswith("_ab_cdc_") or place % 2
    }
    schema = stream["json_schema"] | {"properties": kept}
    return {**one, "stream": stream | {"json_schema": schema}}


@pytest.mark.parametrize("streak", [{"account": "empty"}], indirect=True)
def test_an_empty_account_gives_no_records(command: Command) -> None:
    found = command.discover()
    run = command.read(configured(found))

    hold(found, run)
    assert not run.records


def test_a_read_of_5_000_boxes_breaks_no_rule(place: Place) -> None:
    """Only streams that are read from lists: the others cost a request for each box."""
    with Sandbox(boxes=5_000) as streak:
        command = place(streak)
        found = command.discover()
        names = {one["stream"]["name"] for one in configured(found)["streams"]}
        run = command.read(configured(found, *names.difference(ONE_REQUEST_A_BOX)))

    hold(run)
    assert sum(record.stream == "boxes" for record in run.records) == 5_000


# --- Reads that have to wait ----------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 40])
def test_a_rate_limited_read_reports_its_waits_and_succeeds(
    streak: Sandbox, command: Command, everything: Message, after: int
) -> None:
    streak.fault("*", times=2, after=after, **LIMITED)
    run = command.read(everything)

    hold(run)
    assert run.code == 0
    assert not broken_by(replay.l1_waits_are_said(run))
    assert [told(status) for status in run.statuses if status.limited], "no time is said"


def told(status: replay.Status) -> int | None:
    """When the wait ends, in epoch milliseconds."""
    until = status.reasons[0].get("rate_limited", {}).get("quota_reset")
    return until if isinstance(until, int) else None


def test_a_read_that_is_limited_eight_times_reports_its_waits_and_succeeds(
    streak: Sandbox, command: Command, everything: Message
) -> None:
    for after in range(0, 160, 20):
        streak.fault("*", times=1, after=after, **LIMITED)
    run = command.read(everything)

    hold(run)
    assert run.code == 0
    assert not broken_by(replay.l1_waits_are_said(run, at_least=3))


def test_a_read_that_is_limited_for_ever_reports_its_waits_and_fails(
    streak: Sandbox, command: Command, everything: Message
) -> None:
    streak.fault("*", times=FOR_EVER, after=40, **{**LIMITED, "retry_after": 3600})
    run = command.read(everything, unreachable=True)

    hold(run)
    assert run.code == 1
    assert not broken_by(replay.l1_waits_are_said(run))


# --- Reads that fail ------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [0, 70])
def test_an_outage_fails_the_read_without_breaking_a_rule(
    streak: Sandbox, command: Command, everything: Message, after: int
) -> None:
    streak.fault("*", times=FOR_EVER, after=after, **SERVER_ERROR)
    run = command.read(everything, unreachable=True)

    hold(run)
    assert run.code == 1


def test_a_key_deleted_during_a_read_fails_it_with_a_config_error(
    streak: Sandbox, command: Command, everything: Message
) -> None:
    def delete_key(running: Sandbox) -> None:
        running.key = "strk_another"

    streak.on("v?/boxes/*", delete_key, after=10)
    run = command.read(everything)

    hold(run)
    assert run.code == 1
    assert {error.kind for error in run.errors} == {"config_error"}


@pytest.mark.parametrize("incremental", [True, False])
def test_a_refused_pipeline_fails_a_full_refresh_but_no_incremental_sync(
    streak: Sandbox, command: Command, found: Run, incremental: bool
) -> None:
    streak.moods.refused_pipelines = {next(iter(streak.account.pipelines))}
    run = command.read(configured(found, "boxes", "box_comments", "teams", incremental=incremental))

    hold(run)
    assert run.code == (0 if incremental else 1)
    assert run.ends()["teams"] == "COMPLETE"


def test_an_outage_is_reported_before_a_refused_pipeline_so_that_airbyte_retries(
    streak: Sandbox, command: Command, found: Run
) -> None:
    """Airbyte retries only if the first error is not a config_error.

    The stream boxes is read first and fails for good; contacts fails later, but only temporarily.
    """
    streak.moods.refused_pipelines = {next(iter(streak.account.pipelines))}
    streak.fault("v2/teams/*/contacts", times=FOR_EVER, **SERVER_ERROR)
    catalog = configured(found, "boxes", "contacts", "teams", incremental=False)
    catalog["streams"].sort(key=lambda one: one["stream"]["name"])
    run = command.read(catalog)

    hold(run)
    assert [error.stream for error in run.errors][:2] == ["contacts", "boxes"]
    assert {error.stream: error.kind for error in run.errors} == {
        "boxes": "config_error",
        "contacts": "transient_error",
        None: "transient_error",
    }
    assert any("boxes" in log["message"] for _, log in run.bodies("LOG", "log"))


def test_only_the_stream_that_does_not_exist_ends_incomplete(quiet: Command, found: Run) -> None:
    catalog = configured(found, "teams", "users")
    catalog["streams"][1]["stream"] = {**catalog["streams"][1]["stream"], "name": "deals"}
    run = quiet.read(catalog)

    hold(run)
    assert run.ends() == {"teams": "COMPLETE", "deals": "INCOMPLETE"}


# --- Reads that are killed, and syncs that resume from a state ------------------------------------


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_killed_read_resumes_without_losing_rows(
    quiet: Command, whole: Run, rows: Rows, part: float
) -> None:
    killed = quiet.read(whole.catalog, kill_after=int(part * len(whole.lines)))
    resumed = quiet.read(whole.catalog, killed.last_states())

    hold(killed, resumed)
    assert killed.killed
    assert not broken_by(replay.k1_nothing_is_lost_by_a_kill([killed, resumed], rows, READ_AT))
    assert not broken_by(replay.f3_a_resumable_full_refresh_goes_on(killed, resumed, whole))


@pytest.mark.parametrize(("part", "alone"), [(0.1, False), (0.6, False), (0.7, True), (0.9, False)])
def test_a_sync_can_resume_from_any_state(
    quiet: Command, whole: Run, rows: Rows, part: float, alone: bool
) -> None:
    """Even from a single state. The other streams are then read from the beginning."""
    state = whole.states[int(part * len(whole.states))]
    before = whole.cut(state.line)
    handed = [{"type": "STREAM", "stream": state.body["stream"]}]
    resumed = quiet.read(whole.catalog, handed if alone else before.last_states())

    hold(resumed)
    assert not broken_by(replay.i1_any_state_can_be_handed_back(before, resumed, rows, READ_AT))


def test_there_are_states_between_the_rows_of_a_stream(whole: Run) -> None:
    """Otherwise the tests above would only resume between streams."""
    last = {record.stream: record.line for record in whole.records}
    between = [state for state in whole.states if last.get(str(state.stream), 0) > state.line]

    assert len(between) > 5


@pytest.mark.parametrize("sent", [signal.SIGTERM, None], ids=["SIGTERM", "a closed pipe"])
def test_a_stopped_read_ends_by_itself_and_claims_no_success(
    streak: Sandbox, command: Command, everything: Message, sent: signal.Signals | None
) -> None:
    """While the stream box_comments waits for responses that never come."""
    streak.fault("v2/boxes/*/comments", "hang", times=FOR_EVER)
    with command.start(command.arguments("read", everything)) as process:
        output = process.stdout
        assert output is not None
        lines = iter(output.readline, b"")
        written = [next(lines)]
        while b'"box_comments"' not in written[-1] or b"STARTED" not in written[-1]:
            written.append(next(lines))
        began = time.monotonic()
        if sent is None:
            output.close()
        else:
            process.send_signal(sent)
            written += lines
        code = process.wait(30)
    run = Run(
        "read", b"".join(written), code=code, catalog=everything, seconds=time.monotonic() - began
    )

    hold(run)
    if sent is None:
        assert not broken_by(replay.k2_it_ends_when_nobody_reads(run))
    else:
        assert not broken_by(replay.k3_a_sync_that_is_stopped_is_not_whole(run))
