"""How a stream is read: in full or incrementally, and with which columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """Whether a stream is read in full, and which of its columns are delivered.

    `whole`: a full refresh. `columns`: those of the configured schema; None means all.
    """

    whole: bool = True
    columns: frozenset[str] | None = None
