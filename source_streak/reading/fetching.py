"""Fetches the lists of parents, several at a time.

Answers come in the parents' order. Workers write nothing that is shared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

from source_streak.api.access import Access
from source_streak.api.bounds import Bound
from source_streak.api.clock import Clock
from source_streak.api.errors import Level, Refused, Unanswered
from source_streak.api.paging import Page, Pager, Params, Row, collect, key_of, read_list
from source_streak.api.transport import Response
from source_streak.reading.heartbeat import LOOK_EVERY
from source_streak.reading.parents import ENTITIES, Parent


class Asked(Protocol):
    """What a stream says about its requests: the hooks of HttpStream, and a few facts."""

    parent: Level
    pager: Pager
    key_names: tuple[str, ...]

    def path(self, *, stream_slice: Mapping[str, Any] | None = None) -> str: ...

    def request_params(
        self,
        stream_state: Mapping[str, Any] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> Params: ...

    def parse_response(self, response: Response) -> Iterable[Mapping[str, Any]]: ...

    def next_page_token(self, response: Response) -> Mapping[str, Any] | None: ...

    def expected(self, row: Row) -> int | None: ...


class Answer(NamedTuple):
    """One parent's rows, or the refusal that came instead."""

    parent: Parent
    rows: Iterable[Row] = ()
    refusal: Refused | Unanswered | None = None
    ended_early: bool = False
    empty_twice: bool = False


@dataclass(frozen=True)
class Doubts:
    """How persistently a list is requested.

    `patience`: as in Client.get. `believe_empty`: do not ask again for an empty list.
    """

    patience: float | None = None
    believe_empty: bool = False


def fetch(stream: Asked, access: Access, bound: Bound, doubts: Doubts, parent: Parent) -> Answer:
    """Fetch one parent's whole list. Runs in a worker thread. `bound`: of all lists under way."""
    path = stream.path(stream_slice=parent.keys)
    empty_twice = False

    def ask(token: Params) -> Page:
        params = stream.request_params(stream_slice=parent.keys, next_page_token=token)
        read = partial(page_of, stream)
        return access.get(
            path, params, read, alone=stream.parent in ENTITIES, patience=doubts.patience
        )

    def page(token: Params) -> Page:
        nonlocal empty_twice
        first = ask(token)
        if first.rows or doubts.believe_empty or token != stream.pager.first():
            return first
        second = ask(token)
        empty_twice = not second.rows
        return second

    pages = read_list(
        stream.pager,
        page,
        stream.expected(parent.row),
        identify=lambda row: key_of(row, stream.key_names),
    )
    try:
        rows, whole = collect(pages, bound)
    except (Refused, Unanswered) as refusal:
        return Answer(parent, refusal=refusal)
    return Answer(parent, rows, ended_early=not whole, empty_twice=empty_twice)


def page_of(stream: Asked, response: Response) -> Page:
    """The page in a response, by the stream's hooks. Raises WrongShape for one to ask for again."""
    token = stream.next_page_token(response) or {}
    return Page(
        [dict(row) for row in stream.parse_response(response)],
        token.get("more"),
        token.get("cursor"),
    )


def rolling(
    pool: ThreadPoolExecutor,
    work: Callable[[Parent], Answer],
    parents: Iterator[Parent | None],
    ahead: int,
    clock: Clock,
) -> Iterator[Answer | None]:
    """Do the work for all parents, with `ahead` of them under way at a time.

    Yields the answers in the parents' order, and None while waiting.
    """
    pending: deque[Future[Answer]] = deque()
    try:
        while True:
            for parent in parents if len(pending) < ahead else ():
                if parent is None:
                    yield None
                    continue
                pending.append(pool.submit(work, parent))
                if len(pending) >= ahead:
                    break
            if not pending:
                return
            if clock.wait(pending[0], LOOK_EVERY):
                yield pending.popleft().result()
            else:
                yield None
    finally:
        for future in pending:
            future.cancel()
