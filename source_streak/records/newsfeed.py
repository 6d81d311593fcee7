"""The events of a pipeline: how far they reach back, and which are lost. Pure."""

from __future__ import annotations

from source_streak.records.shape import Row, iso_time, whole_number

EVENTS_KEPT = 50  # per pipeline, by Streak


def newest(events: list[Row]) -> int | None:
    """The time of the newest event, in epoch milliseconds."""
    return max(_times_of(events), default=None)


def gap(events: list[Row], fresh: list[Row], newest: int | None) -> str:
    """A warning if events were lost since the last sync, with %s for the pipeline's name.

    Empty if none were lost. `events`: all that Streak still returns; `fresh`: those that the last
    sync did not see; `newest`: the time of the newest event that it saw.
    """
    oldest = min(_times_of(events), default=0)
    if len(events) < EVENTS_KEPT or len(fresh) < len(events) or newest is None or oldest <= newest:
        return ""
    return (
        f'newsfeed: the events in the pipeline "%s" between {iso_time(newest)} and '
        f"{iso_time(oldest)} are lost: Streak returns only the last {EVENTS_KEPT}. "
        "Sync more often to get them all."
    )


def _times_of(events: list[Row]) -> list[int]:
    """The times of those events that have one."""
    return [time for event in events if (time := whole_number(event.get("timestamp"))) is not None]
