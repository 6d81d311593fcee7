"""`make chaos`: a connection that is kept alive for many rounds by a Streak that misbehaves.

Each round has some moods and faults, changes to the account while it is read, and syncs that are
killed at any message. Of a killed sync the destination keeps all rows, or only those that a state
covers. Then Streak calms down. Two more syncs run to their ends, an hour apart, and the destination
has to match the account: nothing lost, stale, left behind or wrongly deleted, in any stream. A
month after the last round, nothing may be stale even where Streak hides a change.

The seed of a failed round is printed; `--seed N --rounds M` runs it again. Requests are made one
after the other, so that runs are repeatable; with `--threads`, as many at a time as in earnest.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import orjson
from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer
from connection import TABLE_IS_GONE, Connection, Sync, discover
from destination import Difference, differences
from happenings import DIRECTORY, KINDS, Happenings
from kill_points import kill_points
from progress import Progress
from quick import QuickClock
from replay import Run, report
from replay.command import forms_of
from streak_sandbox import Moods, Sandbox

from source_streak.api import client, listings, transport
from source_streak.incremental.room import Share
from source_streak.incremental.sights import HOUR_MS
from source_streak.reading import evidence
from source_streak.reading.plan import Plan
from source_streak.records.shape import DAY_MS, iso_time

ROUNDS_A_SERIES = 10  # with one account, one destination and one state
BOXES = 60
CHILDREN = (
    "v2/boxes/*/comments",
    "v2/boxes/*/meetings",
    "v2/boxes/*/tasks",
    "v1/boxes/*/threads",
    "v1/boxes/*/files",
)
PATTERNS = (
    *(
        "*",
        "v1/pipelines/*/boxes",
        "v2/pipelines",
        "v2/users/me/teams",
        "v2/teams/*",
        "v1/users/me",
    ),
    *("v1/boxes/*", "v2/contacts/*", "v1/pipelines/*", *CHILDREN),
)
PASSING: tuple[tuple[str, dict[str, Any]], ...] = (
    *(
        (kind, {})
        for kind in ("html", "not_json", "wrong_shape", "half_json", "half_body", "reset")
    ),
    *((kind, {}) for kind in ("reset_in_body", "empty")),
    *(("status", {"status": status}) for status in (401, 404, 429, 500, 502, 503, 504, 408)),
    ("status", {"status": 429, "retry_after": 1}),
)
LASTING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"status": 410}),
    ("html", {}),
    ("status", {"status": 404}),
    ("status", {"status": 401}),
)
KINDS_OF_SERIES = (
    *("plain", "two pipelines named", "boxes share entries of the ledger"),
    *("more than 4 are many", "deletions not tracked now and then", "other users"),
    *("counters absent", "lists capped at 37", "a start date", "clocks that are set back"),
    "a 401 once in fifty",
)
STAYS: dict[str, dict[str, Any]] = {  # moods of such a series that stay even while Streak is calm
    "counters absent": {"counters_absent": True, "box_count_absent": True},
    "lists capped at 37": {"limit_cap": 37, "v2_limit_cap": 37, "flag_absent": True},
}
EMPTY_LIST = "returned an empty list twice"
KINDS_OF_PROBLEMS = (
    *("lost", "stale", "wrongly deleted", "left behind", "twice in a sync", "told or asked again"),
    "not ended well",
)
ONE_BY_ONE = re.compile(r"v\d/(boxes|contacts|organizations)/")
Row = tuple[str, tuple[str, ...]]  # a stream, and a primary key
Replay = Callable[[Connection, Sync], Iterable[str]]


@dataclass
class Tally:
    """What has been done to the connector, and what it has cost."""

    rounds: int = 0
    syncs: int = 0
    kills: int = 0
    red: int = 0
    requests: int = 0
    deletions: int = 0
    series: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)  # requests that met a fault, by kind
    moods: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    rows: int = 0  # compared
    excused: Counter[str] = field(default_factory=Counter)  # the exceptions of docs/incremental.md
    problems: list[str] = field(default_factory=list)

    def table(self) -> Iterator[str]:
        """The tally as a Markdown table."""
        yield "| what | how often |\n|---|---|"
        for name, count in (
            *(("rounds", self.rounds), ("syncs", self.syncs), ("of them killed", self.kills)),
            *(("of them failed, as they should", self.red), ("requests", self.requests)),
        ):
            yield f"| {name} | {count:,} |"
        for what, counts in (
            ("series of 10 rounds", self.series),
            ("request met", self.faults),
            ("round with", self.moods),
            ("meanwhile", self.changes),
        ):
            for name, count in sorted(counts.items()):
                yield f"| {what}: {name.replace('_', ' ')} | {count:,} |"
        yield f"| rows compared with a full refresh | {self.rows:,} |"
        yield f"| deletions told | {self.deletions:,} |"
        for name, count in sorted(self.excused.items()):
            yield f"| exception: {name} | {count:,} |"
        for kind in KINDS_OF_PROBLEMS:
            found = sum(problem.startswith(kind) for problem in self.problems)
            yield f"| **{kind}** | **{found}** |"


class RestlessClock(QuickClock):
    """Each look at the clock takes time, so states are written between any two records."""

    def monotonic(self) -> float:
        self._mine.slept = self._slept + 0.02
        return super().monotonic()


class Series:
    """One connection and one account, through many rounds."""

    def __init__(
        self, seed: int, streak: Sandbox, tally: Tally, replay: Replay | None = None
    ) -> None:
        """`replay`: says which of the platform's rules a sync's messages break."""
        self.seed, self.streak, self.tally, self.replay = seed, streak, tally, replay
        self.kind = KINDS_OF_SERIES[seed % len(KINDS_OF_SERIES)]
        tally.series[self.kind] += 1
        self.random = Random(seed)  # noqa: S311 # the same at every run is the point
        named = sorted(streak.account.pipelines)[:2] if self.kind == "two pipelines named" else []
        settings: dict[str, Any] = {"pipelines": named} if named else {}
        if self.kind == "a start date":
            settings["start_date"] = iso_time(self._median_stamp())
        self.people = Happenings(streak.account, named)
        catalog = discover(streak, **settings)
        self.connection = Connection(streak, catalog=catalog, clock=RestlessClock, **settings)
        self.round_number = self._changes = 0
        self.over = False  # a month has passed since the last change

    def round(self) -> None:
        """Chaos, then a calm hour, then the comparison."""
        self.round_number += 1
        self.tally.rounds += 1
        set_back = self.kind == "clocks that are set back"
        for _ in range(self.random.randint(1, 3)):
            self._misbehave()
            hours = self.random.choice((0.0, 0.003, 1.1, 30.0, *((-1.0, -50.0) * set_back)))
            # Never behind the machine's clock, which the framework uses for its own timestamps.
            self.sync(max(hours, -self.connection.hours), kill=self.random.random() < 0.7)
            for _ in range(self.random.randint(0, 6)):
                self._change()
        self._calm()
        self._calm_sync(self.random.choice((0.0, 1.1, 30.0)), may_doubt=True)
        self._calm_sync(1.1)
        self._compare(self.people.hidden)
        self._quiet_sync()

    def end(self) -> None:
        """Compares a month later, when everything has been read again."""
        self.over = True
        self._calm_sync(31 * 24.0)
        self._calm_sync(1.1)
        self._compare(set())

    # --- What happens to the account

    def _misbehave(self) -> None:
        streak, random = self.streak, self.random
        self._calm()
        for name, value in random.sample(self._moods(), random.randint(0, 3)):
            streak.moods.become(**{name: value})
            self.tally.moods[name] += 1
        lies = self.kind != "counters absent"  # without counters nothing contradicts an empty list
        passing = [fault for fault in PASSING if lies or fault[0] != "empty"]
        for _ in range(random.randint(2, 10)):
            kind, details = random.choice(passing)
            after = random.choice((0, 0, 1, 2, 5, 20))
            streak.fault(random.choice(PATTERNS), kind, random.randint(1, 4), after, **details)
        if random.random() < 0.2:
            kind, details = random.choice(LASTING)
            streak.fault(random.choice(CHILDREN), kind, times=None, **details)
        if random.random() < 0.2:
            kind, details = random.choice(LASTING)
            box = random.choice(sorted(streak.account.boxes))
            streak.fault(f"v1/boxes/{box}", kind, times=None, **details)
        for _ in range(random.choice((0, 4, 16))):
            streak.on("*", lambda _: self._change(), after=random.randrange(120))
        if self.kind == "other users" and random.random() < 0.3:
            with streak.account.lock:
                streak.account.my_key = random.choice(sorted(streak.account.users))

    def _moods(self) -> list[tuple[str, Any]]:
        random, account = self.random, self.streak.account
        some_boxes = set(random.sample(sorted(account.boxes), 2))
        some_pipeline = {random.choice(sorted(account.pipelines))}
        return [
            ("limit_cap", random.randint(5, 40)),
            ("v2_limit_cap", random.randint(1, 20)),
            ("box_list_shape", random.choice(("envelope", "array"))),
            *((name, True) for name in ("flag_absent", "box_count_absent", "counters_absent")),
            *(
                (name, True)
                for name in ("pages_disordered", "v2_pipelines_missing", "hidden_is_404")
            ),
            ("forget_page_cursor", True),
            ("page_ignored", random.choice(("whole", "first"))),
            ("empty_pipelines", some_pipeline),
            ("refused_pipelines", some_pipeline),
            ("gone_boxes", some_boxes),
            ("failing_boxes", some_boxes),
        ]

    def _change(self) -> None:
        self._changes += 1
        done = self.people.happen((self.seed, self._changes))
        self.tally.changes[done or "nothing"] += 1

    def _calm(self) -> None:
        self.streak.clear_faults()
        self.streak._triggers.clear()
        if self.kind == "a 401 once in fifty":
            for after in range(0, 2_000, 50):
                self.streak.fault(
                    "*", "status", after=after + self.random.randrange(50), status=401
                )
        self.streak.moods.become(**Moods().as_json() | STAYS.get(self.kind, {}))

    # --- The connector, and the destination

    def sync(self, hours: float, kill: bool, rough: bool = True) -> Sync:
        """One attempt, written to the destination."""
        connection, random = self.connection, self.random
        self.tally.syncs += 1
        self.streak.clear_log()
        before = set(rows_of(self.streak, self.people.lasting))
        tracked = self.kind != "deletions not tracked now and then" or self.random.random() < 0.6
        sync = connection.read(
            hours, **({} if tracked or not rough else {"track_deletions": False})
        )
        if self.replay and not kill:
            for broken in self.replay(connection, sync):
                self._problem(Difference("not ended well", "", (broken,)))
        if kill:
            sync = sync.until(random.randrange(len(sync.messages)))
            self.tally.kills += 1
        self.tally.red += not kill and not sync.ok
        self._watch(sync, before)
        connection.take(sync, sync.covered() if kill and random.random() < 0.5 else None)
        self.tally.requests += len(self.streak.log)
        self.tally.faults.update(
            str(entry.status) if entry.fault == "status" else entry.fault
            for entry in self.streak.log
            if entry.fault
        )
        return sync

    def _calm_sync(self, hours: float, may_doubt: bool = False) -> None:
        """`may_doubt`: an empty list against a count may fail; it is believed after an hour."""
        sync = self.sync(hours, kill=False, rough=False)
        forgiven = (TABLE_IS_GONE, EMPTY_LIST) if may_doubt else (TABLE_IS_GONE,)
        for stream, sentence in sync.failed.items():
            if stream and not any(words in sentence for words in forgiven):
                self._problem(Difference("not ended well", stream, (sentence,)))

    def _quiet_sync(self) -> None:
        """A sync after no change: it may only request the lists, and must emit no records."""
        day, doubts = self._day(), self._doubts()
        sync = self.sync(0.0, kill=False, rough=False)
        if doubts or self._day() > day:
            return  # then it asks again for what is doubtful, or has rechecks to do
        for stream, records in sync.records.items():
            self._problem(Difference("told or asked again", stream, (f"{len(records)} rows",)))
        for path in filter(ONE_BY_ONE.match, sync.requests):
            self._problem(Difference("told or asked again", "", (path,)))

    def _doubts(self) -> bool:
        """Whether something has looked doubtful for less than an hour."""
        now = RestlessClock(self.connection.hours).now()
        states = map(self.connection.state, self.connection.states)
        sights = chain.from_iterable(state.get("suspected", {}).values() for state in states)
        return any(now - sight["since"] < HOUR_MS for sight in sights)

    def _day(self) -> int:
        return RestlessClock(self.connection.hours).now() // DAY_MS

    def _median_stamp(self) -> int:
        boxes = self.streak.account.boxes.values()
        return sorted(box["lastUpdatedTimestamp"] for box in boxes)[len(boxes) // 2]

    def _watch(self, sync: Sync, before: set[Row]) -> None:
        """Notes keys that come twice, and deletions of rows that were there before and after."""
        for stream, records in sync.records.items():
            names = self.connection.destination.keys.get(stream, ("box_key",))
            keys = Counter(tuple(record[name] for name in names) for record in records)
            for key in (key for key, count in keys.items() if count > 1):
                self._problem(Difference("twice in a sync", stream, key))
        there = before & set(rows_of(self.streak, self.people.lasting))
        for stream in sync.records:
            for record in sync.deleted(stream):
                self.tally.deletions += 1
                key = tuple(
                    record[name] for name in self.connection.destination.keys.get(stream, ())
                )
                if (stream, key) in there and self._refused(key[0]) < 2:
                    self._problem(Difference("wrongly deleted", stream, key))

    def _refused(self, key: str) -> int:
        """How often a fault hit a request for this key."""
        return sum(
            entry.path.endswith(f"/{key}") and bool(entry.fault) for entry in self.streak.log
        )

    # --- The comparison

    def _compare(self, hidden: set[tuple[str, str]]) -> None:
        self.streak.moods.box_count_absent = True  # a full refresh cannot wait for an hour
        right = self.connection.whole()
        self._calm()
        self.tally.rows += sum(len(right.rows(name)) for name in self.connection.names)
        for one in differences(self.connection.destination, right, self.connection.names):
            if excuse := self._excuse(one, hidden):
                self.tally.excused[excuse] += 1
            else:
                self._problem(one)

    def _excuse(self, one: Difference, hidden: set[tuple[str, str]]) -> str:
        """Which exception of docs/incremental.md explains a difference; empty: none."""
        if one.kind == "left behind" and one.key[0] in self.streak.account.archived:
            return "of a box that lives on in no list"
        if one.kind == "stale" and (one.stream, one.key[0]) in hidden:
            return "an edit that moved nothing of its box"
        if one.stream == "box_documents" and one.kind == "stale" and not self.over:
            return "a document that shows what was renamed elsewhere"
        return ""

    def _problem(self, one: Difference) -> None:
        words = f"{one.kind}: {one.stream}: {one.key} {one.columns}"
        self.tally.problems.append(f"{words} (seed {self.seed}, round {self.round_number})")


def rows_of(streak: Sandbox, named: Collection[str]) -> Iterator[Row]:
    """The primary keys that this key sees, without the connector in between.

    `named`: the pipelines that the settings name; empty: all.
    """
    account, shut = streak.account, streak.account.hidden | streak.moods.refused_pipelines
    shut |= account.pipelines.keys() - set(named) if named else set()
    with account.lock:
        for key, box in account.boxes.items():
            if key in account.archived or box["pipelineKey"] in shut:
                continue
            yield "boxes", (key,)
            for kind in KINDS:
                for row in account.children[kind][key]:
                    yield f"box_{kind}", (key, row["key"])
        for kind in DIRECTORY:
            for team, rows in getattr(account, kind).items():
                if team not in shut:
                    yield from ((kind, (row["key"],)) for row in rows)


@contextmanager
def one_by_one() -> Iterator[None]:
    """Makes one request after the other, so that the same seed gives the same run."""
    with ExitStack() as stack:
        for module in (client, listings):
            pool = mock.patch.object(module, "ThreadPoolExecutor", OneThread)
            stack.enter_context(pool)
        yield


class OneThread(ThreadPoolExecutor):
    """A pool of one thread, whatever size is requested."""

    def __init__(self, _: int, name: str) -> None:
        super().__init__(1, name)


def replayed(connection: Connection, sync: Sync) -> Iterator[str]:
    """The platform's rules that a sync broke (tools/replay)."""
    lines = [orjson.dumps(AirbyteMessageSerializer.dump(message)) for message in sync.messages]
    run = Run(
        "read",
        b"".join(line + b"\n" for line in lines),
        code=0 if sync.ok else 1,
        catalog=ConfiguredAirbyteCatalogSerializer.dump(sync.catalog),
        secrets=forms_of(connection.streak.key),
    )
    return map(str, report(run))


