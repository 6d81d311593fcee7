"""What is true of each stream.

A docstring that starts with Streak's own page of it, and a few facts.

To add one: a class here, its name in STREAMS at the foot, and `schemas/<stream>.json`.  reading/
reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from source_streak.api.errors import Level
from source_streak.api.paging import Numbered, Row
from source_streak.incremental import fingerprint
from source_streak.reading.parents import Parent
from source_streak.records.fields import (
    definitions_of,
    field_keys,
    field_values,
    misshapen,
    name_of,
    named,
    options_of,
    stage_name,
    unset_fields,
)
from source_streak.records.shape import iso_time, listing, mapping, objects, whole_number
from source_streak.stream import StreakStream

EVENTS_KEPT = 50  # of a pipeline


class Teams(StreakStream):
    """https://streak.readme.io/reference/get-my-teams - with their members."""

    parent = Level.TEAM
    primary_key = "key"


class TeamMembers(StreakStream):
    """https://streak.readme.io/reference/get-my-teams - members: role, invitation and address."""

    parent = Level.TEAM
    primary_key = ["teamKey", "userKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return objects(parent.row.get("members"))

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"teamName": parent.row.get("name")}


class TeamFields(StreakStream):
    """https://streak.readme.io/reference/get-my-teams - settings.

    The custom fields of contacts and of organizations.
    """

    parent = Level.TEAM
    primary_key = ["teamKey", "appliesTo", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for kind, name in (
            ("CONTACT", "contactSettings"),
            ("ORGANIZATION", "organizationSettings"),
        ):
            for position, field in enumerate(settings(parent.row, name).values()):
                yield {
                    **field,
                    "appliesTo": kind,
                    "position": position,
                    "options": options_of(field),
                }

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"teamName": parent.row.get("name")}


class Users(StreakStream):
    """https://streak.readme.io/reference/get-users-of-a-team - archived ones and agents too.

    A user of two teams comes once.
    """

    endpoint = "v2/teams/{teamKey}/users"
    parent = Level.TEAM
    primary_key = "key"
    key_names = ("key", "userKey")


class Contacts(StreakStream):
    """https://streak.readme.io/reference/list-contacts - of each team, with their custom fields
    named.
    """

    parent = Level.CONTACT
    primary_key = "key"
    incremental = True
    tells_deletions = True

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in_team(source, "contactSettings")

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_record(row, names)

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {
            "customFields": named(settings(parent.source, "contactSettings"), row.get("fields"))
        }


class Organizations(StreakStream):
    """https://streak.readme.io/reference/list-organizations - of each team, with their custom
    fields named.
    """

    parent = Level.ORGANIZATION
    primary_key = "key"
    incremental = True
    tells_deletions = True

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in_team(source, "organizationSettings")

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_record(row, names)

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {
            "customFields": named(
                settings(parent.source, "organizationSettings"), row.get("fields")
            )
        }


class Pipelines(StreakStream):
    """https://streak.readme.io/reference/list-all-pipelines - with their stages, fields and
    members.
    """

    parent = Level.PIPELINE
    primary_key = "key"


class PipelineStages(StreakStream):
    """https://streak.readme.io/reference/list-stages - an object keyed by stage.

    The order is the pipeline's stageOrder.
    """

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        order = listing(parent.row.get("stageOrder"))
        for key, stage in mapping(parent.row.get("stages")).items():
            yield {
                **mapping(stage),
                "key": key,
                "position": order.index(key) if key in order else None,
            }

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class PipelineFields(StreakStream):
    """https://streak.readme.io/reference/list-fields - the custom fields of each pipeline, with
    their options.
    """

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for position, definition in enumerate(objects(parent.row.get("fields"))):
            yield {**definition, "position": position, "options": options_of(definition)}

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class PipelineFieldOptions(StreakStream):
    """https://streak.readme.io/reference/list-fields - what the DROPDOWN and TAG fields of each
    pipeline offer.
    """

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "fieldKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for key, field in definitions_of(parent.row.get("fields")).items():
            for position, option in enumerate(options_of(field)):
                yield {
                    "fieldKey": key,
                    "fieldName": name_of(field, key),
                    **option,
                    "position": position,
                }

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class PipelineMembers(StreakStream):
    """https://streak.readme.io/reference/list-all-pipelines - aclEntries.

    Who may see what. Older ones have no userKey.
    """

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "userKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for entry in objects(parent.row.get("aclEntries")):
            yield {**entry, "userKey": entry.get("userKey") or entry.get("email")}

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class Boxes(StreakStream):
    """https://streak.readme.io/reference/list-boxes - of every pipeline, with the names of pipeline
    and stage.
    """

    parent = Level.BOX
    primary_key = "key"
    incremental = True
    tells_deletions = True

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in(source)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_record(row, names)

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {
            "key": row["key"],
            "pipelineName": parent.source.get("name"),
            "stageName": stage_name(parent.source, row.get("stageKey")),
        }


