"""`make chaos`: a connection that is kept alive for many rounds by a Streak that misbehaves in every way the sandbox knows.

Each round: some moods and faults, some changes to the account while it is read, and syncs that are killed (SIGKILL) at any moment;
of a killed one the destination keeps all rows, or only those that a state had covered.  Then Streak calms down, one more sync runs to its
end, and the destination has to be the account: nothing lost, nothing stale, nothing deleted that lives, nothing left that does not.

The seed of a round that fails is printed; `--seed N --rounds M` runs it again.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import orjson
from destination import DELETED_AT, Destination, Record
from kill_points import kill_points
from progress import Progress
from replay import Run, report
from replay.command import forms_of
from runs import configured, failure, only
from streak_sandbox import Sandbox

# The connector itself, but without pace between requests, with little patience and with states close together.
LAUNCH = """
import sys
from source_streak import account, base, budget, client
budget.WIDER = 0.0
client.LONGEST_WAIT, client.PATIENCE, client.SHORT_PATIENCE = 0.05, 4.0, 2.0
client.SENDING["timeout"] = (1.0, 1.0)
account.SHORT_PATIENCE = 2.0
base.FIRST_PART, base.LONGEST_PART = 0.05, 0.5
from source_streak.run import run
run(sys.argv[1:])
"""
TABLES = "boxes_"
OF_BOXES = ("box_field_values", "box_stage_history", "box_comments", "box_meetings", "box_tasks", "box_threads", "box_files")
STREAMS = ("boxes", *OF_BOXES, "contacts", "organizations")
ROUNDS_A_SERIES = 10  # with one account, one destination and one state
BOXES = 70
CHILDREN = ("v2/boxes/*/comments", "v2/boxes/*/meetings", "v2/boxes/*/tasks", "v1/boxes/*/threads", "v1/boxes/*/files")
PATTERNS = ("*", "v1/pipelines/*/boxes", "v2/pipelines", "v2/users/me/teams", "v2/teams/*", "v1/boxes/*", *CHILDREN)
PASSING: tuple[tuple[str, dict[str, Any]], ...] = (
    *((kind, {}) for kind in ("html", "not_json", "wrong_shape", "half_json", "half_body", "reset", "reset_in_body", "hang")),
    ("slow", {"seconds": 0.3}),
    *(("status", {"status": status}) for status in (429, 500, 502, 503, 504, 408)),
    ("status", {"status": 429, "retry_after": 1}),
)
LASTING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"status": 410}),
    ("html", {}),
    ("status", {"status": 404}),
    ("status", {"status": 401}),
)
# A task holds a copy of a contact: when that is edited, nothing of the box moves (docs/incremental.md: recheck_days heals it).
UNSEEN = {"box_tasks": {"actions"}}
Message = dict[str, Any]


@dataclass
class Tally:
    """What has been done to the connector, and what it has cost."""

    rounds: int = 0
    syncs: int = 0
    kills: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)  # requests that met one, by kind
    moods: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    rows: int = 0  # compared
    problems: list[str] = field(default_factory=list)

    def table(self) -> Iterator[str]:
        """In Markdown."""
        yield "| what | how often |\n|---|---|"
        for name, count in (("rounds", self.rounds), ("syncs", self.syncs), ("of them killed", self.kills), ("requests", self.requests)):
            yield f"| {name} | {count:,} |"
        for what, counts in (("request met", self.faults), ("round with", self.moods), ("change while reading", self.changes)):
            yield from (f"| {what}: {name.replace('_', ' ')} | {count:,} |" for name, count in sorted(counts.items()))
        yield f"| rows compared with the account | {self.rows:,} |"
        for kind in ("lost", "stale", "wrongly deleted", "left behind", "not ended well", "against a rule"):
            yield f"| **{kind}** | **{sum(problem.startswith(kind) for problem in self.problems)}** |"


class Series:
    """One connection: its account, its destination and its state."""

    def __init__(self, seed: int, streak: Sandbox, folder: Path, tally: Tally, live: Progress) -> None:
        self.seed, self.streak, self.folder, self.tally, self.live = seed, streak, folder, tally, live
        self.random = Random(seed)  # noqa: S311 # to be repeated
        self.destination = Destination()
        self.states: dict[str, Message] = {}
        self.whole = configured(only("CATALOG", self._run("discover")[1]))
        self.catalog = {"streams": [one for one in self.whole["streams"] if one["stream"]["name"].startswith((*STREAMS, TABLES))]}
        for one in self.catalog["streams"]:
            one["sync_mode"] = "incremental" if "incremental" in one["stream"]["supported_sync_modes"] else "full_refresh"
        self.catalog["streams"] = [one for one in self.catalog["streams"] if one["sync_mode"] == "incremental"]
        self.tables = {one["stream"]["name"]: one["stream"]["json_schema"] for one in self.catalog["streams"]}

    def round(self) -> None:
        """Chaos, then a calm sync, then the comparison."""
        self.tally.rounds += 1
        for _ in range(self.random.randint(1, 3)):
            self._misbehave()
            self.sync(kill=self.random.random() < 0.7)
        self._calm()
        code, sentences = self.sync(kill=False)
        if code:
            self._problem("not ended well", "the calm sync", " / ".join(sentences))
        self._compare()

    # What happens to it

    def _misbehave(self) -> None:
        streak, random = self.streak, self.random
        self._calm()
        for name, value in random.sample(self._moods(), random.randint(0, 3)):
            setattr(streak.moods, name, value)
            self.tally.moods[name] += 1
        for _ in range(random.randint(2, 10)):
            kind, details = random.choice(PASSING)
            streak.fault(random.choice(PATTERNS), kind, times=random.randint(1, 4), after=random.choice((0, 0, 1, 2, 5, 20)), **details)
        if random.random() < 0.2:
            kind, details = random.choice(LASTING)
            streak.fault(random.choice(CHILDREN), kind, times=None, **details)
        if random.random() < 0.2:
            kind, details = random.choice(LASTING)
            streak.fault("v1/boxes/" + random.choice(list(streak.account.boxes)), kind, times=None, **details)
        for _ in range(random.randint(0, 8)):
            streak.on("*", lambda _: self._change(), after=random.randrange(25))

    def _moods(self) -> list[tuple[str, Any]]:
        random, account = self.random, self.streak.account
        some_boxes = set(random.sample(sorted(account.boxes), 2))
        some_pipeline = {random.choice(sorted(account.pipelines))}
        return [
            *(
                ("limit_cap", random.randint(5, 40)),
                ("v2_limit_cap", random.randint(1, 20)),
                ("box_list_shape", random.choice(("envelope", "array"))),
            ),
            *(("flag_absent", True), ("box_count_absent", True), ("counters_absent", True), ("pages_disordered", True)),
            *(("page_ignored", random.choice(("whole", "first"))), ("v2_pipelines_missing", True), ("forget_page_cursor", True)),
            *(("rate_limit_per_second", random.randint(15, 60)), ("empty_pipelines", some_pipeline), ("refused_pipelines", some_pipeline)),
            *(("gone_boxes", some_boxes), ("failing_boxes", some_boxes), ("hidden_is_404", True)),
        ]

    def _change(self) -> None:
        """One thing that somebody does in Streak meanwhile."""
        account, random = self.streak.account, self.random
        with account.lock:
            box, pipeline = random.choice(list(account.boxes)), random.choice(list(account.pipelines))
            contact = random.choice([row["key"] for rows in account.contacts.values() for row in rows])
            organization = random.choice([row["key"] for rows in account.organizations.values() for row in rows])
            stages = account.pipelines[pipeline]["stageOrder"]
            at_home = account.pipelines[account.boxes[box]["pipelineKey"]]["stageOrder"]
            word = f"word {random.randrange(10**6)}"
            what, act = random.choice(
                [
                    ("add box", lambda: account.add_box(pipeline, word) if stages else None),
                    ("edit box", lambda: account.edit_box(box, name=word)),
                    ("change stage", lambda: account.edit_box(box, stageKey=random.choice(at_home))),
                    ("set field", lambda: account.edit_box(box, fields={"1001": random.choice((word, None))})),
                    ("move box", lambda: account.move_box(box, pipeline) if stages else None),
                    ("delete box", lambda: account.delete_box(box)),
                    ("add comment", lambda: account.add_comment(box, word)),
                    ("add task", lambda: account.add_task(box, word)),
                    ("add file", lambda: account.add_file(box, word)),
                    ("add thread", lambda: account.add_thread(box, word)),
                    ("rename stage", lambda: account.rename_stage(pipeline, random.choice(stages), word) if stages else None),
                    ("edit contact", lambda: account.edit_contact(contact, title=word)),
                    ("add contact", lambda: account.add_contact(next(iter(account.contacts)), title=word)),
                    ("edit organization", lambda: account.edit_organization(organization, name=word)),
                ]
            )
            act()
        self.tally.changes[what] += 1

    def _calm(self) -> None:
        self.streak.clear_faults()
        self.streak._triggers.clear()
        for name, value in type(self.streak.moods)().as_json().items():
            setattr(self.streak.moods, name, value)

    # The connector, and the destination

    def sync(self, kill: bool) -> tuple[int, list[str]]:
        """One attempt, into the destination. Returns its status and the sentences of its failures."""
        self.tally.syncs += 1
        self.streak.clear_log()
        before = list(self.states.values())
        code, lines = self._run("read", kill)
        for broken in replayed(code, lines, self.catalog, before, self.streak.key):
            self._problem("against a rule", "of the platform", broken)
        messages = [orjson.loads(line) for line in lines]
        covered = self.random.random() < 0.5  # what a destination had not committed is gone with the sync that was killed
        last = {name_of(message): place for place, message in enumerate(messages) if message["type"] == "STATE"}
        for place, message in enumerate(messages):
            if message["type"] == "STATE":
                self.states[name_of(message)] = message["state"]
            elif message["type"] == "RECORD" and not (code < 0 and covered and place > last.get(name_of(message), -1)):
                self._take(name_of(message), message["record"]["data"])
        self.tally.requests += len(self.streak.log)
        self.tally.faults.update(entry.fault if entry.fault != "status" else str(entry.status) for entry in self.streak.log if entry.fault)
        self.live.update(syncs=self.tally.syncs, kills=self.tally.kills, requests=self.tally.requests)
        return code, [sentence for message in messages if (sentence := failure(message))]

    def _take(self, stream: str, record: Record) -> None:
        if record.get(DELETED_AT) and stream == "boxes" and record["key"] in self.streak.account.boxes:
            self._problem("wrongly deleted", stream, record["key"])
        self.destination.take(stream, [record])

    def _run(self, command: str, kill: bool = False) -> tuple[int, list[bytes]]:
        arguments = [command, "--config", self._file("config", {"api_key": self.streak.key, "requests_per_second": 20})]
        if command == "read":
            arguments += ["--catalog", self._file("catalog", self.catalog)]
            arguments += ["--state", self._file("state", list(self.states.values()))] if self.states else []
        environment = {"STREAK_API_URL": self.streak.url, "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process:
            at_line = None
            if kill and self.random.random() < 0.5:
                self.streak.on("*", lambda _: process.kill(), after=self.random.randrange(80))
            elif kill:
                at_line = self.random.randrange(400)
            lines = []
            for number, line in enumerate(process.stdout or ()):
                if not line.endswith(b"\n"):
                    break  # cut off in the middle: nobody can read it
                if line.strip():
                    lines.append(line)
                if number == at_line:
                    process.kill()
            code = process.wait()
            said = process.stderr.read() if process.stderr else b""
        if said.strip():
            self._problem("not ended well", command, said.decode()[-300:])
        self.tally.kills += code < 0
        return code, lines

    def _file(self, name: str, content: Any) -> str:
        path = self.folder / f"{name}.json"
        path.write_bytes(orjson.dumps(content))
        return str(path)

    # The comparison

    def _compare(self) -> None:
        """The destination with a whole read made now, and its keys with the account itself."""
        fresh = Destination()
        catalog, states = self.catalog, self.states
        self.catalog = {"streams": [{**one, "sync_mode": "full_refresh"} for one in catalog["streams"]]}
        self.states = {}
        code, lines = self._run("read")
        self.catalog, self.states = catalog, states
        for message in map(orjson.loads, lines):
            if message["type"] == "RECORD":
                fresh.take(message["record"]["stream"], [message["record"]["data"]])
        if code:
            self._problem("not ended well", "the whole read", str(code))
        for stream in self.tables:
            self._compare_stream(stream, self.destination.rows(stream), fresh.rows(stream))
        self._compare_keys()

    def _compare_stream(self, stream: str, kept: dict[tuple[Any, ...], Record], right: dict[tuple[Any, ...], Record]) -> None:
        boxes = self.streak.account.boxes
        self.tally.rows += len(right)
        for key, row in right.items():
            if key not in kept:
                self._problem("lost", stream, key)
                continue
            different = {name for name in kept[key].keys() | row.keys() if kept[key].get(name) != row.get(name)} - UNSEEN.get(stream, set())
            if different:
                self._problem("stale", stream, f"{key} {different}")
        for key in kept.keys() - right.keys():
            if stream in OF_BOXES and (key[0] not in boxes or kept[key].get("pipelineKey") != boxes[key[0]]["pipelineKey"]):
                continue  # of a box that is deleted or has moved: docs/incremental.md
            if stream == "box_field_values" and kept[key].get("rawValue") is None:
                continue  # a field that is not set
            self._problem("left behind", stream, key)

    def _compare_keys(self) -> None:
        """Without the connector in between: what it does not see in either read would not be missed otherwise."""
        account = self.streak.account
        kept = {key for (key,) in self.destination.rows("boxes")}
        for key in account.boxes.keys() - kept:
            self._problem("lost", "boxes", key)
        for key in kept - account.boxes.keys():
            self._problem("left behind", "boxes", key)
        for kind in ("comments", "meetings", "tasks", "threads", "files"):
            there = {row["key"] for key in account.boxes for row in account.children[kind][key]}
            for key in there - {key for _, key in self.destination.rows(f"box_{kind}")}:
                self._problem("lost", f"box_{kind}", key)

    def _problem(self, kind: str, stream: str, what: object) -> None:
        self.tally.problems.append(f"{kind}: {stream}: {what} (seed {self.seed}, round {self.tally.rounds})")


def replayed(code: int, lines: list[bytes], catalog: Message, state: list[Message], key: str) -> list[str]:
    """What a sync broke of the platform's rules (tools/replay)."""
    run = Run("read", b"".join(lines), code=code, catalog=catalog, state=state, secrets=forms_of(key))
    return [str(broken) for broken in report(run)]


