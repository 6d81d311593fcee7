"""What happens when two connections use one API key at once, measured with the sandbox.

Prints the table of docs/large_accounts.md. The sandbox refuses more than LIMIT requests in any
second with a 429, whoever makes them, as Streak does. First one connection reads alone, then two
read the same account at once, with three settings of `requests_per_second`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from progress import Progress
from runs import COMMAND, RECORD, Sandbox, configured, only, sandbox

BOXES, LIMIT, LATENCY = 1_000, 20, 100  # boxes; requests allowed per second; milliseconds
STREAMS = ("boxes", "box_comments")


@dataclass
class Read:
    """The result of one connection."""

    code: int
    rows: int
    seconds: float


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description="Two connections with one key, measured.")
    parser.add_argument("--boxes", type=int, default=BOXES)
    options = parser.parse_args()
    print("| connections | set to | finished | rows of each | slowest | refused with a 429 |")
    print("|---|---|---|---|---:|---:|")
    with Progress("Reading", total=5) as live:
        for done, rates in enumerate(((8,), (20,), (8, 8), (10, 10), (20, 20))):
            live.update(connections=len(rates), done=done)
            live.say(row(rates, *measured(options.boxes, rates)), sys.stdout)


def measured(boxes: int, rates: tuple[int, ...]) -> tuple[list[Read], int]:
    """Reads with one connection per rate, all at once. Also returns the number of 429s."""
    with sandbox(boxes) as streak, ThreadPoolExecutor(len(rates)) as pool:
        streak.moods(rate_limit_per_second=LIMIT, retry_after=1, latency_ms=LATENCY)
        reads = list(pool.map(lambda rate: read(streak, rate), rates))
        return reads, sum(entry["status"] == 429 for entry in streak.log())


def read(streak: Sandbox, rate: int) -> Read:
    """One connection, from discover to the end of its sync."""
    with tempfile.TemporaryDirectory() as folder:
        config, catalog = Path(folder, "config.json"), Path(folder, "catalog.json")
        config.write_text(json.dumps({"api_key": streak.key, "requests_per_second": rate}))
        command = [COMMAND, "discover", "--config", str(config)]
        found = subprocess.run(command, env=streak.environment, stdout=subprocess.PIPE, check=True)
        whole: dict[str, Any] = configured(only("CATALOG", found.stdout.splitlines()))
        chosen = [one for one in whole["streams"] if one["stream"]["name"] in STREAMS]
        catalog.write_bytes(orjson.dumps({"streams": chosen}))
        command = [COMMAND, "read", "--config", str(config), "--catalog", str(catalog)]
        began = time.monotonic()
        ran = subprocess.run(command, env=streak.environment, stdout=subprocess.PIPE, check=False)
        rows = sum(line.startswith(RECORD) for line in ran.stdout.splitlines())
        return Read(ran.returncode, rows, time.monotonic() - began)


def row(rates: tuple[int, ...], reads: list[Read], refused: int) -> str:
    """A row of the table."""
    finished = "all" if not any(one.code for one in reads) else "not all"
    rows = " and ".join(f"{one.rows:,}" for one in reads)
    how_many = "one" if len(rates) == 1 else "two at once"
    set_to = " and ".join(map(str, rates))
    slowest = max(one.seconds for one in reads)
    return f"| {how_many} | {set_to} | {finished} | {rows} | {slowest:.0f} s | {refused} |"


if __name__ == "__main__":
    main()
