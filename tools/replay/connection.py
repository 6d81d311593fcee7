"""C1 to C3: check. D1 to D11: discover.

SIDE is airbyte-connector-sidecar/…/connectorSidecar, CS airbyte-commons-server/…/commons/server,
WEB airbyte-webapp/src.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from replay.output import Message, Run
from replay.rules import Found, rule, rule_of_runs

PATIENCE = 540.0  # seconds that the platform waits for the answer
LONGEST_CATALOG = 8 * 1024 * 1024  # bytes; the platform takes 10 MiB
MOST_COLUMNS = 20_000
DELETED_AT = "_ab_cdc_deleted_at"


def connection_statuses(run: Run) -> list[tuple[int, Message]]:
    """The answers of a check."""
    return list(run.bodies("CONNECTION_STATUS", "connectionStatus"))


@rule("check")
def c1_there_is_one_answer(run: Run) -> Found:
    """C1. FAILED with a sentence, and exit status 0: SIDE/ConnectorMessageProcessor.kt:161-236."""
    answers = connection_statuses(run)
    for number, answer in answers:
        if answer.get("status") not in ("SUCCEEDED", "FAILED"):
            yield number, f"no status of a connection: {answer.get('status')!r}"
        if answer.get("status") == "FAILED" and not answer.get("message"):
            yield number, "FAILED without a message"
    if run.unreachable and not answers:
        return  # C2
    if len(answers) != 1:
        yield None, f"{len(answers)} messages of the type CONNECTION_STATUS"
    elif run.code:
        yield None, f"an answer, and exit status {run.code}"


@rule("check")
def c2_an_outage_is_no_wrong_setting(run: Run) -> Found:
    """C2. FAILED is a config_error to the platform, which ends the job without another try.

    SyncCheckConnectionResult.buildFailureOutput; CW/helper/FailureHelper.kt:284-299.
    """
    if not run.unreachable:
        return
    answers = connection_statuses(run)
    for number, answer in answers:
        if answer.get("status") == "FAILED":
            yield number, f"FAILED, although Streak could not be asked: {answer.get('message')}"
    if answers:
        return
    if run.code != 1:
        yield None, f"no answer, and exit status {run.code} instead of 1"
    if not run.errors:
        yield None, "no answer, and no ERROR that says why"
    for error in run.errors:
        if error.kind != "transient_error":
            yield error.line, f"{error.kind} instead of transient_error"


@rule("check")
def c3_the_answer_comes_in_time(run: Run) -> Found:
    """C3. SIDE/ConnectorWatcher.kt:114-138 waits 9 minutes."""
    if run.seconds >= PATIENCE:
        yield None, f"it took {run.seconds:.0f} s"


def streams(run: Run) -> Iterator[tuple[int, Message]]:
    """What discover found, with the number of the line."""
    for number, catalog in run.bodies("CATALOG", "catalog"):
        for stream in catalog.get("streams") or ():
            if isinstance(stream, dict):
                yield number, stream


def columns_of(stream: Message) -> Message:
    """The top-level properties of a stream."""
    schema = stream.get("json_schema")
    found = schema.get("properties") if isinstance(schema, dict) else None
    return found if isinstance(found, dict) else {}


def catalogs(run: Run) -> list[bytes]:
    """The lines that hold a CATALOG."""
    numbers = [number for number, message in run.messages if message.get("type") == "CATALOG"]
    return [run.lines[number - 1].raw for number in numbers]


@rule("discover")
def d1_there_is_one_catalog(run: Run) -> Found:
    """D1. Exit status 0; a discover that fails is D10's."""
    if run.code or run.errors:
        return
    found = len(catalogs(run))
    if found != 1:
        yield None, f"{found} messages of the type CATALOG"


@rule_of_runs
def d1_two_discovers_find_the_same(first: Run, second: Run) -> Found:
    """D1. A field that comes and goes is a change each day: sources are discovered again daily."""
    if catalogs(first) != catalogs(second):
        yield None, "two discovers of one account differ"


@rule("discover")
def d2_the_catalog_can_be_sent(run: Run) -> Found:
    """D2. `max-request-size` of airbyte-server/…/application.yml:146-148, with some room."""
    for line in catalogs(run):
        if len(line) >= LONGEST_CATALOG:
            yield None, f"a catalog of {len(line):,} bytes"


@rule("discover")
def d3_no_stream_comes_twice(run: Run) -> Found:
    """D3. CS/validation/CatalogValidator.kt: validateCatalogDoesntContainDuplicateStreamNames."""
    names = Counter((number, str(stream.get("name"))) for number, stream in streams(run))
    for (number, name), times in names.items():
        if times > 1:
            yield number, f"{times} streams are called {name}"


