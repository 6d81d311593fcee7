"""What is true of each stream: a docstring that starts with Streak's own page of it, and a few facts.

To add one: a class here, its name in STREAMS at the foot, and `schemas/<stream>.json`.  base.py reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from source_streak.account import Level, Parent
from source_streak.base import StreakStream
from source_streak.fields import definitions_of, field_values, fits, name_of, named, options_of, stage_name
from source_streak.paging import Cursored, Numbered, Params, Row
from source_streak.records import from_json, iso_time, listing, mapping, objects, whole_number

MARGIN = 600_000  # milliseconds before the last read, for clocks that differ
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

    def added(self, row: Row, parent: Parent) -> Row:
        return {"teamName": parent.row.get("name")}


class TeamFields(StreakStream):
    """https://streak.readme.io/reference/get-my-teams - settings: the custom fields of contacts and of organizations."""

    parent = Level.TEAM
    primary_key = ["teamKey", "appliesTo", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for kind, name in (("CONTACT", "contactSettings"), ("ORGANIZATION", "organizationSettings")):
            for position, field in enumerate(settings(parent, name).values()):
                yield {**field, "appliesTo": kind, "position": position, "options": options_of(field)}

    def added(self, row: Row, parent: Parent) -> Row:
        return {"teamName": parent.row.get("name")}


class Users(StreakStream):
    """https://streak.readme.io/reference/get-users-of-a-team - archived ones and agents too; a user of two teams comes once."""

    endpoint = "v2/teams/{teamKey}/users"
    parent = Level.TEAM
    primary_key = "key"
    key_names = ("key", "userKey")


class Contacts(StreakStream):
    """https://streak.readme.io/reference/list-contacts - of each team, with their custom fields named."""

    endpoint = "v2/teams/{teamKey}/contacts"
    parent = Level.TEAM
    pager = Cursored(limit=1000)
    primary_key = "key"
    remembers = True

    def query(self, keys: Mapping[str, Any]) -> Params:
        mark = self.memory.marks.get(keys["teamKey"])
        since = self.account.config.start if mark is None else mark - MARGIN
        return {} if since is None else {"after": since // 1000}

    def finished(self, parent: Parent) -> None:
        self.memory.mark(parent.row["key"], self.memory.clock)

    def added(self, row: Row, parent: Parent) -> Row:
        return {"customFields": named(settings(parent, "contactSettings"), row.get("fields"))}


class Organizations(StreakStream):
    """https://streak.readme.io/reference/list-organizations - of each team, with their custom fields named."""

    endpoint = "v2/teams/{teamKey}/organizations"
    parent = Level.TEAM
    pager = Cursored(limit=1000)
    primary_key = "key"
    remembers = True
    compares_rows = True

    def added(self, row: Row, parent: Parent) -> Row:
        return {"customFields": named(settings(parent, "organizationSettings"), row.get("fields"))}


class Pipelines(StreakStream):
    """https://streak.readme.io/reference/list-all-pipelines - with their stages, fields and members."""

    parent = Level.PIPELINE
    primary_key = "key"


class PipelineStages(StreakStream):
    """https://streak.readme.io/reference/list-stages - an object keyed by stage; the order is the pipeline's stageOrder."""

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        order = listing(parent.row.get("stageOrder"))
        for key, stage in mapping(parent.row.get("stages")).items():
            yield {**mapping(stage), "key": key, "position": order.index(key) if key in order else None}

    def added(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class PipelineFields(StreakStream):
    """https://streak.readme.io/reference/list-fields - the custom fields of each pipeline, with their options."""

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for position, definition in enumerate(objects(parent.row.get("fields"))):
            yield {**definition, "position": position, "options": options_of(definition)}

    def added(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class PipelineFieldOptions(StreakStream):
    """https://streak.readme.io/reference/list-fields - what the DROPDOWN and TAG fields of each pipeline offer."""

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "fieldKey", "key"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for key, field in definitions_of(parent.row.get("fields")).items():
            for position, option in enumerate(options_of(field)):
                yield {"fieldKey": key, "fieldName": name_of(field, key), **option, "position": position}

    def added(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class PipelineMembers(StreakStream):
    """https://streak.readme.io/reference/list-all-pipelines - aclEntries: who may see what. Older ones have no userKey."""

    parent = Level.PIPELINE
    primary_key = ["pipelineKey", "userKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        for entry in objects(parent.row.get("aclEntries")):
            yield {**entry, "userKey": entry.get("userKey") or entry.get("email")}

    def added(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class Boxes(StreakStream):
    """https://streak.readme.io/reference/list-boxes - of every pipeline, with the names of pipeline and stage."""

    parent = Level.BOX
    primary_key = "key"
    remembers = True
    buries = True

    def added(self, row: Row, parent: Parent) -> Row:
        return {
            "key": row["key"],
            "pipelineName": parent.pipeline.get("name"),
            "stageName": stage_name(parent.pipeline, row.get("stageKey")),
        }


class BoxFieldValues(StreakStream):
    """https://streak.readme.io/reference/get-a-field-value-for-a-box - the boxes' custom fields, in typed columns."""

    parent = Level.BOX
    primary_key = ["boxKey", "pipelineKey", "fieldKey"]
    remembers = True

    def rows(self, parent: Parent) -> Iterable[Row]:
        definitions = definitions_of(parent.pipeline.get("fields"))
        return field_values(definitions, parent.row.get("fields"), with_unset=self.replaces)

    def added(self, row: Row, parent: Parent) -> Row:
        if row["rawValue"] and not fits(row["fieldType"], from_json(row["rawValue"])):
            self.misshapen[row["fieldType"]] += 1
        return {}


class BoxStageHistory(StreakStream):
    """https://streak.readme.io/reference/list-boxes - stageHistoryEntries: the last entry to each stage."""

    parent = Level.BOX
    primary_key = ["boxKey", "pipelineKey", "stageKey"]
    remembers = True

    def rows(self, parent: Parent) -> Iterable[Row]:
        entries = objects(parent.row.get("stageHistoryEntries"))
        return sorted(entries, key=lambda entry: str(entry.get("lastEntryToStageTs") or ""), reverse=True)

    def added(self, row: Row, parent: Parent) -> Row:
        return {"stageName": stage_name(parent.pipeline, row.get("stageKey"))}


class BoxContacts(StreakStream):
    """https://streak.readme.io/reference/list-boxes - contacts: which people a box is about."""

    parent = Level.BOX
    primary_key = ["boxKey", "contactKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return links(parent, "contacts", "contactKey")


class BoxOrganizations(StreakStream):
    """https://streak.readme.io/reference/list-boxes - organizations: which companies a box is about."""

    parent = Level.BOX
    primary_key = ["boxKey", "organizationKey"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        return links(parent, "organizations", "organizationKey")


class BoxUsers(StreakStream):
    """https://streak.readme.io/reference/list-boxes - sharing entries: who made a box, is assigned to it, follows it."""

    parent = Level.BOX
    primary_key = ["boxKey", "userKey", "role"]

    def rows(self, parent: Parent) -> Iterable[Row]:
        box = parent.row
        yield {"userKey": box.get("creatorKey"), **mapping(box.get("creatorSharingEntry")), "role": "creator"}
        for entry in objects(box.get("assignedToSharingEntries")):
            yield {**entry, "role": "assignee"}
        known = {str(entry["userKey"]): entry for entry in objects(box.get("followerSharingEntries")) if entry.get("userKey")}
        keys = [key for key in listing(box.get("followerKeys")) if isinstance(key, str)]
        for key in {**known, **dict.fromkeys(keys)}:
            yield {"userKey": key, **known.get(key, {}), "role": "follower"}


class BoxLinks(StreakStream):
    """https://streak.readme.io/reference/edit-a-box - linkedBoxKeys: boxes linked with each other."""

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
    remembers = True
    key_names = ("key", "commentKey")


class BoxMeetings(StreakStream):
    """https://streak.readme.io/reference/list-meetings - call logs and meeting notes of each box."""

    endpoint = "v2/boxes/{boxKey}/meetings"
    parent = Level.BOX
    pager = Numbered(limit=100)
    counters = ("callLogCount", "meetingNotesCount")
    primary_key = ["boxKey", "key"]
    remembers = True


class BoxTasks(StreakStream):
    """https://streak.readme.io/reference/list-tasks - tasks of each box, done and open."""

    endpoint = "v2/boxes/{boxKey}/tasks"
    parent = Level.BOX
    pager = Numbered(limit=1000)
    counters = ("taskTotal",)
    primary_key = ["boxKey", "key"]
    remembers = True


class BoxThreads(StreakStream):
    """https://streak.readme.io/reference/list-threads - mail threads of each box, without the messages' text."""

    endpoint = "v1/boxes/{boxKey}/threads"
    parent = Level.BOX
    counters = ("gmailThreadCount",)
    primary_key = ["boxKey", "key"]
    remembers = True
    key_names = ("key", "gmailThreadKey")


class BoxFiles(StreakStream):
    """https://streak.readme.io/reference/list-files - what is known of each box's files, without their contents."""

    endpoint = "v1/boxes/{boxKey}/files"
    parent = Level.BOX
    counters = ("fileCount",)
    primary_key = ["boxKey", "key"]
    remembers = True
    key_names = ("key", "fileKey")


class Snippets(StreakStream):
    """https://streak.readme.io/reference/list-snippets - of the key's user; snippetText is an object or a text."""

    endpoint = "v1/snippets"
    primary_key = "key"
    key_names = ("key", "snippetKey")

    def added(self, row: Row, parent: Parent) -> Row:
        text = row.get("snippetText")
        return {"snippetText": text.get("value") if isinstance(text, dict) else text}


class Newsfeed(StreakStream):
    """https://streak.readme.io/reference/newsfeed - the last 50 events of each pipeline: Streak keeps no more at hand."""

    endpoint = "v1/pipelines/{pipelineKey}/newsfeed"
    parent = Level.PIPELINE
    primary_key = "key"
    key_names = ("key", "newsfeedItemKey")
    remembers = True
    newest = 0  # of the events last seen

    def wanted(self, rows: Iterable[Row], parent: Parent) -> Iterable[Row]:
        events, mark = list(rows), self.memory.marks.get(parent.row["key"])
        self.newest = max(times_of(events), default=0)
        if mark is not None and (lost := gap(events, mark)):
            self.logger.warning(lost, parent.name)
        return [event for event in events if max(times_of([event]), default=mark or 0) >= (mark or 0)]

    def finished(self, parent: Parent) -> None:
        self.memory.mark(parent.row["key"], self.newest)


def gap(events: list[Row], mark: int) -> str:
    """The warning about events that Streak no longer hands out: as many as it keeps, and all newer than those known."""
    oldest = min(times_of(events), default=0)
    if len(events) < EVENTS_KEPT or oldest <= mark:
        return ""
    return (
        f'newsfeed: what happened in the pipeline "%s" between {iso_time(mark)} and {iso_time(oldest)} is lost: '
        f"Streak hands out the last {EVENTS_KEPT} events only. Sync more often to have them all."
    )


def times_of(events: list[Row]) -> list[int]:
    """When these events happened, as far as they tell."""
    return [time for event in events if (time := whole_number(event.get("timestamp"))) is not None]


def links(parent: Parent, of: str, column: str) -> list[Row]:
    """The contacts or organizations of a box, their key under the name of what it is a key of."""
    return [
        {**{name: value for name, value in link.items() if name != "key"}, column: link.get("key")} for link in objects(parent.row.get(of))
    ]


def settings(team: Parent, name: str) -> dict[str, Row]:
    """A team's definitions of its contacts' or organizations' custom fields, by key."""
    return definitions_of(mapping(team.row.get(name)).get("fields"))


STREAMS = (
    Teams, TeamMembers, TeamFields, Users, Contacts, Organizations,
    Pipelines, PipelineStages, PipelineFields, PipelineFieldOptions, PipelineMembers,
    Boxes, BoxFieldValues, BoxStageHistory, BoxContacts, BoxOrganizations, BoxUsers, BoxLinks,
    BoxComments, BoxMeetings, BoxTasks, BoxThreads, BoxFiles,
    Snippets, Newsfeed,
)  # fmt: skip
