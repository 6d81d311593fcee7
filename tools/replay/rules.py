"""The list of rules, and the report on one run.

A rule is a function named after its number: `r5_…` is R5. It yields the line and what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from replay.output import Run

Found = Iterator[tuple[int | None, str]]  # the number of the line, if it is about one, and words
Check = Callable[[Run], Found]
MOST = 5  # findings of one rule in a report
CUT = 300  # characters of one finding

ONE_RUN: dict[str, tuple[tuple[str, ...], Check]] = {}  # number -> commands, function
SEVERAL_RUNS: dict[str, Callable[..., list[Broken]]] = {}


@dataclass(frozen=True)
class Broken:
    """A rule that does not hold."""

    rule: str
    line: int | None
    words: str

    def __str__(self) -> str:
        place = f", line {self.line}" if self.line else ""
        return f"{self.rule}{place}: {self.words[:CUT]}"


def rule(*commands: str) -> Callable[[Check], Check]:
    """For a rule that one run of these commands shows."""

    def register(check: Check) -> Check:
        ONE_RUN[number_of(check)] = commands, check
        return check

    return register


def rule_of_runs(check: Callable[..., Found]) -> Callable[..., list[Broken]]:
    """For a rule that takes several runs to show: the function then returns what is broken."""
    number = number_of(check)

    def checked(*runs: object, **facts: object) -> list[Broken]:
        return _cut(number, check(*runs, **facts))

    checked.__doc__, checked.__name__ = check.__doc__, number
    SEVERAL_RUNS[number] = checked
    return checked


def number_of(check: Callable[..., Found]) -> str:
    """The number of a rule, from its name."""
    return check.__name__.partition("_")[0].upper()


def report(run: Run, without: Iterable[str] = ()) -> list[Broken]:
    """What of all rules for one run is broken in this one; `without`: numbers left out."""
    left_out = set(without)
    return [
        broken
        for number, (commands, check) in ONE_RUN.items()
        if run.command in commands and number not in left_out
        for broken in _cut(number, check(run))
    ]


def _cut(number: str, found: Found) -> list[Broken]:
    all_of_it = [Broken(number, line, words) for line, words in found]
    if len(all_of_it) > MOST:
        more = f"and so on, {len(all_of_it)} times in all"
        return [*all_of_it[:MOST], Broken(number, None, more)]
    return all_of_it
