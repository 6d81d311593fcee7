"""The short form of `make chaos`: ten rounds from fixed seeds."""

from __future__ import annotations

import chaos
import pytest


@pytest.mark.parametrize("seed", [11, 12])
def test_through_faults_kills_and_changes_the_destination_becomes_the_account(seed: int) -> None:
    """Again by hand: `.venv/bin/python tools/chaos.py --seed SEED --rounds 5`."""
    tally = chaos.Tally()

    chaos.series(seed, 5, tally, replay=chaos.replayed)

    assert not tally.problems, "\n".join(tally.problems[:20])
    assert tally.faults, "nothing was done to it"
    assert tally.rows > 1_000
