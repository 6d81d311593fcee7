"""The demo's account, loaded by `make demo` itself, once for all tests of a run.

It takes only a few seconds, because the clock does not wait for the rate limit.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

DEMO = Path(__file__).with_name("demo.py")


@cache
def demo() -> tuple[Path, str]:
    """The DuckDB file, which tests only read, and what the demo printed."""
    folder = tempfile.mkdtemp(prefix="streak-demo-account-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    nobody = {name: value for name, value in os.environ.items() if name != "STREAK_API_KEY"}
    nobody["PYTHONPATH"] = str(DEMO.parent)
    done = subprocess.run(
        [sys.executable, str(DEMO), "--quick"],
        cwd=folder,
        env=nobody,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(folder, "streak.duckdb"), done.stdout
