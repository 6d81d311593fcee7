"""How much room each stream has in the state.

The platform sends all states that changed in one request of at most 10 MB; above that the sync is
green and the state lost.  So all states of a sync together stay below TOTAL: at most half of it for
ledgers, the rest for the keys of what was delivered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TOTAL = 8_000_000  # bytes

# Bytes of JSON, measured with keys like Streak's whose numbers are scattered (test_room.py).
ENTRY, SHARED_ENTRY = 8.2, 5.4  # of a ledger: for one box each, and where boxes share them
KEY = 11.5  # of a box, comment, …
FIELD = 0.8  # of a field or stage, since most boxes have the same
LEDGER_SCOPE, KEY_SCOPE = 130, 300  # a pipeline or team, in ledgers and where keys are remembered
EVENTS = 480  # a pipeline's events, in newsfeed
STREAM = 600  # a state message without all of these
WITH_CHILDREN = 0.7  # of the boxes that could have a child each: others have several

CHILDREN = ("box_comments", "box_tasks", "box_meetings", "box_files", "box_threads")
# Where there is no room for all keys, those of the last ones are given up first.
IMPORTANCE = (
    *("boxes", "boxes_*", "contacts", "organizations"),
    *("contact_field_values", "organization_field_values"),
    *("box_field_values", "box_stage_history"),
    *CHILDREN,
)
LOGS = ("newsfeed", "box_changes")  # which remember no keys
FEW = 100  # entries beyond those expected, and 5 %
FEWER = 0.9  # entries than boxes, where boxes share them
MORE = 1.1  # of the keys expected: some come while they are read
SOME = 1_000  # bytes, where none are expected


@dataclass(frozen=True)
class Need:
    """What a stream would like to remember.

    `rows`: keys of rows expected; 0 where the rows are the entities themselves, or no keys are
    remembered.
    """

    stream: str
    entities: int  # boxes, contacts, …: entries of its ledgers
    rows: int
    scopes: int  # pipelines or teams

    @property
    def importance(self) -> int:
        """Of its keys; the lower, the more important."""
        name = "boxes_*" if self.stream.startswith("boxes_") else self.stream
        return IMPORTANCE.index(name) if name in IMPORTANCE else len(IMPORTANCE)

    @property
    def key_bytes(self) -> float:
        """What its keys would take, with some to spare."""
        if self.stream in LOGS:
            return 0.0
        if self.stream in CHILDREN:
            keys = (min(self.entities, self.rows) * WITH_CHILDREN + self.rows) * KEY
        else:
            keys = self.entities * KEY + self.rows * FIELD
        return self.scopes * KEY_SCOPE + keys * MORE + SOME

    @property
    def fixed_bytes(self) -> float:
        """What its state takes without entries and keys."""
        return STREAM + self.scopes * (EVENTS if self.stream == "newsfeed" else LEDGER_SCOPE)

    @property
    def entries(self) -> int:
        """Of its ledgers, with some to spare."""
        return self.entities + self.entities // 20 + FEW


@dataclass(frozen=True)
class Share:
    """What a stream may take: entries of its ledgers, and bytes of keys (0: keys are given up)."""

    entries: int
    key_bytes: int


EVERYTHING = Share(int(TOTAL / 2 / ENTRY), TOTAL // 2)  # for a stream alone


def divide(needs: Iterable[Need], total: int = TOTAL) -> dict[str, Share]:
    """The share of each stream.

    Ledgers get half at most; where that is not enough for an entry each, all have the same number
    of boxes to an entry. Keys get the rest.
    """
    needs = list(needs)
    fixed = sum(need.fixed_bytes for need in needs)
    entries = {need.stream: need.entries for need in needs}
    room, each = max(0.0, total / 2 - fixed), ENTRY
    if sum(entries.values()) * each > room:
        each = SHARED_ENTRY
        boxes = max(1, sum(need.entities for need in needs))
        scale = min(FEWER, room / boxes / each)
        entries = {need.stream: int(need.entities * scale) for need in needs}
    keys = _keys(needs, total - fixed - sum(entries.values()) * each)
    return {stream: Share(count, int(keys.get(stream, 0))) for stream, count in entries.items()}


def _keys(needs: list[Need], room: float) -> dict[str, float]:
    """The most important ones that there is room for; what is left over goes to them, too."""
    taken: dict[str, float] = {}
    for need in sorted(needs, key=lambda need: need.importance):
        if 0 < need.key_bytes <= room - sum(taken.values()):
            taken[need.stream] = need.key_bytes
    scale = room / sum(taken.values()) if taken else 0.0
    return {stream: size * scale for stream, size in taken.items()}
