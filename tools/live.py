"""`make test-live`: every command and stream, against the account of secrets/config.json.

It makes at most 500 requests: it reads the smallest pipelines, and at most the 40 boxes that
changed last. Every record must fit the schema that discover declared, and every primary key must be
unique. The output names streams and columns, and no value of the account.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from jsonschema import Draft7Validator
from progress import Progress
from relay import Relay
from runs import COMMAND, Message, failure, only, stream_status

SECRETS = Path("secrets/config.json")
STREAK = "https://api.streak.com/api/"
MOST_REQUESTS = 500
MOST_BOXES = 40
RATE = 5  # requests a second, unless the settings say otherwise
LATEST = ["lastUpdatedTimestamp", "lastSavedTimestamp", "creationTimestamp"]
ROW = "{:<32} {:>8}  {}"


def main() -> int:
    """Returns 0 if every stream was read whole and every record fits."""
    if not SECRETS.exists():
        print(
            f"There is no {SECRETS}: this test reads a real account. "
            'Write {"api_key": "…"} into it (git ignores it), or run `make test` without.',
            file=sys.stderr,
        )
        return 1
    settings = json.loads(SECRETS.read_text())
    upstream = os.environ.get("STREAK_API_URL", STREAK).rstrip("/") + "/"
    with Relay(upstream, MOST_REQUESTS) as relay, tempfile.TemporaryDirectory() as scratch:
        live = Live(Path(scratch), relay, settings)
        with Progress("Reading the account", every=10) as progress:
            problems = live.run(progress)
        print(f"\n{relay.asked} requests of at most {MOST_REQUESTS}.")
    if relay.used_up:
        problems.append(f"more than {MOST_REQUESTS} requests were needed")
    for problem in problems:
        print(f"FAILED: {problem}")
    print("Everything fits." if not problems else f"{len(problems)} problems.")
    return 1 if problems else 0


class Live:
    """The connector's command, run in a folder of its own."""

    def __init__(self, folder: Path, relay: Relay, settings: dict[str, Any]) -> None:
        self._folder, self._relay, self._settings = folder, relay, settings

    def run(self, progress: Progress) -> list[str]:
        """Runs all commands. Returns problems as sentences, without any value of the account."""
        self._write("config.json", self._settings)
        only("SPEC", list(self._messages("spec")))
        told = only("CONNECTION_STATUS", list(self._messages("check --config config.json")))
        if told["connectionStatus"]["status"] != "SUCCEEDED":
            return [f"check: {told['connectionStatus'].get('message', 'no message')}"]
        progress.update(stream="choosing pipelines")
        self._write("config.json", self._settings | self._part())
        catalog = only("CATALOG", list(self._messages("discover --config config.json")))
        streams = catalog["catalog"]["streams"]
        self._configure(streams)
        held = Held(streams)
        for line in self._messages("read --config config.json --catalog catalog.json"):
            message = orjson.loads(line)
            progress.follow(message)
            progress.update(requests=self._relay.asked)
            held.take(message)
        progress.say(held.table(), sys.stdout)
        return held.problems()

    def _part(self) -> dict[str, Any]:
        """Settings that select so few boxes that every stream stays within the request limit."""
        pipelines = self._read("pipelines", self._settings)
        sized = sorted((row.get("boxCount") or 0, row["key"]) for row in pipelines)
        filled = [(count, key) for count, key in sized if count] or sized[:1]
        chosen, boxes = [key for _, key in filled[:1]], sum(count for count, _ in filled[:1])
        for count, key in filled[1:]:
            if boxes + count <= MOST_BOXES:
                chosen, boxes = [*chosen, key], boxes + count
        part: dict[str, Any] = {"requests_per_second": RATE} | self._settings
        part["pipelines"] = chosen
        if boxes > MOST_BOXES:
            rows = self._read("boxes", self._settings | part)
            stamps = sorted((latest(row) for row in rows), reverse=True)
            part["start_date"] = stamps[MOST_BOXES - 1]
        return part

    def _read(self, stream: str, settings: dict[str, Any]) -> list[dict[str, Any]]:
        """The records of one stream."""
        self._write("config.json", settings)
        catalog = only("CATALOG", list(self._messages("discover --config config.json")))
        wanted = [one for one in catalog["catalog"]["streams"] if one["name"] == stream]
        self._configure(wanted, ("full_refresh",))
        lines = self._messages("read --config config.json --catalog catalog.json")
        found = (orjson.loads(line) for line in lines)
        return [message["record"]["data"] for message in found if message["type"] == "RECORD"]

    def _configure(
        self, streams: list[Message], modes: tuple[str, ...] = ("incremental", "full_refresh")
    ) -> None:
        configured = []
        for stream in streams:
            mode = next(one for one in modes if one in stream["supported_sync_modes"])
            destination = "append_dedup" if mode == "incremental" else "overwrite"
            configured.append(
                {"stream": stream, "sync_mode": mode, "destination_sync_mode": destination}
            )
        self._write("catalog.json", {"streams": configured})

    def _write(self, name: str, content: Any) -> None:
        (self._folder / name).write_bytes(orjson.dumps(content))

    def _messages(self, arguments: str) -> Iterator[bytes]:
        """The messages of one command, as they come."""
        environment = {**os.environ, "STREAK_API_URL": self._relay.url}
        with subprocess.Popen(
            [COMMAND, *arguments.split()],
            cwd=self._folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout
            yield from process.stdout


class Held:
    """Checks records against schemas: counts them and notes what does not fit."""

    def __init__(self, streams: list[Message]) -> None:
        self._validators = {one["name"]: Draft7Validator(one["json_schema"]) for one in streams}
        self._columns = {one["name"]: set(one["json_schema"]["properties"]) for one in streams}
        self._keys = {
            one["name"]: [path[0] for path in one.get("source_defined_primary_key") or []]
            for one in streams
        }
        self._seen: dict[str, set[tuple[Any, ...]]] = {name: set() for name in self._keys}
        self._rows: Counter[str] = Counter()
        self._statuses: dict[str, str] = {}
        self._odd: dict[str, Counter[str]] = {name: Counter() for name in self._keys}
        self._unknown: dict[str, set[str]] = {name: set() for name in self._keys}
        self._failures: list[str] = []

    def take(self, message: Message) -> None:
        """One message of the read."""
        if message["type"] == "RECORD":
            self._take_record(message["record"]["stream"], message["record"]["data"])
        elif told := stream_status(message):
            self._statuses[told[0]] = told[1]
        elif sentence := failure(message):
            self._failures.append(sentence)

    def _take_record(self, stream: str, record: dict[str, Any]) -> None:
        self._rows[stream] += 1
        for error in self._validators[stream].iter_errors(record):
            place = ".".join("[]" if isinstance(part, int) else str(part) for part in error.path)
            self._odd[stream][f"{place}: not as {error.validator} says"] += 1
        for name in record.keys() - self._columns[stream]:
            self._odd[stream][f"{name}: not declared"] += 1
        self._unknown[stream] |= set(record.get("otherProperties") or {})
        key = tuple(record.get(column) for column in self._keys[stream])
        if key and key in self._seen[stream]:
            self._odd[stream]["its primary key comes twice"] += 1
        self._seen[stream].add(key)

    def table(self) -> str:
        """A line for each stream."""
        lines = [ROW.format("stream", "records", "")]
        for stream in self._validators:
            unknown = self._unknown[stream]
            told = [self._statuses.get(stream, "not read")]
            told += [f"{len(unknown)} properties in otherProperties"] if unknown else []
            lines.append(ROW.format(stream, self._rows[stream], "; ".join(told)))
        return "\n".join(lines)

    def problems(self) -> list[str]:
        """What did not fit, and which streams did not end."""
        found = [
            f"{stream}: {what} ({count} times)"
            for stream, odd in self._odd.items()
            for what, count in odd.items()
        ]
        ended = self._statuses
        found += [f"{name}: not read whole" for name in self._keys if ended.get(name) != "COMPLETE"]
        return found + self._failures


def latest(box: dict[str, Any]) -> str:
    """A box's latest stamp, in ISO 8601."""
    return max((box[name] for name in LATEST if box.get(name)), default="1970-01-01T00:00:00Z")


if __name__ == "__main__":
    sys.exit(main())
