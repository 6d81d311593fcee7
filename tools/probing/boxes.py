"""Points 7 to 10 and 20: what hangs on a box, and the box by its key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import NamedTuple

from probing.assumptions import judged
from probing.names import name
from probing.points import Answer, Assumption, Point, Question, Row, Sample, Section
from probing.shapes import shape_of

BOXES_ASKED = 5  # for each kind of child
TOTALS = (("CALL_LOG", "totalCallLogDuration"), ("MEETING_NOTES", "totalMeetingNotesDuration"))


class Kind(NamedTuple):
    """A list below a box, the counters that say how long it is, and its open point."""

    title: str
    path: str
    counters: tuple[str, ...]
    number: str
    params: Row = {}

    @property
    def paged(self) -> bool:
        return bool(self.params)


KINDS = (
    Kind("comments", "v2/boxes/{boxKey}/comments", ("commentCount",), "8"),
    Kind(
        "meetings",
        "v2/boxes/{boxKey}/meetings",
        ("callLogCount", "meetingNotesCount"),
        "9",
        {"limit": 100, "page": 0},
    ),
    Kind("tasks", "v2/boxes/{boxKey}/tasks", ("taskTotal",), "10", {"limit": 1_000, "page": 0}),
    Kind("threads", "v1/boxes/{boxKey}/threads", ("gmailThreadCount",), "7"),
    Kind("files", "v1/boxes/{boxKey}/files", ("fileCount",), "7"),
)


class Lists(NamedTuple):
    """The lists of one kind, each with its box."""

    kind: Kind
    answers: list[tuple[Row, Answer]]

    @property
    def rows(self) -> list[Row]:
        return [row for _, answer in self.answers for row in answer.rows or []]

    @property
    def read(self) -> list[tuple[Row, Answer]]:
        return [(box, answer) for box, answer in self.answers if answer.rows is not None]


def children(sample: Sample, kind: Kind) -> Point:
    """One kind of child of the boxes that have most of it."""
    lists = Lists(kind, [])
    for box in sample.richest(kind.counters, BOXES_ASKED):
        answer = yield Question(kind.path, {"boxKey": box.get("key")}, kind.params)
        lists.answers.append((box, answer))
    paging = yield from _paging(lists)
    sample.keep(f"box_{kind.title}", lists.rows)
    told = Counter(f"{answer.told()}, {answer.envelope}" for _, answer in lists.answers)
    statuses = ", ".join(f"{count} times {what}" for what, count in told.items())
    return Section(
        f"{kind.title.title()} of a box",
        (
            f"{len(lists.answers)} boxes asked: {statuses or 'no box has any'}.",
            f"{len(lists.rows)} rows.",
        ),
        shapes=((f"One of the {kind.title}", shape_of(lists.rows)),),
        assumptions=(_counted(lists), _flag(lists), *paging, *_of_its_own(lists)),
        moods=_moods(lists),
    )


def _counted(lists: Lists) -> Assumption:
    kind = lists.kind
    wrong = same = 0
    for box, answer in lists.read:
        found = [box.get(counter) for counter in kind.counters]
        counts = [count for count in found if isinstance(count, int)]
        if len(counts) == len(found):
            same += answer.count == sum(counts)
            wrong += answer.count != sum(counts)
    it_is = not wrong if same + wrong else None
    words = {"kind": kind.title, "counters": " + ".join(kind.counters)}
    return judged("child count", f"{same} lists are, {wrong} are not", it_is, **words)


def _flag(lists: Lists) -> Assumption:
    kind = lists.kind
    flags = Counter(_flag_of(answer) for _, answer in lists.read)
    expected = {"absent"} if kind.path.startswith("v1") else {"false", "absent"}
    told = ", ".join(f"hasNextPage {flag}: {count}" for flag, count in flags.items())
    how = "page by page" if kind.paged else "without parameters"
    words = {"kind": kind.title, "how": how, "number": kind.number}
    return judged(
        "child flag", told or "none read", set(flags) <= expected if flags else None, **words
    )


def _flag_of(answer: Answer) -> str:
    if isinstance(answer.body, list) or "hasNextPage" not in answer.body:
        return "absent"
    more = answer.more
    return {True: "true", False: "false"}[more] if isinstance(more, bool) else "of another type"


def _paging(lists: Lists) -> Generator[Question, Answer, tuple[Assumption, ...]]:
    """Whether limit and page are honoured, ignored or refused, on the longest list."""
    kind = lists.kind
    box, whole = max(lists.read, key=lambda pair: pair[1].count, default=({}, None))
    if whole is None or whole.count < 2:
        return ()
    keys = {"boxKey": box.get("key")}
    one = yield Question(kind.path, keys, {"limit": 1, "page": 0})
    two = yield Question(kind.path, keys, {"limit": 1, "page": 1})
    bare = yield Question(kind.path, keys)
    honoured: bool | None = None
    told = f"{one.told()} and {two.told()}"
    if one.rows is not None and two.rows is not None:
        honoured = one.count == 1 and one.keys != two.keys
        told = "honoured" if honoured else f"ignored: {one.count} and {two.count} rows"
    elif one.status == 400:
        told = "refused (400)"
    told += f"; without parameters: {bare.told()}, {bare.count} of {whole.count} rows"
    name_of = "child pages" if kind.paged else "child whole"
    it_does = honoured if kind.paged else not honoured
    return (judged(name_of, told, it_does, kind=kind.title, number=kind.number),)


def _of_its_own(lists: Lists) -> tuple[Assumption, ...]:
    if lists.kind.title == "tasks":
        return (_task_shape(lists.rows),)
    return (_durations(lists),) if lists.kind.title == "meetings" else ()


def _task_shape(rows: list[Row]) -> Assumption:
    newer = sum("assignedTo" in row for row in rows)
    older = sum("assignedToSharingEntries" in row for row in rows)
    told = f"assignedTo on {newer}, assignedToSharingEntries on {older} of {len(rows)}"
    return judged("tasks", told, newer + older >= len(rows) if rows else None)


def _durations(lists: Lists) -> Assumption:
    same = other = 0
    for box, answer in lists.read:
        for kind, total in TOTALS:
            rows = [row for row in answer.rows or [] if row.get("meetingType") == kind]
            summed = sum(row.get("duration") or 0 for row in rows)
            if type(box.get(total)) is int and summed and answer.more is not True:
                same += box[total] == summed
                other += box[total] != summed
    it_does = not other if same + other else None
    return judged("durations", f"{same} totals do, {other} do not", it_does)


def _moods(lists: Lists) -> Row:
    statuses = Counter(answer.status for _, answer in lists.answers)
    asked = len(lists.answers)
    moods: Row = {}
    if statuses[404]:
        moods["gone_boxes"] = f"{statuses[404]} of {asked}"
    if statuses[500]:
        moods["failing_boxes"] = f"{statuses[500]} of {asked}"
    return moods


# --- By key -------------------------------------------------------------------------------------


def by_key(sample: Sample) -> Point:
    """A box asked for by its key answers as its list does, but for what drifts."""
    boxes = sample.richest((), 4)
    same, other, statuses = 0, Counter[str](), Counter[str]()
    for box in boxes:
        answer = yield Question("v1/boxes/{boxKey}", {"boxKey": box.get("key")})
        statuses[answer.told()] += 1
        if answer.ok and isinstance(answer.body, dict):
            names = {*answer.body, *box}
            names = {title for title in names if answer.body.get(title) != box.get(title)}
            same += not names - {"freshness"}
            other.update(names)
    told = ", ".join(f"{count} times {what}" for what, count in statuses.items()) or "no boxes"
    told += f"; {same} as in the list"
    differing = ", ".join(f"{name(title)} {count} times" for title, count in other.items())
    it_does = set(statuses) == {"200"} and same > 0 if boxes else None
    return Section(
        "A box by its key",
        (f"{told}.", f"Other than in the list: {differing or 'nothing'}."),
        assumptions=(judged("box by key", told, it_does),),
        moods={"gone_boxes": f"{statuses['404']} of {len(boxes)}"} if statuses["404"] else {},
    )
