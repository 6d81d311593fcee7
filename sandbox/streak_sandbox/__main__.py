"""`python -m streak_sandbox --port 8080 --boxes 150`: runs until Ctrl-C or SIGTERM."""

from __future__ import annotations

import argparse
import gc
import json
import signal
import threading
from typing import Any

from .moods import Moods
from .server import DEFAULT_KEY, Sandbox


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    moods = dict(arguments.mood) | (
        {"latency_ms": arguments.latency_ms} if arguments.latency_ms is not None else {}
    )
    try:
        Moods(**moods)
    except (TypeError, ValueError) as error:
        parser.error(f"--mood: {error}")
    sandbox = Sandbox(
        boxes=arguments.boxes,
        seed=arguments.seed,
        pipelines=arguments.pipelines,
        account="empty" if arguments.empty else arguments.account,
        key=arguments.api_key,
        port=arguments.port,
        **moods,
    )
    # The CRM stays in memory, so the garbage collector need not walk over its millions of objects.
    gc.freeze()
    try:
        with sandbox as streak:
            boxes = len(streak.account.boxes)
            print(f"Streak sandbox: {streak.url}  key: {streak.key}  boxes: {boxes}", flush=True)
            stop.wait()
    except OSError as error:
        parser.error(f"--port {arguments.port}: {error.strerror}. 0 takes any free one.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streak_sandbox", description="A Streak that runs on 127.0.0.1."
    )
    parser.add_argument("--port", type=int, default=8080, help="0 takes any free one")
    parser.add_argument("--boxes", type=int, default=150)
    parser.add_argument("--pipelines", type=int, help="spread the boxes over so many pipelines")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--empty", action="store_true", help="an account with nothing in it")
    parser.add_argument(
        "--account", choices=("demo",), help="the account of `make demo`, whatever --boxes says"
    )
    parser.add_argument("--api-key", default=DEFAULT_KEY)
    parser.add_argument("--latency-ms", type=int)
    parser.add_argument(
        "--mood",
        type=_mood,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="as in moods.py; values as JSON",
    )
    return parser


def _mood(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    main()
