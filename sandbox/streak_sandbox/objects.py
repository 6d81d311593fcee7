"""Every object of the API, new and bare, as Streak returns it, and a box's counters of children.

Section numbers are those of the API notes that the sandbox was written from. All times are epoch
milliseconds.
"""

from __future__ import annotations

from typing import Any

from . import keys

Row = dict[str, Any]

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

# The sandbox's calendar: what is seeded happened before this day (2026-06-01), and a task is
# overdue as of then. It stands still so that the same seed always gives the same account.
TODAY = 1_780_272_000_000

CHILD_KINDS = ("comments", "meetings", "tasks", "threads", "files")

# The properties that count a box's children (5.4).
CHILD_COUNTERS = (
    "commentCount",
    "callLogCount",
    "meetingNotesCount",
    "taskTotal",
    "taskCompleteCount",
    "taskIncompleteCount",
    "taskOverdueCount",
    "taskPercentageComplete",
    "gmailThreadCount",
    "fileCount",
)


def user(number: int, email: str, full_name: str, created: int = TODAY - 900 * DAY) -> Row:
    """2.1"""
    key = keys.user_key(number)
    return {
        "key": key,
        "userKey": key,
        "email": email,
        "lowercaseEmail": email.lower(),
        "displayName": full_name,
        "creationTimestamp": created,
        "lastUpdatedTimestamp": created,
        "lastSavedTimestamp": created,
        "userType": "HUMAN",
    }


def sharing_entry(person: Row) -> Row:
    """How a box names a user (5.2)."""
    return {
        "displayName": person["displayName"].split()[0],
        "fullName": person["displayName"],
        "email": person["email"],
        "image": f"https://www.example.com/faces/{person['email'].split('@')[0]}.png",
        "userKey": person["key"],
    }


def user_brief(person: Row) -> Row:
    """How a task names a user (9)."""
    entry = sharing_entry(person)
    return {
        "userKey": entry["userKey"],
        "email": entry["email"],
        "displayName": entry["displayName"],
        "fullName": entry["fullName"],
        "givenName": entry["displayName"],
        "avatarUrl": entry["image"],
    }


def team(number: int, name: str, members: list[Row], created: int) -> Row:
    """2.2"""
    return {
        "key": keys.team_key(number),
        "name": name,
        "creator": members[0]["userKey"],
        "creationDate": created,
        "lastSavedTimestamp": created,
        "members": members,
        "emailsToSendInvoiceTo": [],
        "contactOrgListPermissions": {},
        "contactSettings": {"fields": {}},
        "organizationSettings": {"fields": {}},
    }


def member(person: Row, role: str, invited: int) -> Row:
    """2.2"""
    entry = sharing_entry(person)
    return {
        "userKey": person["key"],
        "role": role,
        "inviteDate": invited,
        "inviteStatus": "Accepted",
        "emailSharing": "None",
        "displayName": entry["displayName"],
        "email": person["email"],
        "fullName": entry["fullName"],
        "givenName": entry["displayName"],
        "image": entry["image"],
        "userType": person["userType"],
    }


def stage(key: str, name: str) -> Row:
    """3.3, as v2 has it"""
    return {
        "key": key,
        "name": name,
        "color": {"foregroundColor": "#ffffff", "backgroundColor": "#1f6feb"},
        "isColorFromTheme": True,
        "boxCount": 0,
    }


def field(
    key: str, name: str, kind: str = "TEXT_INPUT", options: tuple[str, ...] = (), **properties: Any
) -> Row:
    """3.4; the official SDK requires `aiSettings` on every field."""
    row: Row = {"key": key, "name": name, "type": kind, "lastUpdatedTimestamp": TODAY - 300 * DAY}
    row["aiSettings"] = {"prompt": "", "source": "BOX_TIMELINE"}
    numbered = [(str(9001 + place), label) for place, label in enumerate(options)]
    if kind == "DROPDOWN":
        row["dropdownSettings"] = {
            "items": [{"key": option, "name": label} for option, label in numbered]
        }
    if kind == "TAG":
        row["tagSettings"] = {"tags": [{"key": option, "tag": label} for option, label in numbered]}
    return row | properties