class BoxFieldValues(StreakStream):
    """https://streak.readme.io/reference/get-a-field-value-for-a-box - the boxes' custom fields, in
    typed columns.
    """

    parent = Level.BOX
    primary_key = ["boxKey", "pipelineKey", "fieldKey"]
    incremental = True
    tells_deletions = True

    def names_in(self, source: Row) -> Any:
        return fingerprint.field_names_in(source)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_fields(row, names)

    def keys_in(self, row: Row) -> Iterable[str]:
        return field_keys(row.get("fields"))

    def rows(self, parent: Parent) -> Iterable[Row]:
        return field_values(definitions_of(parent.source.get("fields")), parent.row.get("fields"))

    def unset_rows(self, parent: Parent) -> Iterable[Row]:
        return unset_fields(definitions_of(parent.source.get("fields")), parent.row.get("fields"))

    def misshapen(self, parent: Parent) -> Iterable[str]:
        return misshapen(definitions_of(parent.source.get("fields")), parent.row.get("fields"))


class BoxStageHistory(StreakStream):
    """https://streak.readme.io/reference/list-boxes - stageHistoryEntries.

    The last entry to each stage.
    """

    parent = Level.BOX
    primary_key = ["boxKey", "pipelineKey", "stageKey"]
    incremental = True
    tells_deletions = True

    def names_in(self, source: Row) -> Any:
        return fingerprint.stage_names_in(source)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_history(row, names)

    def keys_in(self, row: Row) -> Iterable[str]:
        return [
            str(entry["stageKey"])
            for entry in objects(row.get("stageHistoryEntries"))
            if entry.get("stageKey")
        ]

    def rows(self, parent: Parent) -> Iterable[Row]:
        entries = objects(parent.row.get("stageHistoryEntries"))
        return sorted(
            entries, key=lambda entry: str(entry.get("lastEntryToStageTs") or ""), reverse=True
        )

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"stageName": stage_name(parent.source, row.get("stageKey"))}


