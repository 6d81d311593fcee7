"""The short form of `make chaos`: ten rounds from fixed seeds."""

from __future__ import annotations

import chaos
import pytest


@pytest.mark.parametrize("seed", [11, 12])
def test_the_destination_matches_the_account_after_faults_kills_and_changes(seed: int) -> None:
    """To repeat it by hand: `.venv/bin/python tools/chaos.py --seed SEED --rounds 5`."""
    tally = chaos.Tally()

    chaos.series(seed, 5, tally, replay=chaos.replayed)

    assert not tally.problems, "\n".join(tally.problems[:20])
    assert tally.faults, "nothing was done to it"
    assert tally.rows > 1_000
