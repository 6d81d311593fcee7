"""A first sync that is killed after some lines of output and resumed, at many points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import replay
from replay.command import Command, configured
from streak_sandbox import Sandbox

READ_AT = ("readAt", "read_at")  # a different time in each read


def kill_points(folder: Path, points: int, boxes: int = 40) -> Iterator[str]:
    """Problems in words: lost rows, broken rules of the platform. The first kill is at line 1."""
    with Sandbox(boxes=boxes) as streak:
        # At this rate the connector's clock advances by minutes: states come all over the output.
        command = Command(folder, streak.url, {"api_key": streak.key, "requests_per_second": 1})
        whole = command.read(configured(command.discover()))
        rows = replay.rows_of([whole])
        for point in range(points):
            line = 1 + point * (len(whole.lines) - 1) // points
            killed = command.read(whole.catalog, kill_after=line)
            resumed = command.read(whole.catalog, killed.last_states())
            found = replay.k1_nothing_is_lost_by_a_kill([killed, resumed], rows, READ_AT)
            found += [*replay.report(killed), *replay.report(resumed)]
            yield from (f"lost: killed after line {line}: {broken}" for broken in found)
