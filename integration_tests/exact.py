"""Shared by the test_exact_*.py files: small accounts, and helpers to find and check rows in them.

def test_…(streak):
    connection = synced(streak, "boxes")
    streak.account.delete_box(key)
    assert told(connection.sync(), "boxes") == [(key,)]
    assert exact(connection)
"""

from __future__ import annotations

from typing import Any

from connection import Connection, Sync
from streak_sandbox import Sandbox

HIRING, SUPPORT = "Hiring – Bewerbungen", "Support 🎧"  # noqa: RUF001
SALES, IDEAS, EMPTY = "Sales", "Ada’s Ideen 💡", "Leer (empty)"  # noqa: RUF001
TABLES = {SALES: "boxes_sales", HIRING: "boxes_hiring_bewerbungen", SUPPORT: "boxes_support"}
KINDS = ("comments", "meetings", "tasks", "threads", "files")
CHILDREN = tuple(f"box_{kind}" for kind in KINDS)
OF_BOXES = ("boxes", *TABLES.values(), "box_field_values", "box_stage_history", *CHILDREN)
ONE_BOX = "v1/boxes/*"
SMALL = {"boxes": 40}
HOUR, DAY = 1.01, 24.0  # in hours


def synced(streak: Sandbox, *names: str, **settings: Any) -> Connection:
    """A connection after its first sync, which must succeed."""
    connection = Connection(streak, *names, **settings)
    assert connection.sync().ok
    return connection


def exact(connection: Connection, **settings: Any) -> bool:
    """Assert that the destination holds what a full refresh made now would deliver."""
    assert connection.differences(**settings) == []
    return True


def told(sync: Sync, stream: str, *columns: str) -> list[Any]:
    """The rows that a sync reports deleted: primary keys, or these columns, sorted."""
    found = sync.deleted(stream)
    names = columns or KEYS.get(stream, ("boxKey", "key"))
    if stream.startswith("boxes_"):
        names = ("box_key",)
    return sorted(tuple(record[name] for name in names) for record in found)


KEYS = {
    **dict.fromkeys(("boxes", "contacts", "organizations"), ("key",)),
    "box_field_values": ("boxKey", "pipelineKey", "fieldKey"),
    "box_stage_history": ("boxKey", "pipelineKey", "stageKey"),
}


def nothing_told(sync: Sync) -> bool:
    """Assert that a sync reports no deletion."""
    assert {name: sync.deleted(name) for name in sync.records if sync.deleted(name)} == {}
    return True


def pipeline(streak: Sandbox, name: str = SALES) -> str:
    """The key of the pipeline with that name."""
    return str(streak.account.pipeline_named(name)["key"])


def boxes_of(streak: Sandbox, name: str = SALES) -> list[str]:
    """The keys of a pipeline's boxes, in the order of the account."""
    return [str(box["key"]) for box in streak.account.boxes_of(pipeline(streak, name))]


def a_box_with_everything(streak: Sandbox, name: str = SALES) -> str:
    """Add a box with two rows in each stream of box children, values and history."""
    account = streak.account
    fields = {"1001": "a value", "1003": 1_772_323_200_000}
    first, second = account.pipelines[pipeline(streak, name)]["stageOrder"][:2]
    box = str(account.add_box(pipeline(streak, name), "Everything", stageKey=first)["key"])
    for number in (1, 2):
        for add in (account.add_comment, account.add_meeting, account.add_task):
            add(box, f"number {number}")
        account.add_thread(box, f"number {number}")
        account.add_file(box, f"number {number}.pdf")
    account.edit_box(box, stageKey=second, fields=fields)
    return box


def said(sync: Sync, words: str) -> list[str]:
    """The log lines that contain these words."""
    return [line for line in sync.logs if words in line]


def asked(sync: Sync, key: str) -> int:
    """How many request paths end with this key."""
    return sum(path.endswith(f"/{key}") for path in sync.requests)
