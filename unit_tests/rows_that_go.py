"""A stream, an account and its lists without sockets, for tests of what counts as deleted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from source_streak.api.errors import Level
from source_streak.api.look_up import Gone
from source_streak.incremental.state import StreamState
from source_streak.reading.deletions import DELETED_AT, Deletions
from source_streak.reading.heartbeat import Signal
from source_streak.reading.missing import Missing
from source_streak.reading.mode import Mode

NOW = 1_795_284_000_123
HOUR = 3_600_000
COLUMNS = frozenset({"boxKey", "key", DELETED_AT})
COMMENTS = SimpleNamespace(
    name="box_comments",
    parent=Level.BOX,
    endpoint="v2/boxes/{boxKey}/comments",
    of_one_pipeline=False,
    tells_deletions=True,
    row_keys=True,
    scope=None,
    key_columns=("boxKey", "key"),
    cursor_column="readAt",
    expected=lambda row: row.get("commentCount"),
    logger=logging.getLogger("tests"),
)


@dataclass
class List:
    """The list of one pipeline after it was read."""

    key: str
    keys: set[str]
    expected: int | None = None
    ended: bool = True

    @property
    def name(self) -> str:
        return self.key.title()

    @property
    def source(self) -> dict[str, Any]:
        return {"key": self.key}

    @property
    def shortfall(self) -> int:
        return max(0, (self.expected or 0) - len(self.keys))


@dataclass
class Account:
    """The lists of an account, and its answers by key: Streak refuses the keys in `gone`."""

    lists: list[List] = field(default_factory=list)
    existing: set[str] = field(default_factory=set)  # pipelines; if empty, those of the lists
    gone: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    started: str = "now"
    config: Any = field(
        default_factory=lambda: SimpleNamespace(track_deletions=True, start=None, recheck_days=30)
    )
    clock: Any = field(default_factory=lambda: SimpleNamespace(now=lambda: NOW))

    @property
    def every_pipeline(self) -> list[dict[str, Any]]:
        return [{"key": key} for key in self.existing or {one.key for one in self.lists}]

    def pipelines(self) -> list[dict[str, Any]]:
        return self.every_pipeline

    def good_listings(self, level: Level) -> list[List]:
        return self.lists

    def present(self, listing: List) -> set[str]:
        return listing.keys

    def where(self, level: Level, key: str) -> str | None:
        return next((one.key for one in self.lists if key in one.keys), None)

    def user(self) -> str:
        return "ada"

    def look_up(self, level: Level, keys: list[str], controls: Any) -> dict[str, Any]:
        self.asked += keys
        return {key: Gone.GONE if key in self.gone else {"key": key} for key in keys}


class Heart:
    """A heartbeat that is never due and waits for nothing."""

    is_due = False

    def checkpoint(self) -> Signal:
        return Signal.CHECKPOINT

    def wait_for(self, work: Callable[[], Any]) -> Generator[Any, None, Any]:
        yield from ()
        return work()


def state_of(saved: StreamState | None = None, hours: float = 0) -> StreamState:
    """The state of a sync this many hours after the first, which left `saved`."""
    return StreamState(saved.as_dict() if saved else {}, round(NOW + hours * HOUR), 30)


def deletions_of(
    state: StreamState, account: Account | None = None, columns: Iterable[str] | None = COLUMNS
) -> Deletions:
    mode = Mode(whole=False, columns=None if columns is None else frozenset(columns))
    return Deletions(COMMENTS, account or Account(), state, mode)  # type: ignore[arg-type]


def missing_of(state: StreamState, account: Account) -> list[Any]:
    """The signals and tombstones that a sync emits for missing rows."""
    deletions = deletions_of(state, account)
    items = list(Missing(deletions, account, Heart()).items())  # type: ignore[arg-type]
    deletions.end(0, account.lists)  # type: ignore[arg-type]
    return items
