"""A dbt project's sources and staging views, from what the connector discovers in your account.

Needs Python alone.

    source-streak discover --config config.json >catalog.json
    python examples/dbt/generate.py catalog.json                   # writes models/staging beside this file
    python examples/dbt/generate.py catalog.json boxes box_tasks   # of these streams only

Columns get names in snake_case; boxes that were deleted are left out. What was generated before is
replaced.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

Stream = dict[str, Any]

STAGING = Path(__file__).parent / "models" / "staging"
DELETED = "_ab_cdc_deleted_at"
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def main() -> None:
    """From the file named, or from what is piped in."""
    lines = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 else sys.stdin.read()
    found = chosen(streams(lines), sys.argv[2:])
    write(found, STAGING)
    sys.stdout.write(f"{len(found)} streams in {STAGING}\n")


def streams(lines: str) -> list[Stream]:
    """The streams of the CATALOG message among the lines that discover prints."""
    messages = (json.loads(line) for line in lines.splitlines() if line.startswith("{"))
    found: list[Stream] = next(
        (message["catalog"]["streams"] for message in messages if message.get("type") == "CATALOG"),
        [],
    )
    if not found:
        sys.exit(
            "There is no catalog in that. It is what `source-streak discover --config "
            "config.json` prints."
        )
    for name in (
        name for stream in found for name in (stream["name"], *stream["json_schema"]["properties"])
    ):
        if not NAME.fullmatch(name):
            sys.exit(f"{name!r} is no name for a table or a column.")
    return found


def chosen(found: list[Stream], names: list[str]) -> list[Stream]:
    """Those that are named; all if none are."""
    for name in set(names) - {stream["name"] for stream in found}:
        sys.exit(f"The catalog has no stream {name}.")
    return [stream for stream in found if not names or stream["name"] in names]


def write(found: list[Stream], folder: Path) -> None:
    """The files in the folder, which holds nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (*folder.glob("stg_streak__*.sql"), *folder.glob("_streak__*.yml")):
        stale.unlink()
    (folder / "_streak__sources.yml").write_text(sources(found))
    (folder / "_streak__models.yml").write_text(models(found))
    for stream in found:
        (folder / f"{model(stream)}.sql").write_text(view(stream))


def model(stream: Stream) -> str:
    """What the stream's view is called."""
    return f"stg_streak__{stream['name']}"


def renamed(stream: Stream) -> dict[str, str]:
    """The columns of the view, by the stream's own.

    Those are told apart by more than case and underscores.
    """
    names = {
        column: snake(column) for column in stream["json_schema"]["properties"] if column != DELETED
    }
    twice = [name for name in names.values() if list(names.values()).count(name) > 1]
    return {column: column if name in twice else name for column, name in names.items()}


def snake(column: str) -> str:
    """boxKey: box_key; logoURL: logo_url; gmailAPIFileId: gmail_api_file_id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", column).lower()


def keys(stream: Stream) -> list[str]:
    """The primary key, in the view's names."""
    names = renamed(stream)
    return [names[path[0]] for path in stream.get("source_defined_primary_key") or []]


def view(stream: Stream) -> str:
    """The SQL of the staging view."""
    selected = ",\n".join(
        f"    {{{{ streak_column('{column}') }}}} as {name}"
        for column, name in renamed(stream).items()
    )
    alive = (
        f"where {{{{ streak_column('{DELETED}') }}}} is null\n"
        if DELETED in stream["json_schema"]["properties"]
        else ""
    )
    return f"select\n{selected}\nfrom {{{{ source('streak', '{stream['name']}') }}}}\n{alive}"


def sources(found: list[Stream]) -> str:
    """The streams as dbt's sources, their columns with what the connector says of them."""
    lines = [
        "sources:",
        "  - name: streak",
        '    description: "Streak, the CRM inside Gmail, as Airbyte loads it."',
        "    database: \"{{ var('streak_database', target.database) }}\"",
        "    schema: \"{{ var('streak_schema', target.schema) }}\"",
        "    tables:",
    ]
    for stream in found:
        lines += [f"      - name: {stream['name']}", "        columns:"]
        for column, schema in stream["json_schema"]["properties"].items():
            lines += [
                f"          - name: {column}",
                f"            description: {quoted(schema.get('description', ''))}",
            ]
    return "\n".join(lines) + "\n"


def models(found: list[Stream]) -> str:
    """The views, their columns with the same words, and tests of their primary keys."""
    lines = ["models:"]
    for stream in found:
        key = keys(stream)
        lines += [f"  - name: {model(stream)}", *unique_together(key), "    columns:"]
        for column, name in renamed(stream).items():
            lines += [
                f"      - name: {name}",
                f"        description: {quoted(described(stream, column))}",
            ]
            if name in key:
                lines.append(f"        data_tests: [{'unique, ' if len(key) == 1 else ''}not_null]")
    return "\n".join(lines) + "\n"


def unique_together(key: list[str]) -> list[str]:
    """The test of a key of several columns, which dbt itself has not."""
    if len(key) < 2:
        return []
    return [
        "    data_tests:",
        "      - unique_together:",
        "          arguments:",
        f"            columns: [{', '.join(key)}]",
    ]


def described(stream: Stream, column: str) -> str:
    """What the connector says of a column."""
    return str(stream["json_schema"]["properties"][column].get("description", ""))


def quoted(text: str) -> str:
    """In YAML; and nothing in it is Jinja, whatever people call their custom fields."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return json.dumps(re.sub(r"(?<=\{)(?=[{%#])", " ", plain), ensure_ascii=False)


if __name__ == "__main__":
    main()
