"""The events of a pipeline: how far they reach back, and which are lost. Pure."""

from __future__ import annotations

from source_streak.records.shape import Row, iso_time, whole_number

EVENTS_KEPT = 50  # of a pipeline, by Streak


def newest(events: list[Row]) -> int | None:
    """The time of the newest event, in epoch milliseconds."""
    return max(_times_of(events), default=None)


def gap(events: list[Row], fresh: list[Row], newest: int | None) -> str:
    """The warning about events that Streak no longer hands out; %s stands for the pipeline's name.

    `events`: all that it hands out; `fresh`: those that the last sync did not see; `newest`: the
    time of the newest that it saw.  Empty where nothing is lost.
    """
    oldest = min(_times_of(events), default=0)
    if len(events) < EVENTS_KEPT or len(fresh) < len(events) or newest is None or oldest <= newest:
        return ""
    return (
        f'newsfeed: what happened in the pipeline "%s" between {iso_time(newest)} and '
        f"{iso_time(oldest)} is lost: Streak hands out the last {EVENTS_KEPT} events only. "
        "Sync more often to have them all."
    )


def _times_of(events: list[Row]) -> list[int]:
    """When these events happened, as far as they tell."""
    return [time for event in events if (time := whole_number(event.get("timestamp"))) is not None]
