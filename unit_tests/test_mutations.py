"""The table of guards that `make mutations` takes out one by one agrees with the code."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest
from mutation_table import GUARDS, Guard
from mutations import mutated

ROOT = Path(__file__).parents[1]

each = pytest.mark.parametrize("guard", GUARDS, ids=[guard.name for guard in GUARDS])


@each
def test_each_guard_is_in_the_code_once_and_taking_it_out_leaves_valid_python(guard: Guard) -> None:
    sound = (ROOT / guard.file).read_text()

    assert mutated(sound, guard) != sound
    ast.parse(mutated(sound, guard))


@each
def test_the_test_that_holds_a_guard_exists(guard: Guard) -> None:
    file, _, name = guard.test.partition("::")

    assert f"def {name}(" in (ROOT / file).read_text()


def test_no_guard_is_in_the_table_twice() -> None:
    names = Counter(guard.name for guard in GUARDS)
    changes = Counter((guard.file, guard.text, guard.replacement) for guard in GUARDS)

    assert max(names.values()) == max(changes.values()) == 1
