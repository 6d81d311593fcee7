"""Custom fields: from keys to names, and from values to typed columns.

Streak stores values by their field's key, and options by their own: {"1002": "9001"}. The names are
in the definitions: in the pipeline for boxes, in the team's settings for contacts and
organizations. A key without a definition stays as it is.

Encodings: https://streak.readme.io/reference/get-a-field-value-for-a-box. A field that is not set
is absent, or "" in older boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from source_streak.records.once import Once
from source_streak.records.shape import (
    NEVER,
    as_json,
    iso_time,
    mapping,
    objects,
    plain_number,
    whole_number,
    without_secrets,
)

Row = dict[str, Any]
Definitions = Mapping[str, Mapping[str, Any]]

SCALAR = (str, int, float)  # bool is an int
UNSET: tuple[Any, ...] = (None, "", [])
EMPTY = dict.fromkeys(
    ("textValue", "numberValue", "booleanValue", "timeValue", "optionKeys", "labels", "rawValue")
)
READ_AS = ("fullName", "displayName", "name", "email", "key")  # the first that is set
LINK = (str, dict)
LISTED = {"TAG": SCALAR, "PERSON": LINK, "TEAM_CONTACT": LINK, "TEAM_ORGANIZATION": LINK}
OPTIONS = (("dropdownSettings", "items", "name"), ("tagSettings", "tags", "tag"))


def definitions_of(fields: Any) -> dict[str, Row]:
    """Field definitions by key, from a pipeline's array or a team's object.

    Made once for each such value, because every box of a pipeline asks for the same definitions.
    """
    return DEFINITIONS.of(fields)


def _definitions(fields: Any) -> dict[str, Row]:
    if isinstance(fields, dict):
        fields = [{"key": key, **field} for key, field in fields.items() if isinstance(field, dict)]
    return {field["key"]: field for field in objects(fields) if isinstance(field.get("key"), str)}


def team_definitions(team: Mapping[str, Any], settings: str) -> dict[str, Row]:
    """Field definitions of a team's contacts ("contactSettings") or organizations, by key."""
    return definitions_of(mapping(team.get(settings)).get("fields"))


def options_of(definition: Mapping[str, Any]) -> list[Row]:
    """The choices of a DROPDOWN or TAG field as {key, label}, in Streak's order."""
    return [
        {"key": _text(option["key"]), "label": option.get(label)}
        for settings, members, label in OPTIONS
        for option in objects(mapping(definition.get(settings)).get(members))
        if isinstance(option.get("key"), SCALAR)
    ]


def name_of(definition: Mapping[str, Any], key: str) -> str:
    """The name of a field, or its key if it has none."""
    name = definition.get("name")
    return _text(name) if isinstance(name, SCALAR) and name != "" else key


def stage_name(pipeline: Mapping[str, Any], key: Any) -> Any:
    """The name of a stage, or its key if it has no definition or name."""
    stage = mapping(pipeline.get("stages")).get(key) if isinstance(key, str) else None
    return mapping(stage).get("name") or key


def named(definitions: Definitions, values: Any) -> list[Row]:
    """The column `customFields`: {key, name, type, value, label} of each field that is set."""
    return [
        {
            "key": key,
            "name": name_of(definition, key),
            "type": definition.get("type"),
            "value": value if isinstance(value, str) else as_json(value),
            "label": typed(definition, value)["textValue"],
        }
        for key, definition, value in set_fields(definitions, values)
    ]


def field_values(definitions: Definitions, values: Any) -> Iterator[Row]:
    """A row for each field that is set. `values`: `fields` of a box, contact or organization."""
    for key, definition, value in set_fields(definitions, values):
        yield {
            "fieldKey": key,
            "fieldName": name_of(definition, key),
            "fieldType": definition.get("type"),
            **typed(definition, value),
            "rawValue": as_json(value),
        }


