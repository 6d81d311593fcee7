"""Which rows the destination holds, so that deletions can be reported.

Row keys are kept by scope (pipeline or team key) and parent (box, contact or organization key).  In
the state, each scope is one text: sorted JSON, compressed.  A scope is unpacked when it is asked
about, and packed again when it has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from io import BytesIO
from itertools import chain

import msgspec
import orjson

from source_streak.incremental.packed import Unreadable, pack, unpack

NOTHING = b"[]\n"
TEXTS = msgspec.json.Decoder(list[str])
SHARED = 10_000  # lines that are kept only once each: in most boxes, the same fields are set


class Delivered:
    """Keys of rows, by scope and parent.

    `keeps_empty`: parents without row keys are remembered too, for streams whose rows are the
    parents themselves.
    """

    def __init__(self, texts: Mapping[str, str] | None = None, keeps_empty: bool = False) -> None:
        self.complaint = False  # whether a text could not be read, so that its scope is forgotten
        self._keeps_empty = keeps_empty
        self._texts = dict(texts or {})  # by scope, as last packed
        # Unpacked scopes: parent -> its rows' keys as a line of JSON, a third of a set's memory.
        self._scopes: dict[str, dict[str, bytes]] = {}
        self._shared: dict[bytes, bytes] = {NOTHING: NOTHING}
        self._changed: set[str] = set()
        self._given_up = False

    def scopes(self) -> set[str]:
        """The scopes that are not empty."""
        unpacked = {scope for scope, parents in self._scopes.items() if parents}
        return unpacked | self._texts.keys() - self._scopes.keys()

    def parents(self, scope: str) -> Set[str]:
        """The parents remembered in a scope, as a view: copy it before you change the scope."""
        return self._scope(scope).keys()

    def rows(self, scope: str, parent: str) -> frozenset[str]:
        """The keys of a parent's rows."""
        return frozenset(orjson.loads(self._scope(scope).get(parent, NOTHING)))

    def holds(self, scope: str, parent: str) -> bool:
        """Whether a parent is remembered."""
        return parent in self._scope(scope)

    def remember(self, scope: str, parent: str, rows: Iterable[str] = ()) -> None:
        """Add rows that are about to go out to those that a parent has already."""
        known = self._scope(scope).get(parent)
        self._put(scope, parent, rows if known is None else chain(orjson.loads(known), rows))

    def replace(self, scope: str, parent: str, rows: Iterable[str] = ()) -> None:
        """Set the rows of a parent. Without rows it is forgotten, unless `keeps_empty`."""
        self._put(scope, parent, rows)

    def share(self, scope: str, keys: Iterable[str]) -> None:
        """Hold these objects in place of equal parents: a second copy of a key takes 130 bytes."""
        known = self._scope(scope)
        shared = {key: known[key] for key in keys if key in known}
        self._scopes[scope] = shared | {key: known[key] for key in known.keys() - shared.keys()}

    def forget(self, scope: str, parents: Iterable[str]) -> None:
        """Forget these parents and their rows."""
        known = self._scope(scope)
        for parent in list(parents):
            if known.pop(parent, None) is not None:
                self._changed.add(scope)

    def forget_scope(self, scope: str) -> None:
        """Forget a whole pipeline or team."""
        for kept in (self._texts, self._scopes):
            kept.pop(scope, None)
        self._changed.discard(scope)

    def move(self, parent: str, old_scope: str, new_scope: str) -> None:
        """Move a parent and its rows to another scope."""
        if old_scope != new_scope and self.holds(old_scope, parent):
            self.remember(new_scope, parent, self.rows(old_scope, parent))
            self.forget(old_scope, [parent])

    def give_up(self) -> None:
        """Forget everything, and remember nothing from now on."""
        self._given_up = True
        for kept in (self._texts, self._scopes, self._changed):
            kept.clear()

    def size(self) -> int:
        """How many bytes all keys take in the state."""
        return sum(len(scope) + len(text) + FRAMING for scope, text in self._packed().items())

    def texts(self) -> dict[str, str]:
        """The packed texts for the state, by scope."""
        return dict(self._packed())

    def _put(self, scope: str, parent: str, rows: Iterable[str]) -> None:
        if self._given_up:
            return
        known = self._scope(scope)
        # The line end makes a copy of the right length: orjson's own bytes take 1 KB and more.
        line = orjson.dumps(sorted(set(rows))) + b"\n"
        if line == NOTHING and not self._keeps_empty:
            self.forget(scope, [parent])
        elif known.get(parent) != line:
            known[parent] = self._once(line)
            self._changed.add(scope)

    def _once(self, line: bytes) -> bytes:
        """One object for all equal lines, which saves memory."""
        if len(self._shared) < SHARED:
            return self._shared.setdefault(line, line)
        return self._shared.get(line, line)

    def _scope(self, scope: str) -> dict[str, bytes]:
        if scope not in self._scopes:
            try:
                text = self._texts.get(scope)
                self._scopes[scope] = {} if text is None else self._unpacked(text)
            except Unreadable:
                self.complaint = True
                self._scopes[scope] = {}
                self._texts.pop(scope)
        return self._scopes[scope]

    def _packed(self) -> dict[str, str]:
        for scope in self._changed:
            self._texts.pop(scope, None)
            if parents := self._scopes[scope]:
                # All keys of parents, then all keys of rows: similar texts pack best together.
                order = sorted(parents)
                lines = map(parents.__getitem__, order)
                self._texts[scope] = pack(orjson.dumps(order), b"\n", *lines)
        self._changed.clear()
        return self._texts

    def _unpacked(self, text: str) -> dict[str, bytes]:
        content = unpack(text)
        end = content.find(b"\n") + 1
        lines = BytesIO(content)
        lines.seek(end)
        try:
            parents = _texts_in(memoryview(content)[:end])  # no copy of it
            rows = [self._once(line) for line in lines if _texts_in(line) is not None]
            return dict(zip(parents, rows, strict=True))
        except ValueError as error:
            raise Unreadable(str(error)) from error


FRAMING = len('"": "", ')  # what a scope takes in the state beside its key and its text


def _texts_in(line: bytes | memoryview) -> list[str]:
    """The texts in a line. Read by msgspec: orjson would reserve twelve times the line's size."""
    try:
        texts: list[str] = TEXTS.decode(line)
    except msgspec.DecodeError as error:
        raise Unreadable(str(error)) from error
    if line[-1:] != b"\n":
        raise Unreadable("a line with a list of texts was expected")
    return texts
