"""A relay on 127.0.0.1 that passes GETs on to Streak and counts them, up to a bound.

    with Relay("https://api.streak.com/api/", most=500) as relay:
        environment["STREAK_API_URL"] = relay.url

It stores nothing: the key comes with each request and is passed on with it, over verified TLS.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import requests

TIMEOUT = (5.0, 60.0)  # seconds, as the connector's own
PASSED_ON = ("Authorization", "User-Agent", "Accept", "Accept-Encoding")
# Headers of the connection, not the response; and the length, which is set for the body sent.
NOT_PASSED_BACK = frozenset(["connection", "content-length", "keep-alive", "transfer-encoding"])


class Relay:
    """Counts requests. Beyond `most` it answers 400 itself."""

    def __init__(self, upstream: str, most: int) -> None:
        self.upstream, self.most = upstream, most
        self.asked = 0
        self._lock = threading.Lock()
        self._session = requests.Session()
        self._session.trust_env = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        port = self._server.server_address[1]
        return f"http://127.0.0.1:{port}/api/"  # ignore-https-check: this machine's own

    @property
    def used_up(self) -> bool:
        """Whether a request was not passed on."""
        return self.asked > self.most

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._session.close()

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body: Streak's, as they came."""
        with self._lock:
            self.asked += 1
            if self.used_up:
                return _said(400, f"not passed on: {self.most} requests are used up")
        try:
            response = self._session.get(
                self.upstream + path,
                headers={**headers, "Accept-Encoding": headers.get("Accept-Encoding", "identity")},
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            )
            body = response.raw.read(decode_content=False)
        except (requests.RequestException, OSError):
            return _said(503, "Streak could not be reached")
        passed = {
            title: value
            for title, value in response.headers.items()
            if title.lower() not in NOT_PASSED_BACK
        }
        return response.status_code, passed, body


def _said(status: int, error: str) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode()


def _handler(relay: Relay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {title: self.headers[title] for title in PASSED_ON if title in self.headers}
            status, passed, body = relay.answer(self.path.removeprefix("/api/"), headers)
            self.send_response_only(status)
            for title, value in passed.items():
                self.send_header(title, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Logs nothing, because paths contain keys."""

    return Handler
