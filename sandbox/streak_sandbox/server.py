"""The sandbox as a server on 127.0.0.1: real sockets, a request log, and injected faults."""

from __future__ import annotations

import asyncio
import base64
import binascii
import collections
import contextlib
import dataclasses
import fnmatch
import socket
import struct
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from . import seed as seeds
from .account import Account
from .api import ROUTES, Call, Refusal, Route, Text
from .demo_account import demo_account
from .moods import FAULT_KINDS, Fault, Match, Moods

DEFAULT_KEY = "strk_sandbox0000000000000000000000"

SERVER_ERROR_PAGE = (
    "<html><head><title>500 Server Error</title></head><body><h1>Error: Server Error</h1>"
    "<h2>The server encountered an error and could not complete your request.</h2></body></html>"
)
LOGIN_PAGE = (
    "<!doctype html><html><head><title>Sign in</title></head>"
    "<body>Please sign in to continue.</body></html>"
)


@dataclasses.dataclass(slots=True)
class Entry:
    """One request in the log."""

    time: float  # Sandbox.monotonic() at arrival
    wall_time: float
    method: str
    path: str  # below /api/, such as "v1/pipelines/KEY/boxes"
    query: dict[str, str]
    user_agent: str
    authorized: bool
    status: int | None = None  # None: not answered yet, or not at all
    fault: str | None = None  # the kind of fault it met


@dataclasses.dataclass
class Trigger:
    match: Match
    action: Callable[[Sandbox], Any]
    before_answer: bool