def options_of(field_row: Row) -> tuple[list[Row], str]:
    """The options of a DROPDOWN or TAG field as stored in it, and the property for labels."""
    if field_row["type"] == "TAG":
        return field_row["tagSettings"]["tags"], "tag"
    return field_row["dropdownSettings"]["items"], "name"


def add_option(field_row: Row, label: str) -> Row:
    rows, name = options_of(field_row)
    rows.append({"key": str(max((int(row["key"]) for row in rows), default=9000) + 1), name: label})
    return rows[-1]


def rename_option(field_row: Row, option_key: str, label: str) -> Row:
    rows, name = options_of(field_row)
    row = next(row for row in rows if row["key"] == option_key)
    row[name] = label
    return row


def delete_option(field_row: Row, option_key: str) -> None:
    rows, _ = options_of(field_row)
    rows.remove(next(row for row in rows if row["key"] == option_key))


def pipeline(number: int, name: str, creator: Row, team_key: str | None, created: int) -> Row:
    """3.1, as v2 has it"""
    return {
        "key": keys.pipeline_key(number),
        "teamKey": team_key,
        "creatorKey": creator["key"],
        "name": name,
        "icon": "sales",
        "description": None,
        "sharingRestrictedToTeam": False,
        "fields": [],
        "stages": {},
        "stageOrder": [],
        "stageColorTheme": "DEFAULT",
        "creationTimestamp": created,
        "lastUpdatedTimestamp": created,
        "lastSavedTimestamp": created,
        "customPermissionSets": {},
        "defaultPermissionSetName": "editor",
        "aclEntries": [acl_entry(creator, "owner")],
        "creationSourceType": "HUMAN",
        "boxCount": 0,
    }


def acl_entry(person: Row, permission_set: str) -> Row:
    """3.1, as v2 has it"""
    entry = sharing_entry(person)
    return {
        "userKey": person["key"],
        "permissionSetName": permission_set,
        "email": entry["email"],
        "displayName": entry["displayName"],
        "fullName": entry["fullName"],
        "givenName": entry["displayName"],
        "image": entry["image"],
        "userType": person["userType"],
        "isReadOnly": permission_set == "viewer",
    }


def pipeline_as_v1(row: Row) -> Row:
    """The same pipeline as v1 has it.

    It has its key twice, an owner, other aclEntries, and no properties without a value.
    """
    entries = [_acl_entry_as_v1(entry, row["creatorKey"]) for entry in row["aclEntries"]]
    owner = next((entry["email"] for entry in entries if entry["isOwner"]), None)
    v1 = row | {
        "pipelineKey": row["key"],
        "owner": {"email": owner, "isOwner": True} if owner else None,
        "orgWide": False,
        "teamWide": row["teamKey"] is not None,
        "sharingRestrictedToOrg": False,
        "boxCountHint": row["boxCount"],
        "aclEntries": entries,
        "fields": [_field_as_v1(field_row) for field_row in row["fields"]],
        "stages": {key: stage_as_v1(stage_row) for key, stage_row in row["stages"].items()},
    }
    return {name: value for name, value in v1.items() if value is not None}


def stage_as_v1(row: Row) -> Row:
    """3.3"""
    return {
        name: value
        for name, value in row.items()
        if name not in ("color", "isColorFromTheme", "boxCount")
    }


def _field_as_v1(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "aiSettings" or value["prompt"]}


def _acl_entry_as_v1(entry: Row, owner_key: str) -> Row:
    v1 = {
        name: value
        for name, value in entry.items()
        if name not in ("givenName", "userType", "isReadOnly")
    }
    return v1 | {"isOwner": entry["userKey"] == owner_key}


def box(number: int, name: str, pipeline_row: Row, creator: Row, created: int) -> Row:
    """5, with every property that real payloads always have.

    Properties that the API omits when they are empty are absent.
    """
    key = keys.box_key(number)
    entry = sharing_entry(creator)
    stage_key = pipeline_row["stageOrder"][0]
    return {
        "key": key,
        "boxKey": key,
        "pipelineKey": pipeline_row["key"],
        "creatorKey": creator["key"],
        "name": name,
        "stageKey": stage_key,
        "fields": {},
        "creationTimestamp": created,
        "lastUpdatedTimestamp": created,
        "lastSavedTimestamp": created,
        "lastStageChangeTimestamp": created,
        "stageHistoryEntries": [
            {"stageKey": stage_key, "lastEntryToStageTs": created, "timeInStageMs": 0}
        ],
        "assignedToSharingEntries": [entry],
        "creatorSharingEntry": entry,
        "followerKeys": [],
        "followerCount": 0,
        "linkedBoxKeys": [],
        "freshness": 1.0,
        "commentCount": 0,
        "taskTotal": 0,
        "taskCompleteCount": 0,
        "taskIncompleteCount": 0,
        "taskOverdueCount": 0,
        "callLogCount": 0,
        "meetingNotesCount": 0,
        "gmailThreadCount": 0,
        "fileCount": 0,
        "totalNumberOfEmails": 0,
    }


