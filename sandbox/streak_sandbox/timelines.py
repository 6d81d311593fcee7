"""The timeline of a box (12): made from the box while it is untouched, then added to.

The shape of entries is not documented. So there are three shapes here: like newsfeed items, with
nested objects, and without any key.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import keys, objects
from .objects import MINUTE, Row

MOVES, EDITS = "NEWSFEED_BOX_CREATION_MOVE", "NEWSFEED_BOX_EDIT"
# The known filters; HANGOUTS_CHAT finds nothing here.
FILTERS = (
    *("CALL_LOGS", "COMMENTS", "EMAILS", "FILES", "HANGOUTS_CHAT", "MEETING_NOTES"),
    *(MOVES, EDITS),
)


class Entry(NamedTuple):
    """The API returns `body`. The other two are for filters and the order."""

    at: int  # epoch milliseconds
    kind: str  # the filter that finds it
    body: Row


def untouched(box: Row) -> list[Entry]:
    """Entries for the box's creation, its fields if it has any, and the moves in its history."""
    created = box["creationTimestamp"]
    entries = [move(box, 1, created, "NEW_BOX")]
    if box.get("fields"):
        entries.append(text_edit(box, created + MINUTE, {"notes": (None, box.get("notes"))}))
        first = next(iter(box["fields"]))
        value = box["fields"][first]
        entries.append(
            field_edit(box, len(entries) + 1, created + 2 * MINUTE, first, (None, value))
        )
    for visit in box.get("stageHistoryEntries", []):
        if visit["lastEntryToStageTs"] > created:
            place, at = len(entries) + 1, visit["lastEntryToStageTs"]
            entries.append(move(box, place, at, "EDIT_STAGE", STAGE_KEY=visit["stageKey"]))
    return sorted(entries, key=lambda entry: entry.at)


def move(box: Row, place: int, at: int, specific: str, **variables: str) -> Entry:
    """An entry like a newsfeed item: its own key under two names, and `timestamp`."""
    known = {"BOX_NAME": box["name"], "STORY_AUTHOR_DISPLAY_NAME": _author(box)["displayName"]}
    body = objects.event(
        0, box["pipelineKey"], box["creatorKey"], at, specific, **known | variables
    )
    key = keys.child_key("NewsfeedItem", box["key"], place)
    return Entry(at, MOVES, body | {"key": key, "newsfeedItemKey": key, "boxKey": box["key"]})


def field_edit(box: Row, place: int, at: int, field_key: str, values: tuple[Any, Any]) -> Entry:
    """An entry of nested objects: who, from what, to what. One of them has the time."""
    before, after = values
    change = {"field": {"key": field_key}, "before": {"value": before}, "after": {"value": after}}
    body = {
        "key": keys.child_key("TimelineEntry", box["key"], place),
        "type": EDITS,
        "newsfeedEntry": {
            "timestamp": at,
            "newsfeedEntryOperation": "UPDATE",
            "author": _author(box),
        },
        "changes": [change],
    }
    return Entry(at, EDITS, body)


def text_edit(box: Row, at: int, values: dict[str, tuple[Any, Any]]) -> Entry:
    """An entry without any key."""
    changed = [
        {"property": name, "from": before, "to": after} for name, (before, after) in values.items()
    ]
    return Entry(at, EDITS, {"entryType": EDITS, "date": at, "changed": changed})


def of_children(children: dict[str, list[Row]]) -> list[Entry]:
    """Entries for comments, meetings, mails and files: each holds the whole row and its type."""
    found = []
    for kind, rows in children.items():
        for row in rows:
            name = _FILTER_OF.get(row.get("meetingType", kind))
            at = next((row[stamp] for stamp in _STAMPS if row.get(stamp)), None)
            if name and at:
                found.append(Entry(at, name, {"key": row["key"], "type": name, "content": row}))
    return found


_FILTER_OF = {
    "comments": "COMMENTS",
    "CALL_LOG": "CALL_LOGS",
    "MEETING_NOTES": "MEETING_NOTES",
    "threads": "EMAILS",
    "files": "FILES",
}
_STAMPS = ("timestamp", "startTimestamp", "lastEmailTimestamp", "creationTimestamp")


def _author(box: Row) -> Row:
    """Who created the box. Older boxes have only the key, so there the name is Somebody."""
    entry = box.get("creatorSharingEntry") or {}
    return {"displayName": entry.get("fullName", "Somebody")}
