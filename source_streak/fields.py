"""How the keys of custom fields become names, and their values columns.

Streak stores a custom field's value under the field's key, and options by theirs: {"1002": "9001"}.  The definitions, on the
pipeline and in the team's settings, have the names.  A key with no definition stays as it is.  Pure: knows no framework.

Encodings: https://streak.readme.io/reference/get-a-field-value-for-a-box; unset fields are left out, older ones are "".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from source_streak.records import as_json, iso_time, mapping, objects, plain_number, whole_number

Row = dict[str, Any]
Definitions = Mapping[str, Mapping[str, Any]]

UNSET: tuple[Any, ...] = (None, "", [])
EMPTY = dict.fromkeys(("textValue", "numberValue", "booleanValue", "timeValue", "optionKeys", "labels", "rawValue"))
OPTIONS = (("dropdownSettings", "items", "name"), ("tagSettings", "tags", "tag"))


def definitions_of(fields: Any) -> dict[str, Row]:
    """Field definitions by key, from a pipeline's array of them or a team's object of them."""
    if isinstance(fields, dict):
        fields = [{"key": key, **field} for key, field in fields.items() if isinstance(field, dict)]
    return {field["key"]: field for field in objects(fields) if isinstance(field.get("key"), str)}


def options_of(definition: Mapping[str, Any]) -> list[Row]:
    """The choices of a DROPDOWN or TAG field as {key, label}, in Streak's order."""
    return [
        {"key": option.get("key"), "label": option.get(label)}
        for settings, members, label in OPTIONS
        for option in objects(mapping(definition.get(settings)).get(members))
    ]


def named(definitions: Definitions, values: Any) -> list[Row]:
    """`customFields` of a contact or organization: {key, name, type, value, label} for each field that is set."""
    return [
        {
            "key": key,
            "name": definition.get("name", key),
            "type": definition.get("type"),
            "value": value if isinstance(value, str) else as_json(value),
            "label": typed(definition, value)["textValue"],
        }
        for key, definition, value in set_fields(definitions, values)
    ]


def field_values(definitions: Definitions, values: Any, with_unset: bool = False) -> Iterator[Row]:
    """The rows of box_field_values for one box: one for each field that is set, and if wanted an empty one for each that is not."""
    for key, definition, value in set_fields(definitions, values):
        yield {
            "fieldKey": key,
            "fieldName": definition.get("name", key),
            "fieldType": definition.get("type"),
            **typed(definition, value),
            "rawValue": as_json(value),
        }
    if with_unset:
        given = mapping(values)
        for key, definition in definitions.items():
            if given.get(key) in UNSET:
                yield {"fieldKey": key, "fieldName": definition.get("name", key), "fieldType": definition.get("type"), **EMPTY}


def set_fields(definitions: Definitions, values: Any) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    """Key, definition and value of each field that has a value."""
    for key, value in mapping(values).items():
        if value not in UNSET:
            yield key, definitions.get(key, {}), value


def typed(definition: Mapping[str, Any], value: Any) -> Row:
    """One value in the columns of its kind; textValue is what a person sees in Streak."""
    kind = definition.get("type")
    if kind == "DATE" and (milliseconds := whole_number(value)) is not None:
        return {"textValue": iso_time(milliseconds), "timeValue": milliseconds}
    if kind in ("DROPDOWN", "TAG"):
        return _options(definition, value)
    if isinstance(value, bool):
        return {"textValue": "true" if value else "false", "booleanValue": value}
    if isinstance(value, (int, float)):
        return {"textValue": as_json(value), "numberValue": value}
    if isinstance(value, str):
        return {"textValue": value, "numberValue": plain_number(value)}
    return {"textValue": ", ".join(_texts(value)) or as_json(value)}


def _options(definition: Mapping[str, Any], value: Any) -> Row:
    keys = [key if isinstance(key, str) else as_json(key) for key in (value if isinstance(value, list) else [value])]
    names = {option["key"]: option["label"] for option in options_of(definition)}
    labels = [str(names.get(key) or key) for key in keys]
    return {"textValue": ", ".join(labels), "optionKeys": keys, "labels": labels}


def _texts(value: Any) -> Iterable[str]:
    """What a person would read of a PERSON, TEAM_CONTACT or TEAM_ORGANIZATION value: names, else addresses, else keys."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, dict):
            one = next((one[name] for name in ("fullName", "displayName", "name", "email", "key") if one.get(name)), None)
        if one is not None:
            yield one if isinstance(one, str) else as_json(one)
