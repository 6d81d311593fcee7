"""The user's settings, checked. Wrong values become sentences that say what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pendulum

from source_streak.api.errors import NEW_KEY, StreakError

STREAK = "https://api.streak.com/api/"
CREDENTIALS = re.compile(r"//[^/]*@")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
SHORTEST_SECRET = 8  # characters; no key is shorter, and hiding a short text would garble messages
LONGEST_QUOTED = 50  # characters of a wrong value
DEFAULT_RATE = 8
DEFAULT_RECHECK_DAYS = 30


@dataclass(frozen=True)
class Config:
    """The settings of one connection. `pipelines` are names or keys; empty means all."""

    api_key: str = field(repr=False)
    pipelines: tuple[str, ...] = ()
    requests_per_second: int = DEFAULT_RATE
    start: int | None = None  # epoch milliseconds
    recheck_days: int = DEFAULT_RECHECK_DAYS
    pipeline_tables: bool = True
    track_deletions: bool = True
    api_url: str = STREAK

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Config:
        """Check what the spec's JSON schema cannot express. Raises StreakError for wrong values."""
        return cls(
            api_key=_api_key(settings.get("api_key")),
            pipelines=tuple(
                name.strip() for name in settings.get("pipelines") or () if name.strip()
            ),
            requests_per_second=int(settings.get("requests_per_second") or DEFAULT_RATE),
            start=_start(settings.get("start_date")),
            recheck_days=DEFAULT_RECHECK_DAYS
            if settings.get("recheck_days") is None
            else int(settings["recheck_days"]),
            pipeline_tables=settings.get("pipeline_tables") is not False,
            track_deletions=settings.get("track_deletions") is not False,
            api_url=_api_url(os.environ.get("STREAK_API_URL")),
        )

    def without_effect(self, now: int) -> list[str]:
        """A warning for each setting that is likely a mistake. `now`: epoch milliseconds."""
        sentences = []
        if self.start is not None and self.start > now:
            sentences.append(
                "The start date is in the future: every box with no activity after it is left out."
            )
        twice = sorted({name for name in self.pipelines if self.pipelines.count(name) > 1})
        if twice:
            named = ", ".join(f'"{name}"' for name in twice)
            sentences.append(
                f'The setting "Pipelines" names {named} more than once: once is enough.'
            )
        return sentences


def _api_key(value: Any) -> str:
    key = value.strip() if isinstance(value, str) else ""
    if not key:
        raise StreakError(
            f'The setting "API Key" is empty. {NEW_KEY}, and paste it into this setting.',
            "config_error",
        )
    if not all("!" <= letter <= "~" for letter in key) or ":" in key:
        raise StreakError(
            'The setting "API Key" contains characters that no Streak key has (a space, a '
            "colon, a letter with an accent): part of the key is missing, or something else was "
            f"copied with it. {NEW_KEY}, and paste it into this setting.",
            "config_error",
        )
    return key


def _start(value: Any) -> int | None:
    """Epoch milliseconds of an ISO date or date-time, which is UTC unless it has a time zone."""
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    try:
        moment = pendulum.parse(text, exact=True) if text[0].isdigit() else None
    except Exception:  # for texts such as "4:" the parser raises errors of all kinds
        moment = None
    if isinstance(moment, pendulum.Date) and not isinstance(moment, pendulum.DateTime):
        moment = pendulum.datetime(moment.year, moment.month, moment.day)
    if not isinstance(moment, pendulum.DateTime):
        raise StreakError(
            f'The setting "Start Date" is "{text[:LONGEST_QUOTED]}", which is not a date. '
            "Write it like 2024-01-31 or 2024-01-31T09:00:00Z.",
            "config_error",
        )
    return int(moment.timestamp() * 1000)


def _api_url(address: str | None) -> str:
    """The API's address. The sandbox replaces it with STREAK_API_URL.

    It is not a setting, because anyone who can edit a connection could send its key elsewhere.
    """
    if not address:
        return STREAK
    if not _allowed(address):
        raise StreakError(
            f'The environment variable STREAK_API_URL is "{CREDENTIALS.sub("//", address)}"; '
            "it must begin with https:// "
            "(http:// only for localhost or 127.0.0.1), "  # ignore-https-check: not allowed
            "and must not contain a password.",
            "config_error",
        )
    return address.rstrip("/") + "/"


def _allowed(address: str) -> bool:
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises ValueError if it is not a number
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or not address.isprintable():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