def comment(box_row: Row, number: int, creator_key: str, at: int, message: str) -> Row:
    """10"""
    return {
        "key": keys.child_key("Comment", box_row["key"], number),
        "boxKey": box_row["key"],
        "pipelineKey": box_row["pipelineKey"],
        "creatorKey": creator_key,
        "message": message,
        "timestamp": at,
        "lastSavedTimestamp": at,
        "reactionSummary": [],
    }


def meeting(
    box_row: Row, number: int, creator_key: str, at: int, notes: str, **properties: Any
) -> Row:
    """11"""
    return {
        "key": keys.child_key("Meeting", box_row["key"], number),
        "boxKey": box_row["key"],
        "pipelineKey": box_row["pipelineKey"],
        "creatorKey": creator_key,
        "meetingType": "CALL_LOG",
        "startTimestamp": at,
        "duration": 15 * MINUTE,
        "notes": notes,
        "creationDate": at,
        "lastSavedTimestamp": at,
        "taskKeys": [],
    } | properties


def task(box_row: Row, number: int, creator: Row, at: int, text: str, **properties: Any) -> Row:
    """9, as OAS26 has it; `creator` is a user brief"""
    return {
        "key": keys.child_key("Task", box_row["key"], number),
        "boxKey": box_row["key"],
        "pipelineKey": box_row["pipelineKey"],
        "creatorKey": creator["userKey"],
        "creator": creator,
        "assignedTo": [creator],
        "creationDate": at,
        "lastStatusChangeDate": at,
        "lastSavedTimestamp": at,
        "dueDate": None,
        "text": text,
        "status": "NOT_DONE",
        "reminderStatus": "NONE",
    } | properties


def thread(box_row: Row, number: int, at: int, subject: str, sender: str) -> Row:
    """7"""
    key = keys.child_key("GmailThread", box_row["key"], number)
    return {
        "key": key,
        "gmailThreadKey": key,
        "boxKey": box_row["key"],
        "boxKeys": [box_row["key"]],
        "pipelineKey": box_row["pipelineKey"],
        "creatorKey": box_row["creatorKey"],
        "threadGmailId": f"{at * 1000 + number:016x}",
        "creationTimestamp": at,
        "lastUpdatedTimestamp": at,
        "lastSavedTimestamp": at,
        "lastEmailTimestamp": at,
        "subject": subject,
        "names": [sender.partition("@")[0].title()],
        "emailAddresses": [sender],
        "lastEmailFrom": sender,
        "numberOfEmails": 2,
        "fileKeys": [],
        "files": [],
        "isRequestingUserOwner": True,
        "doesRequestingUserHaveThread": True,
    }


def file(box_row: Row, number: int, owner_key: str, at: int, name: str) -> Row:
    """8; the size is a text"""
    key = keys.child_key("File", box_row["key"], number)
    return {
        "key": key,
        "fileKey": key,
        "boxKey": box_row["key"],
        "fileType": "GMAIL_API",
        "fileOwner": owner_key,
        "fileName": name,
        "mainFileName": name.rpartition(".")[0],
        "mimeType": "application/pdf",
        "size": "34816",
        "creationTimestamp": at,
        "lastUpdatedTimestamp": at,
        "lastSavedTimestamp": at,
        "gmailAPIFileId": f"ANGjdJ_{number}",
        "gmailMessageId": f"{at * 1000 + number:016x}",
        "isCurrentUserOwnerInDrive": False,
    }


def contact(number: int, team_key: str, creator_key: str, at: int) -> Row:
    """15; what has no value is null, as v2 may do"""
    texts = ("givenName", "familyName", "title", "other", "photoUrl")
    lists = (
        "emailAddresses",
        "phoneNumbers",
        "addresses",
        "domains",
        "normalizedDomains",
        "contactLinks",
        "orgLinks",
    )
    return _directory_entry(
        keys.contact_key(number), team_key, creator_key, at, _empty(texts, lists)
    )


