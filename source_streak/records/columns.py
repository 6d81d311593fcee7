"""A table per pipeline: the names of the table and its columns, and how a box becomes a row.

    boxes_sales: box_key, name, stage, …, deal_size, close_date, …, read_at, _ab_cdc_deleted_at, …

Warehouses take the names without quotes: a to z, digits and _, no leading digit, no SQL keyword.
A name depends on older names only, so that a namesake added later renames nothing. The keys of the
pipeline and its fields are in the JSON schema. So a configured table still gets its values when
something is renamed or added before the next discover.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any

from anyascii import anyascii

from source_streak.records.fields import (
    UNSET,
    definitions_of,
    linked_keys,
    moment,
    name_of,
    truth,
    typed,
)
from source_streak.records.shape import mapping, objects, whole_number, without_secrets

Row = dict[str, Any]
Schema = Mapping[str, Any]
Take = Callable[[Row], Any]
Read = Callable[[Mapping[str, Any], Any], Any]

PREFIX = "boxes_"
# In bytes. PostgreSQL allows 63, and destinations use some of these themselves.
LONGEST_STREAM, LONGEST_COLUMN = 40, 55
SHORT = 12  # characters: a longer key is replaced by its hash
LONGEST_SAID = 200  # characters of a name in a description
PIPELINE_KEY, FIELD_KEY = "streakPipelineKey", "streakFieldKey"  # in the JSON schema
LAST = ("read_at", "_ab_cdc_deleted_at", "other_properties")  # these follow the custom fields

# Reserved in PostgreSQL, Snowflake, BigQuery or DuckDB (their references' lists), or columns that
# every PostgreSQL table has. As column names these would need quotes, or would not work at all.
SQL_WORDS = """
account all alter analyse analyze and anti any array as asc asof assert_rows_modified asymmetric at
authorization between binary both by case cast check cluster cmax cmin collate collation column
concurrently connect connection constraint contains create cross ctid cube current current_catalog
current_date current_role current_schema current_time current_timestamp current_user database
default deferrable define delete desc describe distinct do drop else end enum escape except exclude
exists extract false fetch following for foreign freeze from full function glob grant group
grouping groups gscluster hash having if ignore ilike in increment initially inner insert intersect
interval into is isnull issue join lambda lateral leading left like limit localtime localtimestamp
lookup merge minus natural new no not notnull null nulls of offset on only or order organization
outer over overlaps partition pivot pivot_longer pivot_wider placing positional preceding primary
proto qualify range recursive references regexp respect returning revoke right rlike rollup row
rows sample schema select semi session_user set show similar some start struct summarize symmetric
system_user table tableoid tablesample then to trailing treat trigger true try_cast unbounded union
unique unnest unpack unpivot update user using values variadic verbose view when whenever where
window with within xmax xmin
"""
SQL = frozenset(SQL_WORDS.split())

TEXT: Row = {"type": ["string", "null"]}
TEXTS: Row = {"type": ["array", "null"], "items": TEXT}
KINDS: dict[str, Row] = {
    "DATE": {
        "type": ["string", "null"],
        "format": "date-time",
        "airbyte_type": "timestamp_with_timezone",
    },
    "CHECKBOX": {"type": ["boolean", "null"]},
    "TAG": TEXTS,
    "TEAM_CONTACT": TEXTS,
    "TEAM_ORGANIZATION": TEXTS,
}
SEEN = {
    "DROPDOWN": "the name of the chosen option",
    "TAG": "the names of the chosen options",
    "DATE": "as a point in time, because Streak does not say in which time zone the day begins",
    "TEAM_CONTACT": "the keys of the contacts",
    "TEAM_ORGANIZATION": "the keys of the organizations",
}


def table_names(pipelines: Iterable[Row], taken: Iterable[str]) -> dict[str, str]:
    """The stream name of each pipeline, by the pipeline's key, the oldest first.

    `taken`: the names of all other streams.
    """
    named = (
        (pipeline["key"], f"{PREFIX}{words(pipeline.get('name'))}".rstrip("_"))
        for pipeline in sorted(pipelines, key=_age)
    )
    return _unique(named, set(taken), LONGEST_STREAM, PREFIX.rstrip("_"))


def column_names(definitions: Mapping[str, Row], taken: Iterable[str]) -> dict[str, str]:
    """The column name of each custom field, by the field's key.

    Streak numbers fields, so a lower key means an older field.
    """
    by_age = sorted(definitions, key=_number)
    named = ((key, _column(name_of(definitions[key], key))) for key in by_age)
    return _unique(named, set(taken), LONGEST_COLUMN, "field")


def _age(pipeline: Row) -> tuple[float, str]:
    return whole_number(pipeline.get("creationTimestamp")) or float("inf"), pipeline["key"]


def _number(key: str) -> tuple[bool, int, str]:
    numbered = NUMBERED.fullmatch(key) is not None
    return not numbered, len(key) if numbered else 0, key


def words(text: Any) -> str:
    """A name in snake_case: letters of all scripts become a to z, and pictures are dropped."""
    plain = SILENT.sub("", unicodedata.normalize("NFKC", str(text or "")))
    spoken = "".join(
        " " if unicodedata.category(letter) in PICTURES else anyascii(letter) for letter in plain
    )
    return re.sub(r"[^a-z0-9]+", "_", SILENT.sub("", spoken.lower())).strip("_")


# Apostrophes, with which anyascii also writes letters that a to z cannot express (the Arabic ayin),
# and the invisible characters in some flags.
SILENT = re.compile("['`\u2019\u00b4\U000e0000-\U000e007f]")
PICTURES = frozenset({"So", "Sk", "Me", "Cs", "Co", "Cn"})
NUMBERED = re.compile(r"0|[1-9][0-9]*")


def _column(name: str) -> str:
    found = words(name)
    return f"field_{found}" if found[:1].isdigit() or found in SQL else found


def _unique(
    named: Iterable[tuple[str, str]], taken: set[str], longest: int, unnamed: str
) -> dict[str, str]:
    """The name that each key gets. `named`: (key, wanted name); earlier pairs choose first."""
    given: dict[str, str] = {}
    for key, wanted in named:
        candidates = _candidates(key, wanted, longest, unnamed)
        name = next(name for name in candidates if name not in taken and name not in SQL)
        taken.add(name)
        given[key] = name
    return given


def _candidates(key: str, wanted: str, longest: int, unnamed: str) -> Iterator[str]:
    """The name alone, then with its key, then with more and more of the key's hash."""
    if wanted and wanted != unnamed:
        yield _cut(wanted, longest)
    base = wanted or unnamed
    if len(key) <= SHORT and words(key):
        yield _cut(f"{base}_{words(key)}", longest)
    for length in range(4, 33):
        yield f"{base[: longest - length - 1].rstrip('_')}_{_hash(key)[:length]}"


