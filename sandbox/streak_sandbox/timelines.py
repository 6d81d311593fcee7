"""The timeline of a box (12): made from the box while nobody has touched it, then written on.

What an entry looks like is published nowhere. So here are three shapes at once: like the
newsfeed's items, with nested objects, and without any key.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import keys, objects
from .objects import MINUTE, Row

MOVES, EDITS = "NEWSFEED_BOX_CREATION_MOVE", "NEWSFEED_BOX_EDIT"
# The filters that are known; HANGOUTS_CHAT finds nothing here.
FILTERS = (
    *("CALL_LOGS", "COMMENTS", "EMAILS", "FILES", "HANGOUTS_CHAT", "MEETING_NOTES"),
    *(MOVES, EDITS),
)


class Entry(NamedTuple):
    """What the API answers is `body`; by the other two it is found and put in order."""

    at: int  # epoch milliseconds
    kind: str  # the filter that finds it
    body: Row


def untouched(box: Row) -> list[Entry]:
    """Created, moved as its history tells, and, if it has any fields, filled in."""
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
    """Like the newsfeed's items: a key of its own under two names, and `timestamp`."""
    known = {"BOX_NAME": box["name"], "STORY_AUTHOR_DISPLAY_NAME": _author(box)["displayName"]}
    body = objects.event(
        0, box["pipelineKey"], box["creatorKey"], at, specific, **known | variables
    )
    key = keys.child_key("NewsfeedItem", box["key"], place)
    return Entry(at, MOVES, body | {"key": key, "newsfeedItemKey": key, "boxKey": box["key"]})


def field_edit(box: Row, place: int, at: int, field_key: str, values: tuple[Any, Any]) -> Entry:
    """Nested objects: who, what from and what to, and the time in one of them."""
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
    """No key anywhere."""
    changed = [
        {"property": name, "from": before, "to": after} for name, (before, after) in values.items()
    ]
    return Entry(at, EDITS, {"entryType": EDITS, "date": at, "changed": changed})


def of_children(children: dict[str, list[Row]]) -> list[Entry]:
    """Comments, meetings, mails and files as they are now: each whole, and what it is beside it."""
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
    """Whoever made the box; an older one does not tell more than the key."""
    entry = box.get("creatorSharingEntry") or {}
    return {"displayName": entry.get("fullName", "Somebody")}
