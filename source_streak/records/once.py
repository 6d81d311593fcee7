"""What follows from an object that many rows share, made once.

A fast path: it gives what the function itself would give.  Nobody changes such objects, or what is
made of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MOST = 2_000  # objects that are kept, of which each sync has others


class Once(Generic[T]):
    """A function, and what it made of each object: by its identity, for most cannot be hashed.

    The object is kept too, so that no other one gets its place.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._made: dict[int, tuple[Any, T]] = {}

    def of(self, thing: Any) -> T:
        """What the function makes of this very object."""
        made = self._made.get(id(thing))
        if made is None or made[0] is not thing:
            if len(self._made) >= MOST:
                self._made.clear()
            made = self._made[id(thing)] = (thing, self._make(thing))
        return made[1]