def organization(number: int, team_key: str, creator_key: str, at: int) -> Row:
    """15"""
    texts = ("name", "other", "industry", "employeeCount", "logoURL")
    lists = (
        "phoneNumbers",
        "addresses",
        "domains",
        "normalizedDomains",
        "contactLinks",
        "orgLinks",
    )
    return _directory_entry(
        keys.organization_key(number), team_key, creator_key, at, _empty(texts, lists)
    )


def _empty(texts: tuple[str, ...], lists: tuple[str, ...]) -> Row:
    return dict.fromkeys(texts) | {name: [] for name in lists}


def _directory_entry(key: str, team_key: str, creator_key: str, at: int, empty: Row) -> Row:
    return {
        "key": key,
        "teamKey": team_key,
        **empty,
        "creatorKey": creator_key,
        "lastSavedUserKey": creator_key,
        "creationDate": at,
        "versionTimestamp": at,
        "lastSavedTimestamp": at,
        "fields": {},
    }


def event(
    number: int, pipeline_key: str, creator_key: str, at: int, specific: str, **variables: str
) -> Row:
    """13; an event without BOX_NAME is about the pipeline itself and has no boxKey"""
    key = keys.other_key("NewsfeedItem", number)
    sentence = specific.replace("_", " ").lower()
    return {
        "key": key,
        "newsfeedItemKey": key,
        "pipelineKey": pipeline_key,
        "creatorKey": creator_key,
        "timestamp": at,
        "lastSavedTimestamp": at,
        "newsfeedEntryScope": "BOX" if "BOX_NAME" in variables else "PIPELINE",
        "newsfeedEntryOperation": "CREATE" if specific.startswith(("NEW", "ADD")) else "UPDATE",
        "newsfeedEntrySpecific": specific,
        "specificVariables": variables,
        "storyTextBox": sentence,
        "storyTextPipeline": f"{variables.get('BOX_NAME', 'pipeline')}: {sentence}",
        "storyTextGlobal": f"{variables.get('STORY_AUTHOR_DISPLAY_NAME', 'Somebody')}: {sentence}",
        "moved": False,
        "collapsedEntries": [],
    }


def snippet(number: int, owner_key: str, at: int, name: str, text: str) -> Row:
    """14"""
    key = keys.other_key("Snippet", number)
    return {
        "key": key,
        "snippetKey": key,
        "userKey": owner_key,
        "creationDate": at,
        "partOfPipeline": False,
        "snippetName": name,
        "snippetText": {"value": text},
        "snippetType": "TEXT",
    }


# --- What a box tells about its children (5.3, 5.4) -----------------------------------------------
# A value of None removes the property: deleting the last comment removes lastCommentTimestamp.


def tally_comments(rows: list[Row]) -> Row:
    times = [row["timestamp"] for row in rows if row.get("timestamp")]
    return {"commentCount": len(rows), "lastCommentTimestamp": max(times, default=None)}


def tally_meetings(rows: list[Row]) -> Row:
    tally: Row = {}
    for kind, count, name in (
        ("CALL_LOG", "callLogCount", "CallLog"),
        ("MEETING_NOTES", "meetingNotesCount", "MeetingNotes"),
    ):
        those = [row for row in rows if row["meetingType"] == kind]
        times = [row["startTimestamp"] for row in those]
        tally[count] = len(those)
        tally[f"first{name}Timestamp"] = min(times, default=None)
        tally[f"mostRecent{name}Timestamp"] = max(times, default=None)
        tally[f"total{name}Duration"] = (
            sum(row.get("duration") or 0 for row in those) if those else None
        )
    return tally


