"""Requirements of the lowest and the newest versions: each bound of pyproject.toml is read."""

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
def test_a_bound_has_a_least_version_and_one_that_is_too_new(
    bound: str, limits: tuple[str, str]
) -> None:
    assert bounds.limits(bound) == limits


@pytest.mark.parametrize("which", ["lowest", "newest"])
def test_each_dependency_has_its_line(
    capsys: pytest.CaptureFixture[str], mocker: MockerFixture, which: str
) -> None:
    mocker.patch("sys.argv", ["bounds.py", which])

    bounds.main()

    lines = capsys.readouterr().out.splitlines()
    assert {"airbyte-cdk", "zstandard", "pytest", "pytest-xdist"} <= {
        line.split("=")[0].rstrip("<>") for line in lines
    }
