"""Tells whether a refusal concerns one thing or the key itself, and whether Streak answers at all.

Streak answers 401 both to a wrong key and for data that a key may not see
(https://streak.readme.io/reference/error-codes), and a proxy now and then does so for no reason. So
a refusal is believed only if users/me works and the same request is refused again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from source_streak.api import errors
from source_streak.api.client import Client, json_of
from source_streak.api.clock import Clock
from source_streak.api.errors import Reason, Refused, Unanswered, WrongKey
from source_streak.api.paging import Params, Row, WrongShape, key_of
from source_streak.api.transport import Response

T = TypeVar("T")
PROVED_FOR = 60.0  # seconds for which the key is believed to work, or Streak to be unreachable


class Access:
    """What one API key gets from Streak. All methods block, and may be called from any thread."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self.client = client
        self._clock = clock
        self._wrong_key: WrongKey | None = None
        self._proved_at = self._unanswered_at = float("-inf")
        self._unanswered: Unanswered | None = None
        self._proving, self._looking = threading.Lock(), threading.Lock()

    def get(
        self,
        path: str,
        params: Params,
        read: Callable[[Response], T],
        *,
        alone: bool = False,
        patience: float | None = None,
    ) -> T:
        """Like Client.get, but repeats a request that was refused with 401 or 403.

        If it raises Refused with one of these, the key itself works. Raises WrongKey if not.
        """
        self.check()
        try:
            return self.client.get(path, params, read, alone=alone, patience=patience)
        except Refused as refusal:
            if errors.reason_of(refusal) is not Reason.NO_ACCESS:
                raise
            self.prove_key()
            return self.client.get(path, params, read, alone=alone, patience=patience)

    def me(self) -> Row:
        """The user of this key. Raises WrongKey. https://streak.readme.io/reference/get-me"""
        try:
            return self._ask_me()
        except Refused as refusal:
            if errors.reason_of(refusal) is not Reason.NO_ACCESS:
                raise errors.failure(refusal, "the API key's user") from refusal
        try:
            return self._ask_me()
        except Refused as refusal:
            self._wrong_key = WrongKey(refusal)
            raise self._wrong_key from refusal

    def prove_key(self) -> None:
        """Raise WrongKey if Streak does not know the key. Asks at most once a minute."""
        with self._proving:
            self.check()
            if self._clock.monotonic() - self._proved_at > PROVED_FOR:
                self.me()
                self._proved_at = self._clock.monotonic()

    def check(self) -> None:
        """Raise WrongKey if an earlier request has found the key to be wrong."""
        if self._wrong_key:
            raise self._wrong_key

    def see_an_answer(self) -> None:
        """Raise Unanswered if Streak has stopped answering altogether.

        One thread at a time asks, at most once a minute.
        """
        with self._looking:
            if not self.client.down:
                return
            if (
                self._unanswered is None
                or self._clock.monotonic() - self._unanswered_at > PROVED_FOR
            ):
                try:
                    self.me()
                    return
                except Unanswered as unanswered:
                    self._unanswered, self._unanswered_at = unanswered, self._clock.monotonic()
            raise self._unanswered

    def require_an_answer(self, what: str) -> None:
        """Raise StreakError, about `what`, if Streak has stopped answering altogether."""
        if self.client.down:
            try:
                self.see_an_answer()
            except Unanswered as unanswered:
                raise errors.failure(unanswered, what) from unanswered

    def _ask_me(self) -> Row:
        return self.client.get("v1/users/me", {}, one_object)


def one_object(response: Response) -> Row:
    """The object in an answer. Raises WrongShape for anything but an object with a key."""
    body = json_of(response)
    if not isinstance(body, dict) or not key_of(
        body, ("key", "userKey", "boxKey", "pipelineKey", "teamKey")
    ):
        raise WrongShape("an object with a key was expected")
    return body