def name_of(message: Message) -> str:
    """The stream that a RECORD or STATE is of."""
    if message["type"] == "RECORD":
        return str(message["record"]["stream"])
    return str(message["state"]["stream"]["stream_descriptor"]["name"])


def series(seed: int, rounds: int, tally: Tally, live: Progress) -> None:
    """So many rounds of one connection."""
    with Sandbox(boxes=BOXES, seed=seed) as streak, tempfile.TemporaryDirectory(prefix="streak-chaos-") as folder:
        one = Series(seed, streak, Path(folder), tally, live)
        for _ in range(rounds):
            one.round()
            live.update(done=tally.rounds, rounds=tally.rounds, problems=len(tally.problems))


def main() -> None:
    """Prints the table of docs/reliability.md; status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description="Prints the table of docs/reliability.md.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first series; each further one has one more")
    parser.add_argument("--kill-points", type=int, default=20, help="at which a first sync is killed, then resumed")
    options = parser.parse_args()
    logging.disable()
    tally, began = Tally(), time.monotonic()
    seed = options.seed
    try:
        with Progress("Chaos", total=options.rounds) as live:
            while tally.rounds < options.rounds:
                series(seed, min(ROUNDS_A_SERIES, options.rounds - tally.rounds), tally, live)
                live.say(f"seed {seed}: {tally.rounds} rounds, {len(tally.problems)} problems so far")
                seed += 1
        with tempfile.TemporaryDirectory(prefix="streak-kills-") as folder:
            tally.problems += [f"lost: {words}" for words in kill_points(Path(folder), options.kill_points)]
    except KeyboardInterrupt:
        print("Stopped: this is what was done until then.", file=sys.stderr)
    print("\n".join(tally.table()))
    print(f"\nSeeds {options.seed} to {seed - 1}, {time.monotonic() - began:,.0f} s.")
    print("\n".join(tally.problems[:50]), file=sys.stderr)
    sys.exit(1 if tally.problems else 0)


if __name__ == "__main__":
    main()
