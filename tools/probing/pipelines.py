"""Pipelines and their stages: both versions of the list (point 11)."""

from __future__ import annotations

from probing.assumptions import judged
from probing.points import Answer, Assumption, Point, Question, Row, Sample, Section, ask_each
from probing.shapes import shape_of, type_of

PATIENT = 10.0


def pipelines(sample: Sample) -> Point:
    """Both versions of the list; fills `sample.pipelines`."""
    v2 = yield Question("v2/pipelines", params={"limit": 100, "page": 0}, patience=PATIENT)
    v1 = yield Question("v1/pipelines", patience=PATIENT)
    sample.pipelines = v2.rows or v1.rows or []
    _keep_definitions(sample)
    known = max(v1.count, v2.count)
    wanted = [{"limit": 1, "page": page} for page in range(2 if known > 1 else 0)]
    pages = yield from ask_each(Question("v2/pipelines", params=params) for params in wanted)
    counted = sum("boxCount" in row for row in sample.pipelines)
    told = f"on {counted} of {len(sample.pipelines)} pipelines"
    return Section(
        "Pipelines: v2 and v1",
        (
            f"v2/pipelines: {v2.told()}, {v2.envelope}, {v2.count} rows.",
            f"v1/pipelines: {v1.told()}, {v1.envelope}, {v1.count} rows.",
            f"Both lists have the same keys: {_same(v1, v2)}. boxCount is {told}.",
        ),
        assumptions=(
            judged(
                "v2 pipelines",
                f"{v2.told()}, {v2.envelope}",
                isinstance(v2.body, dict) and v2.rows is not None,
            ),
            _pages(pages),
            judged(
                "box count", told, counted == len(sample.pipelines) if sample.pipelines else None
            ),
        ),
        moods=_moods(v2, pages, known) | _count_mood(sample, counted),
    )


def _keep_definitions(sample: Sample) -> None:
    sample.keep("pipelines", sample.pipelines)
    for row in sample.pipelines:
        stages = row.get("stages")
        sample.keep("pipeline_stages", stages.values() if isinstance(stages, dict) else ())
        sample.keep("pipeline_fields", row.get("fields") or ())
        sample.keep("pipeline_members", row.get("aclEntries") or ())


def _same(v1: Answer, v2: Answer) -> str:
    if v1.rows is None or v2.rows is None:
        return "not known"
    return "yes" if set(map(str, v1.keys)) == set(map(str, v2.keys)) else "no"


def _pages(pages: list[Answer]) -> Assumption:
    """Two pages of one row each have another row each."""
    if len(pages) < 2 or any(page.rows is None for page in pages):
        return judged("v2 pages", "fewer than two rows", None)
    different = len({str(key) for page in pages for key in page.keys})
    told = f"{pages[0].count} and {pages[1].count} rows, {different} different"
    return judged("v2 pages", told, pages[0].count == pages[1].count == 1 and different == 2)


def _moods(whole: Answer, pages: list[Answer], known: int) -> Row:
    moods: Row = {"v2_pipelines_missing": True} if whole.status == 404 else {}
    if whole.rows is None:
        return moods
    if isinstance(whole.body, dict) and "hasNextPage" not in whole.body:
        moods["flag_absent"] = True
    if len(pages) == 2 and pages[0].count > 1:
        moods["v2_page_ignored"] = "whole"
    elif len(pages) == 2 and pages[0].count and pages[0].keys == pages[1].keys:
        moods["v2_page_ignored"] = "first"
    elif whole.count < known:
        moods["v2_limit_cap"] = whole.count
    return moods


def _count_mood(sample: Sample, counted: int) -> Row:
    return {"box_count_absent": True} if sample.pipelines and not counted else {}


def stages(sample: Sample) -> Point:
    """Point 11: stages by themselves, in both versions, and within their pipeline."""
    if not sample.pipelines:
        return Section("Stages", ("Not asked: no pipeline.",))
    pipeline = sample.pipelines[0]
    keys = {"pipelineKey": pipeline.get("key")}
    v1 = yield Question("v1/pipelines/{pipelineKey}/stages", keys)
    v2 = yield Question("v2/pipelines/{pipelineKey}/stages", keys)
    within = pipeline.get("stages")
    rows = list(within.values()) if isinstance(within, dict) else []
    told = (
        f"within the pipeline: {type_of(within)}; v1: {v1.told()}, {type_of(v1.body)}; "
        f"v2: {v2.told()}, {type_of(v2.body)}"
    )
    named = bool(rows) and all(isinstance(row, dict) and "name" in row for row in rows)
    return Section(
        "Stages",
        (f"{told}.",),
        shapes=(("A stage within its pipeline", shape_of(rows)),),
        assumptions=(judged("stages", told, named),),
    )
