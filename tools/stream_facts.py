"""Print what discover says about every stream as JSON, from which tools/pages.py makes pages.

Runs in the connector's own environment, with a sandbox. The tables of the sandbox's pipelines
become one, `boxes_<pipeline>`, with the columns that all of them have.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runs import COMMAND, only, sandbox

TABLE, PREFIX = "boxes_<pipeline>", "boxes_"


def main() -> None:
    """Prints a list of streams, as in a catalog."""
    with sandbox(10) as streak, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps({"api_key": streak.key}))
        command = [COMMAND, "discover", "--config", str(config)]
        found = subprocess.run(command, env=streak.environment, stdout=subprocess.PIPE, check=True)
    streams = only("CATALOG", found.stdout.splitlines())["catalog"]["streams"]
    json.dump(with_one_table(streams), sys.stdout)


def with_one_table(streams: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Replaces the tables of pipelines by one stream."""
    tables = [stream for stream in streams if stream["name"].startswith(PREFIX)]
    others = [stream for stream in streams if stream not in tables]
    if not tables:
        return others
    columns = [table["json_schema"]["properties"] for table in tables]
    shared = {
        name: column for name, column in columns[0].items() if all(name in one for one in columns)
    }
    table = {**tables[0], "name": TABLE, "json_schema": {"properties": shared}}
    return [*others, table]


if __name__ == "__main__":
    main()