class Sandbox:
    """A Streak for tests: `with Sandbox(boxes=150) as streak: requests.get(streak.url + …)`.

    `account` is an Account, "empty", "demo", or None for the default account with `boxes` boxes.
    All other keyword arguments are moods.
    """

    def __init__(
        self,
        boxes: int = 150,
        seed: int = 1,
        *,
        pipelines: int | None = None,
        account: Account | str | None = None,
        key: str = DEFAULT_KEY,
        port: int = 0,
        **moods: Any,
    ) -> None:
        self.moods = Moods(**moods)
        self.key = key
        self.account = _account(account, boxes, seed, pipelines)
        self.log: list[Entry] = []
        self.errors: list[BaseException] = []  # raised by the actions of on()
        self.monotonic: Callable[[], float] = time.monotonic  # the clock for counting requests
        self._port = port
        self._faults: list[Fault] = []
        self._triggers: list[Trigger] = []
        self._admitted: collections.deque[float] = collections.deque()
        self._thread: threading.Thread | None = None

    # --- start and stop ---------------------------------------------------------------------------

    def start(self) -> Sandbox:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="streak-sandbox", daemon=True
        )
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except BaseException:
            self._end_loop()
            raise
        return self

    def stop(self) -> None:
        """Stops at once, even if a fault keeps a client waiting."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join()
        self._loop.close()
        self._thread = None

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self.stop()
        if self.errors and kind is None:
            raise self.errors[0]

    async def _listen(self) -> None:
        self._stopping = asyncio.Event()
        self._runner = web.AppRunner(
            self._application(), handler_cancellation=True, access_log=None, shutdown_timeout=1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=512)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        self._stopping.set()
        await self._runner.cleanup()
        await self._loop.shutdown_default_executor()

    # --- what tests ask and set -------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/api/"  # ignore-https-check: this machine's own

    def requests(self, pattern: str = "*") -> list[Entry]:
        """The logged requests whose path matches an fnmatch pattern (its * goes across slashes)."""
        return [entry for entry in list(self.log) if fnmatch.fnmatchcase(entry.path, pattern)]

    def clear_log(self) -> None:
        self.log.clear()

    def busiest_second(self) -> int:
        """The most requests that arrived within any one second, wherever it begins."""
        most, window = 0, collections.deque[float]()
        for arrived in sorted(entry.time for entry in list(self.log)):
            window.append(arrived)
            while arrived - window[0] >= 1.0:
                window.popleft()
            most = max(most, len(window))
        return most

    def fault(
        self,
        pattern: str,
        kind: str,
        times: int | None = 1,
        after: int = 0,
        where: dict[str, str] | None = None,
        **details: Any,
    ) -> None:
        """Requests that match get a fault, one of moods.FAULT_KINDS, `times` times (None: always).

        `where` limits it to requests with these query values, such as {"page": "1"}.
        """
        if kind not in FAULT_KINDS:
            raise ValueError(f"fault is one of {', '.join(FAULT_KINDS)}, not {kind!r}")
        self._faults.append(Fault(Match(pattern, after, times, where or {}), kind, details))

    def clear_faults(self) -> None:
        self._faults.clear()

    def on(
        self,
        pattern: str,
        action: Callable[[Sandbox], Any],
        after: int = 0,
        before_answer: bool = True,
        where: dict[str, str] | None = None,
        times: int | None = 1,
    ) -> None:
        """Runs action(streak) before or after the (after + 1)th matching request is answered.

        It runs for `times` matching requests from there on (None: for all). It has a thread of its
        own, so it may do anything. What it raises is raised again at the end of the `with` block.
        """
        self._triggers.append(
            Trigger(Match(pattern, after, times, where or {}), action, before_answer)
        )

    # --- answering a request ----------------------------------------------------------------------

    def _application(self) -> web.Application:
        application = web.Application(middlewares=[self._answer])
        for route in ROUTES:
            add = application.router.add_route
            add(route.method, f"/api/{route.path}", _handler(route))
        for path, reader, writer in (
            ("moods", self._tell_moods, self._set_moods),
            ("log", self._tell_log, None),
            ("account", None, self._change_account),
        ):
            if reader:
                application.router.add_get(f"/_sandbox/{path}", reader)
            if writer:
                application.router.add_post(f"/_sandbox/{path}", writer)
        application.router.add_delete("/_sandbox/log", self._forget_log)
        return application

    @web.middleware
    async def _answer(
        self, request: web.Request, handler: Callable[..., Any]
    ) -> web.StreamResponse:
        """In this order: log, triggers, latency, faults, rate limit, credentials, endpoint."""
        if request.path.startswith("/_sandbox/"):
            return await handler(request)
        entry = self._entry(request)
        self.log.append(entry)
        triggers = [
            trigger
            for trigger in list(self._triggers)
            if trigger.match.meets(entry.path, entry.query)
        ]
        fault = next(
            (fault for fault in list(self._faults) if fault.match.meets(entry.path, entry.query)),
            None,
        )
        entry.fault = fault.kind if fault else None
        await self._run(trigger for trigger in triggers if trigger.before_answer)
        await self._pause(self.moods.latency_ms / 1_000)
        sent = await _sent(request)
        response = (
            await self._misbehave(fault, request, entry)
            if fault
            else self._right_answer(request, entry, sent)
        )
        if response is None:
            return web.Response()  # aiohttp needs a response, but this one goes nowhere
        entry.status = response.status
        later = [trigger for trigger in triggers if not trigger.before_answer]
        if later:
            await response.prepare(request)
            await response.write_eof()
            await self._run(later)
        return response

    def _entry(self, request: web.Request) -> Entry:
        return Entry(
            time=self.monotonic(),
            wall_time=time.time(),
            method=request.method,
            path=request.path.removeprefix("/api/"),
            query=dict(request.query),
            user_agent=request.headers.get("User-Agent", ""),
            authorized=_credentials(request) == self.key,
        )

    def _right_answer(self, request: web.Request, entry: Entry, sent: Any = None) -> web.Response:
        try:
            content = self._content(request, entry, sent)
            if isinstance(content, Text):
                return web.Response(text=content.content, content_type=content.kind)
            return _json(200, content)
        except Refusal as refusal:
            if refusal.status == 500:
                return web.Response(status=500, text=SERVER_ERROR_PAGE, content_type="text/html")
            told = refusal.status == 429 and self.moods.retry_after is not None
            return _json(
                refusal.status,
                refusal.body,
                {"Retry-After": str(self.moods.retry_after)} if told else None,
            )

    def _content(self, request: web.Request, entry: Entry, sent: Any) -> Any:
        self._limit_rate()
        if not request.headers.get("Authorization"):
            raise Refusal(401, "Authentication required")
        if not entry.authorized:
            raise Refusal(401, "invalid api key", success=False)
        refused = request.match_info.http_exception
        if refused is not None and refused.status == 405:
            raise Refusal(
                405, f"The sandbox is read with GET; {request.method} changes nothing here"
            )
        if refused is not None:
            raise Refusal(404, f"There is no {request.path}")
        if len(request.query) != len(entry.query):
            raise Refusal(400, "a query parameter comes twice")
        route = request.match_info.handler.route  # type: ignore[attr-defined]
        return route.answer(
            Call(self.account, self.moods, dict(request.match_info), entry.query, sent)
        )

    def _limit_rate(self) -> None:
        """Refused requests do not count, so a client that waits as told gets through."""
        if self.moods.rate_limit_per_second is None:
            return
        now = self.monotonic()
        while self._admitted and now - self._admitted[0] >= 1.0:
            self._admitted.popleft()
        if len(self._admitted) >= self.moods.rate_limit_per_second:
            raise Refusal(429, "Too many requests")
        self._admitted.append(now)

    async def _run(self, triggers: Any) -> None:
        for trigger in triggers:
            await self._loop.run_in_executor(None, self._act, trigger)

    def _act(self, trigger: Trigger) -> None:
        try:
            trigger.action(self)
        except Exception as error:
            traceback.print_exc()
            self.errors.append(error)

    async def _pause(self, seconds: float | None) -> None:
        """Waits, but never longer than the sandbox runs.

        None: waits until the client goes away, which cancels this.
        """
        if seconds == 0:
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    # --- faults -----------------------------------------------------------------------------------

    async def _misbehave(
        self, fault: Fault, request: web.Request, entry: Entry
    ) -> web.StreamResponse | None:
        """Returns None if the connection is gone, so that there is nobody to answer."""
        if fault.kind in WRONG_ANSWERS:
            return WRONG_ANSWERS[fault.kind](fault.details)
        if fault.kind == "hang":
            await self._pause(None)
            _reset(request)
            return None
        if fault.kind == "reset":
            _reset(request)
            return None
        if fault.kind == "slow":
            await self._pause(fault.details["seconds"])
            return self._right_answer(request, entry)
        return await self._spoil(fault, request, self._right_answer(request, entry))

    async def _spoil(
        self, fault: Fault, request: web.Request, right: web.Response
    ) -> web.StreamResponse | None:
        """The faults that begin with the right answer."""
        kind, body = fault.kind, bytes(right.body)  # type: ignore[arg-type]
        half = body[: len(body) // 2]
        if kind == "empty":
            return _json(
                200, [] if body.startswith(b"[") else {"results": [], "hasNextPage": False}
            )
        if kind == "half_json":
            return web.Response(body=half, content_type="application/json")
        response = web.StreamResponse(
            headers={"Content-Length": str(len(body)), "Content-Type": "application/json"}
        )
        await response.prepare(request)
        await response.write(half)
        if kind == "drip":
            for place in range(len(half), len(body)):
                await self._pause(fault.details["seconds"])
                await response.write(body[place : place + 1])
            return response
        if kind == "reset_in_body":
            _reset(request)
        elif request.transport:
            request.transport.close()
        return None

    # --- control requests, without a key and not in the log ---------------------------------------

    async def _tell_moods(self, _: web.Request) -> web.Response:
        return _json(200, self.moods.as_json())

    async def _set_moods(self, request: web.Request) -> web.Response:
        try:
            self.moods.become(**await request.json())
        except (AttributeError, TypeError, ValueError) as error:
            return _json(400, {"error": str(error)})
        return _json(200, self.moods.as_json())

    async def _tell_log(self, _: web.Request) -> web.Response:
        return _json(200, [dataclasses.asdict(entry) for entry in self.log])

    async def _forget_log(self, _: web.Request) -> web.Response:
        self.clear_log()
        return _json(200, {"success": True})

    async def _change_account(self, request: web.Request) -> web.Response:
        """Calls a method of the account.

        {"call": "edit_box", "args": [key], "kwargs": {"name": "New"}}
        """
        try:
            asked = await request.json()
            if asked["call"].startswith("_"):
                raise AttributeError(asked["call"])
            method = getattr(self.account, asked["call"])
            return _json(200, method(*asked.get("args", []), **asked.get("kwargs", {})))
        except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})


async def _sent(request: web.Request) -> Any:
    """The JSON of a POST; None for anything else."""
    if request.method != "POST":
        return None
    try:
        return orjson.loads(await request.read())
    except ValueError:
        return None


def _account(
    account: Account | str | None, boxes: int, seed: int, pipelines: int | None
) -> Account:
    if isinstance(account, Account):
        return account
    if account is None:
        return seeds.default_account(boxes, seed, pipelines)
    if account == "empty":
        return Account()
    if account == "demo":
        return demo_account()
    raise ValueError(f'account is an Account, "empty", "demo" or None, not {account!r}')


def _handler(route: Route) -> Callable[..., Any]:
    """Marks a place in aiohttp's router.

    The middleware answers, because it sees wrong paths and methods too.
    """

    async def handler(_: web.Request) -> web.StreamResponse:
        raise AssertionError("answered by the middleware")

    handler.route = route  # type: ignore[attr-defined]
    return handler


def _credentials(request: web.Request) -> str | None:
    """The key sent (1.3): as user name of Basic, password empty or the key again; or as Bearer."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name if password in ("", name) else None


