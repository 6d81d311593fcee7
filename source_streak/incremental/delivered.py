"""Which rows the destination holds: what is there no longer can then be told.

By scope (pipeline or team key) and parent (box, contact or organization key) the keys of the parent's rows.  In the state each
scope is one text: JSON, sorted, compressed.  A scope is unpacked when it is asked about, and packed again when it has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from itertools import chain
from typing import Any

import orjson

from source_streak.incremental.packed import Unreadable, pack, unpack

NOTHING = "[]"


class Delivered:
    """Keys of rows, by scope and parent.

    `keeps_empty`: parents without row keys are remembered too, as streams want whose rows are the parents themselves.
    """

    def __init__(self, texts: Mapping[str, str] | None = None, keeps_empty: bool = False) -> None:
        self.complaint = False  # whether a text could not be read, so that its scope is forgotten
        self._keeps_empty = keeps_empty
        self._texts = dict(texts or {})  # of scopes as they were when they were packed last
        self._scopes: dict[
            str, dict[str, str]
        ] = {}  # those unpacked: parent -> JSON array of its rows' keys, sorted
        self._changed: set[str] = set()
        self._given_up = False

    def scopes(self) -> set[str]:
        """Those that there is something in."""
        return self._texts.keys() | {scope for scope, parents in self._scopes.items() if parents}

    def parents(self, scope: str) -> Set[str]:
        """A view that follows changes: copy it to change what it shows while going over it."""
        return self._scope(scope).keys()

    def rows(self, scope: str, parent: str) -> frozenset[str]:
        """The keys of a parent's rows."""
        return frozenset(orjson.loads(self._scope(scope).get(parent, NOTHING)))

    def holds(self, scope: str, parent: str) -> bool:
        """Whether anything is remembered of a parent."""
        return parent in self._scope(scope)

    def remember(self, scope: str, parent: str, rows: Iterable[str] = ()) -> None:
        """These rows are about to go out, beside those that did before."""
        known = self._scope(scope).get(parent)
        self._put(scope, parent, rows if known is None else chain(orjson.loads(known), rows))

    def replace(self, scope: str, parent: str, rows: Iterable[str] = ()) -> None:
        """These rows and no others are there now; of a parent without rows nothing is kept, unless `keeps_empty`."""
        self._put(scope, parent, rows)

    def forget(self, scope: str, parents: Iterable[str]) -> None:
        """Nothing is there any more of these."""
        known = self._scope(scope)
        for parent in list(parents):
            if known.pop(parent, None) is not None:
                self._changed.add(scope)

    def forget_scope(self, scope: str) -> None:
        """Nothing is there any more of a whole pipeline or team."""
        for kept in (self._texts, self._scopes):
            kept.pop(scope, None)
        self._changed.discard(scope)

    def move(self, parent: str, old_scope: str, new_scope: str) -> None:
        """A parent is in another pipeline now, and its rows with it."""
        if old_scope != new_scope and self.holds(old_scope, parent):
            self.remember(new_scope, parent, self.rows(old_scope, parent))
            self.forget(old_scope, [parent])

    def give_up(self) -> None:
        """Forget all, and remember nothing from now on."""
        self._given_up = True
        for kept in (self._texts, self._scopes, self._changed):
            kept.clear()

    def size(self) -> int:
        """How many bytes it takes in the state."""
        return sum(len(scope) + len(text) + FRAMING for scope, text in self._packed().items())

    def texts(self) -> dict[str, str]:
        """For the state, by scope."""
        return dict(self._packed())

    def _put(self, scope: str, parent: str, rows: Iterable[str]) -> None:
        if self._given_up:
            return
        known = self._scope(scope)
        text = orjson.dumps(sorted(set(rows))).decode()
        if text == NOTHING and not self._keeps_empty:
            self.forget(scope, [parent])
        elif known.get(parent) != text:
            known[parent] = NOTHING if text == NOTHING else text
            self._changed.add(scope)

    def _scope(self, scope: str) -> dict[str, str]:
        if scope not in self._scopes:
            try:
                self._scopes[scope] = _unpacked(self._texts[scope]) if scope in self._texts else {}
            except Unreadable:
                self.complaint = True
                self._scopes[scope] = {}
                self._texts.pop(scope)
        return self._scopes[scope]

    def _packed(self) -> dict[str, str]:
        for scope in self._changed:
            self._texts.pop(scope, None)
            if parents := self._scopes[scope]:
                self._texts[scope] = _packed(parents)
        self._changed.clear()
        return self._texts


FRAMING = len('"": "", ')  # what a scope costs in the state beside its key and its text


def _packed(parents: Mapping[str, str]) -> str:
    """All keys of parents, then the keys of all rows: like beside like packs best."""
    order = sorted(parents)
    return pack(
        b"[%b,[%b]]"
        % (orjson.dumps(order), ",".join([parents[parent] for parent in order]).encode())
    )


def _unpacked(text: str) -> dict[str, str]:
    try:
        parents, rows = orjson.loads(unpack(text))
        columns = [orjson.dumps(keys).decode() for keys in rows if _are_texts(keys)]
        if not _are_texts(parents) or len(columns) != len(rows):
            raise Unreadable("texts were expected")
        return dict(zip(parents, columns, strict=True))
    except (ValueError, TypeError) as error:
        raise Unreadable(str(error)) from error


def _are_texts(keys: Any) -> bool:
    return isinstance(keys, list) and {str}.issuperset(map(type, keys))
