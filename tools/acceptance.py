"""`make acceptance`: airbyte-cdk's standard suite against the sandbox.

With an image's name, it runs the suite's tests of that image.

    python tools/acceptance.py [source-streak:dev]

The suite takes the connector's name from its folder, so it gets a folder of that name with links
to everything here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import runs

TOP = Path(__file__).parents[1]
CLI = str(Path(sys.executable).with_name("airbyte-cdk"))
WITHOUT_IMAGE = "not image_tests and not requires_creds"


def main() -> int:
    """Returns the suite's exit status."""
    image = sys.argv[1] if len(sys.argv) > 1 else None
    with runs.sandbox(150) as streak, tempfile.TemporaryDirectory() as scratch:
        connector = Path(scratch, "source-streak")
        connector.mkdir()
        for entry in TOP.iterdir():
            (connector / entry.name).symlink_to(entry)
        environment = streak.environment
        if image:
            environment["PATH"] = (
                f"{docker_that_sees(streak, Path(scratch))}{os.pathsep}{environment['PATH']}"
            )
            command = [CLI, "image", "test", str(connector), "--image", image, "--no-creds"]
        else:
            command = [
                CLI,
                "connector",
                "test",
                str(connector),
                "--pytest-arg=-m",
                f"--pytest-arg={WITHOUT_IMAGE}",
            ]
        return subprocess.run(command, env=environment, cwd=connector, check=False).returncode


def docker_that_sees(streak: runs.Sandbox, scratch: Path) -> Path:
    """A folder with a `docker` whose containers reach the sandbox.

    airbyte-cdk has no option for passing arguments to `docker run`.
    """
    docker = shutil.which("docker")
    if docker is None:
        sys.exit(
            "No container engine: there is no command `docker` on the PATH. The image cannot "
            "be tested without one."
        )
    folder = scratch / "bin"
    folder.mkdir()
    script = folder / "docker"
    run = f'shift; exec "{docker}" run --network host -e STREAK_API_URL="{streak.url}" "$@"'
    script.write_text(f'#!/bin/sh\n[ "$1" = run ] && {{ {run}; }}\nexec "{docker}" "$@"\n')
    script.chmod(0o755)
    return folder


if __name__ == "__main__":
    sys.exit(main())
