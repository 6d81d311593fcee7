"""How much room each stream has in the state.

The platform sends all states that changed in one request of at most 10 MB; above that the sync is
green and the state lost.  So all states of a sync together stay below TOTAL: at most half of it for
ledgers, the rest for the keys of what was delivered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TOTAL = 8_000_000  # bytes

# Measured with keys like Streak's (unit_tests/test_room.py), in bytes of JSON.
ENTRY = 8.3  # of a ledger
KEY = 11.0  # of a box, comment, …
FIELD = 1.5  # of a field or stage, which are the same in most boxes
SCOPE = 130.0  # a pipeline or team, in a ledger; and again where keys are remembered
EVENTS = 480.0  # a pipeline's events, in newsfeed
STREAM = 400.0  # what each state holds beside

# Where there is not room for all keys, those of the last ones are given up first.
CHILDREN = ("box_comments", "box_tasks", "box_meetings", "box_files", "box_threads")

IMPORTANCE = (
    *(
        "boxes",
        "boxes_*",
        "contacts",
        "organizations",
        "contact_field_values",
        "organization_field_values",
    ),
    *("box_field_values", "box_stage_history"),
    *CHILDREN,
)
LOGS = frozenset({"newsfeed", "box_changes"})  # which remember no keys
FEW = 100  # entries that each ledger may have beyond what is expected; 5 % more of a large one
MORE = 1.15  # of the keys expected: children come while they are read
SOME = 1_000  # bytes, where no keys are expected


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
            keys = (min(self.entities, self.rows) + self.rows) * KEY
        else:
            keys = self.entities * KEY + self.rows * FIELD
        return self.scopes * SCOPE + keys * MORE + SOME

    @property
    def fixed_bytes(self) -> float:
        """What its state takes without entries and keys."""
        return STREAM + self.scopes * (EVENTS if self.stream == "newsfeed" else SCOPE)

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
    wanted = sum(need.entries for need in needs) * ENTRY
    for_ledgers = min(wanted, max(0.0, total / 2 - fixed))
    scale = for_ledgers / wanted if wanted else 0.0
    keys = _keys(needs, total - fixed - for_ledgers)
    return {
        need.stream: Share(int(need.entries * scale), int(keys.get(need.stream, 0)))
        for need in needs
    }


def _keys(needs: list[Need], room: float) -> dict[str, float]:
    """The most important ones that there is room for; what is left over goes to them, too."""
    taken: dict[str, float] = {}
    for need in sorted(needs, key=lambda need: need.importance):
        if 0 < need.key_bytes <= room - sum(taken.values()):
            taken[need.stream] = need.key_bytes
    scale = room / sum(taken.values()) if taken else 0.0
    return {stream: size * scale for stream, size in taken.items()}