def _cut(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 5].rstrip('_')}_{_hash(name)[:4]}"


def _hash(text: str) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def schema_of(pipeline: Row, fixed: Schema) -> Row:
    """The JSON schema of a pipeline's table: the fixed columns, and one for each custom field."""
    definitions = definitions_of(pipeline.get("fields"))
    names = column_names(definitions, fixed["properties"])
    own = {names[key]: _column_schema(key, definition) for key, definition in definitions.items()}
    last = {name: fixed["properties"][name] for name in LAST}
    first = {name: column for name, column in fixed["properties"].items() if name not in last}
    return {**fixed, PIPELINE_KEY: pipeline["key"], "properties": {**first, **own, **last}}


def completed(schema: Schema, known: Schema) -> Row:
    """A configured schema, plus what clients drop and the columns that every record needs.

    `known`: the schema as discovered now. Columns that the user left out stay out.
    """
    now = known["properties"]
    wanted = mapping(schema.get("properties")) or now
    columns = {
        name: column if FIELD_KEY in mapping(column) else now.get(name, mapping(column))
        for name, column in wanted.items()
    }
    always = {name: now[name] for name in ("box_key", *LAST)}
    return {
        **known,
        **schema,
        PIPELINE_KEY: known[PIPELINE_KEY],
        "properties": {**columns, **always},
    }


