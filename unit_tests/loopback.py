"""A server on 127.0.0.1 that answers with the bytes of a test and keeps all requests."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

Answer = bytes | Callable[[socket.socket], None]  # the bytes to send, or a function that sends them


class Request(NamedTuple):
    path: str  # with its query
    headers: dict[str, str]  # lower-case names
    connection: int  # its number, from 1


class Loopback:
    """Sends `answers` in turn, the last one again and again; None closes the connection."""

    def __init__(self, *answers: Answer | None) -> None:
        self.answers = list(answers)
        self.got: list[Request] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with outer._lock:
                    outer.connections += 1
                    number = outer.connections
                while line := self.rfile.readline():
                    lines = iter(lambda: self.rfile.readline().decode().strip(), "")
                    pairs = (line.partition(":") for line in lines)
                    headers = {name.lower(): value.strip() for name, _, value in pairs}
                    answer = outer.next_answer(Request(line.decode().split()[1], headers, number))
                    if answer is None:
                        return
                    if callable(answer):
                        answer(self.connection)
                    else:
                        self.wfile.write(answer)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                """A client that has read enough closes the connection: no error."""

        self.connections = 0
        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/api/"

    def next_answer(self, request: Request) -> Answer | None:
        with self._lock:
            self.got.append(request)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(*answers: Answer | None) -> Iterator[Loopback]:
    """Run a server with these answers."""
    loopback = Loopback(*answers)
    threading.Thread(target=loopback.server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield loopback
    finally:
        loopback.server.shutdown()
        loopback.server.server_close()


def http(body: Any = None, status: str = "200 OK", *headers: str) -> bytes:
    """A response as bytes; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = () if any("content-type" in one.lower() for one in headers) else (JSON,)
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *kind, *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


JSON = "Content-Type: application/json"


def deadline(work: Callable[[], Any]) -> Any:
    """Call `work` in a thread of its own, and fail the test if it takes more than 20 seconds."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as problem:
            outcome.append(problem)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert outcome, "it waits for ever"
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]
