"""F3, I1, I3 and K1: several runs of one connection, and what a destination makes of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from replay.connection import DELETED_AT
from replay.output import Message, Record, Run
from replay.reads import cursor_column, primary_key
from replay.rules import Found, rule_of_runs

Key = tuple[Any, ...]
Rows = dict[str, dict[Key, Message]]  # stream -> primary key -> row
Order = Callable[[Any], Any]


def rows_of(runs: Iterable[Run]) -> Rows:
    """What a destination holds in the end: of each key the row with the greatest cursor, the later
    of equals; none that was deleted. A stream of full refresh begins anew with each run.
    """
    kept: Rows = defaultdict(dict)
    for run in runs:
        for name, one in run.configured.items():
            if one["sync_mode"] == "full_refresh":
                kept[name] = {}
        for record in run.records:
            one = run.configured[record.stream]
            _take(kept[record.stream], key_of(one, record), record.data, cursor_column(one))
    return {
        name: {key: row for key, row in table.items() if row.get(DELETED_AT) is None}
        for name, table in kept.items()
    }


def key_of(configured: Message, record: Record) -> Key:
    """The primary key of a record; its whole content where the stream has none."""
    columns = primary_key(configured) or sorted(record.data)
    return tuple(_hashable(record.data.get(name)) for name in columns)


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _take(table: dict[Key, Message], key: Key, row: Message, cursor: str | None) -> None:
    before = table.get(key)
    if before is None or cursor is None or _not_older(row.get(cursor), before.get(cursor)):
        table[key] = row


def _not_older(new: Any, old: Any) -> bool:
    return old is None or (new is not None and new >= old)


def missing_and_stale(found: Rows, right: Rows, ignored: Iterable[str] = ()) -> Found:
    """Every row of `right` that `found` does not have, or has otherwise."""
    for stream, rows in right.items():
        kept = found.get(stream, {})
        lost = [key for key in rows if key not in kept]
        if lost:
            yield None, f"{stream}: {len(lost)} of {len(rows)} rows are lost, such as {lost[0]}"
        without = set(ignored)
        for key, row in rows.items():
            if key in kept and (wrong := _different(kept[key], row, without)):
                yield None, f"{stream}: the row {key} is stale in {', '.join(sorted(wrong))}"


def _different(one: Mapping[str, Any], other: Mapping[str, Any], ignored: set[str]) -> set[str]:
    names = (one.keys() | other.keys()) - ignored
    return {name for name in names if one.get(name) != other.get(name)}


@rule_of_runs
def k1_nothing_is_lost_by_a_kill(
    runs: Sequence[Run], whole: Rows, ignored: Iterable[str] = ()
) -> Found:
    """K1. Attempts that were killed, each given the states before, and one that came to its end:
    together they delivered what an undisturbed read delivers.
    """
    if runs[-1].code:
        yield None, f"the last attempt ended with status {runs[-1].code}"
    yield from missing_and_stale(rows_of(runs), whole, ignored)


@rule_of_runs
def i1_any_state_can_be_handed_back(
    before: Run, resumed: Run, whole: Rows, ignored: Iterable[str] = ()
) -> Found:
    """I1. A run cut off after one of its states, and one that began with the states up to there.

    The state is taken: the second run ends well, and does not call it unreadable.
    """
    if resumed.code:
        yield None, f"the run that was given the state ended with status {resumed.code}"
    yield from missing_and_stale(rows_of([before, resumed]), whole, ignored)


@rule_of_runs
def f3_a_resumable_full_refresh_goes_on(before: Run, resumed: Run, whole: Run) -> Found:
    """F3. The same generation: rows of both attempts stand in the table, so none may come twice.

    Only streams that say `is_resumable`; there need be none.
    """
    for name, one in whole.configured.items():
        if one["sync_mode"] != "full_refresh" or not one["stream"].get("is_resumable"):
            continue
        keys = [
            [key_of(one, record) for record in run.records if record.stream == name]
            for run in (before, resumed, whole)
        ]
        both = keys[0] + keys[1]
        if set(keys[2]) - set(both):
            yield None, f"{name}: {len(set(keys[2]) - set(both))} rows are lost"
        if len(both) != len(set(both)):
            yield None, f"{name}: {len(both) - len(set(both))} rows came twice"


@rule_of_runs
def i3_a_deletion_wins_over_what_it_deletes(runs: Sequence[Run]) -> Found:
    """I3. Destinations delete, and bring back, where the cursor is not older.

    `buildCursorComparison` and `cdcDelete` of the generators of Postgres, Snowflake, BigQuery.
    """
    newest: dict[tuple[str, Key], Any] = {}
    for run in runs:
        for record in run.records:
            one = run.configured[record.stream]
            cursor = cursor_column(one)
            if one["sync_mode"] != "incremental" or cursor is None:
                continue
            key, data = key_of(one, record), record.data
            if data.get(DELETED_AT) is not None and None in (*key, data.get(cursor)):
                yield record.line, f"{record.stream}: a deletion without its whole key and cursor"
            elif not _not_older(data.get(cursor), newest.get((record.stream, key))):
                yield record.line, f"{record.stream}: the cursor of {key} falls"
            else:
                newest[record.stream, key] = data.get(cursor)
