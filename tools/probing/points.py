"""What the points of the probe are made of: values, and generators that yield questions.

    def newsfeed(sample: Sample) -> Point:
        answer = yield Question("v1/pipelines/{pipelineKey}/newsfeed", {"pipelineKey": key})
        return Section("13", "Newsfeed", …)

A point does no input and no output, so it can be tested with answers made by hand.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from probing.names import name
from probing.shapes import Shape, type_of

Row = dict[str, Any]
ENVELOPE_NAMES = 4  # an object of more is no envelope


class Verdict(Enum):
    """What came of an assumption."""

    HOLDS = "holds"
    DIFFERS = "differs"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Question:
    """A GET. `template` has the names of the keys in braces, and is what is printed.

    `params` are printed as they are; `hidden` with their names alone (a cursor, a time).
    `reads`: a POST that changes nothing, with this JSON; asked only if the user agreed.
    """

    template: str
    keys: Row = field(default_factory=dict)
    params: Row = field(default_factory=dict)
    hidden: Row = field(default_factory=dict)
    reads: list[str] | None = None
    patience: float = 0.0  # seconds of failing; 0: asked once, but for a 429

    def printed(self) -> str:
        """The path as it may be shown."""
        shown = [f"{title}={value}" for title, value in self.params.items()]
        shown += [f"{title}={{{title}}}" for title in self.hidden]
        verb = "GET" if self.reads is None else "POST"
        return f"{verb} {self.template}{'?' if shown else ''}{'&'.join(shown)}"


@dataclass(frozen=True)
class Answer:
    """What came. `status` None: nothing usable, and `problem` says why."""

    question: Question
    status: int | None = None
    headers: tuple[str, ...] = ()  # names
    media: str = ""
    body: Any = None
    is_json: bool = False
    length: int = 0
    took: float = 0.0  # milliseconds
    problem: str = ""

    @property
    def ok(self) -> bool:
        """A 200 with JSON."""
        return self.status == 200 and self.is_json

    @property
    def rows(self) -> list[Row] | None:
        """The objects of a list, in whatever envelope the connector reads; None: it is none."""
        if not self.ok:
            return None
        found = self.body.get("results") if isinstance(self.body, dict) else self.body
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            return None
        return found

    @property
    def count(self) -> int:
        """How many rows; 0 where it is no list."""
        return len(self.rows or [])

    @property
    def envelope(self) -> str:
        """array, or the names of the object: what a list is in."""
        if not self.ok:
            return "no list"
        if isinstance(self.body, list):
            return "array"
        if isinstance(self.body, dict):
            names = sorted(self.body)
            if len(names) > ENVELOPE_NAMES or not names:
                return "object"
            return "object {" + ", ".join(name(title) for title in names) + "}"
        return type_of(self.body)

    @property
    def more(self) -> Any:
        """hasNextPage, None where there is none."""
        return self.body.get("hasNextPage") if isinstance(self.body, dict) else None

    @property
    def keys(self) -> list[Any]:
        """The keys of its rows."""
        return [row.get("key") for row in self.rows or []]

    def told(self) -> str:
        """In a few words, for a fact: 401, or why there is no answer."""
        if self.status is None:
            return self.problem or "no answer"
        if self.status == 200 and not self.is_json:
            return f"200, {self.media}, not JSON"
        return str(self.status)


Point = Generator[Question, Answer, "Section"]


def ask_each(questions: Iterable[Question]) -> Generator[Question, Answer, list[Answer]]:
    """One after the other."""
    answers = []
    for question in questions:
        answer = yield question
        answers.append(answer)
    return answers


@dataclass(frozen=True)
class Assumption:
    """A row of the table at the end."""

    number: str  # the row of the list of open points; "" for none of them
    assumed: str
    connector: str  # what it does
    streak: str  # what it did
    verdict: Verdict
    advice: str = ""  # what differs, for whoever mends it


@dataclass(frozen=True)
class Section:
    """One point: what was found, and which assumptions that settles."""

    title: str
    facts: tuple[str, ...] = ()
    shapes: tuple[tuple[str, Shape], ...] = ()
    assumptions: tuple[Assumption, ...] = ()
    moods: Row = field(default_factory=dict)  # how the sandbox would have to be set to do the same


def number(value: object) -> str:
    """A count that an answer tells, if it is one: nothing else of an answer is printed so."""
    return str(value) if type(value) is int else "?"


@dataclass
class Sample:
    """What the account has that can be asked about; filled by the first points."""

    me: Row = field(default_factory=dict)
    teams: list[Row] = field(default_factory=list)
    pipelines: list[Row] = field(default_factory=list)
    boxes: dict[str, list[Row]] = field(default_factory=dict)  # by pipeline, as its list has them
    refused: dict[str, int | None] = field(default_factory=dict)  # pipelines whose list is refused
    contacts: dict[str, list[Row]] = field(default_factory=dict)  # by team
    organizations: dict[str, list[Row]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)  # by stream, to hold against schemas

    def keep(self, stream: str, rows: Iterable[Any]) -> None:
        """Objects that a stream's schema describes."""
        self.rows.setdefault(stream, []).extend(row for row in rows if isinstance(row, dict))

    @property
    def all_boxes(self) -> list[Row]:
        """Those of every list that was read."""
        return [box for boxes in self.boxes.values() for box in boxes]

    def richest(self, counters: tuple[str, ...], most: int) -> list[Row]:
        """Boxes that have most of something, by their own counters; without counters: any."""

        def total(box: Row) -> int:
            found = [box.get(counter) for counter in counters]
            return sum(one for one in found if isinstance(one, int))

        ranked = sorted(self.all_boxes, key=total, reverse=True)
        told = any(counter in box for box in ranked for counter in counters)
        return [box for box in ranked if total(box) or not told][:most]
