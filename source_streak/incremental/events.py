"""What the stream newsfeed remembers of each pipeline: the events that it saw last.

Streak hands out the last 50 events of a pipeline.  An event is new if it is not among those seen,
however old its time is.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from source_streak.records.shape import LAST_MS

MOST = 50  # events of a pipeline: Streak hands out no more
HASH = 5  # bytes of a hash: two of 50 events share one once in 900 million cases


class Events:
    """Hashes of the events last seen in each pipeline, and the time of the newest event.

    Times are in epoch milliseconds. Texts are `<time>.<hashes in base64>`; the time is empty if no
    event has one.
    """

    def __init__(self, texts: Mapping[str, Any] | None = None) -> None:
        # Whether a text could not be read, so that its pipeline is forgotten.
        self.complaint = False
        self._seen: dict[str, tuple[int | None, list[bytes]]] = {}
        for scope, text in (texts or {}).items():
            try:
                self._seen[scope] = _read(text)
            except (ValueError, TypeError, AttributeError):
                self.complaint = True

    def known(self, scope: str) -> bool:
        """Whether an earlier sync saw the events of this pipeline."""
        return scope in self._seen

    def is_new(self, scope: str, key: str) -> bool:
        """Whether the event is not among those last seen."""
        return _hash(key) not in self._hashes(scope)

    def newest(self, scope: str) -> int | None:
        """The time of the newest event last seen; None if no event had one."""
        return self._seen[scope][0] if scope in self._seen else None

    def see(self, scope: str, keys: Iterable[str], newest: int | None) -> None:
        """Remember these events as seen, and earlier ones up to 50 in all."""
        hashes = dict.fromkeys([*map(_hash, keys), *self._hashes(scope)])
        self._seen[scope] = (self.newest(scope) if newest is None else newest, list(hashes)[:MOST])

    def forget_scope(self, scope: str) -> None:
        """Forget a pipeline that is gone."""
        self._seen.pop(scope, None)

    def texts(self) -> dict[str, str]:
        """The texts for the state, by pipeline."""
        return {scope: _written(newest, hashes) for scope, (newest, hashes) in self._seen.items()}

    def _hashes(self, scope: str) -> list[bytes]:
        return self._seen[scope][1] if scope in self._seen else []


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=HASH).digest()


def _written(newest: int | None, hashes: list[bytes]) -> str:
    packed = base64.b64encode(b"".join(hashes)).decode()
    return f"{'' if newest is None else newest}.{packed}"


def _read(text: str) -> tuple[int | None, list[bytes]]:
    newest, packed = text.split(".")
    hashes = base64.b64decode(packed, validate=True)
    time = int(newest) if newest else None
    if len(hashes) % HASH or len(hashes) > MOST * HASH or abs(time or 0) > LAST_MS:
        raise ValueError
    return time, [hashes[at : at + HASH] for at in range(0, len(hashes), HASH)]
