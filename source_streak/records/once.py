"""A cache for what is computed from an object that many rows share.

It only saves time, and returns what the function itself would. Nobody may change such an object,
or a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MOST = 2_000  # objects that are kept; each sync brings new ones


class Once(Generic[T]):
    """A function whose results are kept by object identity, since most objects have no hash.

    The object is kept too, so that no other object can take over its id.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._made: dict[int, tuple[Any, T]] = {}

    def of(self, thing: Any) -> T:
        """The function's result for this very object."""
        made = self._made.get(id(thing))
        if made is None or made[0] is not thing:
            if len(self._made) >= MOST:
                self._made.clear()
            made = self._made[id(thing)] = (thing, self._make(thing))
        return made[1]
