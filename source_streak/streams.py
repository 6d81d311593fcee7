"""The streams: for each a docstring with its page in Streak's reference, and a few facts.

To add a stream, write a class here, add it to STREAMS at the end, and write
`schemas/<stream>.json`. records/ has what rows are made of, and reading/ how they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from source_streak.api.client import json_of, text_of
from source_streak.api.errors import Level
from source_streak.api.paging import Numbered, Row, Tokened
from source_streak.api.transport import Response
from source_streak.incremental import fingerprint
from source_streak.kinds import (
    ExactStream,
    FieldValues,
    Links,
    People,
    PipelineStream,
    TeamStream,
)
from source_streak.reading.parents import Parent
from source_streak.records import newsfeed, parts
from source_streak.records.changes import change, timeline_of
from source_streak.records.fields import definitions_of, stage_name, team_definitions
from source_streak.records.shape import listing, mapping, objects
from source_streak.stream import StreakStream


class Teams(StreakStream):
    """https://streak.readme.io/reference/get-my-teams - with their members."""

    parent = Level.TEAM
    primary_key = "key"


class TeamMembers(TeamStream):
    """https://streak.readme.io/reference/get-my-teams - members: role, invitation, address."""

    primary_key = ["teamKey", "userKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return objects(parent.row.get("members"))


class TeamFields(TeamStream):
    """https://streak.readme.io/reference/get-my-teams - settings: the custom fields of people."""

    primary_key = ["teamKey", "appliesTo", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.team_fields(parent.row)


class TeamFieldOptions(TeamStream):
    """https://streak.readme.io/reference/get-my-teams - the options of people's custom fields."""

    primary_key = ["teamKey", "appliesTo", "fieldKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.team_field_options(parent.row)


class Users(StreakStream):
    """https://streak.readme.io/reference/get-users-of-a-team - archived users and agents too."""

    endpoint = "v2/teams/{teamKey}/users"
    parent = Level.TEAM
    primary_key = "key"  # a user in two teams appears once
    key_names = ("key", "userKey")


class Contacts(People):
    """https://streak.readme.io/reference/list-contacts - the contacts of each team."""

    parent = Level.CONTACT
    settings = "contactSettings"


class ContactFieldValues(FieldValues):
    """https://streak.readme.io/reference/list-contacts - the contacts' custom fields."""

    parent = Level.CONTACT
    primary_key = ["contactKey", "fieldKey"]

    def definitions(self, source: Row) -> Mapping[str, Row]:
        return team_definitions(source, "contactSettings")


class ContactLinks(Links):
    """https://streak.readme.io/reference/list-contacts - contactLinks: contacts of a contact."""

    parent = Level.CONTACT
    made_of = ("contactLinks",)
    primary_key = ["contactKey", "linkedContactKey"]


class ContactOrganizations(Links):
    """https://streak.readme.io/reference/list-contacts - orgLinks: a contact's organizations."""

    parent = Level.CONTACT
    made_of = ("orgLinks",)
    primary_key = ["contactKey", "organizationKey"]


class Organizations(People):
    """https://streak.readme.io/reference/list-organizations - the organizations of each team."""

    parent = Level.ORGANIZATION
    settings = "organizationSettings"


class OrganizationFieldValues(FieldValues):
    """https://streak.readme.io/reference/list-organizations - the organizations' custom fields."""

    parent = Level.ORGANIZATION
    primary_key = ["organizationKey", "fieldKey"]

    def definitions(self, source: Row) -> Mapping[str, Row]:
        return team_definitions(source, "organizationSettings")


class OrganizationLinks(Links):
    """https://streak.readme.io/reference/list-organizations - orgLinks: linked organizations."""

    parent = Level.ORGANIZATION
    made_of = ("orgLinks",)
    primary_key = ["organizationKey", "linkedOrganizationKey"]


class Pipelines(StreakStream):
    """https://streak.readme.io/reference/list-all-pipelines - with stages, fields and members."""

    parent = Level.PIPELINE
    primary_key = "key"


class PipelineStages(PipelineStream):
    """https://streak.readme.io/reference/list-stages - with their position in stageOrder."""

    primary_key = ["pipelineKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.stages(parent.row)


class PipelineFields(PipelineStream):
    """https://streak.readme.io/reference/list-fields - custom fields, with their options."""

    primary_key = ["pipelineKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.pipeline_fields(parent.row)


class PipelineFieldOptions(PipelineStream):
    """https://streak.readme.io/reference/list-fields - what DROPDOWN and TAG fields offer."""

    primary_key = ["pipelineKey", "fieldKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.pipeline_field_options(parent.row)


class PipelineMembers(PipelineStream):
    """https://streak.readme.io/reference/list-all-pipelines - aclEntries: who may see what."""

    primary_key = ["pipelineKey", "userKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.pipeline_members(parent.row)


class Boxes(ExactStream):
    """https://streak.readme.io/reference/list-boxes - with the names of pipeline and stage."""

    parent = Level.BOX
    primary_key = "key"

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in(source)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_record(row, names)

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        stage = stage_name(parent.source, row.get("stageKey"))
        return {"pipelineName": parent.source.get("name"), "stageName": stage}


class BoxFieldValues(FieldValues):
    """https://streak.readme.io/reference/get-a-field-value-for-a-box - the boxes' custom fields."""

    parent = Level.BOX
    primary_key = ["boxKey", "pipelineKey", "fieldKey"]

    def definitions(self, source: Row) -> Mapping[str, Row]:
        return definitions_of(source.get("fields"))


class BoxStageHistory(ExactStream):
    """https://streak.readme.io/reference/list-boxes - stageHistoryEntries: last entry per stage."""

    parent = Level.BOX
    made_of = ("stageHistoryEntries",)
    primary_key = ["boxKey", "pipelineKey", "stageKey"]

    def names_in(self, source: Row) -> Any:
        return fingerprint.stage_names_in(source)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_history(row, names)

    def keys_in(self, row: Row) -> Iterable[str]:
        return [str(one["stageKey"]) for one in parts.stage_history(row) if one.get("stageKey")]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.stage_history(parent.row)

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"stageName": stage_name(parent.source, row.get("stageKey"))}


class BoxContacts(Links):
    """https://streak.readme.io/reference/list-boxes - contacts: people of a box."""

    parent = Level.BOX
    made_of = ("contacts",)
    primary_key = ["boxKey", "contactKey"]


class BoxOrganizations(Links):
    """https://streak.readme.io/reference/list-boxes - organizations: companies of a box."""

    parent = Level.BOX
    made_of = ("organizations",)
    primary_key = ["boxKey", "organizationKey"]


class BoxUsers(StreakStream):
    """https://streak.readme.io/reference/list-boxes - creator, assignees and followers of a box."""

    parent = Level.BOX
    made_of = (
        *("creatorKey", "creatorSharingEntry", "assignedToSharingEntries"),
        *("followerKeys", "followerSharingEntries"),
    )
    primary_key = ["boxKey", "userKey", "role"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.box_users(parent.row)


class BoxLinks(StreakStream):
    """https://streak.readme.io/reference/edit-a-box - linkedBoxKeys: boxes linked to a box."""

    parent = Level.BOX
    made_of = ("linkedBoxKeys",)
    primary_key = ["boxKey", "linkedBoxKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return [{"linkedBoxKey": key} for key in listing(parent.row.get("linkedBoxKeys"))]


class BoxComments(ExactStream):
    """https://streak.readme.io/reference/list-comments - comments of each box."""

    endpoint = "v2/boxes/{boxKey}/comments"
    parent = Level.BOX
    counters = ("commentCount",)
    primary_key = ["boxKey", "key"]
    key_names = ("key", "commentKey")


class BoxMeetings(ExactStream):
    """https://streak.readme.io/reference/list-meetings - call logs and meeting notes."""

    endpoint = "v2/boxes/{boxKey}/meetings"
    parent = Level.BOX
    pager = Numbered(limit=100)
    counters = ("callLogCount", "meetingNotesCount")
    primary_key = ["boxKey", "key"]


class BoxTasks(ExactStream):
    """https://streak.readme.io/reference/list-tasks - open and done."""

    endpoint = "v2/boxes/{boxKey}/tasks"
    parent = Level.BOX
    pager = Numbered(limit=1000)
    counters = ("taskTotal",)
    primary_key = ["boxKey", "key"]


class BoxThreads(ExactStream):
    """https://streak.readme.io/reference/list-threads - mail threads, without their text."""

    endpoint = "v1/boxes/{boxKey}/threads"
    parent = Level.BOX
    counters = ("gmailThreadCount",)
    primary_key = ["boxKey", "key"]
    key_names = ("key", "gmailThreadKey")


class BoxFiles(ExactStream):
    """https://streak.readme.io/reference/list-files - of each box, without their contents."""

    endpoint = "v1/boxes/{boxKey}/files"
    parent = Level.BOX
    counters = ("fileCount",)
    primary_key = ["boxKey", "key"]
    key_names = ("key", "fileKey")


class BoxChanges(StreakStream):
    """https://streak.readme.io/reference/get-timeline - a log of a box's moves and edits."""

    endpoint = "v2/boxes/{boxKey}/timeline"
    parent = Level.BOX
    pager = Tokened(
        filters="[NEWSFEED_BOX_CREATION_MOVE,NEWSFEED_BOX_EDIT]", direction="Ascending", limit=100
    )
    primary_key = ["boxKey", "key"]
    incremental = True
    since_parameter = "startTimestamp"

    def parse_response(self, response: Response, **_: Any) -> Iterable[Mapping[str, Any]]:
        return list(map(change, timeline_of(json_of(response))))

    def next_page_token(self, response: Response) -> Mapping[str, Any] | None:
        token = mapping(json_of(response)).get("nextPage")
        return {"cursor": token if isinstance(token, str) else None}


class BoxDocuments(ExactStream):
    """https://streak.readme.io/reference/get-a-box-as-markdown - a box as text; no fixed layout."""

    endpoint = "v1/boxes/{boxKey}/md"
    parent = Level.BOX
    primary_key = "boxKey"

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in(source)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        shown = ("name", "notes", "fields", "contacts", "organizations", "linkedBoxKeys")
        return [fingerprint.visible_activity(row, source_key), *map(row.get, shown), names]

    def parse_response(self, response: Response, **_: Any) -> Iterable[Mapping[str, Any]]:
        return [{"document": text_of(response)}]

    def next_page_token(self, response: Response) -> None:
        """None: a text has one page."""

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"name": parent.row.get("name")}


class Snippets(StreakStream):
    """https://streak.readme.io/reference/list-snippets - snippets of the API key's user."""

    endpoint = "v1/snippets"
    primary_key = "key"
    key_names = ("key", "snippetKey")

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        text = row.get("snippetText")  # an object or a string
        return {"snippetText": text.get("value") if isinstance(text, dict) else text}


class Newsfeed(StreakStream):
    """https://streak.readme.io/reference/newsfeed - only the last 50 events of each pipeline."""

    endpoint = "v1/pipelines/{pipelineKey}/newsfeed"
    parent = Level.PIPELINE
    primary_key = "key"
    key_names = ("key", "newsfeedItemKey")
    incremental = True

    def newest(self, rows: list[Row]) -> int | None:
        return newsfeed.newest(rows)

    def gap(self, rows: list[Row], fresh: list[Row], newest: int | None) -> str:
        return newsfeed.gap(rows, fresh, newest)


STREAMS = (
    Teams, TeamMembers, TeamFields, TeamFieldOptions, Users,
    Contacts, ContactFieldValues, ContactLinks, ContactOrganizations,
    Organizations, OrganizationFieldValues, OrganizationLinks,
    Pipelines, PipelineStages, PipelineFields, PipelineFieldOptions, PipelineMembers,
    Boxes, BoxFieldValues, BoxStageHistory, BoxContacts, BoxOrganizations, BoxUsers, BoxLinks,
    BoxComments, BoxMeetings, BoxTasks, BoxThreads, BoxFiles, BoxChanges, BoxDocuments,
    Snippets, Newsfeed,
)  # fmt: skip
