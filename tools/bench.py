"""`make bench`: measures the figures of docs/performance.md. Prints a table, asserts nothing.

Sandbox and connector are two processes, as Streak and the connector are; they share this machine's
cores.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from progress import Progress
from runs import (
    COMMAND,
    RECORD,
    Message,
    Sandbox,
    configured,
    failure,
    finished,
    only,
    sandbox,
    stream_status,
)
from streak_sandbox.account import Account
from streak_sandbox.seed import default_account

WITHOUT_BUDGET = (
    sys.executable,
    "-c",
    "from source_streak import run; from source_streak.api import budget; "
    "budget.WIDER = 0; run.run()",
)
CHILDREN = {
    "box_comments": ("commentCount",),
    "box_meetings": ("callLogCount", "meetingNotesCount"),
    "box_tasks": ("taskTotal",),
    "box_threads": ("gmailThreadCount",),
    "box_files": ("fileCount",),
}
OWN = ("NEWSFEED_BOX_CREATION_MOVE", "NEWSFEED_BOX_EDIT")  # what box_changes asks a timeline for
BOXES_A_PAGE, DIRECTORY_PAGE, TIMELINE_PAGE = 500, 1000, 100
# The streams whose rows are in the boxes' lists: they make no requests of their own.
IN_BOXES = (
    *("boxes", "box_field_values", "box_stage_history", "box_contacts", "box_organizations"),
    *("box_users", "box_links"),
)
TAP = Path(__file__).parents[1] / ".venv-tap" / "bin" / "python"
STREAM = len(
    b'{"type":"RECORD","record":{"stream":"'
)  # where the stream's name begins in the line of a record
PACE = 10 / 1.02  # requests a second, set to 10: budget.py
SCALE = Path(__file__).parents[1] / "docs" / "scale.svg"
# No background, and colors that are readable on white and on black: the page's theme is unknown.
INK, COLOURS = "#7b7f86", ("#3d86d6", "#d2691e")
SVG = "http://www.w3.org/2000/svg"  # ignore-https-check: a name, not an address
LIVE = Progress("Starting a sandbox")


@dataclass
class Sizes:
    """How many boxes each measurement takes."""

    requests: int = 2_000
    pace: int = 2_000
    speed: int = 50_000
    memory: int = 100_000
    starts: int = 5
    taps: int = 5
    beside: str | None = None  # the folder of another version
    scale: int = 100_000
    plot: tuple[int, ...] = (1_000, 10_000, 50_000, 100_000)

    @classmethod
    def quick(cls) -> Sizes:
        return cls(
            requests=300,
            pace=300,
            speed=5_000,
            memory=2_000,
            starts=1,
            taps=1,
            scale=2_000,
            plot=(100, 1_000),
        )


@dataclass
class Run:
    """What one run of the connector did."""

    seconds: float = 0.0
    processor: float = 0.0  # seconds
    peak: int = 0  # bytes
    records: int = 0
    spans: dict[str, float] = field(default_factory=dict)  # stream -> seconds
    counts: Counter[str] = field(default_factory=Counter)  # stream -> records
    states: dict[str, Message] = field(default_factory=dict)  # stream -> its last state

    @property
    def state_size(self) -> int:
        """Bytes of the largest of the last states."""
        return max((len(orjson.dumps(state)) for state in self.states.values()), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints the figures of docs/performance.md.")
    parser.add_argument(
        "--quick", action="store_true", help="small accounts: about a minute, to see that it runs"
    )
    parser.add_argument(
        "--only", metavar="WHAT", help=", ".join(measure.__name__ for measure in MEASURES)
    )
    parser.add_argument(
        "--beside", metavar="FOLDER", help="a checkout of another version, for `records`"
    )
    options = parser.parse_args()
    sizes = Sizes.quick() if options.quick else Sizes()
    sizes.beside = options.beside
    chosen = [measure for measure in MEASURES if options.only in (None, measure.__name__)]
    with LIVE:
        LIVE.say("| what | measured | to hold |\n|---|---|---|", sys.stdout)
        for measure in chosen:
            LIVE.update(measuring=measure.__name__)
            for row in measure(sizes):
                LIVE.say(f"| {' | '.join(row)} |", sys.stdout)


def start(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    with sandbox(150) as streak:
        spec, check = (
            median(run(streak, what=what).seconds for _ in range(sizes.starts))
            for what in ("spec", "check")
        )
    yield f"spec, median of {sizes.starts}", f"{spec:.1f} s", "2 s"
    yield f"check, median of {sizes.starts}", f"{check:.1f} s", "2.5 s"


def requests(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    boxes = sizes.requests
    necessary = sum(necessary_requests(default_account(boxes)).values())
    with sandbox(boxes) as streak:
        run(streak, WITHOUT_BUDGET)
        made = len(streak.log())
    yield (
        f"requests, all streams, {boxes:,} boxes",
        f"{made:,} of {necessary:,} necessary ({made / necessary - 1:+.1%})",
        "+2.0%",
    )


def pace(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    rate = 10
    with sandbox(sizes.pace) as streak:
        streak.moods(latency_ms=300)
        run(streak, streams=("box_comments", "box_files"), requests_per_second=rate)
        log = streak.log()
    children = [entry["time"] for entry in log if "/boxes/" in entry["path"]]
    used = (len(children) - 1) / (children[-1] - children[0]) / rate
    yield (
        f"requests in the busiest second, set to {rate}",
        str(busiest_second(entry["time"] for entry in log)),
        str(rate),
    )
    yield (
        f"budget used, 300 ms latency, {len(children):,} requests for children of "
        f"{sizes.pace:,} boxes",
        f"{used:.1%}",
        "97 %",
    )


def speed(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    with sandbox(sizes.speed) as streak:
        speeds = [
            did.records / did.spans["boxes"]
            for did in (
                run(streak, WITHOUT_BUDGET, streams=("boxes",)) for _ in range(sizes.starts)
            )
        ]
    what = f"records a second, boxes, no budget, {sizes.speed:,} boxes, median of {sizes.starts}"
    yield what, f"{median(speeds):,.0f} ({min(speeds):,.0f} to {max(speeds):,.0f})", "14,000"


def tap(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    """Processor and wall time, compared with a Singer tap that reads the same boxes in turn."""
    reads = ("source-streak", "tap, 16 columns")
    for latency in (0, 100):
        with sandbox(sizes.speed) as streak, prepared(streak, ("boxes",)) as options:
            streak.moods(latency_ms=latency)
            commands = (
                [*WITHOUT_BUDGET, "read", *options],
                [str(TAP), str(Path(__file__).with_name("tap_streak.py")), *options[:2]],
            )
            runs = [[timed(command, streak) for command in commands] for _ in range(sizes.taps)]
        ours, theirs = ([one[place] for one in runs] for place in (0, 1))
        for name, did in zip(reads, (ours, theirs), strict=True):
            yield f"{sizes.speed:,} boxes, {latency} ms latency: {name}", spent(did), ""
        ratio = median(one.processor for one in ours) / median(one.processor for one in theirs)
        yield f"{sizes.speed:,} boxes, {latency} ms latency: ratio", f"{ratio:.2f}", "0.70"


def records(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    """Processor time of streams without own requests; --beside runs another version in turn."""
    versions = [("this version", [], os.getcwd())]
    if sizes.beside:
        versions.append(("the other version", [], sizes.beside))
    with sandbox(sizes.speed) as streak, prepared(streak, IN_BOXES, tables=True) as options:
        for _ in range(3):
            for _, runs, folder in versions:
                runs.append(timed([*without_budget(folder), "read", *options], streak, folder))
    for name, runs, _ in versions:
        cost = median(one.processor for one in runs) / runs[0].records * 1e6
        what = f"{sizes.speed:,} boxes, the streams made of them and tables: {name}"
        yield what, f"{cost:.1f} µs a record; {spent(runs)}", "15 µs"
    if sizes.beside:
        ours, others = (median(one.processor for one in runs) for _, runs, _ in versions)
        yield "ratio", f"{ours / others:.2f}", "0.55"


def without_budget(folder: str) -> tuple[str, ...]:
    """WITHOUT_BUDGET for the version in this folder: older ones have budget.py elsewhere."""
    place = (
        "source_streak.api" if Path(folder, "source_streak", "api").is_dir() else "source_streak"
    )
    return (*WITHOUT_BUDGET[:2], WITHOUT_BUDGET[2].replace("source_streak.api", place))


@contextmanager
def prepared(streak: Sandbox, streams: Iterable[str], tables: bool = False) -> Iterator[list[str]]:
    """The options to read these streams, and on request the tables."""
    with tempfile.TemporaryDirectory() as folder:
        config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
        config.write_bytes(orjson.dumps({"api_key": streak.key, "requests_per_second": 20}))
        catalog.write_bytes(orjson.dumps(catalog_of(streams, config, streak, False, tables)))
        yield ["--config", str(config), "--catalog", str(catalog)]


def timed(command: list[str], streak: Sandbox, folder: str | None = None) -> Run:
    """One run into a file, so that no reader takes time. `folder`: where the package is."""
    did, began = Run(), time.monotonic()
    places = {"PYTHONPATH": folder} if folder else {}
    with tempfile.TemporaryFile() as out:
        environment, silent = {**streak.environment, **places}, subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=silent)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{' '.join(command)} ended with status {status}.")
        did.seconds, did.processor = time.monotonic() - began, used.ru_utime + used.ru_stime
        out.seek(0)
        did.records = sum(line.startswith(RECORD) for line in out)
    LIVE.update(stream=Path(command[0]).name, rows=did.records)
    return did


def spent(runs: list[Run]) -> str:
    processor, wall = ([getattr(one, name) for one in runs] for name in ("processor", "seconds"))
    return (
        f"{median(processor):.1f} s of processor time ({min(processor):.1f} to "
        f"{max(processor):.1f}), {median(wall):.1f} s, {runs[0].records:,} records"
    )


def memory(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    """Peak memory of the streams made of boxes and the tables: more than in a full refresh."""
    for boxes, most in ((sizes.memory, 150), (sizes.memory * 5 // 2, 220)):
        with sandbox(boxes) as streak:
            first, second = two_syncs(streak, IN_BOXES, tables=True)
        read = f"{first.records:,} records in {first.seconds:,.0f} s"
        what = (
            f"peak memory, incremental, the streams made of boxes and the tables, {boxes:,} boxes"
        )
        peaks = f"{first.peak / 1e6:,.0f} MB, in the second sync {second.peak / 1e6:,.0f} MB"
        yield f"{what} ({read})", peaks, f"{most} MB"


def scale(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    """A large account: many boxes, pipelines and children."""
    size = sizes.scale
    with sandbox(size, pipelines=20) as streak:
        did = run(streak, WITHOUT_BUDGET)
    children = sum(did.counts[stream] for stream in CHILDREN)
    yield (
        f"{size:,} boxes in 20 pipelines, their {children:,} children, all streams",
        figures(did),
        "150 MB",
    )
    with sandbox(size * 5 // 2, pipelines=1) as streak:
        yield (
            f"one pipeline of {size * 5 // 2:,} boxes",
            figures(run(streak, WITHOUT_BUDGET, streams=("boxes",), incremental=True)),
            "",
        )
    with sandbox(size // 5, pipelines=1) as streak:
        streak.moods(page_ignored="whole")
        did = run(streak, WITHOUT_BUDGET, streams=("boxes",))
    yield (
        f"a list of {size // 5:,} boxes in one answer, of about {size // 5 * 1.7 / 1000:,.0f} MB",
        figures(did),
        "",
    )
    with sandbox(size // 25, pipelines=size // 50) as streak:
        did = run(
            streak,
            WITHOUT_BUDGET,
            streams=("pipelines", "pipeline_fields", "boxes", "box_field_values"),
            incremental=True,
        )
    yield f"{size // 50:,} pipelines", figures(did), ""
    with sandbox(size // 5, pipelines=1) as streak:
        pipeline = streak.change("pipeline_named", "Sales")["key"]
        for number in range(300):
            streak.change("add_field", pipeline, f"Field {number}")
        did = run(streak, WITHOUT_BUDGET, streams=("boxes_sales", "box_field_values"))
    yield f"300 custom fields more, {size // 5:,} boxes, the table and the values", figures(did), ""


def figures(did: Run) -> str:
    state = f", {did.state_size / 1e6:,.1f} MB of state" if did.state_size > 1000 else ""
    read = f"{did.records:,} records in {did.seconds:,.0f} s"
    rate = f"{did.records / did.seconds:,.0f}/s"
    return f"{did.peak / 1e6:,.0f} MB at most, {read} ({rate}){state}"


def plot(sizes: Sizes) -> Iterable[tuple[str, str, str]]:
    """All streams, for the first time and again with nothing changed. Draws docs/scale.svg."""
    points: list[tuple[int, list[float], list[float]]] = []
    for boxes in sizes.plot:
        both = []
        with sandbox(boxes) as streak:
            for name, did in zip(("first", "second, incremental"), two_syncs(streak), strict=True):
                asked, peak = len(streak.log()), did.peak / 1e6
                streak.forget()
                both.append([asked, asked / PACE, peak])
                figure = f"{asked:,} requests, {duration(asked / PACE)} at 10/s, {peak:,.0f} MB"
                yield f"{boxes:,} boxes, {name} sync", f"{figure}, {did.records:,} records", ""
        points.append((boxes, *both))
    if sizes.plot == Sizes().plot:
        SCALE.write_text(drawing(points))


def two_syncs(streak: Sandbox, streams: Iterable[str] = (), tables: bool = False) -> Iterator[Run]:
    """An incremental sync, and another one with nothing changed."""
    states: dict[str, Message] = {}
    for _ in range(2):
        did = run(
            streak, WITHOUT_BUDGET, streams=streams, incremental=True, tables=tables, states=states
        )
        states = did.states
        yield did


def duration(seconds: float) -> str:
    return (
        f"{seconds:,.0f} s"
        if seconds < 120
        else f"{seconds / 60:,.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:,.1f} h"
    )


def run(
    streak: Sandbox,
    program: Iterable[str] = (COMMAND,),
    what: str = "read",
    *,
    streams: Iterable[str] = (),
    incremental: bool = False,
    tables: bool = False,
    states: dict[str, Message] | None = None,
    **settings: Any,
) -> Run:
    """One run: spec, check, or a read of these streams (none: all)."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_bytes(
            orjson.dumps({"api_key": streak.key, "requests_per_second": 20, **settings})
        )
        options = [] if what == "spec" else ["--config", str(config)]
        if what == "read":
            catalog = Path(folder, "catalog.json")
            catalog.write_bytes(
                orjson.dumps(catalog_of(streams, config, streak, incremental, tables))
            )
            options += ["--catalog", str(catalog)]
        if states:
            state = Path(folder, "state.json")
            state.write_bytes(orjson.dumps(list(states.values())))
            options += ["--state", str(state)]
        return measured([*program, what, *options], streak)


