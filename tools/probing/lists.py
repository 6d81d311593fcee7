"""Points 1 to 5, 16 and 19: the lists of boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from itertools import combinations

from probing.assumptions import judged
from probing.points import Answer, Assumption, Point, Question, Row, Sample, Section, number
from probing.shapes import shape_of

BOXES = "v1/pipelines/{pipelineKey}/boxes"
BOXES_V2 = "v2/pipelines/{pipelineKey}/boxes"
BATCH = "v1/pipelines/{pipelineKey}/boxes/batch/"
MOST_PIPELINES = 30
SMALL = 1_000  # boxes of a list that may be asked for without a limit
ORDER = "creationTimestamp"
LISTED = {"limit": 100, "page": 0, "sortBy": ORDER}
PATIENT = 10.0
COUNTERS = (
    *("commentCount", "taskTotal", "callLogCount", "meetingNotesCount"),
    *("gmailThreadCount", "fileCount"),
)
Calls = dict[tuple[str, ...], Answer]


# --- Every box list, once -----------------------------------------------------------------------


class Odd:
    """What is odd about lists of boxes, counted."""

    def __init__(self) -> None:
        self.empty = self.short = self.twice = self.backwards = 0

    def note(self, answer: Answer, counted: object) -> None:
        rows = answer.rows or []
        self.twice += len(rows) > len({str(key) for key in answer.keys})
        stamps = [row.get(ORDER) or 0 for row in rows]
        self.backwards += stamps != sorted(stamps, reverse=True)
        if type(counted) is int and counted > 0:
            self.empty += not rows
            self.short += 0 < len(rows) < min(counted, 100) and answer.more is False


def box_lists(sample: Sample) -> Point:
    """The first page of every pipeline, as the connector asks for it; fills `sample.boxes`."""
    asked = sample.pipelines[:MOST_PIPELINES]
    odd, statuses = Odd(), Counter[str]()
    for pipeline in asked:
        key = str(pipeline.get("key"))
        answer = yield Question(BOXES, {"pipelineKey": key}, LISTED, patience=PATIENT)
        statuses[answer.told()] += 1
        if answer.rows is None:
            sample.refused[key] = answer.status
            continue
        sample.boxes[key] = answer.rows
        sample.keep("boxes", answer.rows)
        odd.note(answer, pipeline.get("boxCount"))
    told = ", ".join(f"{count} times {what}" for what, count in statuses.items())
    return Section(
        "The box list of every pipeline, as the connector asks for it",
        (
            f"{len(asked)} of {len(sample.pipelines)} pipelines asked: {told or 'none'}.",
            f"{len(sample.all_boxes)} boxes seen.",
            f"Empty although boxCount is more than 0: {odd.empty}. "
            f"Shorter than boxCount and said to be whole: {odd.short}.",
            f"With a box twice on one page: {odd.twice}. "
            f"Not in descending order of {ORDER}: {odd.backwards}.",
        ),
        assumptions=_of_all_lists(sample, odd, told),
        moods=_list_moods(sample, len(asked), odd),
    )


def _of_all_lists(sample: Sample, odd: Odd, told: str) -> tuple[Assumption, ...]:
    read = len(sample.boxes)
    refused = {status for status in sample.refused.values() if status}
    order = f"{odd.backwards} of {read} lists are in another order, {odd.twice} have a box twice"
    return (
        judged("listed", told or "no pipelines", refused <= {401, 403} if refused else None),
        judged(
            "box list length",
            f"{odd.empty + odd.short} of {read} are short",
            not odd.empty + odd.short if read else None,
        ),
        judged("box list order", order, not odd.backwards + odd.twice if read else None),
    )


def _list_moods(sample: Sample, asked: int, odd: Odd) -> Row:
    moods: Row = {}
    refused = [status for status in sample.refused.values() if status in (401, 403, 404)]
    if refused:
        moods["refused_pipelines"] = f"{len(refused)} of {asked}"
    if 404 in refused:
        moods["hidden_is_404"] = True
    if odd.empty:
        moods["empty_pipelines"] = f"{odd.empty} of {asked}"
    if odd.backwards + odd.twice:
        moods["pages_disordered"] = True
    boxes = sample.all_boxes
    if boxes and not any(counter in box for counter in COUNTERS for box in boxes):
        moods["counters_absent"] = True
    return moods


# --- One list, asked for in every way -------------------------------------------------------------


def envelopes(sample: Sample) -> Point:
    """Points 1 and 3: which call has which shape; whether limit and page are honoured."""
    pipeline = _middling(sample)
    if pipeline is None:
        return _none("Box lists: envelope, limit, page", "box list envelope")
    keys = {"pipelineKey": pipeline["key"]}
    calls = yield from _every_call(keys)
    second = yield Question(BOXES, keys, {"limit": 2, "page": 1})
    next_one = yield Question(BOXES, keys, {"limit": 2, "page": 1, "sortBy": ORDER})
    beyond = yield Question(BOXES, keys, {"limit": 2, "page": 9_999, "sortBy": ORDER})
    odd = yield Question(BOXES, keys, {"limit": 2, "page": 0, "sortBy": "colour"})
    stranger = yield Question(BOXES, keys, LISTED | {"limit": 2, "colour": "red"})
    facts = [
        f"{' + '.join(names) or 'no parameter'}: {one.told()}, {one.envelope}, {one.count} rows."
        for names, one in calls.items()
    ]
    whole = calls["limit", "page", "sortBy"]
    return Section(
        "Box lists: envelope, limit, page",
        (
            *facts,
            f"A page beyond the end: {beyond.told()}, {beyond.count} rows.",
            f"An unknown sortBy: {odd.told()}. An unknown parameter: {stranger.told()}.",
        ),
        assumptions=(
            _shapes(calls),
            _honoured("without", calls["limit", "page"], second),
            _honoured("with", whole, next_one),
        ),
        moods=_shape_moods(calls) | _page_moods(whole, next_one),
    )


def _every_call(keys: Row) -> Generator[Question, Answer, Calls]:
    """With each choice of the three parameters."""
    calls: Calls = {}
    every = {"limit": 2, "page": 0, "sortBy": ORDER}
    for size in range(4):
        for names in combinations(every, size):
            calls[names] = yield Question(BOXES, keys, {name: every[name] for name in names})
    return calls


def _middling(sample: Sample) -> Row | None:
    """The pipeline with most boxes that may still be asked for whole."""
    sizes = {key: len(boxes) for key, boxes in sample.boxes.items() if len(boxes) >= 3}
    fitting = [
        row
        for row in sample.pipelines
        if sizes.get(str(row.get("key"))) and (row.get("boxCount") or 100) <= SMALL
    ]
    return max(fitting, key=lambda row: sizes[str(row["key"])], default=None)


def _shapes(calls: Calls) -> Assumption:
    asked = [answer for answer in calls.values() if answer.status == 200]
    kinds = Counter(answer.envelope for answer in asked)
    told = ", ".join(f"{kind} {count} times" for kind, count in kinds.items())
    whole = calls["limit", "page", "sortBy"]
    return judged(
        "box list envelope",
        f"{told}; with all three parameters: {whole.told()}, {whole.envelope}",
        all(answer.rows is not None for answer in asked) if asked else None,
    )


def _honoured(how: str, first: Answer, second: Answer) -> Assumption:
    if first.rows is None or second.rows is None:
        return judged("box list pages", f"{first.told()} and {second.told()}", None, how=how)
    one, two = ({str(key) for key in answer.keys} for answer in (first, second))
    told = f"{first.count} and {second.count} rows of 2, {len(one & two)} in both"
    return judged("box list pages", told, len(one) == 2 and bool(two) and not one & two, how=how)


def _shape_moods(calls: Calls) -> Row:
    enveloped = {names for names, one in calls.items() if one.ok and isinstance(one.body, dict)}
    read = sum(one.ok for one in calls.values())
    if read and not enveloped:
        return {"box_list_shape": "array"}
    if read and len(enveloped) == read:
        return {"box_list_shape": "envelope"}
    return {"box_list_shape": "by_call"} if enveloped == {("limit", "page", "sortBy")} else {}


def _page_moods(first: Answer, second: Answer) -> Row:
    moods: Row = {}
    if first.count > 3:
        moods["page_ignored"] = "whole"
    elif first.count and first.keys == second.keys:
        moods["page_ignored"] = "first"
    if isinstance(first.body, dict) and "results" in first.body and first.more is None:
        moods["flag_absent"] = True
    return moods


# --- The largest limit, the list of v2, the batch -------------------------------------------------


def limits(sample: Sample) -> Point:
    """Point 2: how many boxes come at once."""
    largest = max(
        (row for row in sample.pipelines if str(row.get("key")) in sample.boxes),
        key=lambda row: row.get("boxCount") or len(sample.boxes[str(row.get("key"))]),
        default=None,
    )
    if largest is None:
        return _none("Box lists: the largest limit", "box list limit")
    counted, keys = largest.get("boxCount"), {"pipelineKey": largest["key"]}
    counts: dict[int, int] = {}
    for limit in (1_000, 500):
        answer = yield Question(BOXES, keys, LISTED | {"limit": limit})
        if answer.rows is not None:
            counts[limit] = len({str(key) for key in answer.keys})
    facts = [f"limit={one}: {count} boxes of {number(counted)}." for one, count in counts.items()]
    capped = None
    if type(counted) is int and 0 < counts.get(500, 0) < min(counted, 500):
        rest = yield Question(BOXES, keys, LISTED | {"limit": 500, "page": 1})
        facts.append(f"The page after it: {rest.count} boxes.")
        capped = counts[500] if set(map(str, rest.keys)) - set(map(str, answer.keys)) else None
    if type(counted) is int and counted <= SMALL:
        without = yield Question(BOXES, keys, {"page": 0, "sortBy": ORDER})
        facts.append(f"Without limit: {without.count} boxes of {number(counted)}.")
    told = "; ".join(f"limit={one}: {count}" for one, count in counts.items())
    told += f"; at most {capped} a page" if capped else ""
    return Section(
        "Box lists: the largest limit",
        tuple(facts),
        assumptions=(
            judged("box list limit", told, False if capped else counts.get(500, 0) >= 500 or None),
        ),
        moods={"limit_cap": capped} if capped else {},
    )


def second_list(sample: Sample) -> Point:
    """Point 4: the list of boxes of v2, which nobody documents."""
    pipeline = _middling(sample)
    if pipeline is None:
        return _none("The list of boxes of v2", "v2 box list")
    keys = {"pipelineKey": pipeline["key"]}
    first = yield Question(BOXES_V2, keys, {"limit": 2, "page": 0})
    second = yield Question(BOXES_V2, keys, {"limit": 2, "page": 1})
    offset = yield Question(BOXES_V2, keys, {"limit": 2, "offset": 2})
    works = first.count == 2 and second.rows is not None and first.keys != second.keys
    told = f"page: {first.told()} and {second.told()}, {first.envelope}; offset: {offset.told()}"
    return Section(
        "The list of boxes of v2",
        (f"{told}.",),
        shapes=(("A box of v2", shape_of(first.rows or [])),),
        assumptions=(judged("v2 box list", told, works if first.status else None),),
    )


def batch_read(sample: Sample) -> Point:
    """Point 5: several boxes at once. Of this name v2 has another POST, which moves boxes."""
    pipeline = next((key for key, boxes in sample.boxes.items() if len(boxes) > 1), None)
    if pipeline is None:
        return _none("The batch read of boxes", "batch")
    wanted = [str(row.get("key")) for row in sample.boxes[pipeline][:2]]
    answer = yield Question(BATCH, {"pipelineKey": pipeline}, reads=wanted)
    told = f"{answer.told()}, {answer.envelope}, {answer.count} rows of 2"
    is_array = isinstance(answer.body, list) and answer.count == 2
    return Section(
        "The batch read of boxes",
        (f"{told}.",),
        shapes=(("A box of the batch", shape_of(answer.rows or [])),),
        assumptions=(judged("batch", told, is_array if answer.status else None),),
    )


# --- Counters -------------------------------------------------------------------------------------


def counters(sample: Sample) -> Point:
    """Points 19 and 24: which counters boxes have. Asks nothing."""
    boxes = sample.all_boxes
    having = {counter: sum(counter in box for box in boxes) for counter in COUNTERS}
    odd = sum("lastStageChangeDate" in box for box in boxes)
    yield from ()
    told = ", ".join(f"{counter} {count}/{len(boxes)}" for counter, count in having.items())
    everywhere = all(count == len(boxes) for count in having.values())
    return Section(
        "Counters of boxes",
        (f"{told}.", f"lastStageChangeDate {odd}/{len(boxes)}."),
        assumptions=(
            judged("counters", told, everywhere if boxes else None),
            judged("stage change", f"on {odd} of {len(boxes)} boxes", not odd if boxes else None),
        ),
    )


def _none(title: str, assumption: str) -> Section:
    why = "no pipeline with enough boxes, and few enough"
    words = {"how": "with"}
    return Section(
        title, (f"Not asked: {why}.",), assumptions=(judged(assumption, why, None, **words),)
    )
