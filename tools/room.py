"""`make room`: how large all states of a sync are together, and which streams are exact in them.

Everything is selected: 20 pipelines with a table each, 2.4 children a box, 0.7 of 14 custom fields.
The keys are as scattered as Streak's own could be; the states are those that the connector writes.
"""

from __future__ import annotations

from test_room import Made, size

from source_streak.incremental.room import IMPORTANCE, divide

PIPELINES, CHILDREN_A_BOX = 20, 2.4


def row(boxes: int) -> str:
    """One line of the table."""
    made = Made(boxes, round(CHILDREN_A_BOX * boxes), PIPELINES, PIPELINES)
    made.shares = divide(made.needs)
    together, given_up = 0, []
    for need, state in made.states():
        if need.entities and not (state.share.key_bytes and state.keys_fit()):
            state.give_up_keys()
            given_up.append("boxes_*" if need.stream.startswith("boxes_") else need.stream)
        together += size(state, need)
    names = ", ".join(name for name in IMPORTANCE if name in given_up) or "none"
    return f"| {boxes:,} | {together / 1e6:.1f} MB | {names} |"


if __name__ == "__main__":
    print("| boxes | all states together | deletions not told in |\n|---|---|---|")
    for boxes in (10_000, 35_000, 50_000, 100_000):
        print(row(boxes), flush=True)