def catalog_of(
    streams: Iterable[str],
    config: Path,
    streak: Sandbox,
    incremental: bool,
    tables: bool = False,
) -> Message:
    """A configured catalog of these streams (none: all), and on request of the tables.

    Tables are not included by default, because they hold the boxes again.
    """
    command = [COMMAND, "discover", "--config", str(config)]
    found = subprocess.run(command, env=streak.environment, stdout=subprocess.PIPE, check=True)
    whole = configured(only("CATALOG", found.stdout.splitlines()))
    for chosen in whole["streams"]:
        if incremental and "incremental" in chosen["stream"]["supported_sync_modes"]:
            chosen["sync_mode"] = "incremental"
    names = {chosen["stream"]["name"]: chosen for chosen in whole["streams"]}
    found_tables = [name for name in names if name.startswith("boxes_")]
    others = streams or (name for name in names if name not in found_tables)
    return {"streams": [names[name] for name in (*others, *(found_tables if tables else ()))]}


def measured(command: list[str], streak: Sandbox) -> Run:
    """Run it to its end; a failure ends the benchmark with the connector's own sentence."""
    did, began = Run(), time.monotonic()
    process = subprocess.Popen(command, env=streak.environment, stdout=subprocess.PIPE)
    LIVE.update(stream="starting the connector", rows=0, done=None, total=None)
    for line in process.stdout:
        if line.startswith(RECORD):
            did.records += 1
            if not did.records % 500:
                LIVE.update(rows=did.records)
            did.counts[line[STREAM : line.index(b'"', STREAM)].decode()] += 1
        else:
            message = orjson.loads(line)
            note(did, message)
            LIVE.follow(message)
            did.peak = max(did.peak, high_water(process.pid))
    LIVE.update(stream="Starting a sandbox", rows=None, done=None, total=None)
    if process.wait():
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}.")
    did.seconds = time.monotonic() - began
    return did


