"""How a stream is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """How a stream is read.

    `whole`: a full refresh; `columns`: those of the configured schema, None: all.
    """

    whole: bool = True
    columns: frozenset[str] | None = None
