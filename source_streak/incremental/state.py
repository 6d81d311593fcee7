"""The state of one incremental stream, read and written.

    {"version": 2, "readAt": "2026-11-21T18:00:00.000Z",
     "summary": "1,234 boxes in 3 pipelines are up to date",
     "user": "<key of the API key's user>", "startDate": "2024-01-01T00:00:00.000Z",
     "ledgers": {"<pipeline or team key>": "<boxes delivered>.<bits>.<base64>"},
     "keys": {"<pipeline or team key>": "<base64>"}, "unlisted": {"<the same>": "<base64>"},
     "untold": {"<the same>": "<base64>"}, "keysGivenUp": true,
     "suspected": {"missing:<pipeline key>": {"since": 1795284000000, "value": 12}},
     "events": {"<pipeline key>": "<time>.<base64>"},
     "clock": "<the clock's time, where it was behind readAt>"}

A state that cannot be read, in whole or in part, is forgotten, and a warning says so once.  What is
not remembered is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from source_streak.incremental.delivered import Delivered
from source_streak.incremental.events import Events
from source_streak.incremental.fingerprint import fingerprint, recheck_slot
from source_streak.incremental.ledger import Ledger
from source_streak.incremental.packed import Unreadable
from source_streak.incremental.room import EVERYTHING
from source_streak.incremental.sights import HOUR_MS, Sight, Sights
from source_streak.records.shape import DAY_MS, LAST_MS, iso_time, milliseconds_of

VERSION = 2
OLD = "The state is from version 0.1.0 and can no longer be used: everything is read again, once."
FOREIGN = "The state is in a format that this version does not know: everything is read again."
DAMAGED = "Part of the state is damaged: what it covered is read again."
KEYS_DAMAGED = "Part of the state is damaged: deletions before this sync may not be reported."


class StreamState:
    """What one stream remembers.

    `now`: the time of this sync. `start`: the setting start_date. Both in epoch milliseconds.
    `keeps_empty`: the stream's rows are the boxes (contacts, …) themselves.
    """

    def __init__(
        self,
        saved: Mapping[str, Any],
        now: int,
        recheck_days: int,
        start: int | None = None,
        keeps_empty: bool = False,
    ) -> None:
        self.first = not saved  # whether no earlier sync can have delivered anything
        self.things = ("rows", "lists")  # in words, for the summary
        self.share = EVERYTHING
        self._now, self._recheck_days, self._start = now, recheck_days, start
        read = _Saved(saved)
        self._complaints = read.complaints
        last_read = read.time("clock") or read.time("readAt")
        # The last sync's time in epoch milliseconds; None if unknown, or later than now.
        self.last_read = last_read if last_read is not None and last_read <= now else None
        read_at = min(LAST_MS, max(now, min(read.time("readAt") or 0, LAST_MS - 1) + 1))
        # The time of this sync (milliseconds; ISO), always later than that of any earlier sync.
        self._read_at, self.read_at = read_at, str(iso_time(read_at))
        self.start_moved, self.start_moved_forward = read.start_moved(start)
        self.user = read.text("user")
        self._ledger_texts = read.texts("ledgers", DAMAGED)
        self.delivered = Delivered(read.texts("keys", KEYS_DAMAGED), keeps_empty)
        self.unlisted = Delivered(read.texts("unlisted", DAMAGED))
        # Boxes with rows whose deletion was not reported, because deletions are not tracked.
        self.untold = Delivered(read.texts("untold", DAMAGED), keeps_empty=True)
        self.events = Events(read.texts("events", DAMAGED))
        self.sights = Sights(read.sights(), now)
        self.keys_given_up = False  # there was no room for them, now or in an earlier sync
        if read.keys_given_up:
            self.give_up_keys()
        self._ledgers: dict[str, Ledger] = {}
        self._listed: set[str] = set()
        self._keeping: set[str] = set()  # scopes that keep entries of unlisted boxes
        self._stale: set[str] = set()

    @property
    def complaint(self) -> str:
        """Sentences about what could not be read of the state so far; empty if nothing."""
        found = dict(self._complaints)
        if self.unlisted.complaint or self.untold.complaint or self.events.complaint:
            found[DAMAGED] = None
        if self.delivered.complaint:
            found[KEYS_DAMAGED] = None
        return " ".join(found)

    # What to read

    def listing(self, scopes: Iterable[str]) -> None:
        """Note which pipelines (or teams) this sync has lists of, before the first `compare`."""
        self._listed |= set(scopes)

    def compare(
        self,
        scope: str,
        entries: Iterable[tuple[str, Any]],
        total: int,
        keep: Iterable[str] = (),
    ) -> None:
        """Compare with what is listed now in a pipeline (or team).

        `entries`: the key of each box, and what is visible of it. `total`: how many boxes all lists
        hold. `keep`: keys in no list, about which nothing is concluded yet: their entries stay.
        """
        keep = set(keep)
        day = self._now // DAY_MS
        self._listed.add(scope)
        total += sum(map(self._count_in, self._ledger_texts.keys() - self._listed))
        ledger = self._ledger(scope)
        prints = (
            (key, fingerprint(key, visible, recheck_slot(key, day, self._recheck_days)))
            for key, visible in entries
        )
        ledger.compare(prints, total, keep, self.share.entries)
        self._stale.add(scope)
        if keep:
            self._keeping.add(scope)
        self._release_elsewhere(scope, ledger)

    def _release_elsewhere(self, scope: str, ledger: Ledger) -> None:
        """Make other ledgers stop claiming boxes that are about to be delivered from this one."""
        others = self._ledger_texts.keys() - self._listed | self._keeping - {scope}
        differing = ledger.differing() if others else []
        for other in others if differing else ():
            if self._ledger(other).release(differing):
                self._stale.add(other)

    def differs(self, scope: str, key: str) -> bool:
        """Whether to read a listed box (contact, …)."""
        return self._ledger(scope).differs(key)

    def knows(self, scope: str, key: str) -> bool:
        """Whether an earlier sync delivered a box (or another that shares its entry)."""
        return self._ledger(scope).knows(key)

    def mark_delivered(self, scope: str, key: str) -> None:
        """Note that the rows of a box that differs were emitted. Call it once for each such box."""
        self._ledger(scope).mark_delivered(key)
        self._stale.add(scope)

    def forget(self, scope: str, keys: Iterable[str]) -> None:
        """Have these boxes read when they are listed."""
        self._ledger(scope).forget(keys)
        self._stale.add(scope)

    def forget_scope(self, scope: str) -> None:
        """Forget a pipeline (or team) that is gone. Its `delivered` keys stay, to be reported."""
        for known in (self._ledger_texts, self._ledgers):
            known.pop(scope, None)
        for scopes in (self._stale, self._keeping):
            scopes.discard(scope)
        for remembered in (self.unlisted, self.untold, self.events):
            remembered.forget_scope(scope)
        self.sights.unsee_all_of(scope)

    def scopes(self) -> set[str]:
        """The pipelines (or teams) that have ledgers."""
        return self._ledger_texts.keys() | self._stale

    # Keys, and their room

    def keys_fit(self) -> bool:
        """Whether the remembered keys fit into the stream's share."""
        remembered = (self.delivered, self.unlisted, self.untold)
        return sum(part.size() for part in remembered) <= self.share.key_bytes

    def give_up_keys(self) -> None:
        """Remember no keys, in this sync and in those that follow: there is no room.

        If they were remembered again later, deletions in between would never be reported.
        """
        self.keys_given_up = True
        for remembered in (self.delivered, self.unlisted, self.untold):
            remembered.give_up()

    # The state

    def as_dict(self) -> dict[str, Any]:
        """The content of a STATE message, as of now. Only what changed since the last is packed."""
        for scope in self._stale:
            ledger = self._ledgers[scope]
            self._ledger_texts.pop(scope, None)
            if ledger.delivered_count:
                self._ledger_texts[scope] = ledger.text()
        self._stale.clear()
        parts = {
            "summary": self._summary() if self._ledger_texts else None,
            "user": self.user,
            "startDate": iso_time(self._start) if self._start else None,
            "ledgers": dict(self._ledger_texts),
            "keys": self.delivered.texts(),
            "keysGivenUp": self.keys_given_up,
            "unlisted": self.unlisted.texts(),
            "untold": self.untold.texts(),
            "suspected": self.sights.as_dict(),
            "events": self.events.texts(),
            "clock": iso_time(self._now) if self._now < self._read_at else None,
        }
        state: dict[str, Any] = {"version": VERSION, "readAt": self.read_at}
        return state | {name: part for name, part in parts.items() if part}

    def close(self) -> None:
        """Free the ledgers, once the stream has ended and its last state has been made."""
        self._ledgers.clear()
        self._stale.clear()

    def _summary(self) -> str:
        delivered = sum(map(self._count_in, self._ledger_texts))
        (many, lists), scopes = self.things, len(self._ledger_texts)
        return f"{delivered:,} {many} in {scopes:,} {lists} are up to date"

    def _count_in(self, scope: str) -> int:
        try:
            return Ledger.count_in(self._ledger_texts[scope])
        except Unreadable:
            return 0

    def _ledger(self, scope: str) -> Ledger:
        if scope not in self._ledgers:
            try:
                text = self._ledger_texts.get(scope)
                self._ledgers[scope] = Ledger() if text is None else Ledger.from_text(text)
            except Unreadable:
                self._complaints[DAMAGED] = None
                self._ledgers[scope] = Ledger()
                del self._ledger_texts[scope]
        return self._ledgers[scope]