def high_water(pid: int) -> int:
    """The most memory (resident, in bytes) that a process has had so far; 0 if it has ended.

    wait4 would start from the memory of the process's parent, which here keeps a log of all
    requests.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def note(did: Run, message: Message) -> None:
    """Keep what a message says about the streams' times, and show failures."""
    if sentence := failure(message):
        LIVE.say(sentence)
    if message["type"] == "STATE":
        did.states[message["state"]["stream"]["stream_descriptor"]["name"]] = message["state"]
    if said := stream_status(message):
        stream, status, moment = said
        if status == "STARTED":
            did.spans[stream] = -moment
        elif finished(status):
            did.spans[stream] += moment


def necessary_requests(account: Account) -> Counter[str]:
    """The requests that a whole read cannot do without.

    These are the lists, one request for each box and child stream whose counter is not 0, and for
    each box its text and its timeline, page by page.
    """
    pipelines, boxes = account.pipelines.values(), account.boxes.values()
    needed = Counter(
        teams=1, pipelines=1, snippets=1, users=len(account.teams), newsfeed=len(pipelines)
    )
    for name, rows in (("contacts", account.contacts), ("organizations", account.organizations)):
        needed[name] = sum(pages(len(rows.get(team, ())), DIRECTORY_PAGE) for team in account.teams)
    needed["boxes"] = sum(
        pages(len(account.boxes_of(pipeline["key"])), BOXES_A_PAGE) for pipeline in pipelines
    )
    for stream, counters in CHILDREN.items():
        needed[stream] = sum(any(box.get(counter) != 0 for counter in counters) for box in boxes)
    needed["box_documents"] = len(account.boxes)
    for key in account.boxes:
        entries = sum(entry.kind in OWN for entry in account.timeline(key))
        needed["box_changes"] += pages(entries, TIMELINE_PAGE)
    return needed


