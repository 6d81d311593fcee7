"""Rows inside another row: a team's members, a pipeline's stages, a box's people.

What is missing or has another shape gives no row. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from source_streak.records.fields import definitions_of, name_of, options_of, team_definitions
from source_streak.records.shape import Row, listing, mapping, objects

SETTINGS = (("CONTACT", "contactSettings"), ("ORGANIZATION", "organizationSettings"))


def team_fields(team: Row) -> Iterator[Row]:
    """The custom fields that a team gives its contacts and organizations."""
    for kind, name in SETTINGS:
        for position, field in enumerate(team_definitions(team, name).values()):
            options = options_of(field)
            yield {**field, "appliesTo": kind, "position": position, "options": options}


def team_field_options(team: Row) -> Iterator[Row]:
    """The options of a team's DROPDOWN and TAG fields."""
    for kind, name in SETTINGS:
        for row in _options(team_definitions(team, name)):
            yield {"appliesTo": kind, **row}


def stages(pipeline: Row) -> Iterator[Row]:
    """A pipeline's stages: an object by stage key, with the order in stageOrder."""
    order = listing(pipeline.get("stageOrder"))
    for key, stage in mapping(pipeline.get("stages")).items():
        position = order.index(key) if key in order else None
        yield {**mapping(stage), "key": key, "position": position}


def pipeline_fields(pipeline: Row) -> Iterator[Row]:
    """The custom fields of a pipeline's boxes, with their options."""
    for position, definition in enumerate(objects(pipeline.get("fields"))):
        yield {**definition, "position": position, "options": options_of(definition)}


def pipeline_field_options(pipeline: Row) -> Iterator[Row]:
    """The options of a pipeline's DROPDOWN and TAG fields."""
    return _options(definitions_of(pipeline.get("fields")))


def pipeline_members(pipeline: Row) -> Iterator[Row]:
    """aclEntries: who may see what. Older entries have an email but no userKey."""
    for entry in objects(pipeline.get("aclEntries")):
        yield {**entry, "userKey": entry.get("userKey") or entry.get("email")}


def box_users(box: Row) -> Iterator[Row]:
    """The creator, assignees and followers of a box."""
    creator = mapping(box.get("creatorSharingEntry"))
    yield {"userKey": box.get("creatorKey"), **creator, "role": "creator"}
    for entry in objects(box.get("assignedToSharingEntries")):
        yield {**entry, "role": "assignee"}
    followers = objects(box.get("followerSharingEntries"))
    known = {str(entry["userKey"]): entry for entry in followers if entry.get("userKey")}
    keys = [key for key in listing(box.get("followerKeys")) if isinstance(key, str)]
    for key in {**known, **dict.fromkeys(keys)}:
        yield {"userKey": key, **known.get(key, {}), "role": "follower"}


def stage_history(box: Row) -> list[Row]:
    """The last entry into each stage, the latest first."""
    entries = objects(box.get("stageHistoryEntries"))
    return sorted(entries, key=lambda one: str(one.get("lastEntryToStageTs") or ""), reverse=True)


def links(row: Row, name: str, column: str) -> list[Row]:
    """Contacts or organizations in the property `name`, with their keys in `column`."""
    return [
        {**{inner: link[inner] for inner in link if inner != "key"}, column: link.get("key")}
        for link in objects(row.get(name))
    ]


def _options(definitions: dict[str, Row]) -> Iterator[Row]:
    for key, field in definitions.items():
        of_field = {"fieldKey": key, "fieldName": name_of(field, key)}
        for position, option in enumerate(options_of(field)):
            yield {**of_field, **option, "position": position}
