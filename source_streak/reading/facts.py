"""What a reading knows about its stream: facts, and hooks that are pure except for `prepare`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Protocol

from source_streak.api.account import Account
from source_streak.api.errors import StreakError
from source_streak.api.listings import Listing
from source_streak.api.packing import Properties
from source_streak.api.paging import Row
from source_streak.reading.fetching import Asked
from source_streak.reading.parents import Parent
from source_streak.records.shape import Shape


class Facts(Asked, Protocol):
    """A stream as a reading sees it. StreakStream (stream.py) documents each fact and hook."""

    endpoint: str
    counters: tuple[str, ...]
    incremental: bool
    tells_deletions: bool
    of_one_pipeline: bool
    since_parameter: str
    made_of: Properties
    cursor_column: str

    @property
    def name(self) -> str: ...

    @property
    def logger(self) -> logging.Logger: ...

    @property
    def shape(self) -> Shape: ...

    @property
    def key_columns(self) -> tuple[str, ...]: ...

    @property
    def row_keys(self) -> bool: ...

    @property
    def scope(self) -> str | None: ...

    def prepare(self, account: Account) -> StreakError | None: ...

    def select_listings(self, lists: list[Listing]) -> list[Listing]: ...

    def names_in(self, source: Row) -> Any: ...

    def visible(self, row: Row, names: Any, source_key: str) -> Any: ...

    def can_have_rows(self, row: Row) -> bool: ...

    def keys_in(self, row: Row) -> Iterable[str]: ...

    def rows(self, parent: Parent) -> Iterable[Row]: ...

    def unset_rows(self, parent: Parent) -> Iterable[Row]: ...

    def extra_columns(self, row: Row, parent: Parent) -> Row: ...

    def misshapen(self, parent: Parent) -> Iterable[str]: ...

    def newest(self, rows: list[Row]) -> int | None: ...

    def gap(self, rows: list[Row], fresh: list[Row], newest: int | None) -> str: ...