def tally_tasks(rows: list[Row]) -> Row:
    open_tasks = [row for row in rows if row["status"] == "NOT_DONE"]
    dues = [row["dueDate"] for row in open_tasks if row.get("dueDate")]
    overdue = [row for row in open_tasks if (row.get("dueDate") or TODAY) < TODAY]
    done = len(rows) - len(open_tasks)
    return {
        "taskTotal": len(rows),
        "taskCompleteCount": done,
        "taskIncompleteCount": len(open_tasks),
        "taskOverdueCount": len(overdue),
        "taskPercentageComplete": done / len(rows) if rows else None,
        "soonestTaskDueDate": min(dues, default=None),
        "earliestOverdueTaskDueDate": min((row["dueDate"] for row in overdue), default=None),
        "taskAssigneeKeySet": _assignees(rows),
        "incompleteTaskAssigneeKeySet": _assignees(open_tasks),
        "overdueTaskAssigneeKeySet": _assignees(overdue),
    }


def _assignees(rows: list[Row]) -> list[str] | None:
    entries = [
        entry
        for row in rows
        for entry in row.get("assignedTo") or row.get("assignedToSharingEntries") or []
    ]
    return sorted({entry["userKey"] for entry in entries}) or None


def tally_threads(rows: list[Row]) -> Row:
    times = [row["lastEmailTimestamp"] for row in rows if row.get("lastEmailTimestamp")]
    newest = max(rows, key=lambda row: row.get("lastEmailTimestamp") or 0, default={})
    return {
        "gmailThreadCount": len(rows),
        "totalNumberOfEmails": sum(row.get("numberOfEmails") or 0 for row in rows),
        "lastEmailUpdatedTimestamp": max(times, default=None),
        "lastEmailReceivedTimestamp": max(times, default=None),
        "lastEmailFrom": newest.get("lastEmailFrom"),
    }


def tally_files(rows: list[Row]) -> Row:
    return {"fileCount": len(rows)}


TALLIES = {
    "comments": tally_comments,
    "meetings": tally_meetings,
    "tasks": tally_tasks,
    "threads": tally_threads,
    "files": tally_files,
}


# --- The children of an untouched box: made from the box alone, always the same -------------------


def untouched_children(kind: str, box_row: Row) -> list[Row]:
    """As many rows as the box's counters say.

    They are made when needed, so 100,000 boxes do not keep 300,000 children in memory.
    """
    return [_MAKERS[kind](box_row, place) for place in range(child_count(kind, box_row))]


def child_count(kind: str, box_row: Row) -> int:
    if kind == "meetings":
        return box_row.get("callLogCount", 0) + box_row.get("meetingNotesCount", 0)
    counter = {
        "comments": "commentCount",
        "tasks": "taskTotal",
        "threads": "gmailThreadCount",
        "files": "fileCount",
    }
    return box_row.get(counter[kind], 0)


def _when(box_row: Row, place: int) -> int:
    return box_row["creationTimestamp"] + (place + 1) * HOUR


def _untouched_comment(box_row: Row, place: int) -> Row:
    words = ("Called, wants a call back.", "Sent the papers 📄", "Waiting for an answer …")
    return comment(
        box_row, place + 1, box_row["creatorKey"], _when(box_row, place), words[place % len(words)]
    )


def _untouched_meeting(box_row: Row, place: int) -> Row:
    kind = "CALL_LOG" if place < box_row.get("callLogCount", 0) else "MEETING_NOTES"
    notes = "<p>Talked about the next steps.</p>"
    return meeting(
        box_row, place + 1, box_row["creatorKey"], _when(box_row, place), notes, meetingType=kind
    )


def _untouched_task(box_row: Row, place: int) -> Row:
    entry = box_row.get("creatorSharingEntry") or {"userKey": box_row["creatorKey"]}
    creator = {
        name: entry[name]
        for name in ("userKey", "email", "displayName", "fullName")
        if name in entry
    }
    at = _when(box_row, place)
    row = task(box_row, place + 1, creator, at, "Follow up", dueDate=at + 30 * DAY)
    if place < box_row.get("taskCompleteCount", 0):
        row["status"] = "DONE"
    return row


def _untouched_thread(box_row: Row, place: int) -> Row:
    sender = f"buyer{place + 1}@example.org"
    return thread(box_row, place + 1, _when(box_row, place), f"Offer {place + 1}", sender)


def _untouched_file(box_row: Row, place: int) -> Row:
    return file(
        box_row, place + 1, box_row["creatorKey"], _when(box_row, place), f"offer-{place + 1}.pdf"
    )


_MAKERS = {
    "comments": _untouched_comment,
    "meetings": _untouched_meeting,
    "tasks": _untouched_task,
    "threads": _untouched_thread,
    "files": _untouched_file,
}