def _column_schema(key: str, definition: Row) -> Row:
    kind = found if isinstance(found := definition.get("type"), str) else ""
    seen = f": {SEEN[kind]}" if kind in SEEN else ""
    name = " ".join(name_of(definition, key).replace("\0", " ").split())[:LONGEST_SAID]
    description = f'Custom field "{name}" ({kind or "of no type"}){seen}.'
    return {**KINDS.get(kind, TEXT), "description": description, FIELD_KEY: key}


class Table:
    """The columns of one configured table, and what they take from a box."""

    def __init__(self, schema: Schema) -> None:
        columns = schema["properties"]
        own = {name: column for name, column in columns.items() if FIELD_KEY in column}
        self._fields = {
            name: (str(column[FIELD_KEY]), _reader(column), _kind(column))
            for name, column in own.items()
        }
        fixed = [name for name in columns if name not in own and name not in LAST]
        self._made = {name: MADE[name] for name in fixed if name in MADE}
        self._copied = {name: COPIED.get(name) or _property(name) for name in fixed}

    @property
    def columns(self) -> dict[str, str]:
        """The columns of custom fields, each with its field's key."""
        return {name: key for name, (key, *_) in self._fields.items()}

    @property
    def signature(self) -> str:
        """Changes when a custom field's column is added, removed, or gets another field or type."""
        fields = sorted((name, key, kind) for name, (key, _, kind) in self._fields.items())
        return _hash(repr(fields))

    def row(self, box: Row, definitions: Mapping[str, Row], stage: Any) -> Row:
        """A box as a row. A value that does not fit its column stays as it is, for Shape."""
        values = mapping(box.get("fields"))
        row: Row = {name: box.get(source) for name, source in self._copied.items()}
        for name, take in self._made.items():
            row[name] = take(box)
        if "stage" in row:
            row["stage"] = stage
        for name, (key, read, _) in self._fields.items():
            value = values.get(key)
            is_set = value not in UNSET
            row[name] = read(definitions.get(key, {}), without_secrets(value)) if is_set else None
        return row


def _kind(column: Schema) -> str:
    """A text that tells the schemas in KINDS apart."""
    return f"{column.get('type')} {column.get('format')}"


def _reader(column: Schema) -> Read:
    """The function that reads a field's value for a column, whatever type the field has by now."""
    types = str(column.get("type"))
    if column.get("format") == "date-time":
        return lambda _, value: value if (at := moment(value)) is None else at
    if "boolean" in types:
        return lambda _, value: value if (ticked := truth(value)) is None else ticked
    if "array" in types:
        return _labels
    return lambda definition, value: typed(definition, value)["textValue"]


def _labels(definition: Mapping[str, Any], value: Any) -> Any:
    keys = linked_keys(value)
    return value if keys is None else typed(definition, keys).get("labels") or keys


def _each(name: str, entries: Any) -> Any:
    """One property of each entry. A value that is not a list is returned unchanged."""
    if not isinstance(entries, list):
        return entries
    return [entry[name] for entry in objects(entries) if isinstance(entry.get(name), str)]


def _property(column: str) -> str:
    """The name of the box's property, in Streak's camelCase."""
    first, *others = column.split("_")
    return first + "".join(word.capitalize() for word in others)


COPIED = {  # from a property with another name
    "box_key": "key",
    "created": "creationTimestamp",
    "updated": "lastUpdatedTimestamp",
    "stage_changed": "lastStageChangeTimestamp",
    "last_email_sent": "lastEmailSentTimestamp",
    "last_email_received": "lastEmailReceivedTimestamp",
}
MADE: dict[str, Take] = {
    "assigned_to_emails": lambda box: _each("email", box.get("assignedToSharingEntries")),
    "creator_email": lambda box: mapping(box.get("creatorSharingEntry")).get("email"),
    "follower_emails": lambda box: _each("email", box.get("followerSharingEntries")),
    "contact_keys": lambda box: _each("key", box.get("contacts")),
    "organization_keys": lambda box: _each("key", box.get("organizations")),
}
