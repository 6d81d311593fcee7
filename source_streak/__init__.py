"""An Airbyte source connector for Streak, the CRM inside Gmail."""

from __future__ import annotations

from typing import Any

__all__ = ["SourceStreak"]


def __getattr__(name: str) -> Any:
    """Import `source_streak.SourceStreak` only when it is used.

    run.py has to prepare the process before the framework is loaded.
    """
    if name == "SourceStreak":
        from source_streak.source import SourceStreak

        return SourceStreak
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
