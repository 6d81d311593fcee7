"""Check the dbt package's compiled SQL with sqlglot, as the warehouse would read it.

python dbt_dialects.py snowflake FOLDER    # a `target/compiled/streak` of dbt

Runs in .venv-warehouses, which has sqlglot. Prints a line for each complaint: a statement that does
not parse in that dialect, or a column that is unknown or ambiguous. The last line counts the files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema


def main() -> None:
    dialect, folder = sys.argv[1], Path(sys.argv[2])
    files = sorted(folder.rglob("*.sql"), key=lambda file: ("staging" not in file.parts, file))
    schema = MappingSchema(dialect=dialect)
    for file in files:
        for complaint in complaints(file, dialect, schema):
            print(f"{file.name}: {complaint}")
    print(len(files), "files")


def complaints(file: Path, dialect: str, schema: MappingSchema) -> Iterator[str]:
    """Complaints about one file. Adds the columns that a model selects to the schema."""
    try:
        tree = sqlglot.parse_one(file.read_text(), read=dialect)
        model = file.parent.suffix != ".yml" and "models" in file.parts
        if model and "staging" in file.parts:
            add_sources(tree, dialect, schema)
        if model:
            selected = qualify(tree, schema=schema, dialect=dialect).named_selects
            view = table_of(file, dialect)
            schema.add_table(view, columns(selected), dialect=dialect)
    except SqlglotError as problem:
        yield str(problem)[:300]


def add_sources(tree: exp.Expression, dialect: str, schema: MappingSchema) -> None:
    """Add the source of a staging view, with the columns that the view selects."""
    asked = [column.name for column in tree.find_all(exp.Column)]
    for table in tree.find_all(exp.Table):
        if table.db:
            schema.add_table(table, columns(asked), dialect=dialect)


def table_of(file: Path, dialect: str) -> exp.Table:
    """The name that dbt gives the model of a file, with integration_tests/dbt_profiles."""
    layer = "streak_staging" if "staging" in file.parts else "streak"
    if dialect == "snowflake":
        return exp.table_(file.stem, db=f"PUBLIC_{layer}", catalog="ANALYTICS")
    return exp.table_(file.stem, db=f"public_{layer}", catalog="some-project", quoted=True)


def columns(names: list[str]) -> dict[exp.Identifier, str]:
    return {exp.to_identifier(name, quoted=True): "TEXT" for name in names}


if __name__ == "__main__":
    main()
