"""tools/bounds.py: requirements of the lowest and newest versions that pyproject.toml allows."""

from __future__ import annotations

import bounds
import pytest
from pytest_mock import MockerFixture


@pytest.mark.parametrize(
    ("bound", "limits"),
    [
        ("^2.32.3", ("2.32.3", "3")),
        ("^0.3.2", ("0.3.2", "0.4")),
        (">=0.22,<1", ("0.22", "1")),
    ],
)
def test_a_bound_gives_its_lowest_version_and_the_first_one_that_is_too_new(
    bound: str, limits: tuple[str, str]
) -> None:
    assert bounds.limits(bound) == limits


@pytest.mark.parametrize("which", ["lowest", "newest"])
def test_each_dependency_gets_its_line_of_requirements(
    capsys: pytest.CaptureFixture[str], mocker: MockerFixture, which: str
) -> None:
    mocker.patch("sys.argv", ["bounds.py", which])

    bounds.main()

    lines = capsys.readouterr().out.splitlines()
    assert {"airbyte-cdk", "zstandard", "pytest", "pytest-xdist"} <= {
        line.split("=")[0].rstrip("<>") for line in lines
    }
