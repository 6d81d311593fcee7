"""Points 7 and 12: newsfeed, snippets, and the agenda of tasks."""

from __future__ import annotations

from collections import Counter

from probing.assumptions import judged
from probing.points import Answer, Point, Question, Sample, Section
from probing.shapes import shape_of, type_of

NEWSFEED = "v1/pipelines/{pipelineKey}/newsfeed"


def newsfeed(sample: Sample) -> Point:
    """At most 50 events, and no way to more."""
    answers: list[Answer] = []
    for key in [key for key, boxes in sample.boxes.items() if boxes][:2]:
        answers.append((yield Question(NEWSFEED, {"pipelineKey": key})))
        answers.append((yield Question(NEWSFEED, {"pipelineKey": key}, {"detailLevel": "ALL"})))
    rows = [row for answer in answers for row in answer.rows or []]
    sample.keep("newsfeed", rows)
    counts = [answer.count for answer in answers if answer.rows is not None]
    most = max(counts, default=0)
    return Section(
        "The newsfeed of a pipeline",
        (f"Rows, without and with detailLevel=ALL: {', '.join(map(str, counts)) or 'none read'}.",),
        shapes=(("An event", shape_of(rows)),),
        assumptions=(judged("newsfeed", f"at most {most}", most <= 50 if counts else None),),
    )


def snippets(sample: Sample) -> Point:
    """Snippets, and one by its key."""
    whole = yield Question("v1/snippets")
    paged = yield Question("v1/snippets", params={"limit": 1, "page": 1})
    rows = whole.rows or []
    sample.keep("snippets", rows)
    one = None
    if rows:
        one = yield Question("v1/snippets/{snippetKey}", {"snippetKey": rows[0].get("key")})
    texts = Counter(type_of(row.get("snippetText")) for row in rows)
    kinds = ", ".join(f"{what} {count}" for what, count in texts.items()) or "no snippet"
    ignored = None if len(rows) < 2 else paged.rows is None or paged.keys == whole.keys
    told = f"{whole.count} rows; with limit=1 and page=1: {paged.told()}, {paged.count} rows"
    return Section(
        "Snippets",
        (
            f"{whole.told()}, {whole.envelope}, {told}.",
            f"By its key: {one.told()}, {type_of(one.body)}." if one else "There is no snippet.",
            f"snippetText: {kinds}.",
        ),
        shapes=(("A snippet", shape_of(rows)),),
        assumptions=(
            judged("snippets", told, ignored),
            judged("snippet text", kinds, set(texts) <= {"object", "string"} if rows else None),
        ),
    )


def agenda(_: Sample) -> Point:
    """v2/tasks: the tasks of the key's user across boxes."""
    plain = yield Question("v2/tasks", params={"limit": 50})
    done = yield Question("v2/tasks", params={"limit": 50, "includeCompleted": "true"})
    told = (
        f"{plain.told()}, {plain.envelope}, {plain.count} rows; with completed ones: {done.count}"
    )
    return Section(
        "v2/tasks, the agenda",
        (f"{told}.",),
        shapes=(("A task of the agenda", shape_of(plain.rows or [])),),
        assumptions=(judged("agenda", told, plain.rows is not None if plain.status else None),),
    )
