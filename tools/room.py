"""`make room`: how large all states of a sync are together, and which streams are exact in them.

Everything is selected, including up to 200 tables: 2.4 children a box, 0.7 of 14 custom fields.
The keys are as scattered as Streak's own could be; the states are those that the connector writes.
"""

from __future__ import annotations

from test_room import Made, size

from source_streak.incremental.room import IMPORTANCE, divide

CHILDREN_A_BOX, MOST_TABLES = 2.4, 200


def row(boxes: int, pipelines: int) -> str:
    """One row of the table."""
    tables = min(pipelines, MOST_TABLES)
    made = Made(boxes, round(CHILDREN_A_BOX * boxes), pipelines, tables)
    made.shares = divide(made.needs)
    together, given_up = 0, []
    for need, state in made.states():
        if need.entities and not (state.share.key_bytes and state.keys_fit()):
            state.give_up_keys()
            given_up.append("boxes_*" if need.stream.startswith("boxes_") else need.stream)
        together += size(state, need)
    names = ", ".join(name for name in IMPORTANCE if name in given_up) or "none"
    return f"| {boxes:,} | {pipelines:,} | {together / 1e6:.1f} MB | {names} |"


if __name__ == "__main__":
    print("| boxes | pipelines | all states together | deletions not reported by |")
    print("|---|---|---|---|")
    for boxes in (10_000, 35_000, 50_000, 100_000):
        print(row(boxes, pipelines=20), flush=True)
    print(row(250_000, pipelines=1_000))