@contextmanager
def prepared(
    seed: int, tally: Tally, replay: Replay | None = None, threads: bool = False
) -> Iterator[Series]:
    """A series, ready to begin and set up for its kind (KINDS_OF_SERIES)."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(transport, "TIMEOUT", (1.0, 1.0)))
        if not threads:
            stack.enter_context(one_by_one())
        streak = stack.enter_context(Sandbox(boxes=BOXES, seed=seed))
        one = Series(seed, streak, tally, replay)
        if one.kind == "boxes share entries of the ledger":
            share = mock.patch.object(Plan, "share_of", return_value=Share(6, 4_000_000))
            stack.enter_context(share)
        if one.kind == "more than 4 are many":
            stack.enter_context(mock.patch.object(evidence, "MANY", 4))
        yield one


def series(
    seed: int,
    rounds: int,
    tally: Tally,
    live: Callable[[], None] = lambda: None,
    *,
    replay: Replay | None = None,
    threads: bool = False,
) -> None:
    """Runs `rounds` rounds of one connection."""
    with prepared(seed, tally, replay, threads) as one:
        for _ in range(rounds):
            one.round()
            live()
        one.end()


def main() -> None:
    """Prints the table of docs/reliability.md; status 1 if anything was lost."""
    parser = argparse.ArgumentParser(description="Prints the table of docs/reliability.md.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first series; each further one has one more"
    )
    parser.add_argument(
        "--threads", action="store_true", help="as many requests at a time as in earnest"
    )
    parser.add_argument(
        "--kill-points", type=int, default=20, help="of a first sync of the command"
    )
    options = parser.parse_args()
    tally, began, seed = Tally(), time.monotonic(), options.seed
    try:
        with Progress("Chaos", total=options.rounds) as live:

            def show() -> None:
                counts = {"syncs": tally.syncs, "kills": tally.kills, "requests": tally.requests}
                live.update(
                    done=tally.rounds, rounds=tally.rounds, problems=len(tally.problems), **counts
                )

            while tally.rounds < options.rounds:
                rounds, known = (
                    min(ROUNDS_A_SERIES, options.rounds - tally.rounds),
                    len(tally.problems),
                )
                series(seed, rounds, tally, show, replay=replayed, threads=options.threads)
                live.say(
                    f"seed {seed}: {tally.rounds} rounds, {len(tally.problems)} problems so far"
                )
                for problem in tally.problems[known:]:
                    live.say(problem)
                seed += 1
            live.say(f"killed at {options.kill_points} points")
            with tempfile.TemporaryDirectory(prefix="streak-kills-") as folder:
                tally.problems += kill_points(Path(folder), options.kill_points)
    except KeyboardInterrupt:
        print("Stopped: this is what was done until then.", file=sys.stderr)
    print("\n".join(tally.table()))
    print(f"\nSeeds {options.seed} to {seed - 1}, {time.monotonic() - began:,.0f} s.")
    print("\n".join(tally.problems[:50]), file=sys.stderr)
    sys.exit(1 if tally.problems else 0)


if __name__ == "__main__":
    main()
