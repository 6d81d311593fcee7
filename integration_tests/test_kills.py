"""A connector killed at any moment and started again loses nothing and repeats few requests.

It starts again with the last state that it printed. It runs in a separate process and is killed by
SIGKILL, when the sandbox gets a request or when it prints a line. Its clock never waits and runs
fast, so that it prints many states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import AirbyteStateMessageSerializer, ConfiguredAirbyteCatalogSerializer
from conftest import catalog_of, reading
from copies import Copies
from destination import Destination, Record, without_cursor
from streak_sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("kills")  # one process is copied
HURRIED = {"QUICK_STEP": "0.5"}  # seconds that pass at each look at the clock
INCREMENTAL = (
    *("contacts", "organizations", "boxes", "box_field_values", "box_stage_history"),
    *("box_comments", "box_meetings", "box_tasks", "box_threads", "box_files", "newsfeed"),
)
COUNTERS = {
    "comments": ("commentCount",),
    "meetings": ("callLogCount", "meetingNotesCount"),
    "tasks": ("taskTotal",),
    "threads": ("gmailThreadCount",),
    "files": ("fileCount",),
}
LATENCY_MS = 40
UNDER_WAY = 24  # requests ahead of the one whose rows are written, at 1 request a second
# Messages of a tenth of a second, for which the framework buffers its output; and a few more.
UNPRINTED = 26
# Requests for the key's user, pipelines, boxes, newsfeeds, teams, contacts, organizations.
LISTS = 1 + 1 + 5 + 5 + 1 + 2 + 2

State = dict[str, Any]


@dataclass
class Rounds:
    """One connection over all its attempts: their outputs, and the states for the next one."""

    streak: Sandbox
    folder: Path
    copies: Copies
    quick: bool = True
    streams: tuple[str, ...] = INCREMENTAL
    settings: dict[str, Any] = field(default_factory=lambda: {"requests_per_second": 1})
    outputs: list[list[dict[str, Any]]] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    kills: int = 0

    def run(self, kill_at_request: int | None = None, kill_at_record: int | None = None) -> bool:
        """One attempt. Returns whether it was killed."""
        configured = catalog_of(*self.streams, incremental=True)
        config = self._file("config", {"api_key": self.streak.key, **self.settings})
        catalog = self._file("catalog", ConfiguredAirbyteCatalogSerializer.dump(configured))
        arguments = ["read", "--config", config, "--catalog", catalog]
        if self.states:
            arguments += ["--state", self._file("state", list(self.states.values()))]
        environment = {"STREAK_API_URL": self.streak.url, "PATH": "", **HURRIED}
        running = self.copies.running(
            *arguments, environment=environment, folder=self.folder, waits=not self.quick
        )
        with running as process:
            if kill_at_request is not None:
                self.streak.on("*", lambda _: process.kill(), after=kill_at_request)
            messages, records = [], 0
            for line in process.stdout:
                if not line.endswith(b"\n"):
                    break  # cut off in the middle of a message
                messages.append(orjson.loads(line))
                records += messages[-1]["type"] == "RECORD"
                if records == kill_at_record:
                    process.kill()
                    kill_at_record = None
            killed = process.wait() != 0
        self.streak._triggers.clear()
        self.outputs.append(messages)
        for message in messages:
            if message["type"] == "STATE":
                state = message["state"]
                self.states[state["stream"]["stream_descriptor"]["name"]] = state
        self.kills += killed
        return killed

    def destination(self) -> Destination:
        """What a destination holds after all outputs."""
        kept = Destination()
        for output in self.outputs:
            for message in output:
                if message["type"] == "RECORD":
                    kept.take(message["record"]["stream"], [message["record"]["data"]])
        return kept

    def _file(self, name: str, content: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_bytes(orjson.dumps(content))
        return str(path)


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    usual = {"boxes": 200, "latency_ms": LATENCY_MS}
    with Sandbox(**getattr(request, "param", usual)) as sandbox:
        yield sandbox


@pytest.fixture
def rounds(streak: Sandbox, tmp_path: Path, copies: Copies) -> Rounds:
    return Rounds(streak, tmp_path, copies)


def needed(streak: Sandbox) -> int:
    """The number of requests for children: one per box and child stream with rows."""
    return sum(
        any(box.get(counter, 1) for counter in counters)
        for box in streak.account.boxes.values()
        for counters in COUNTERS.values()
    )


def assert_is_the_account(
    destination: Destination, streak: Sandbox, streams: tuple[str, ...] = INCREMENTAL
) -> None:
    """Assert that the destination holds each record of a full refresh made now.

    Custom fields that are not set have no value there either.
    """
    streak.moods.latency_ms = 0
    with reading(streak) as read:
        fresh = read(*streams)
    assert fresh.ok
    for stream in streams:
        kept = destination.rows(stream)
        rows = {
            tuple(record[column] for column in destination.keys[stream]): without_cursor(record)
            for record in fresh.records[stream]
        }
        missing = [key for key in rows if key not in kept]
        stale = [key for key in rows if key in kept and kept[key] != rows[key]]
        assert not missing, f"{stream}: {len(missing)} of {len(rows)} rows are missing"
        assert not stale, (
            f"{stream}: {len(stale)} of {len(rows)} rows are stale: "
            f"{_difference(kept[stale[0]], rows[stale[0]])}"
        )
        if stream == "box_field_values":
            here = {(box["key"], box["pipelineKey"]) for box in streak.account.boxes.values()}
            left = [
                key
                for key, row in kept.items()
                if key not in rows and key[:2] in here and row.get("rawValue") is not None
            ]
            assert not left, f"{len(left)} of the fields that have no value have one"


def _difference(kept: Record, right: Record) -> dict[str, tuple[Any, Any]]:
    return {
        name: (kept.get(name), right.get(name))
        for name in kept.keys() | right.keys()
        if kept.get(name) != right.get(name)
    }


# --- The account does not change ------------------------------------------------------------------


def test_repeated_kills_lose_nothing_and_repeat_few_requests(
    streak: Sandbox, rounds: Rounds
) -> None:
    random = Random(1)
    for number in range(3):
        if number == 1:
            rounds.run(kill_at_record=random.randrange(20, 150))
        else:
            rounds.run(kill_at_request=random.randrange(60, 110))
    assert not rounds.run()
    asked = len(streak.requests("v?/boxes/*"))
    listed = len(streak.requests()) - asked

    assert rounds.kills == 3
    assert needed(streak) <= asked <= needed(streak) + rounds.kills * (UNDER_WAY + UNPRINTED)
    assert listed <= (rounds.kills + 1) * LISTS
    assert all(
        len(streak.requests(f"v1/pipelines/{key}/boxes")) <= rounds.kills + 1
        for key in streak.account.pipelines
    )
    assert_is_the_account(rounds.destination(), streak)

    streak.clear_log()
    assert not rounds.run()
    assert not streak.requests("v?/boxes/*"), "nothing has changed"
    assert {
        message["record"]["stream"] for message in rounds.outputs[-1] if message["type"] == "RECORD"
    } <= {"newsfeed"}


@pytest.mark.parametrize("streak", [{"boxes": 2_000}], indirect=True)
def test_a_kill_of_the_command_with_its_real_clock_loses_nothing(
    streak: Sandbox, rounds: Rounds
) -> None:
    """Only streams that request nothing but lists, since the real clock would slow down others."""
    rounds.quick, rounds.streams = False, INCREMENTAL[:5]
    rounds.settings = {"requests_per_second": 20}
    assert rounds.run(kill_at_record=5_000)
    assert not rounds.run()

    assert_is_the_account(rounds.destination(), streak, rounds.streams)


# --- The account changes meanwhile ----------------------------------------------------------------


def some_box(streak: Sandbox, random: Random) -> str:
    return random.choice(sorted(streak.account.boxes))


def touch(streak: Sandbox, random: Random) -> None:
    streak.account.edit_box(some_box(streak, random), name=f"Renamed {random.random()}")


def touch_without_a_stamp(streak: Sandbox, random: Random) -> None:
    box = streak.account.boxes[some_box(streak, random)]
    stamps = {
        name: box[name] for name in ("lastUpdatedTimestamp", "lastSavedTimestamp") if name in box
    }
    streak.account.edit_box(box["key"], notes=str(random.random()), **stamps)


def comment(streak: Sandbox, random: Random) -> None:
    streak.account.add_comment(some_box(streak, random), f"Comment {random.random()}")


def task_or_file_or_meeting(streak: Sandbox, random: Random) -> None:
    random.choice(
        [
            streak.account.add_task,
            streak.account.add_file,
            streak.account.add_meeting,
            streak.account.add_thread,
        ]
    )(some_box(streak, random))


def delete_comment(streak: Sandbox, random: Random) -> None:
    box = random.choice(
        sorted(key for key, box in streak.account.boxes.items() if box.get("commentCount"))
    )
    streak.account.delete_comment(box, streak.account.comments[box][-1]["key"])


def clear_field(streak: Sandbox, random: Random) -> None:
    box = streak.account.boxes[
        random.choice(sorted(key for key, box in streak.account.boxes.items() if box["fields"]))
    ]
    streak.account.edit_box(box["key"], fields={random.choice(sorted(box["fields"])): None})


def move(streak: Sandbox, random: Random) -> None:
    box = streak.account.boxes[some_box(streak, random)]
    stamps = {
        name: box[name] for name in ("lastUpdatedTimestamp", "lastSavedTimestamp") if name in box
    }
    streak.account.move_box(
        box["key"], random.choice(sorted(streak.account.pipelines)), **random.choice([stamps, {}])
    )


def delete(streak: Sandbox, random: Random) -> None:
    streak.account.delete_box(some_box(streak, random))


def create(streak: Sandbox, random: Random) -> None:
    box = streak.account.add_box(
        random.choice(sorted(streak.account.pipelines)),
        f"New {random.random()}",
        fields={"1001": "7"},
    )
    streak.account.add_comment(box["key"], "First")


def rename_stage(streak: Sandbox, random: Random) -> None:
    pipeline = streak.account.pipelines[random.choice(sorted(streak.account.pipelines))]
    streak.account.rename_stage(
        pipeline["key"], pipeline["stageOrder"][0], f"Stage {random.random()}"
    )


def change_people(streak: Sandbox, random: Random) -> None:
    team = next(iter(streak.account.teams))
    streak.account.edit_contact(
        random.choice(streak.account.contacts[team])["key"], givenName=str(random.random())
    )
    streak.account.edit_organization(
        random.choice(streak.account.organizations[team])["key"], name=str(random.random())
    )
    streak.account.add_contact(team, givenName="New")


def new_pipeline(streak: Sandbox, random: Random) -> None:
    streak.account.add_pipeline(f"New {random.random()}", boxes=3)


def access(streak: Sandbox, random: Random) -> None:
    """Refuse one pipeline, or grant access to a refused one again."""
    refused = streak.moods.refused_pipelines
    streak.moods.refused_pipelines = (
        set() if refused else {random.choice(sorted(streak.account.pipelines))}
    )


CHANGES: tuple[Callable[[Sandbox, Random], None], ...] = (
    *(
        touch,
        touch_without_a_stamp,
        comment,
        task_or_file_or_meeting,
        delete_comment,
        clear_field,
        move,
        delete,
        create,
    ),
    *(rename_stage, change_people, new_pipeline, access),
)


@pytest.mark.parametrize("streak", [{"boxes": 100, "latency_ms": 20}], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_repeated_kills_lose_nothing_while_the_account_changes(
    streak: Sandbox, rounds: Rounds, seed: int
) -> None:
    random = Random(seed)

    def happen(most: int) -> Callable[[Sandbox], None]:
        chosen = [random.choice(CHANGES) for _ in range(random.randrange(1, most))]

        def act(running: Sandbox) -> None:
            for change in chosen:
                change(running, random)

        return act

    for number in range(4):
        happen(10)(streak)
        for _ in range(2):
            streak.on("*", happen(5), after=random.randrange(5, 100))
        if number % 3 == 2:
            rounds.run(kill_at_record=random.randrange(1, 300))
        else:
            rounds.run(kill_at_request=random.randrange(20, 110))
    streak.moods.refused_pipelines = set()
    assert not rounds.run()

    assert rounds.kills >= 2
    assert_is_the_account(rounds.destination(), streak)


# --- State is never ahead -------------------------------------------------------------------------


@pytest.mark.parametrize("streak", [{"boxes": 60, "latency_ms": 10}], indirect=True)
def test_a_sync_from_any_state_in_an_output_delivers_the_records_missing_before_it(
    streak: Sandbox, rounds: Rounds
) -> None:
    assert not rounds.run()
    streak.moods.latency_ms = 0
    (output,) = rounds.outputs
    places = [place for place, message in enumerate(output) if message["type"] == "STATE"]
    sample = Random(5).sample(places, 6)
    everything = rounds.destination()

    assert len(places) > 50
    with reading(streak) as read:
        for place in sample:
            kept, states = Destination(), {}
            for message in output[: place + 1]:
                if message["type"] == "RECORD":
                    kept.take(message["record"]["stream"], [message["record"]["data"]])
                elif message["type"] == "STATE":
                    states[message["state"]["stream"]["stream_descriptor"]["name"]] = (
                        AirbyteStateMessageSerializer.load(message["state"])
                    )
            rest = read(*INCREMENTAL, incremental=True, state=list(states.values()))
            for stream, records in rest.records.items():
                kept.take(stream, records)
            for stream in INCREMENTAL:
                missing = everything.rows(stream).keys() - kept.rows(stream).keys()
                assert not missing, (
                    f"{stream}: {len(missing)} rows are behind a state that says they were "
                    "delivered"
                )