def unset_fields(definitions: Definitions, values: Any) -> Iterator[Row]:
    """A row of nulls for each field that is defined but not set."""
    given = mapping(values)
    for key, definition in definitions.items():
        if given.get(key) in UNSET:
            name, kind = name_of(definition, key), definition.get("type")
            yield {"fieldKey": key, "fieldName": name, "fieldType": kind, **EMPTY}


def field_keys(values: Any) -> list[str]:
    """The keys of the fields that are set: those of the rows that `field_values` makes."""
    return [key for key, value in mapping(values).items() if value not in UNSET]


def misshapen(definitions: Definitions, values: Any) -> Iterator[str]:
    """The type of each field whose value does not have its type's shape."""
    for key, value in mapping(values).items():
        kind = definitions.get(key, {}).get("type")
        if value not in UNSET and not fits(kind, value):
            yield str(kind)


def set_fields(
    definitions: Definitions, values: Any
) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Key, definition and value of each field that has a value."""
    for key, value in mapping(values).items():
        if value not in UNSET:
            yield key, definitions.get(key, {}), without_secrets(value)


def fits(kind: Any, value: Any) -> bool:
    """Whether a value has the shape of this field type. Any shape fits an unknown type."""
    if kind == "DATE":
        return moment(value) is not None
    if kind == "CHECKBOX":
        return truth(value) is not None
    if kind in ("TEXT_INPUT", "FORMULA", "DROPDOWN"):
        return isinstance(value, SCALAR)
    types = LISTED.get(str(kind))
    return types is None or all(isinstance(one, types) for one in _several(value))


def moment(value: Any) -> int | None:
    """A DATE in epoch milliseconds, or NEVER; None if it is no time in the years 1 to 9999."""
    milliseconds = whole_number(value)
    if milliseconds is None or (milliseconds not in NEVER and iso_time(milliseconds) is None):
        return None
    return milliseconds


def truth(value: Any) -> bool | None:
    """A CHECKBOX as a boolean; None if the value is not one."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return value if isinstance(value, bool) else None


def typed(definition: Mapping[str, Any], value: Any) -> Row:
    """One value in the columns for its type. textValue is what a person sees in Streak."""
    kind = definition.get("type")
    if kind == "DATE" and (milliseconds := moment(value)) is not None:
        return {"textValue": iso_time(milliseconds), "timeValue": milliseconds}
    if kind == "CHECKBOX" and (ticked := truth(value)) is not None:
        return {"textValue": as_json(ticked), "booleanValue": ticked}
    if kind in ("DROPDOWN", "TAG"):
        return _options(definition, value)
    if isinstance(value, bool):
        return {"textValue": as_json(value), "booleanValue": value}
    if isinstance(value, SCALAR):
        return {
            "textValue": _text(value),
            "numberValue": plain_number(value) if isinstance(value, str) else value,
        }
    return {"textValue": ", ".join(_texts(value)) or as_json(value)}


def _options(definition: Mapping[str, Any], value: Any) -> Row:
    keys = [_text(key) for key in _several(value)]
    names = LABELS.of(definition)
    labels = [str(names.get(key) or key) for key in keys]
    return {"textValue": ", ".join(labels), "optionKeys": keys, "labels": labels}


def linked_keys(value: Any) -> list[str] | None:
    """The keys in a TAG, TEAM_CONTACT or TEAM_ORGANIZATION; None if it holds anything else."""
    links = [one for one in _several(value) if one is not None]
    keys = [one.get("key") if isinstance(one, dict) else one for one in links]
    return [_text(key) for key in keys] if all(isinstance(key, SCALAR) for key in keys) else None


def _texts(value: Any) -> Iterable[str]:
    """What a person sees of a PERSON, TEAM_CONTACT or TEAM_ORGANIZATION value."""
    for one in _several(value):
        if isinstance(one, dict):
            one = next((one[name] for name in READ_AS if one.get(name)), None)
        if one is not None:
            yield _text(one)


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value)


def _labels(definition: Mapping[str, Any]) -> dict[str, Any]:
    return {option["key"]: option["label"] for option in options_of(definition)}


DEFINITIONS, LABELS = Once(_definitions), Once(_labels)