def drawing(points: list[tuple[int, list[float], list[float]]]) -> str:
    """Three charts side by side, both axes logarithmic.

    Requests, seconds and MB against boxes, of the first and the second sync.
    """
    charts = []
    for place, (title, unit) in enumerate(
        (("requests", ""), ("time at 10 requests a second", "s"), ("peak memory", "MB"))
    ):
        lines = [
            [(boxes, both[place]) for boxes, *syncs in points for both in [syncs[sync]]]
            for sync in range(2)
        ]
        charts.append(f'<g transform="translate({place * 320} 0)">{chart(title, unit, lines)}</g>')
    return (
        f'<svg xmlns="{SVG}" viewBox="0 0 960 300" font-family="sans-serif" font-size="11" '
        f'fill="{INK}">{"".join(charts)}</svg>\n'
    )


def chart(title: str, unit: str, lines: list[list[tuple[int, float]]]) -> str:
    """One chart, with a line for each sync."""
    everything = [value for line in lines for _, value in line]
    low, high = (
        10 ** math.floor(math.log10(min(everything))),
        10 ** math.ceil(math.log10(max(everything))),
    )
    first, last = lines[0][0][0], lines[0][-1][0]

    def at(boxes: float, value: float) -> tuple[float, float]:
        across, up = (
            math.log(boxes / first) / math.log(last / first),
            math.log(value / low) / math.log(high / low),
        )
        return 60 + 220 * across, 250 - 200 * up

    parts = [f'<text x="60" y="24" font-size="14">{title}</text>']
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        x, y = at(first, 10**power)
        parts.append(
            f'<path d="M{x} {y:.1f}h220" stroke="{INK}" stroke-opacity="0.3"/>'
            f'<text x="54" y="{y + 4:.1f}" text-anchor="end">{10**power:,} {unit}</text>'
        )
    for boxes, _ in lines[0]:
        x, _ = at(boxes, low)
        parts.append(f'<text x="{x:.1f}" y="266" text-anchor="middle">{boxes // 1000:,}k</text>')
    for line, colour, name in zip(
        lines, COLOURS, ("first sync", "second, incremental"), strict=True
    ):
        spots = [at(*point) for point in line]
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        parts.append(f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        parts.append(
            f'<text x="{60 + 110 * (colour != COLOURS[0])}" y="286" fill="{colour}">{name}</text>'
        )
    return "".join(parts)


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


MEASURES = (start, requests, pace, speed, tap, records, memory, scale, plot)


if __name__ == "__main__":
    main()
