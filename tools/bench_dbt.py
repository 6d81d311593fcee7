"""`make bench-dbt`: how long `dbt build` takes on many boxes, and how much memory.

python tools/bench_dbt.py [BOXES]    # 50,000 unless another number is given

Runs in .venv-dbt. Copies the boxes of streak.duckdb (`make demo`) and their children under new keys
until there are that many. The file itself does not change. (dbt imports every module on its path
whose name begins with dbt_, so this one has another name.)
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time

import duckdb
import report

BOXES = 50_000
KEYS = ("key", "boxKey", "box_key")  # the keys to renew in a copied row
MEGABYTE = 1024  # in the unit of ru_maxrss on Linux


def main() -> None:
    """Ends with a sentence if there is nothing to multiply."""
    boxes = int(sys.argv[1]) if len(sys.argv) > 1 else BOXES
    if not report.DATABASE.exists():
        sys.exit(f"There is no {report.DATABASE}: `make demo` loads one.")
    with tempfile.TemporaryDirectory(prefix="streak-bench-") as folder:
        shutil.copy(report.DATABASE, folder)
        os.chdir(folder)
        rows = multiply(boxes)
        began = time.monotonic()
        report.build(report.sandbox_s_today())
        seconds = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("| boxes | rows of their streams | dbt build | of processors | peak memory |")
    print("|---|---|---|---|---|")
    print(
        f"| {boxes:,} | {rows:,} | {seconds:.0f} s | {used.ru_utime + used.ru_stime:.0f} s"
        f" | {used.ru_maxrss / MEGABYTE:,.0f} MB |"
    )


def multiply(boxes: int) -> int:
    """Make roughly so many boxes, by copying all. Returns the rows of all their tables."""
    with duckdb.connect(str(report.DATABASE)) as database:
        (there,) = database.execute("SELECT count(*) FROM boxes").fetchone() or (0,)
        times = max(1, round(boxes / there))
        return sum(
            multiply_table(database, table, columns, times)
            for table, columns in tables(database).items()
            if {"boxKey", "box_key"} & columns
        )


def tables(database: duckdb.DuckDBPyConnection) -> dict[str, set[str]]:
    """The connector's tables with their columns."""
    found: dict[str, set[str]] = {}
    asked = "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main'"
    for table, column in database.execute(asked).fetchall():
        found.setdefault(table, set()).add(column)
    return found


def multiply_table(
    database: duckdb.DuckDBPyConnection, table: str, columns: set[str], times: int
) -> int:
    """Repeat each row `times` times. Returns how many rows there are then."""
    new = ", ".join(f'"{key}" || \'-\' || copy AS "{key}"' for key in KEYS if key in columns)
    database.execute(
        f'INSERT INTO "{table}" SELECT rows.* REPLACE ({new})'  # noqa: S608 # names of the file
        f' FROM "{table}" AS rows, range(1, {times}) AS copies(copy)'
    )
    (rows,) = database.execute(f'SELECT count(*) FROM "{table}"').fetchone() or (0,)  # noqa: S608
    return int(rows)


if __name__ == "__main__":
    main()
