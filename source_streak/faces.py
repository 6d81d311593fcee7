"""What decides how the rows of a box look: its face, from which the ledger makes a print.

A box has the same face at two times if, and only if, nothing worth a row has changed in between.  Nobody knows what moves Streak's
stamps (https://streak.readme.io says nothing of it), so the faces hold everything but what drifts by itself.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

from source_streak.fields import definitions_of, options_of
from source_streak.records import mapping

Row = Mapping[str, Any]

# Recomputed by Streak without anybody's doing: a recency score, and who opened which mail how often.
DRIFTING = frozenset(
    {
        "freshness",
        "totalNumberOfSentEmailsViews",
        "totalNumberOfLastSentEmailViews",
        "totalNumberOfLastSentEmailLinksClicks",
        "mostRecentLastSentEmailViewsTimestamp",
        "mostRecentSentEmailsViewsTimestamp",
    }
)


def of_record(box: Row, names: Any) -> list[Any]:
    """For rows made of the box itself: all of it, and the names that it is shown with (`names_in` its pipeline)."""
    record = {name: value for name, value in box.items() if name not in DRIFTING}
    history = record.get("stageHistoryEntries")
    if isinstance(history, list):
        record["stageHistoryEntries"] = [_without(entry, "timeInStageMs") for entry in history]
    return [record, names]


def of_activity(box: Row, pipeline_key: str) -> list[Any]:
    """For its comments, meetings, tasks, threads and files: where it is, and every stamp and counter that it has."""
    return [
        pipeline_key,
        {
            name: value
            for name, value in box.items()
            if name.endswith(ACTIVITY) and name not in DRIFTING
        },
    ]


def names_in(pipeline: Row) -> str:
    """The definitions whose change shows in every row of a pipeline's boxes: of the pipeline, its stages, fields and options.

    As a digest: it goes into the face of each of its boxes, and there may be hundreds of fields.
    """
    names = [
        pipeline.get("name"),
        {key: mapping(stage).get("name") for key, stage in mapping(pipeline.get("stages")).items()},
        [
            [key, field.get("name"), field.get("type"), options_of(field)]
            for key, field in definitions_of(pipeline.get("fields")).items()
        ],
    ]
    return blake2b(
        orjson.dumps(names, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS), digest_size=16
    ).hexdigest()


def stamps(row: Row) -> Iterable[int]:
    """The times that a box or contact carries at its top level."""
    return (
        value
        for name, value in row.items()
        if name.endswith(("Timestamp", "DueDate")) and type(value) is int and value > 0
    )


ACTIVITY = ("Timestamp", "Count", "DueDate", "Total", "Duration", "Emails", "Complete")


def _without(entry: Any, name: str) -> Any:
    return (
        {key: value for key, value in entry.items() if key != name}
        if isinstance(entry, dict)
        else entry
    )
