"""Each attack in docs/reliability.md names a test that repeats it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8").partition("## Attacks")[2]
LINES = [line for line in TABLE.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
TEST = re.compile(r"`((?:unit|integration)_tests/test_\w+\.py)::(test_\w+)` \|$")


def test_the_page_lists_more_than_30_attacks() -> None:
    assert len(LINES) > 30


@pytest.mark.parametrize("line", LINES)
def test_each_attack_names_a_test_that_exists(line: str) -> None:
    named = TEST.search(line)

    assert named, "the last column names no test"
    file, test = named.groups()
    assert f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8")