def shortfalls_in(saved: Iterable[Mapping[str, Any]], now: int) -> dict[str, tuple[int, bool]]:
    """By pipeline, by how many boxes its list fell short of Streak's count in earlier syncs.

    Also whether it was already so an hour ago. `saved`: the states of all streams.
    """
    found: dict[str, tuple[int, bool]] = {}
    for state in saved:
        for what, (since, value) in _Saved(state).sights().items():
            kind, _, scope = what.partition(":")
            if kind == "count" and value is not None:
                found[scope] = value, now - since >= HOUR_MS
    return found


class _Saved:
    """Reads the parts of a saved state, whatever it holds."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        self.complaints: dict[str, None] = {}  # sentences, in order
        self._saved = saved
        version = saved.get("version")
        if saved and version != VERSION:
            self._saved = {}
            self.complaints[OLD if version == 1 else FOREIGN] = None
        if self._saved and self.time("readAt") is None:
            self.complaints[DAMAGED] = None

    def time(self, name: str) -> int | None:
        """A time in epoch milliseconds; None where there is none."""
        return milliseconds_of(self._saved.get(name))

    def start_moved(self, start: int | None) -> tuple[bool, bool]:
        """Whether the start date has changed since the last sync, and whether it is later now."""
        then = self.time("startDate")
        if "startDate" in self._saved and then is None:
            self.complaints[DAMAGED] = None
            return True, start is not None
        moved = bool(self._saved) and (then or 0) != (start or 0)
        return moved, moved and (start or 0) > (then or 0)

    def text(self, name: str) -> str | None:
        """A text; None if it is missing or unsound."""
        text = self._saved.get(name)
        if text is None or (isinstance(text, str) and _is_sound(text)):
            return text
        self.complaints[DAMAGED] = None
        return None

    def texts(self, name: str, sentence: str) -> dict[str, str]:
        """Packed texts by scope. `sentence`: the complaint if some are not sound."""
        return self._sound(
            name,
            sentence,
            lambda text: isinstance(text, str) and text.isascii() and _is_sound(text),
        )

    def sights(self) -> dict[str, Sight]:
        """The sights of earlier syncs."""
        sights = self._sound("suspected", DAMAGED, _is_sight)
        return {what: Sight(sight["since"], sight.get("value")) for what, sight in sights.items()}

    @property
    def keys_given_up(self) -> bool:
        """Whether an earlier sync had no room for keys. Anything but true means no."""
        return self._saved.get("keysGivenUp") is True

    def _sound(self, name: str, sentence: str, is_sound: Callable[[Any], bool]) -> dict[str, Any]:
        part = self._saved.get(name, {})
        parts = part if isinstance(part, dict) else {}
        sound = {scope: one for scope, one in parts.items() if _is_sound(scope) and is_sound(one)}
        if not isinstance(part, dict) or len(sound) < len(parts):
            self.complaints[sentence] = None
        return sound


def _is_sound(text: str) -> bool:
    """Whether the platform can keep a text: it has no U+0000 and no lone surrogates."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _is_sight(sight: Any) -> bool:
    return (
        isinstance(sight, dict)
        and type(sight.get("since")) is int
        and 0 <= sight["since"] <= LAST_MS
        and (
            sight.get("value") is None
            or (type(sight["value"]) is int and abs(sight["value"]) < 2**63)
        )
    )
