"""One run of the command: what it wrote, how it ended, and what it had been given."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson

Message = dict[str, Any]
TERMINAL = ("COMPLETE", "INCOMPLETE")
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
DEEP = 1000  # levels; Jackson's own limit, which the platform leaves as it is
LONG_NUMBER = re.compile(rb"\d{1001,}")  # digits; the same
OUTSIDE_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"')


@dataclass(frozen=True)
class Line:
    """One line of stdout. `fault` says why it is no message; then `message` is None."""

    number: int  # from 1
    raw: bytes  # without the end of the line
    message: Message | None = None
    fault: str = ""


@dataclass(frozen=True)
class Record:
    """A RECORD message."""

    line: int
    stream: str
    data: Any
    emitted_at: Any
    body: Message


@dataclass(frozen=True)
class State:
    """A STATE message. `stream` is None where it names none."""

    line: int
    stream: str | None
    body: Message
    size: int  # bytes of its line


@dataclass(frozen=True)
class Status:
    """A TRACE message of the type STREAM_STATUS."""

    line: int
    stream: str
    status: Any
    reasons: Any
    emitted_at: Any
    body: Message

    @property
    def limited(self) -> bool:
        """Whether it says that Streak's rate limit is being waited for."""
        reasons = self.reasons if isinstance(self.reasons, list) else []
        return any(isinstance(one, dict) and one.get("type") == "RATE_LIMITED" for one in reasons)


@dataclass(frozen=True)
class Error:
    """A TRACE message of the type ERROR. `stream` is None where it is about none in particular."""

    line: int
    stream: str | None
    body: Message
    emitted_at: Any

    @property
    def kind(self) -> Any:
        """config_error, system_error or transient_error."""
        return self.body.get("failure_type")


Event = Record | State | Status | Error


@dataclass(frozen=True)
class Run:
    """A run of spec, check, discover or read. `code` is negative where a signal ended it."""

    command: str
    stdout: bytes
    stderr: bytes = b""
    code: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    catalog: Message = field(default_factory=lambda: {"streams": []})  # configured, of a read
    state: Sequence[Message] = ()  # of a read
    secrets: Sequence[str] = ()  # every form of what must never be shown
    seconds: float = 0.0  # that it took
    arrived: Sequence[float] = ()  # the second at which each line came, if that is known
    unreachable: bool = False  # Streak could not be asked: an outage, or 429 for long

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it: its last line may be a part of one."""
        return self.code in KILLED

    @property
    def ended_by_signal(self) -> bool:
        """Whether somebody else ended it. 130 and 143 are what a shell says; 141: nobody reads."""
        return self.code < 0 or self.code in (130, 137, 141, 143)

    @cached_property
    def lines(self) -> list[Line]:
        """Every line of stdout; not the last part of one that a kill cut off."""
        pieces = self.stdout.split(b"\n")
        rest = pieces.pop()
        found = [parsed(number, piece) for number, piece in enumerate(pieces, 1)]
        if rest and not self.killed:
            found.append(Line(len(found) + 1, rest, fault="does not end with the end of a line"))
        return found

    @cached_property
    def messages(self) -> list[tuple[int, Message]]:
        """The lines that are messages, with their numbers."""
        return [(line.number, line.message) for line in self.lines if line.message is not None]

    def bodies(self, kind: str, body: str) -> Iterator[tuple[int, Message]]:
        """What the messages of one type hold, with the numbers of their lines."""
        for number, message in self.messages:
            if message.get("type") == kind and isinstance(message.get(body), dict):
                yield number, message[body]

    def traces(self, kind: str, body: str) -> Iterator[tuple[int, Message, Message]]:
        """(line, trace, its body) of the TRACE messages of one type."""
        for number, trace in self.bodies("TRACE", "trace"):
            if trace.get("type") == kind and isinstance(trace.get(body), dict):
                yield number, trace, trace[body]

    @cached_property
    def events(self) -> list[Event]:
        """Records, states, statuses and errors in their order, without those that are broken."""
        return [
            event for number, message in self.messages for event in self._event(number, message)
        ]

    def _event(self, number: int, message: Message) -> Iterator[Event]:
        kind = message.get("type")
        record, state, trace = (message.get(name) for name in ("record", "state", "trace"))
        if kind == "RECORD" and isinstance(record, dict) and isinstance(record.get("stream"), str):
            yield Record(
                number, record["stream"], record.get("data"), record.get("emitted_at"), record
            )
        elif kind == "STATE" and isinstance(state, dict):
            yield State(
                number, name_of(state.get("stream")), state, len(self.lines[number - 1].raw)
            )
        elif kind == "TRACE" and isinstance(trace, dict):
            yield from _traced(number, trace)

    @cached_property
    def records(self) -> list[Record]:
        """Every RECORD."""
        return [event for event in self.events if isinstance(event, Record)]

    @cached_property
    def states(self) -> list[State]:
        """Every STATE."""
        return [event for event in self.events if isinstance(event, State)]

    @cached_property
    def statuses(self) -> list[Status]:
        """Every STREAM_STATUS."""
        return [event for event in self.events if isinstance(event, Status)]

    @cached_property
    def errors(self) -> list[Error]:
        """Every ERROR trace."""
        return [event for event in self.events if isinstance(event, Error)]

    @cached_property
    def configured(self) -> dict[str, Message]:
        """The configured streams, by name."""
        return {one["stream"]["name"]: one for one in self.catalog["streams"]}

    def ends(self) -> dict[str, str]:
        """How each stream ended: its last terminal status."""
        return {one.stream: one.status for one in self.statuses if one.status in TERMINAL}

    def last_states(self) -> list[Message]:
        """What the platform hands to the next sync: each stream's last state, else its old one."""
        known = {name_of(one.get("stream")): one for one in self.state}
        for one in self.states:
            known[one.stream] = {"type": "STREAM", "stream": one.body["stream"]}
        return list(known.values())

    def cut(self, lines: int) -> Run:
        """The same run, killed when it had written so many lines."""
        kept = b"".join(line.raw + b"\n" for line in self.lines[:lines])
        times = self.arrived[:lines]
        return replace(self, stdout=kept, stderr=b"", code=-signal.SIGKILL, arrived=times)


