"""How much room each stream has in the state.

The platform sends all states that changed in one request of at most 10 MB.  Above that, the sync
ends green and the state is lost.  So all states of a sync together stay below TOTAL: ledgers get at
most half of it, and the keys of what was delivered get the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TOTAL = 8_000_000  # bytes

# Bytes of JSON, measured with keys like Streak's, with scattered numbers (test_room.py).
ENTRY, SHARED_ENTRY = 8.2, 5.4  # a ledger's entry: for one box, and where boxes share it
KEY = 11.5  # the key of a box, comment, …
FIELD = 0.8  # the key of a field or stage: most boxes have the same
LEDGER_SCOPE, KEY_SCOPE = 130, 300  # a pipeline or team, in ledgers and in keys
EVENTS = 480  # a pipeline's events, in newsfeed
STREAM = 600  # the rest of a state message
WITH_CHILDREN = 0.7  # share of the boxes that could have a child: some have several

CHILDREN = ("box_comments", "box_tasks", "box_meetings", "box_files", "box_threads")
# If there is no room for all keys, those of the last streams are given up first.
IMPORTANCE = (
    *("boxes", "boxes_*", "contacts", "organizations"),
    *("contact_field_values", "organization_field_values"),
    *("box_field_values", "box_stage_history"),
    *CHILDREN,
)
LOGS = ("newsfeed", "box_changes")  # they remember no keys
FEW = 100  # entries to spare, besides 5 %
FEWER = 0.9  # entries per box at most, where boxes share them
MORE = 1.1  # times the expected keys: more may come during the sync
SOME = 1_000  # bytes to spare, even if no keys are expected


@dataclass(frozen=True)
class Need:
    """What a stream would like to remember.

    `rows`: how many keys of rows are expected; 0 if the rows are the entities themselves, or if no
    keys are remembered.
    """

    stream: str
    entities: int  # boxes, contacts, …: entries of its ledgers
    rows: int
    scopes: int  # pipelines or teams

    @property
    def importance(self) -> int:
        """The rank of its keys: the lower, the more important."""
        name = "boxes_*" if self.stream.startswith("boxes_") else self.stream
        return IMPORTANCE.index(name) if name in IMPORTANCE else len(IMPORTANCE)

    @property
    def key_bytes(self) -> float:
        """How many bytes its keys would take, with some to spare."""
        if self.stream in LOGS:
            return 0.0
        if self.stream in CHILDREN:
            keys = (min(self.entities, self.rows) * WITH_CHILDREN + self.rows) * KEY
        else:
            keys = self.entities * KEY + self.rows * FIELD
        return self.scopes * KEY_SCOPE + keys * MORE + SOME

    @property
    def fixed_bytes(self) -> float:
        """How many bytes its state takes without entries and keys."""
        return STREAM + self.scopes * (EVENTS if self.stream == "newsfeed" else LEDGER_SCOPE)

    @property
    def entries(self) -> int:
        """How many entries its ledgers would take, with some to spare."""
        return self.entities + self.entities // 20 + FEW


@dataclass(frozen=True)
class Share:
    """A stream's room: entries of its ledgers, and bytes of keys (0: keys are given up)."""

    entries: int
    key_bytes: int


EVERYTHING = Share(int(TOTAL / 2 / ENTRY), TOTAL // 2)  # for a stream that is synced alone


def divide(needs: Iterable[Need], total: int = TOTAL) -> dict[str, Share]:
    """The share of each stream.

    Ledgers get half at most. If that is not enough for one entry per box, all ledgers have the same
    number of boxes per entry. Keys get the rest.
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
    """The bytes for the most important keys that fit. They also share what is left over."""
    taken: dict[str, float] = {}
    for need in sorted(needs, key=lambda need: need.importance):
        if 0 < need.key_bytes <= room - sum(taken.values()):
            taken[need.stream] = need.key_bytes
    scale = room / sum(taken.values()) if taken else 0.0
    return {stream: size * scale for stream, size in taken.items()}
