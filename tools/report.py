"""`make report`: builds the dbt package on streak.duckdb, and writes report.html.

Runs in .venv-dbt, which has dbt and Vega-Lite. The page is one file and needs no network, because
it contains the chart library and the figures. Its parts are in tools/report_page/.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import report_figures
import vl_convert

TOP = Path(__file__).parents[1]
PARTS = Path(__file__).with_name("report_page")
DATABASE, REPORT = Path("streak.duckdb"), Path("report.html")
DBT = Path(sys.executable).with_name("dbt")
SCRATCH = TOP / ".venv-dbt" / "scratch"  # what dbt keeps between runs


def main() -> None:
    """Ends with a sentence if there is nothing to report."""
    if not DATABASE.exists():
        sys.exit(f"There is no {DATABASE}: `make demo` loads one.")
    began = time.monotonic()
    today = sandbox_s_today()
    build(today)
    figures = read(today or date.today())
    REPORT.write_text(page(figures), encoding="utf-8")
    took = time.monotonic() - began
    size = REPORT.stat().st_size / 1e6
    print(f"\nBuilt the dbt package on {DATABASE} in {took:.0f} seconds.")
    print(
        f"The report: {REPORT.resolve()} ({size:.1f} MB; open it in a browser, it needs no network)"
    )


def sandbox_s_today() -> date | None:
    """The last day of the sandbox's fixed calendar; None for a real account."""
    with duckdb.connect(str(DATABASE), read_only=True) as database:
        tables = {name for (name,) in database.execute("SHOW TABLES").fetchall()}
        if "_sandbox" not in tables:
            return None
        (today,) = database.execute("SELECT today FROM _sandbox").fetchone() or (None,)
        return today


def build(today: date | None) -> None:
    """`dbt build`. Shows failed tests and goes on, but ends if a table cannot be built."""
    variables = json.dumps({"streak_now": today.isoformat()} if today else {})
    arguments = ["build", "--exclude-resource-type", "unit_test", "--vars", variables]
    folders = ["--project-dir", ".", "--profiles-dir", ".", "--target", "duckdb"]
    folders += ["--target-path", str(SCRATCH / "target"), "--log-path", str(SCRATCH / "logs")]
    place = {"STREAK_DUCKDB": str(DATABASE.resolve()), "DO_NOT_TRACK": "1"}
    done = subprocess.run(
        [DBT, "--quiet", "--no-use-colors", *arguments, *folders],
        cwd=TOP / "dbt",
        env={**os.environ, **place},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(done.stdout + done.stderr)
        results = json.loads((SCRATCH / "target" / "run_results.json").read_text())["results"]
        if any(result["status"] == "error" for result in results):
            sys.exit("dbt could not build the package: see above.")


def read(today: date) -> dict[str, Any]:
    """All of the page's figures, from the marts."""
    with duckdb.connect(str(DATABASE), read_only=True) as database:
        database.execute("SET TimeZone = 'UTC'; SET search_path = 'main_streak,main'")
        found: dict[str, Any] = {"today": today}
        for name, sql in report_figures.QUERIES.items():
            result = database.execute(sql, {"today": today} if "$today" in sql else None)
            columns = [column[0] for column in result.description]
            found[name] = [dict(zip(columns, row, strict=True)) for row in result.fetchall()]
    return found


def page(figures: dict[str, Any]) -> str:
    """The page's parts in one file."""
    parts = {
        "STYLE": (PARTS / "style.css").read_text(),
        "LIBRARY": vl_convert.javascript_bundle().replace("</script", "<\\/script"),
        "FIGURES": json.dumps(figures, default=plain, ensure_ascii=False).replace("</", "<\\/"),
        "CHARTS": (PARTS / "charts.js").read_text(),
        "PAGE": (PARTS / "page.js").read_text(),
    }
    html = (PARTS / "page.html").read_text()
    for name, part in parts.items():
        before, _, after = html.partition(f"/* {name} */")
        html = before + part + after
    return html


def plain(value: Any) -> Any:
    """A number or date in a form that JSON has."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()
