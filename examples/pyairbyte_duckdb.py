"""Streak in a DuckDB file, with PyAirbyte: everything at first, then what has changed.

PyAirbyte needs an environment of its own: Python 3.10 to 3.12, about 800 MB. From the top of this
project:

    make .venv/ready                                    # the connector: .venv/bin/source-streak
    python3 -m venv .venv-clients
    .venv-clients/bin/pip install airbyte               # tested: the versions in examples/requirements.txt
    STREAK_API_KEY=… .venv-clients/bin/python examples/pyairbyte_duckdb.py

`make .venv-clients/ready` does the same but for the last line. An argument names another connector
command than the one of this project. Rows and state stay in streak_cache.duckdb: run it again, and
it goes on from there. Column names come in lower case. While it reads, PyAirbyte shows in a terminal
which streams it has rows of; a line each half minute says how far a long one is.

Two things that PyAirbyte does not do by itself:

- What was deleted in Streak stays in a table that is merged. So streams that can only be read whole replace their tables here.
  In the others a deleted row stays, marked: leave out rows that have a value in `_ab_cdc_deleted_at`.
  To be rid of all of it, read those streams whole too: `read(cache, streams=…, force_full_refresh=True, write_strategy="replace")`.
- A stream that is read whole and has no row any more keeps its old ones: "replace" does nothing without a row.
"""
# ruff: noqa: T201 # it prints

import logging
import os
import shutil
import sys
from pathlib import Path

# Else PyAirbyte looks the connector up in Airbyte's registry, and fails: it is not in there.
os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
import airbyte as ab

OURS = Path(__file__).parents[1] / ".venv/bin/source-streak"
COMMAND = (
    sys.argv[1] if len(sys.argv) > 1 else OURS if OURS.exists() else shutil.which("source-streak")
)


def main() -> None:
    """Reads twice; the second time there is little to bring."""
    if "STREAK_API_KEY" not in os.environ or not COMMAND:
        sys.exit(
            "It needs a key in STREAK_API_KEY, and source-streak: `make .venv/ready`, or the "
            "path of the command as an argument."
        )
    streak = ab.get_source(
        "source-streak", local_executable=COMMAND, config={"api_key": os.environ["STREAK_API_KEY"]}
    )
    logging.getLogger("airbyte.source-streak").addHandler(HowFar())
    streak.check()
    cache = ab.DuckDBCache(db_path="streak_cache.duckdb")
    print(f"First read: {read(streak, cache):,} rows")
    print(f"Second read: {read(streak, cache):,} rows")
    show(cache)


class HowFar(logging.Handler):
    """Prints what the connector's log says of a stream that takes long: a line each half minute."""

    stream = ""

    def emit(self, record: logging.LogRecord) -> None:
        """PyAirbyte's live view shows what is printed above itself."""
        message = record.getMessage()
        if message.startswith("Syncing stream: "):
            self.stream = message.removeprefix("Syncing stream: ").strip()
        elif "so far." in message:
            print(f"{self.stream}: {message}", file=sys.stderr)


def read(streak: ab.Source, cache: ab.DuckDBCache) -> int:
    """Brings the cache up to date; returns how many rows came for that."""
    modes = {
        stream.name: {mode.value for mode in stream.supported_sync_modes}
        for stream in streak.discovered_catalog.streams
    }
    remembered = [name for name in modes if "incremental" in modes[name]]
    whole = [name for name in modes if "incremental" not in modes[name]]
    # Merges by primary key, and keeps the state in the cache.
    changed = streak.read(cache, streams=remembered)
    replaced = streak.read(cache, streams=whole, force_full_refresh=True, write_strategy="replace")
    return changed.processed_records + replaced.processed_records


def show(cache: ab.DuckDBCache) -> None:
    """How many boxes there are in each stage of each pipeline."""
    boxes = cache["boxes"].to_pandas()
    # Those that were deleted in Streak stay in the table, marked.
    boxes = boxes[boxes["_ab_cdc_deleted_at"].isna()]
    print(boxes.groupby(["pipelinename", "stagename"]).size().to_string())


if __name__ == "__main__":
    main()
