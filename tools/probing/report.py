"""The report: Markdown that can be pasted into a public issue."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from probing.names import Known
from probing.points import Answer, Assumption, Section, Verdict
from probing.shapes import lines

HEADER = re.compile(r"[a-z][a-z0-9-]{1,40}")
LIMITS = re.compile(r"rate|limit|retry|quota")
USUAL = 0.9  # a header on so many of the answers is not named again
ISSUES = "an issue of the connector's repository (there is a form for it: Probe report)"


@dataclass
class Report:
    """What was found; `markdown` is the only way out of here."""

    known: Known
    version: str = ""
    date: str = ""
    requests: int = 0
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    headers: Counter[str] = field(default_factory=Counter)
    headers_of: dict[int, set[str]] = field(default_factory=dict)
    sections: list[tuple[Section, list[Answer]]] = field(default_factory=list)
    ended: str = ""  # why it ended early

    @property
    def assumptions(self) -> list[Assumption]:
        return [one for section, _ in self.sections for one in section.assumptions]

    @property
    def moods(self) -> dict[str, Any]:
        """How the sandbox would have to be set to answer like this."""
        found: dict[str, Any] = {}
        for section, _ in self.sections:
            found.update(section.moods)
        return found

    def markdown(self) -> str:
        """The whole report, its marked names resolved."""
        return self.known.resolve("\n".join(self._lines()) + "\n", lambda title: title)

    def _lines(self) -> Iterator[str]:
        yield "# What Streak does: a probe report"
        yield ""
        made = f"Made by `make probe` of source-streak {self.version} on {self.date}"
        yield f"{made}: {self.requests} requests, {self.seconds:.0f} s."
        yield "It holds types, counts, statuses and names of properties, nothing of the account."
        yield "The numbers of points are those of docs/open_points.md."
        yield f"Please paste it into {ISSUES}."
        if self.ended:
            yield ""
            yield f"**Ended early:** {self.ended}"
        yield ""
        yield from self._wire()
        for section, answers in self.sections:
            yield from self._section(section, answers)
        yield from self._as_the_sandbox()
        yield from self._table()

    def _wire(self) -> Iterator[str]:
        yield "## On the wire"
        yield ""
        counted = ", ".join(
            f"{count} times {status}" for status, count in sorted(self.statuses.items())
        )
        yield f"- Statuses: {counted or 'no answer'}."
        if took := self._took():
            yield f"- An answer took {self.middle:.0f} ms in the middle, {took[-1]:.0f} ms at most."
        yield f"- Headers of nearly every answer: {_code(self._usual())}."
        others = {title for title in self.headers if title not in self._usual()}
        yield f"- Other headers: {_code(others)}."
        for status, titles in sorted(self.headers_of.items()):
            if status != 200 and titles - self._usual():
                yield f"- With {status}: {_code(titles - self._usual())}."
        yield ""

    def _took(self) -> list[float]:
        answers = [answer for _, asked in self.sections for answer in asked]
        return sorted(answer.took for answer in answers if answer.took)

    @property
    def middle(self) -> float:
        """Milliseconds that an answer took, the median."""
        took = self._took()
        return took[len(took) // 2] if took else 0.0

    def _usual(self) -> set[str]:
        most = max(self.headers.values(), default=0)
        return {title for title, count in self.headers.items() if count >= most * USUAL}

    def _section(self, section: Section, answers: list[Answer]) -> Iterator[str]:
        numbers = sorted({one.number for one in section.assumptions if one.number}, key=_order)
        yield f"## {section.title}" + (f" (point {', '.join(numbers)})" if numbers else "")
        yield ""
        if answers:
            yield "| asked | answer | times |"
            yield "|---|---|---|"
            yield from self._asked(answers)
            yield ""
        yield from (f"- {fact}" for fact in section.facts if fact)
        for title, shape in section.shapes:
            if not shape.names and shape.items is None:
                continue
            yield ""
            yield f"{title}, {shape.seen} seen:"
            yield ""
            yield "```"
            yield from lines(shape)
            yield "```"
        yield ""

    def _asked(self, answers: list[Answer]) -> Iterator[str]:
        rows: Counter[tuple[str, str]] = Counter()
        for answer in answers:
            odd = set(answer.headers) - self._usual()
            more = f"; headers {_code(odd)}" if odd and answer.status != 200 else ""
            kind = f", {answer.envelope}" if answer.ok else ""
            rows[answer.question.printed(), f"{answer.told()}{kind}{more}"] += 1
        for (asked, told), count in rows.items():
            yield f"| `{asked}` | {_cell(told)} | {count} |"

    def _as_the_sandbox(self) -> Iterator[str]:
        yield "## As the sandbox has it"
        yield ""
        if not self.moods:
            yield "The sandbox answers like this as it is."
        else:
            yield "The sandbox answers like this when it is set to:"
            yield ""
            for title, value in self.moods.items():
                yield f"- `{title}`: {value}"
            settings = [
                f"--mood {title}={json.dumps(value)}" for title, value in self.moods.items()
            ]
            settings = [one for one in settings if " of " not in one and "told" not in one]
            yield ""
            yield f"`PYTHONPATH=sandbox python -m streak_sandbox {' '.join(settings)}`"
        yield ""

    def _table(self) -> Iterator[str]:
        yield "## What was assumed, and what holds"
        yield ""
        yield "| point | assumption | what the connector does | what Streak did | verdict |"
        yield "|---|---|---|---|---|"
        for one in self.assumptions:
            cells = (one.number, one.assumed, one.connector, one.streak, f"**{one.verdict.value}**")
            yield "| " + " | ".join(_cell(cell) for cell in cells) + " |"
        counted = Counter(one.verdict for one in self.assumptions)
        yield ""
        yield ", ".join(f"{counted[verdict]} {verdict.value}" for verdict in Verdict) + "."
        differing = [one for one in self.assumptions if one.verdict is Verdict.DIFFERS]
        if differing:
            yield ""
            yield "What differs, for whoever mends it:"
            yield ""
            for one in differing:
                yield f"- {one.assumed} **Streak:** {one.streak}. {one.advice}"


def _order(number: str) -> int:
    return int(number) if number.isdigit() else 0


def _code(titles: set[str]) -> str:
    fitting = sorted(title for title in titles if HEADER.fullmatch(title))
    return ", ".join(f"`{title}`" for title in fitting) or "none"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
