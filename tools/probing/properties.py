"""Properties that no schema knows, and those of another type. Nothing is asked."""

from __future__ import annotations

from probing.assumptions import judged
from probing.names import name, schemas
from probing.points import Assumption, Point, Sample, Section
from probing.shapes import Difference, against_schema, shape_of, types

# What the connector itself puts into a row beside Streak's properties.
FROM_PARENT = {
    "pipeline_stages": {"pipelineKey"},
    "pipeline_fields": {"pipelineKey"},
    "pipeline_members": {"pipelineKey"},
    "team_members": {"teamKey"},
    "box_files": {"pipelineKey"},
}
CONVERTED = {"box_files": {"size": "string"}, "snippets": {"snippetText": "object"}}


def properties(sample: Sample) -> Point:
    """Each kind of object that was seen, held against the schema of its stream."""
    yield from ()
    facts: list[str] = []
    assumptions: list[Assumption] = []
    for stream, rows in sample.rows.items():
        shape = shape_of(rows)
        difference = against_schema(shape, schemas()[stream], CONVERTED.get(stream))
        facts.append(_never_seen(stream, difference, shape.objects))
        assumptions.append(_assumption(stream, difference, shape.objects))
    return Section(
        "Properties and schemas",
        tuple(facts) or ("Nothing was read.",),
        assumptions=tuple(assumptions),
    )


def _never_seen(stream: str, difference: Difference, of: int) -> str:
    """The names are the schema's own."""
    missing = [one for one in difference.missing if one not in FROM_PARENT.get(stream, ())]
    return f"{stream}, {of} objects; never seen: {', '.join(missing) or 'none'}."


def _assumption(stream: str, difference: Difference, of: int) -> Assumption:
    unknown = [f"{name(title)} ({types(inner, of)})" for title, inner in difference.unknown.items()]
    other = [
        f"{name(title)} ({seen}; the schema expects {expected})"
        for title, (seen, expected) in difference.other_type.items()
    ]
    told = [f"in no schema: {', '.join(unknown)}"] if unknown else []
    told += [f"of another type: {', '.join(other)}"] if other else []
    streak = f"{of} objects; {'; '.join(told) or 'nothing else'}"
    return judged("schema", streak, not told if of else None, stream=stream)
