"""`make bench`: the figures of docs/performance.md, measured here and now. Prints a table and asserts nothing.

Sandbox and connector are two processes, as Streak and the connector are; they share this machine's cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from runs import COMMAND, RECORD, Message, Sandbox, configured, failure, finished, only, sandbox, stream_status
from streak_sandbox.account import Account
from streak_sandbox.seed import default_account

WITHOUT_BUDGET = (sys.executable, "-c", "from source_streak import budget, run; budget.WIDER = 0; run.run()")
CHILDREN = {
    "box_comments": ("commentCount",),
    "box_meetings": ("callLogCount", "meetingNotesCount"),
    "box_tasks": ("taskTotal",),
    "box_threads": ("gmailThreadCount",),
    "box_files": ("fileCount",),
}
BOXES_A_PAGE, DIRECTORY_PAGE = 500, 1000


@dataclass
class Sizes:
    """How many boxes each measurement takes."""

    requests: int = 2_000
    pace: int = 2_000
    speed: int = 50_000
    memory: int = 100_000
    starts: int = 5

    @classmethod
    def quick(cls) -> Sizes:
        return cls(requests=300, pace=300, speed=5_000, memory=2_000, starts=1)


@dataclass
class Run:
    """What one run of the connector did."""

    seconds: float = 0.0
    peak: int = 0  # bytes
    records: int = 0
    spans: dict[str, float] = field(default_factory=dict)  # stream -> seconds


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the figures of docs/performance.md.")
    parser.add_argument("--quick", action="store_true", help="small accounts: about a minute, to see that it runs")
    parser.add_argument("--only", metavar="WHAT", help="start, requests, pace, speed or memory")
    options = parser.parse_args()
    sizes = Sizes.quick() if options.quick else Sizes()
    print("| what | measured | to hold |\n|---|---|---|", flush=True)
    for measure in (start, requests, pace, speed, memory):
        if options.only not in (None, measure.__name__):
            continue
        for row in measure(sizes):
            print(f"| {' | '.join(row)} |", flush=True)


def start(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    with sandbox(150) as streak:
        spec, check = (median(run(streak, what=what).seconds for _ in range(sizes.starts)) for what in ("spec", "check"))
    yield f"spec, median of {sizes.starts}", f"{spec:.1f} s", "2 s"
    yield f"check, median of {sizes.starts}", f"{check:.1f} s", "2.5 s"


def requests(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    boxes = sizes.requests
    necessary = sum(necessary_requests(default_account(boxes)).values())
    with sandbox(boxes) as streak:
        run(streak, WITHOUT_BUDGET)
        made = len(streak.log())
    yield f"requests, all streams, {boxes:,} boxes", f"{made:,} of {necessary:,} necessary ({made / necessary - 1:+.1%})", "+2.0%"


def pace(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    rate = 10
    with sandbox(sizes.pace) as streak:
        streak.moods(latency_ms=300)
        run(streak, streams=("box_comments", "box_files"), requests_per_second=rate)
        log = streak.log()
    children = [entry["time"] for entry in log if "/boxes/" in entry["path"]]
    used = (len(children) - 1) / (children[-1] - children[0]) / rate
    yield f"requests in the busiest second, set to {rate}", str(busiest_second(entry["time"] for entry in log)), str(rate)
    yield f"budget used, 300 ms latency, {len(children):,} requests for children of {sizes.pace:,} boxes", f"{used:.1%}", "97 %"


def speed(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    with sandbox(sizes.speed) as streak:
        speeds = [
            did.records / did.spans["boxes"] for did in (run(streak, WITHOUT_BUDGET, streams=("boxes",)) for _ in range(sizes.starts))
        ]
    what = f"records a second, boxes, no budget, {sizes.speed:,} boxes, median of {sizes.starts}"
    yield what, f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})", "14,000"


def memory(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    with sandbox(sizes.memory) as streak:
        did = run(streak, WITHOUT_BUDGET)
    what = f"peak memory, all streams, no budget, {sizes.memory:,} boxes ({did.records:,} records in {did.seconds:,.0f} s)"
    yield what, f"{did.peak / 1e6:,.0f} MB", "250 MB"


def run(streak: Sandbox, program: Iterable[str] = (COMMAND,), what: str = "read", streams: Iterable[str] = (), **settings: Any) -> Run:
    """One run: spec, check, or a read of these streams (none: all)."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_bytes(orjson.dumps({"api_key": streak.key, "requests_per_second": 20, **settings}))
        options = [] if what == "spec" else ["--config", str(config)]
        if what == "read":
            catalog = Path(folder, "catalog.json")
            catalog.write_bytes(orjson.dumps(catalog_of(streams, config, streak)))
            options += ["--catalog", str(catalog)]
        return measured([*program, what, *options], streak)


def catalog_of(streams: Iterable[str], config: Path, streak: Sandbox) -> Message:
    """A configured catalog of these streams (none: all)."""
    command = [COMMAND, "discover", "--config", str(config)]
    found = subprocess.run(command, env=streak.environment, stdout=subprocess.PIPE, check=True)
    whole = configured(only("CATALOG", found.stdout.splitlines()))
    return {"streams": [chosen for chosen in whole["streams"] if not streams or chosen["stream"]["name"] in streams]}


def measured(command: list[str], streak: Sandbox) -> Run:
    """Run it to its end; a failure ends the benchmark with the connector's own sentence."""
    did, began = Run(), time.monotonic()
    process = subprocess.Popen(command, env=streak.environment, stdout=subprocess.PIPE)
    for line in process.stdout:
        if line.startswith(RECORD):
            did.records += 1
        else:
            note(did, orjson.loads(line))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}.")
    did.seconds, did.peak = time.monotonic() - began, used.ru_maxrss * 1024
    return did


def note(did: Run, message: Message) -> None:
    """Keep what a message says of the streams' times; show what it says of failures."""
    if sentence := failure(message):
        print(sentence, file=sys.stderr)
    if said := stream_status(message):
        stream, status, moment = said
        if status == "STARTED":
            did.spans[stream] = -moment
        elif finished(status):
            did.spans[stream] += moment


def necessary_requests(account: Account) -> Counter[str]:
    """What a whole read cannot do without: the lists, and one request for each box and child stream whose counter is not 0."""
    pipelines, boxes = account.pipelines.values(), account.boxes.values()
    needed = Counter(teams=1, pipelines=1, snippets=1, users=len(account.teams), newsfeed=len(pipelines))
    for name, rows in (("contacts", account.contacts), ("organizations", account.organizations)):
        needed[name] = sum(pages(len(rows.get(team, ())), DIRECTORY_PAGE) for team in account.teams)
    needed["boxes"] = sum(pages(len(account.boxes_of(pipeline["key"])), BOXES_A_PAGE) for pipeline in pipelines)
    for stream, counters in CHILDREN.items():
        needed[stream] = sum(any(box.get(counter) != 0 for counter in counters) for box in boxes)
    return needed


def pages(rows: int, size: int) -> int:
    """A list costs one request even if it is empty."""
    return max(1, -(-rows // size))


def busiest_second(times: Iterable[float]) -> int:
    """The most requests that arrived within any one second, wherever it begins."""
    most, window = 0, deque[float]()
    for moment in sorted(times):
        window.append(moment)
        while moment - window[0] >= 1.0:
            window.popleft()
        most = max(most, len(window))
    return most


if __name__ == "__main__":
    main()
