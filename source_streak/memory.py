"""What an incremental stream remembers from sync to sync: its state, read and written.

    {"version": 1, "readAt": "2026-11-21T18:00:00.000Z", "summary": "1,234 boxes in 3 pipelines",
     "ledgers": {"<pipeline or team key>": {"settled": 1000, "bits": 32, "prints": "<base64>"}},
     "marks": {"<team or pipeline key>": 1795284000000}, "startDate": "2024-01-01T00:00:00.000Z",
     "keys": {"<pipeline key>": "<base64>"}, "doubted": ["<pipeline key>"]}

`keys` are those of all boxes that may have been delivered: what is there in none of the lists of a later sync may have been deleted.
They are written before the first of their rows, so that a box delivered just before a kill is not forgotten.  `doubted` are the
pipelines of which so many boxes were missing in the last sync that it waited for another one.

Anything that cannot be read, whole or in part, is forgotten and said once: what is not remembered is read again.
Pure: no framework, no input or output.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from source_streak.ledger import Ledger, Unreadable, print_of, turn_of
from source_streak.records import DAY_MS, LAST_MS, iso_time, milliseconds_of

VERSION = 1
DAMAGED = "A part of the state is damaged: what it covered was read whole."
KEYS_DAMAGED = "The keys of boxes in the state are damaged: of what was deleted before this sync nothing is known."
MOST_KEYS = 1_000_000  # bytes of them in the state; about 95,000 boxes


class Memory:
    """The state of one stream. `now` is the time of this sync in epoch milliseconds."""

    def __init__(
        self, state: Mapping[str, Any], now: int, recheck_days: int, start: int | None = None
    ) -> None:
        self.first = not state  # no sync before this one has delivered anything
        self.complaint = ""
        self.things = ("rows", "lists")  # in words, for the summary
        self._recheck_days, self._start = recheck_days, start
        if state and state.get("version") != VERSION:
            self.complaint = "The state is not one that this version of the connector writes: everything was read whole."
            state = {}
        last = milliseconds_of(state.get("readAt"))
        self.clock, self.now = now, max(now, min(last or 0, LAST_MS - 1) + 1)
        # A mark from the future was set by a clock that was wrong: what was saved until now is not behind it.
        self.marks = {
            scope: mark for scope, mark in self._marks(state.get("marks")).items() if mark <= now
        }
        since = state.get("startDate")
        if (milliseconds_of(since) or 0) > (start or 0):
            self.marks = {}  # what lies before the earlier start was never asked for
        self._entries = self._ledger_entries(state.get("ledgers"))
        if state and (last is None or (since is not None and milliseconds_of(since) is None)):
            self.complaint, self.marks = DAMAGED, {}
        self._keys = self._key_texts(state.get("keys"))
        doubted = state["doubted"] if isinstance(state.get("doubted"), list) else []
        self.doubted = {scope for scope in doubted if isinstance(scope, str) and _writable(scope)}
        self._ledgers: dict[str, Ledger] = {}
        self._unlisted: dict[str, Ledger] = {}
        self._listed: set[str] = set()
        self._stale: set[str] = set()

    @property
    def read_at(self) -> str:
        """The time of this sync; greater than in every sync before."""
        return str(iso_time(self.now))

    def listing(self, scopes: Iterable[str]) -> None:
        """Say which pipelines (or teams) this sync has lists of; to be called before the first `compare`."""
        self._listed |= set(scopes)

    def compare(self, scope: str, faces: Iterable[tuple[str, Any]], of: int) -> None:
        """Take what there is now in a pipeline (or team): key and face of each; `of`: how many there are in all that is listed."""
        day = self.now // DAY_MS
        self._listed.add(scope)
        unlisted = self._entries.keys() - self._listed
        of += sum(
            settled
            for name in unlisted
            if type(settled := self._entries[name].get("settled")) is int
        )
        ledger = self._load(scope)
        ledger.compare(
            (
                (key, print_of(key, face, turn_of(key, day, self._recheck_days)))
                for key, face in faces
            ),
            of,
        )
        self._ledgers[scope] = ledger
        self._stale.add(scope)
        differing = ledger.differing() if unlisted else []
        for other in unlisted:
            self._drop(other, differing)

    def differs(self, scope: str, key: str) -> bool:
        """Whether it is to be read."""
        return self._ledgers[scope].differs(key)

    def settle(self, scope: str, key: str) -> None:
        """Its rows were emitted."""
        self._ledgers[scope].settle(key)
        self._stale.add(scope)

    def _drop(self, scope: str, hashes: list[int]) -> None:
        """A pipeline that is not listed in this sync must not go on claiming a box that is delivered from another one."""
        if scope not in self._unlisted:
            self._unlisted[scope] = self._load(scope)
        if self._unlisted[scope].drop(hashes):
            self._stale.add(scope)

    def mark(self, scope: str, time: int) -> None:
        """All up to that time was delivered; never moves back, and never beyond this sync."""
        self.marks[scope] = max(self.marks.get(scope, 0), min(time, self.clock))

    def deliver(self, scope: str, present: set[str]) -> set[str]:
        """Take the keys that a pipeline's list has now; returns those that earlier syncs delivered from it and that are not there."""
        known = self.delivered(scope)
        self._keys[scope] = _pack(known | present)
        return known - present

    def adopt(self, scope: str) -> set[str]:
        """Of a stream that is another pipeline's now: count what the earlier one delivered as this one's; returns those keys."""
        keys: set[str] = set().union(
            *(self.delivered(other) for other in self._keys if other != scope)
        )
        if keys:
            self._keys = {scope: _pack(keys | self.delivered(scope))}
        return keys

    def delivered(self, scope: str) -> set[str]:
        """The keys of the boxes that were, or are about to be, delivered from a pipeline."""
        try:
            return _unpack(self._keys[scope]) if scope in self._keys else set()
        except Unreadable:
            self.complaint = KEYS_DAMAGED
            return set()

    def bury(self, scope: str, keys: set[str]) -> None:
        """These are in the destination no more, or not this pipeline's any longer."""
        if keys:
            self._keys[scope] = _pack(self.delivered(scope) - keys)

    def keep_no_keys(self) -> None:
        """Deletions are not to be noticed."""
        self._keys.clear()
        self.doubted.clear()

    @property
    def bytes_of_keys(self) -> int:
        """How much room they take in the state."""
        return sum(map(len, self._keys.values()))

    def forget(self, scopes: Iterable[str]) -> None:
        """Pipelines that exist no more."""
        for scope in scopes:
            self._entries.pop(scope, None)
            self._ledgers.pop(scope, None)
            self._stale.discard(scope)

    @property
    def scopes(self) -> set[str]:
        """Those that there are ledgers of."""
        return set(self._entries)

    def state(self) -> dict[str, Any]:
        """As of now; costs something only for what changed since it was asked for last."""
        for scope in self._stale:
            if ledger := self._ledgers.get(scope):
                self._entries[scope] = {
                    "settled": ledger.settled,
                    "bits": ledger.bits,
                    "prints": ledger.text(),
                }
            else:
                self._entries[scope] = {
                    **self._entries[scope],
                    "prints": self._unlisted[scope].known_text(),
                }
        self._stale.clear()
        state: dict[str, Any] = {"version": VERSION, "readAt": self.read_at}
        if self._entries:
            settled = sum(
                entry["settled"]
                for entry in self._entries.values()
                if isinstance(entry.get("settled"), int)
            )
            state["summary"] = (
                f"{settled:,} {self.things[0]} in {len(self._entries):,} {self.things[1]} delivered as they are"
            )
            state["ledgers"] = dict(self._entries)
        if self.marks:
            state["marks"] = dict(self.marks)
        if self._keys:
            state["keys"] = dict(self._keys)
        if self.doubted:
            state["doubted"] = sorted(self.doubted)
        if self._start:
            state["startDate"] = iso_time(self._start)
        return state

    def close(self) -> None:
        """The stream has ended, and its last state was asked for: what was held to make it takes 40 MB with 100,000 boxes."""
        self._ledgers.clear()
        self._unlisted.clear()

    def _load(self, scope: str) -> Ledger:
        entry = self._entries.get(scope)
        if entry is None:
            return Ledger()
        try:
            return Ledger.of(entry["prints"], entry["bits"])
        except (Unreadable, KeyError, TypeError):
            self.complaint = DAMAGED
            return Ledger()

    def _ledger_entries(self, entries: Any) -> dict[str, dict[str, Any]]:
        known = entries if isinstance(entries, dict) else {}
        whole = {
            scope: entry
            for scope, entry in known.items()
            if isinstance(entry, dict) and _writable({scope: entry})
        }
        if entries is not None and len(whole) < max(len(known), not isinstance(entries, dict)):
            self.complaint = DAMAGED
        return whole

    def _key_texts(self, texts: Any) -> dict[str, str]:
        known = texts if isinstance(texts, dict) else {}
        whole = {
            scope: text
            for scope, text in known.items()
            if isinstance(text, str) and _writable({scope: text})
        }
        if texts is not None and len(whole) < max(len(known), not isinstance(texts, dict)):
            self.complaint = KEYS_DAMAGED
        return whole

    def _marks(self, marks: Any) -> dict[str, int]:
        if marks is None:
            return {}
        if (
            isinstance(marks, dict)
            and _writable(marks)
            and all(type(mark) is int and 0 <= mark <= LAST_MS for mark in marks.values())
        ):
            return dict(marks)
        self.complaint = DAMAGED
        return {}


def _writable(part: Any) -> bool:
    """Whether a part of the state can be handed on as it is: not with numbers beyond 64 bits or halves of letters in it."""
    try:
        orjson.dumps(part)
    except TypeError:
        return False
    return True


def _pack(keys: set[str]) -> str:
    """Streak's keys have most of their letters in common: about 10 bytes each are left."""
    return base64.b64encode(zlib.compress("\n".join(sorted(keys)).encode(), 9)).decode()


def _unpack(text: str) -> set[str]:
    try:
        return set(zlib.decompress(base64.b64decode(text, validate=True)).decode().split())
    except (ValueError, zlib.error, binascii.Error) as error:
        raise Unreadable(str(error)) from error