class BoxContacts(StreakStream):
    """https://streak.readme.io/reference/list-boxes - contacts: which people a box is about."""

    parent = Level.BOX
    primary_key = ["boxKey", "contactKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return links(parent, "contacts", "contactKey")


class BoxOrganizations(StreakStream):
    """https://streak.readme.io/reference/list-boxes - organizations.

    Which companies a box is about.
    """

    parent = Level.BOX
    primary_key = ["boxKey", "organizationKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return links(parent, "organizations", "organizationKey")


class BoxUsers(StreakStream):
    """https://streak.readme.io/reference/list-boxes - sharing entries.

    Who made a box, is assigned to it, follows it.
    """

    parent = Level.BOX
    primary_key = ["boxKey", "userKey", "role"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        box = parent.row
        yield {
            "userKey": box.get("creatorKey"),
            **mapping(box.get("creatorSharingEntry")),
            "role": "creator",
        }
        for entry in objects(box.get("assignedToSharingEntries")):
            yield {**entry, "role": "assignee"}
        known = {
            str(entry["userKey"]): entry
            for entry in objects(box.get("followerSharingEntries"))
            if entry.get("userKey")
        }
        keys = [key for key in listing(box.get("followerKeys")) if isinstance(key, str)]
        for key in {**known, **dict.fromkeys(keys)}:
            yield {"userKey": key, **known.get(key, {}), "role": "follower"}


class BoxLinks(StreakStream):
    """https://streak.readme.io/reference/edit-a-box - linkedBoxKeys.

    Boxes linked with each other.
    """

    parent = Level.BOX
    primary_key = ["boxKey", "linkedBoxKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return [{"linkedBoxKey": key} for key in listing(parent.row.get("linkedBoxKeys"))]


class BoxComments(StreakStream):
    """https://streak.readme.io/reference/list-comments - comments of each box."""

    endpoint = "v2/boxes/{boxKey}/comments"
    parent = Level.BOX
    counters = ("commentCount",)
    primary_key = ["boxKey", "key"]
    incremental = True
    tells_deletions = True
    key_names = ("key", "commentKey")


class BoxMeetings(StreakStream):
    """https://streak.readme.io/reference/list-meetings - call logs and meeting notes of each box."""

    endpoint = "v2/boxes/{boxKey}/meetings"
    parent = Level.BOX
    pager = Numbered(limit=100)
    counters = ("callLogCount", "meetingNotesCount")
    primary_key = ["boxKey", "key"]
    incremental = True
    tells_deletions = True


class BoxTasks(StreakStream):
    """https://streak.readme.io/reference/list-tasks - tasks of each box, done and open."""

    endpoint = "v2/boxes/{boxKey}/tasks"
    parent = Level.BOX
    pager = Numbered(limit=1000)
    counters = ("taskTotal",)
    primary_key = ["boxKey", "key"]
    incremental = True
    tells_deletions = True


class BoxThreads(StreakStream):
    """https://streak.readme.io/reference/list-threads - mail threads of each box, without the
    messages' text.
    """

    endpoint = "v1/boxes/{boxKey}/threads"
    parent = Level.BOX
    counters = ("gmailThreadCount",)
    primary_key = ["boxKey", "key"]
    incremental = True
    tells_deletions = True
    key_names = ("key", "gmailThreadKey")


class BoxFiles(StreakStream):
    """https://streak.readme.io/reference/list-files - what is known of each box's files, without
    their contents.
    """

    endpoint = "v1/boxes/{boxKey}/files"
    parent = Level.BOX
    counters = ("fileCount",)
    primary_key = ["boxKey", "key"]
    incremental = True
    tells_deletions = True
    key_names = ("key", "fileKey")


class Snippets(StreakStream):
    """https://streak.readme.io/reference/list-snippets - of the key's user.

    SnippetText is an object or a text.
    """

    endpoint = "v1/snippets"
    primary_key = "key"
    key_names = ("key", "snippetKey")

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        text = row.get("snippetText")
        return {"snippetText": text.get("value") if isinstance(text, dict) else text}


class Newsfeed(StreakStream):
    """https://streak.readme.io/reference/newsfeed - the last 50 events of each pipeline.

    Streak keeps no more at hand.
    """

    endpoint = "v1/pipelines/{pipelineKey}/newsfeed"
    parent = Level.PIPELINE
    primary_key = "key"
    key_names = ("key", "newsfeedItemKey")
    incremental = True

    def newest(self, rows: list[Row]) -> int | None:
        return max(times_of(rows), default=None)

    def gap(self, rows: list[Row], fresh: list[Row], newest: int | None) -> str:
        oldest = min(times_of(rows), default=0)
        if len(rows) < EVENTS_KEPT or len(fresh) < len(rows) or newest is None or oldest <= newest:
            return ""
        return (
            f'newsfeed: what happened in the pipeline "%s" between {iso_time(newest)} and {iso_time(oldest)} is lost: '
            f"Streak hands out the last {EVENTS_KEPT} events only. Sync more often to have them all."
        )


def times_of(events: list[Row]) -> list[int]:
    """When these events happened, as far as they tell."""
    return [time for event in events if (time := whole_number(event.get("timestamp"))) is not None]


def links(parent: Parent, name: str, column: str) -> list[Row]:
    """The contacts or organizations of a box, their key under the name of what it is a key of."""
    return [
        {
            **{inner: value for inner, value in link.items() if inner != "key"},
            column: link.get("key"),
        }
        for link in objects(parent.row.get(name))
    ]


def settings(team: Row, name: str) -> dict[str, Row]:
    """A team's definitions of its contacts' or organizations' custom fields, by key."""
    return definitions_of(mapping(team.get(name)).get("fields"))


STREAMS = (
    Teams, TeamMembers, TeamFields, Users, Contacts, Organizations,
    Pipelines, PipelineStages, PipelineFields, PipelineFieldOptions, PipelineMembers,
    Boxes, BoxFieldValues, BoxStageHistory, BoxContacts, BoxOrganizations, BoxUsers, BoxLinks,
    BoxComments, BoxMeetings, BoxTasks, BoxThreads, BoxFiles,
    Snippets, Newsfeed,
)  # fmt: skip