@rule("discover")
def d4_every_column_has_a_type(run: Run) -> Found:
    """D4. Without one it is taken for a oneOf, and later fields are left out of the comparison.

    airbyte-commons-protocol/…/CatalogDiffHelpers.kt:118-145.
    """
    for number, stream in streams(run):
        schema = stream.get("json_schema")
        if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
            yield number, f"{stream.get('name')}: its schema has no object of properties"
            continue
        for path, column in _columns(schema):
            if not isinstance(column, dict) or not any("type" in key for key in column):
                yield number, f"{stream.get('name')}: the column {path} has no type"


def _columns(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties")
    for name, column in (properties if isinstance(properties, dict) else {}).items():
        yield f"{path}{name}", column
        yield from _columns(column, f"{path}{name}.")
    yield from _columns(schema.get("items"), path)


@rule("discover")
def d5_keys_and_cursors_are_columns(run: Run) -> Found:
    """D5. Destinations know top-level columns only: `fieldPath.first()`."""
    for number, stream in streams(run):
        paths = [*(stream.get("source_defined_primary_key") or ())]
        paths += [stream["default_cursor_field"]] if stream.get("default_cursor_field") else []
        for path in paths:
            if len(path) != 1 or path[0] not in columns_of(stream):
                yield number, f"{stream.get('name')}: {path} is no column of it"


@rule("discover")
def d6_incremental_streams_need_no_choice(run: Run) -> Found:
    """D6. Otherwise the form stops the user: WEB/…/ConnectionForm/schemas/validators.ts:34-57.

    `is_resumable` is read for full refresh alone (CS/handlers/AttemptHandler.kt:132-151, 203-230).
    A full refresh of this connector starts anew: rows of the attempt before would stand twice.
    """
    for number, stream in streams(run):
        name = stream.get("name")
        if stream.get("is_resumable"):
            yield number, f"{name}: is_resumable, although a full refresh begins anew"
        if "incremental" not in (stream.get("supported_sync_modes") or ()):
            continue
        if stream.get("source_defined_cursor") is not True:
            yield number, f"{name}: incremental without a cursor of the source's own"
        if len(stream.get("default_cursor_field") or ()) != 1:
            yield number, f"{name}: incremental without one cursor field"
        if not stream.get("source_defined_primary_key"):
            yield number, f"{name}: incremental without a primary key"


@rule("discover")
def d7_every_stream_can_be_read(run: Run) -> Found:
    """D7. `supported_sync_modes` must not be empty."""
    for number, stream in streams(run):
        if not stream.get("supported_sync_modes"):
            yield number, f"{stream.get('name')}: no sync mode"


@rule("discover")
def d8_a_connection_can_hold_every_column(run: Run) -> Found:
    """D8. MAX_FIELDS_PER_CONNECTION of CS/validation/CatalogValidator.kt."""
    total = sum(len(columns_of(stream)) for _, stream in streams(run))
    if total > MOST_COLUMNS:
        yield None, f"{total:,} columns in all"


@rule("discover")
def d9_the_time_of_a_deletion_is_a_time(run: Run) -> Found:
    """D9. A value that does not fit its column is made null, and the deletion is lost."""
    for number, stream in streams(run):
        column = columns_of(stream).get(DELETED_AT)
        if column is None:
            continue
        kinds = column.get("type")
        fits = isinstance(kinds, list) and set(kinds) == {"string", "null"}
        fits = fits and column.get("format") == "date-time"
        if not fits or column.get("airbyte_type") != "timestamp_with_timezone":
            yield number, f"{stream.get('name')}: {DELETED_AT} is declared as {column}"


@rule("discover")
def d10_a_discover_that_fails_says_why_and_finds_nothing(run: Run) -> Found:
    """D10. The first CATALOG counts whatever the exit status: SIDE/ConnectorMessageProcessor.kt."""
    if not run.code and not run.errors:
        return
    if run.code != 1:
        yield None, f"an ERROR, and exit status {run.code} instead of 1"
    if len(run.errors) != 1:
        yield None, f"{len(run.errors)} messages of the type ERROR instead of one"
    if catalogs(run):
        yield None, "a catalog beside a failure"
    for error in run.errors:
        if run.unreachable and error.kind != "transient_error":
            yield error.line, f"Streak could not be asked: {error.kind} instead of transient_error"


@rule_of_runs
def d11_a_release_changes_no_key(before: Run, after: Run) -> Found:
    """D11. The connection would be switched off: CatalogDiffHelpers.kt:320-350 ("breaking").

    Streams that are gone are no breaking change.
    """
    old = {stream["name"]: stream for _, stream in streams(before)}
    for _, stream in streams(after):
        known = old.get(stream["name"])
        if known is None:
            continue
        for what in ("source_defined_primary_key", "default_cursor_field"):
            if known.get(what) and stream.get(what) != known[what]:
                yield None, f"{stream['name']}: {what} was {known[what]}, is {stream.get(what)}"