def _json(status: int, content: Any, headers: dict[str, str] | None = None) -> web.Response:
    body = orjson.dumps(content)
    return web.Response(
        status=status, body=body, headers=headers, content_type="application/json", charset="utf-8"
    )


def _status(
    status: int,
    body: Any = None,
    headers: dict[str, str] | None = None,
    retry_after: float | str | None = None,
) -> web.Response:
    """Any status. A text is sent unchanged, all else as JSON; None sends a plain error sentence."""
    headers = dict(headers or {})
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if isinstance(body, str):
        return web.Response(status=status, text=body, headers=headers)
    return _json(status, {"error": f"Sandbox fault {status}"} if body is None else body, headers)


# The faults that do not depend on the right answer. `told`: the details given to fault().
WRONG_ANSWERS: dict[str, Callable[[dict[str, Any]], web.Response]] = {
    "status": lambda told: _status(**told),
    "html": lambda told: web.Response(
        status=500, text=told.get("body", SERVER_ERROR_PAGE), content_type="text/html"
    ),
    "not_json": lambda told: web.Response(
        text=told.get("body", LOGIN_PAGE), content_type="text/html"
    ),
    "wrong_shape": lambda told: _json(200, told.get("body", {"surprise": 1})),
    "redirect": lambda told: web.Response(status=302, headers={"Location": told["location"]}),
}


def _reset(request: web.Request) -> None:
    """Closes with RST, not FIN: what a dropped connection looks like."""
    if request.transport is None:
        return
    request.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    request.transport.abort()
