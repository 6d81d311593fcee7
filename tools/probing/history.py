"""Point 6: the timeline of a box, and the box as a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any

from probing.assumptions import judged
from probing.names import name
from probing.points import Answer, Assumption, Point, Question, Row, Sample, Section, ask_each
from probing.shapes import Shape, shape_of
from source_streak.records.changes import change

TIMELINE = "v2/boxes/{boxKey}/timeline"
DOCUMENT = "v1/boxes/{boxKey}/md"
CHANGES = "[NEWSFEED_BOX_CREATION_MOVE,NEWSFEED_BOX_EDIT]"
FILTERS = (
    *("CALL_LOGS", "COMMENTS", "EMAILS", "FILES", "HANGOUTS_CHAT", "MEETING_NOTES"),
    *("NEWSFEED_BOX_CREATION_MOVE", "NEWSFEED_BOX_EDIT"),
)
AS_ASKED = {"filters": CHANGES, "direction": "Ascending", "limit": 100}
UP = {"direction": "Ascending", "limit": 100}
DOWN = {"direction": "Descending", "limit": 100}
BUSY = ("commentCount", "gmailThreadCount", "taskTotal")
BOXES_ASKED = 6
LEAST_STAMP, MOST_STAMP = 946_684_800_000, 4_102_444_800_000  # 2000 to 2100, in milliseconds
CALLED_TIMES = ("timestamp", "date", "time", "ts", "at")
MOODS_OF = {"text/html": "html", "text/plain": "plain", "text/markdown": "markdown"}


def entries_of(answer: Answer | None) -> list[Any] | None:
    """The entries of a timeline; None where the answer has none."""
    if answer is None or not answer.ok or not isinstance(answer.body, dict):
        return None
    found = answer.body.get("entries")
    return found if isinstance(found, list) else None


def _busiest(sample: Sample, most: int) -> list[Row]:
    return sample.richest(BUSY, most) or sample.all_boxes[:most]


# --- The timeline, as it is asked for -----------------------------------------------------------


def timeline(sample: Sample) -> Point:
    """Entries, as box_changes asks for them."""
    boxes = _busiest(sample, BOXES_ASKED)
    keys = [{"boxKey": box.get("key")} for box in boxes]
    answers = yield from ask_each(Question(TIMELINE, one, AS_ASKED) for one in keys)
    plain = None
    if boxes:
        plain = yield Question(TIMELINE, keys[0])
    found = [entry for answer in answers for entry in entries_of(answer) or []]
    told = Counter(f"{answer.told()}, {answer.envelope}" for answer in answers)
    statuses = ", ".join(f"{count} times {what}" for what, count in told.items()) or "no boxes"
    readable = sum(entries_of(answer) is not None for answer in answers)
    return Section(
        "The timeline of a box, as box_changes asks for it",
        (
            f"{len(boxes)} boxes: {statuses}.",
            f"Without parameters: {plain.told()}, {plain.envelope}." if plain else "",
            f"{len(found)} entries.",
            "Whole numbers named like times: "
            + (", ".join(_times(shape_of(found))) or "none")
            + ".",
        ),
        shapes=(("An entry of the timeline", shape_of(found)),),
        assumptions=(
            judged("timeline", statuses, readable == len(answers) if answers else None),
            *_entries(found),
        ),
        moods=_timeline_mood(answers, plain),
    )


def _entries(found: list[Any]) -> tuple[Assumption, Assumption]:
    """What the connector itself makes of them."""
    entries = [entry for entry in found if isinstance(entry, dict)]
    rows = [(entry, change(entry)) for entry in entries]
    of = len(found)
    with_key = sum(row["key"] in _texts_in(entry) for entry, row in rows)
    with_time = sum(row["timestamp"] is not None for _, row in rows)
    return (
        judged("timeline key", f"{with_key} of {of} have one", with_key == of if of else None),
        judged("timeline time", f"it finds {with_time} of {of}", with_time == of if of else None),
    )


def _texts_in(entry: Row) -> set[Any]:
    """The texts of an entry and of the objects in it."""
    layers = [entry, *(value for value in entry.values() if isinstance(value, dict))]
    return {value for layer in layers for value in layer.values() if isinstance(value, str)}


def _times(shape: Shape, where: str = "", depth: int = 4) -> list[str]:
    """Where in an entry a whole number is called like a time."""
    found = []
    for title, inner in shape.names.items():
        place = f"{where}.{name(title)}" if where else name(title)
        if inner.types["integer"] and title.lower().endswith(CALLED_TIMES):
            found.append(place)
        if depth:
            found += _times(inner, place, depth - 1)
    return found


def stamps_in(value: Any) -> list[int]:
    """Every whole number in it that could be a time."""
    if isinstance(value, dict):
        return [stamp for inner in value.values() for stamp in stamps_in(inner)]
    if isinstance(value, list):
        return [stamp for inner in value for stamp in stamps_in(inner)]
    return [value] if type(value) is int and LEAST_STAMP < value < MOST_STAMP else []


def _timeline_mood(answers: list[Answer], plain: Answer | None) -> Row:
    if any(answer.status == 410 for answer in answers):
        return {"timeline": "gone"}
    if any(answer.ok and entries_of(answer) is None for answer in answers):
        return {"timeline": "other_envelope"}
    refused = bool(answers) and all(answer.status == 400 for answer in answers)
    if refused and plain is not None and plain.status == 200:
        return {"timeline": "filters_refused"}
    return {}


# --- Its pages and parameters -------------------------------------------------------------------


def timeline_pages(sample: Sample) -> Point:
    """Tokens, limits and directions, on a busy box."""
    boxes = _busiest(sample, 1)
    if not boxes:
        return Section("The timeline: pages", ("Not asked: no box.",))
    keys = {"boxKey": boxes[0].get("key")}
    up = yield Question(TIMELINE, keys, UP)
    down = yield Question(TIMELINE, keys, DOWN)
    larger = yield Question(TIMELINE, keys, {"limit": 1_000})
    alone, beside = yield from _second_page(keys)
    started = yield from _from_the_middle(keys, up)
    start = f"from the middle of it: {_count(started)}; from its beginning: {_count(up)}"
    token = f"alone: {_count(alone)}; beside limit: {_count(beside)}"
    order = f"Ascending: {_count(up)}; Descending: {_count(down)}"
    fewer = None if started is None else len(entries_of(started) or []) < len(entries_of(up) or [])
    return Section(
        "The timeline: pages",
        (f"{order}; limit=1000: {_count(larger)}.", f"nextPageToken {token}.", f"{start}."),
        assumptions=(
            judged(
                "timeline token", token, None if alone is None else entries_of(alone) is not None
            ),
            judged("timeline order", order, _turned_round(up, down)),
            judged("timeline start", start, fewer),
        ),
    )


def _second_page(keys: Row) -> Generator[Question, Answer, tuple[Answer | None, Answer | None]]:
    """By its token alone, and beside a limit."""
    first = yield Question(TIMELINE, keys, {"direction": "Ascending", "limit": 1})
    token = first.body.get("nextPage") if isinstance(first.body, dict) else None
    if not token:
        return None, None
    alone = yield Question(TIMELINE, keys, hidden={"nextPageToken": token})
    beside = yield Question(TIMELINE, keys, {"limit": 1}, {"nextPageToken": token})
    return alone, beside


def _from_the_middle(keys: Row, whole: Answer) -> Generator[Question, Answer, Answer | None]:
    stamps = sorted({stamp for entry in entries_of(whole) or [] for stamp in stamps_in(entry)})
    if len(stamps) < 2:
        return None
    return (yield Question(TIMELINE, keys, UP, {"startTimestamp": stamps[len(stamps) // 2]}))


def _turned_round(up: Answer, down: Answer) -> bool | None:
    one, other = entries_of(up), entries_of(down)
    if not one or not other or len(one) < 2 or "nextPage" in up.body:
        return None
    return one == other[::-1]


def _count(answer: Answer | None) -> str:
    if answer is None:
        return "not asked"
    entries = entries_of(answer)
    return answer.told() if entries is None else f"{answer.told()}, {len(entries)} entries"


def timeline_filters(sample: Sample) -> Point:
    """Each filter by itself, and one that is not in brackets."""
    boxes = _busiest(sample, 1)
    if not boxes:
        return Section("The timeline: filters", ("Not asked: no box.",))
    keys = {"boxKey": boxes[0].get("key")}
    found: dict[str, Answer] = {}
    for title in FILTERS:
        found[title] = yield Question(TIMELINE, keys, {"filters": f"[{title}]"})
    bare = yield Question(TIMELINE, keys, {"filters": "COMMENTS"})
    unknown = yield Question(TIMELINE, keys, {"filters": "[GOSSIP]"})
    return Section(
        "The timeline: filters",
        (
            *(f"{title}: {_count(answer)}." for title, answer in found.items()),
            f"Without brackets: {_count(bare)}. One that nobody knows: {_count(unknown)}.",
        ),
        shapes=tuple(
            (f"An entry of {title}", shape_of(entries_of(answer) or []))
            for title, answer in found.items()
        ),
    )


# --- Documents ----------------------------------------------------------------------------------


def documents(sample: Sample) -> Point:
    """The box as one Markdown text."""
    boxes = _busiest(sample, 3)
    keys = [{"boxKey": box.get("key")} for box in boxes]
    answers = yield from ask_each(Question(DOCUMENT, one) for one in keys)
    capped = None
    if boxes:
        capped = yield Question(DOCUMENT, keys[0], {"maxTokens": 1})
    told = Counter(
        f"{answer.told()}, {answer.media}" if answer.ok else answer.told() for answer in answers
    )
    statuses = ", ".join(f"{count} times {what}" for what, count in told.items()) or "no boxes"
    texts = [answer for answer in answers if answer.status == 200 and not answer.is_json]
    good = [answer for answer in texts if answer.media in ("text/markdown", "text/plain")]
    headed = sum(str(answer.body).lstrip().startswith("#") for answer in good)
    sizes = ", ".join(str(answer.length) for answer in answers)
    return Section(
        "A box as Markdown text",
        (
            f"{len(boxes)} boxes: {statuses}.",
            f"Bytes: {sizes or 'none'}. Beginning with a heading: {headed}.",
            f"maxTokens=1: {capped.told()}." if capped else "",
        ),
        assumptions=(
            judged("documents", statuses, len(good) == len(answers) if answers else None),
        ),
        moods=_document_mood(answers),
    )


def _document_mood(answers: list[Answer]) -> Row:
    answer = next((answer for answer in answers if answer.status == 200), None)
    if answer is None:
        return {}
    mood = "json" if answer.is_json else MOODS_OF.get(answer.media, "another")
    return {} if mood == "markdown" else {"documents": mood}