def parsed(number: int, raw: bytes) -> Line:
    """A line, strictly: one JSON object, UTF-8, not too deep, no number that Jackson refuses."""
    try:
        message = strictly(raw)
    except (ValueError, RecursionError) as error:
        return Line(number, raw, fault=f"is not one JSON value: {error}")
    if not isinstance(message, dict):
        return Line(number, raw, fault="is no JSON object")
    if raw.count(b"[") + raw.count(b"{") > DEEP and depth(message) > DEEP:
        return Line(number, raw, fault=f"is nested in more than {DEEP} levels")
    if LONG_NUMBER.search(raw) and LONG_NUMBER.search(OUTSIDE_TEXTS.sub(b'""', raw)):
        return Line(number, raw, fault="holds a number of more than 1000 digits")
    return Line(number, raw, message)


def strictly(raw: bytes) -> Any:
    """JSON in UTF-8 without NaN, Infinity or half an emoji. Raises ValueError for anything else.

    orjson is that strict, but refuses numbers beyond a double's, which are good JSON.
    """
    try:
        return orjson.loads(raw)
    except ValueError:
        found = json.loads(raw.decode(), parse_constant=refuse)
        json.dumps(found, ensure_ascii=False).encode()  # half an emoji cannot be encoded
        return found


def refuse(constant: str) -> None:
    """For NaN and Infinity, which Python's json takes."""
    raise ValueError(f"{constant} is not JSON")


def depth(value: Any) -> int:
    """How deeply a value is nested; without recursion, so that any depth can be told."""
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one)
            if isinstance(inner, (dict, list))
        ]
    return deepest


def name_of(stream: Any) -> str | None:
    """The name in {"stream_descriptor": {"name": …}}; None where there is none."""
    descriptor = stream.get("stream_descriptor") if isinstance(stream, dict) else None
    name = descriptor.get("name") if isinstance(descriptor, dict) else None
    return name if isinstance(name, str) else None


def _traced(number: int, trace: Message) -> Iterator[Event]:
    status, error = trace.get("stream_status"), trace.get("error")
    stamp = trace.get("emitted_at")
    if trace.get("type") == "STREAM_STATUS" and isinstance(status, dict) and name_of(status):
        yield Status(
            number, str(name_of(status)), status.get("status"), status.get("reasons"), stamp, status
        )
    elif trace.get("type") == "ERROR" and isinstance(error, dict):
        yield Error(number, name_of(error), error, stamp)
