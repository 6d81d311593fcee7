"""The CRM that the sandbox starts with: a small company with a bit of everything.

It has as many more boxes as requested. Every property in the API notes has a value on at least one
listed object, and every type of object has one example of an undocumented property. Nobody in it
is real; domains are example.com, .org and .net.
"""

# ruff: noqa: RUF001  (names and texts as people write them)

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from . import keys, objects
from .account import Account, wall_clock
from .objects import DAY, HOUR, MINUTE, SECOND, TODAY, Row

YEAR_2096 = 3_976_214_400_000
NEVER = -1  # how some old stamps say that something has not happened

COMPANIES = (
    "Acme",
    "Müller & Söhne",
    "Café Zürich",
    "Globex",
    "Initech",
    "Ñandú S.A.",
    "株式会社サンプル",
    "Hooli",
    "Łódź Labs",
)
ENDS = ("Won", "Hired 🎉")  # a won box is never lost afterwards
# What a box has in the documentation's own example of a list (5.5).
DOCUMENTED_LIST_ITEM = (
    *(
        "key",
        "boxKey",
        "pipelineKey",
        "creatorKey",
        "name",
        "notes",
        "stageKey",
        "fields",
        "followerKeys",
    ),
    *("creationTimestamp", "lastUpdatedTimestamp"),
    *("followerCount", "commentCount", "taskTotal", "gmailThreadCount", "fileCount"),
)

FIRST_NAMES = ("Mia", "Noah", "Zoë", "Łukasz", "Aiko", "José", "Søren", "Priya")
LAST_NAMES = ("Muster", "Beispiel", "Sample", "Prøve", "Exemple", "Ejemplo")


def default_account(boxes: int = 150, seed: int = 1, pipelines: int | None = None) -> Account:
    """The small CRM, filled up with plain boxes to `boxes` in all.

    They are spread over its own pipelines, or over `pipelines` pipelines.
    """
    account = Account(
        clock=lambda: TODAY
    )  # so that the same seed gives the same account on any day
    people = _add_people(account)
    _add_teams(account, people)
    sales, hiring, support = _add_pipelines(account, people)
    _add_directory(account)
    _add_showcase(account, people, sales, hiring, support)
    _add_newsfeed(account, people, sales, hiring)
    _add_snippets(account, people, sales)
    grow(account, boxes, seed, _spread(account, (sales, hiring, support), pipelines))
    account.clock = wall_clock
    return account


# --- People ---------------------------------------------------------------------------------------


def _add_people(account: Account) -> dict[str, Row]:
    """Users. The key's own user has all that Streak tells about oneself.

    The others have what it tells about colleagues.
    """
    ada = account.me
    ada.update(
        lastUpdatedTimestamp=TODAY - DAY,
        lastSavedTimestamp=TODAY - DAY,
        lastSeenTimestamp=TODAY - HOUR,
        isOauthComplete=True,
        firstOauthTimestamp=TODAY - 899 * DAY,
        orgKey="agxzfm1haWxmb29nYWVyHQsSDE9yZ2FuaXphdGlvbiILZXhhbXBsZS5jb20M",
        googleProfileId="100000000000000000001",
        googleProfilePhotoUrl="https://www.example.com/faces/ada.png",
        googleProfileLink="https://www.example.com/people/ada",
        googleProfileFullName="Ada Example",
        googleProfileFirstName="Ada",
        googleProfileLastName="Example",
        googleProfileGender="other",
        googleProfileLocale="en",
        timezoneId="Europe/Zurich",
        timezoneOffset=7_200_000,
        wantsTaskDigestEmail=True,
        securityReportOnTeamsPipelines=False,
        externalSharingRestrictionOnTeamsPipelines=False,
        automaticallySendInvoiceEmails=True,
        emailsToSendInvoiceTo=["invoices@example.com"],
        customerSpecifiedInvoiceData="VAT CHE-000.000.000",
        tourId="welcome",
        userSettingsKey=keys.other_key("UserSettings", 1),
        userSource="WEB",
        usedPlatforms=["WEB", "IOS"],
        lastTrialStart=TODAY - 890 * DAY,
        lastProPlusTrialStart=TODAY - 400 * DAY,
        lastTrialLength=14,
        canceledTrial=False,
        onTrialWithoutCreditCard=False,
        hasCancellationDiscount=False,
        intercomHmac="0000sandbox-not-a-secret0000",
        googleAnalyticsClientId="1000000000.1000000000",
        firstExtension="chrome",
        installAppId="mailfoogae",
        contextIOStatus="NONE",
        experiments={"newInbox": "control"},
        favouriteColour="green",
    )
    people = {"ada": ada}
    people["björn"] = account.add_user(
        "bjoern@example.com", "Björn Beispiel", lastSeenTimestamp=TODAY - 2 * DAY
    )
    people["chloé"] = account.add_user("chloe@example.com", "Chloé Muster", lastSeenTimestamp=NEVER)
    people["dora"] = account.add_user(
        "dora@example.com", "Dora Payer", lastSeenTimestamp=None, timezoneId=None
    )
    people["agent"] = account.add_user(
        "agent@example.com", "Streak Agent", userType="AGENT", lastSeenTimestamp=0
    )
    return people


def _add_teams(account: Account, people: dict[str, Row]) -> None:
    """Two teams, with Ada in both.

    Chloé has left and is archived, one user is an agent, and one has not accepted yet.
    """
    company = account.add_team("Example GmbH", [person["key"] for person in people.values()])
    company.update(
        creationDate=TODAY - 880 * DAY,
        lastSavedTimestamp=TODAY - 3 * DAY,
        sharingRestrictedToTeam=True,
        automaticallyApproveJoinRequests=False,
        automaticallySendInvoiceEmails=True,
        emailsToSendInvoiceTo=["invoices@example.com"],
        billingAdmin=people["dora"]["key"],
        contactOrgListPermissions={
            "CONTACTS": {
                "defaultPermissionSetName": "editor",
                "aclEntries": [
                    {
                        "userKey": people["björn"]["key"],
                        "permissionSetName": "viewer",
                        "isReadOnly": True,
                    },
                ],
            }
        },
        contactSettings={"fields": _by_key(_directory_fields("Birthday"))},
        organizationSettings={"fields": _by_key(_directory_fields("Customer since"))},
        billingInfo={
            "eligibleForTrial": False,
            "eligibleForProPlusTrial": True,
            "manualSettlement": False,
            "billingScope": "TEAM",
        },
        hasStripeCustomer=True,
        mascot="otter",
    )
    for member, role in zip(
        company["members"], ("Owner", "Member", "ArchiveOnly", "PayerOnly", "Member"), strict=True
    ):
        member.update(role=role, inviteDate=TODAY - 870 * DAY)
    company["members"][0].update(
        emailSharing="Existence", orgKey=people["ada"]["orgKey"], seat="A1"
    )
    company["members"][4].update(inviteStatus="Pending", givenName=None)

    south = account.add_team(
        "Example Süd 🌞", [people["björn"]["key"], people["ada"]["key"]], billingAdmin=None
    )
    south.update(creationDate=TODAY - 100 * DAY, lastSavedTimestamp=TODAY - 100 * DAY)


def _directory_fields(date_name: str) -> list[Row]:
    """Custom fields of contacts and organizations (TeamField, 2.2).

    They are like a pipeline's, but without aiSettings.
    """
    fields = [
        objects.field("1001", "Region", "DROPDOWN", ("Norden", "Süden 🌞", "Überall")),
        objects.field("1002", "Groups", "TAG", ("VIP", "Presse")),
        objects.field("1003", date_name, "DATE"),
        objects.field(
            "1004",
            "Remark",
            defaultValue="none yet",
            lastDefaultValueUpdatedTimestamp=TODAY - 250 * DAY,
            width=120,
        ),
        objects.field("1005", "Newsletter", "CHECKBOX"),
        objects.field("1006", "Discount"),
    ]
    return [
        {name: value for name, value in field.items() if name != "aiSettings"} for field in fields
    ]


def _by_key(rows: list[Row]) -> dict[str, Row]:
    return {row["key"]: row for row in rows}


def _add_directory(account: Account) -> None:
    """Contacts and organizations: some full, some all but empty."""
    company, south = account.teams
    acme = account.add_organization(
        company,
        name="Acme",
        other="Delivers on Tuesdays",
        industry="Anvils",
        employeeCount="51-200",
        logoURL="https://www.example.org/logo.png",
        phoneNumbers=["+41 00 000 00 00"],
        addresses=["1 Canyon Road, Example City"],
        domains=["www.example.org"],
        normalizedDomains=["example.org"],
        twitterHandle="acme-example",
        facebookHandle="acme-example",
        linkedinHandle="acme-example",
        instagramHandle="acme-example",
        lastEnrichmentTimestamp=TODAY - 20 * DAY,
        fields={
            "1001": "9002",
            "1003": "1262304000000",
            "1004": "Pays late",
            "1005": "false",
            "1006": "12.5",
        },
        creditRating="AA",
        **_saved(TODAY - 50 * DAY),
    )
    mia = account.add_contact(
        company,
        givenName="Mia",
        familyName="Muster",
        title="Einkäuferin",
        other="Prefers the phone ☎️",
        photoUrl="https://www.example.org/mia.png",
        emailAddresses=["mia@example.org", "buyer@example.org"],
        phoneNumbers=["+41 00 000 00 01"],
        addresses=["1 Canyon Road, Example City"],
        domains=["example.org"],
        normalizedDomains=["example.org"],
        twitterHandle="mia-example",
        facebookHandle="mia-example",
        linkedinHandle="mia-example",
        instagramHandle="mia-example",
        lastEnrichmentTimestamp=TODAY - 20 * DAY,
        orgLinks=[
            {"key": acme["key"], "isMagicLinked": False, "creationTimestamp": TODAY - 40 * DAY}
        ],
        fields={
            "1001": "9002",
            "1002": "9001",
            "1003": "536457600000",
            "1005": "true",
            "1006": "7",
            "1099": "of a field that is gone",
        },
        nickname="Mimi",
        **_saved(TODAY - 50 * DAY),
    )
    noah = account.add_contact(
        company, givenName="Noah", emailAddresses=["noah@example.net"], **_saved(TODAY - 45 * DAY)
    )
    mia["contactLinks"] = [
        {"key": noah["key"], "isMagicLinked": True, "creationTimestamp": TODAY - 40 * DAY}
    ]
    acme["contactLinks"] = [
        {"key": mia["key"], "isMagicLinked": False, "creationTimestamp": TODAY - 40 * DAY}
    ]
    globex = account.add_organization(
        company, name="Globex", fields={"1001": "9077"}, **_saved(TODAY - 30 * DAY)
    )
    acme["orgLinks"] = [
        {"key": globex["key"], "isMagicLinked": True, "creationTimestamp": TODAY - 30 * DAY}
    ]
    account.add_contact(
        company, givenName=None, lastSavedTimestamp=None, creatorKey=None, creationDate=0
    )
    account.add_contact(south, givenName="Zoë", familyName="Sür", **_saved(TODAY - 12 * DAY))
    account.add_organization(south, name="Café Zürich ☕", **_saved(TODAY - 12 * DAY))


def _saved(at: int) -> Row:
    return {"creationDate": at, "versionTimestamp": at, "lastSavedTimestamp": at}


# --- Pipelines ------------------------------------------------------------------------------------


def _add_pipelines(account: Account, people: dict[str, Row]) -> tuple[Row, Row, Row]:
    """Sales has everything; Hiring and Support are plainer.

    Of the others, one is empty and one belongs to no team.
    """
    sales = account.add_pipeline(
        "Sales",
        stages=("Lead", "Angebot 📄", "Verhandlung", "Won", "Lost"),
        fields=_sales_fields(),
        description="Everything we sell",
        stageColorTheme="TRAFFIC_LIGHT_FADED",
        formulasLastUpdatedTimestamp=TODAY - 60 * DAY,
        sharingRestrictedToTeam=True,
        customPermissionSets={
            "reviewer": {
                "permissions": [
                    {
                        "entityType": "BOX",
                        "action": "UPDATE",
                        "conditionalCheck": "STAGE",
                        "params": {"stageKey": "5001"},
                    },
                    {"entityType": "BOX", "action": "GET", "conditionalCheck": "NONE"},
                ],
                "userAssignable": True,
            }
        },
        boardWidth=3,
        **_stamped(TODAY - 800 * DAY),
    )
    sales["aclEntries"] += [
        objects.acl_entry(people["björn"], "editor"),
        objects.acl_entry(people["chloé"], "viewer") | {"invitedBy": people["ada"]["key"]},
    ]
    sales["stages"]["5002"].update(isColorFromTheme=False, probability=0.4)
    hiring = account.add_pipeline(
        "Hiring – Bewerbungen",
        stages=("Applied", "Interview", "Hired 🎉", "Declined"),
        fields=[
            objects.field("1001", "Role", "DROPDOWN", ("Engineer", "Designer", "Büro")),
            objects.field("1002", "Starts on", "DATE"),
            objects.field("1003", "Skills", "TAG", ("Python", "SQL", "Deutsch")),
            objects.field("1004", "Salary"),
        ],
        icon="hiring",
        creationSourceType="SYSTEM_ONBOARDING",
        **_stamped(TODAY - 600 * DAY),
    )
    support = account.add_pipeline(
        "Support 🎧",
        stages=("New", "Waiting", "Solved"),
        fields=[
            objects.field("1001", "Severity", "DROPDOWN", ("Low", "High", "Kritisch 🔥")),
            objects.field("1002", "Refunded", "CHECKBOX"),
        ],
        creationSourceType="AI_PIPELINE_CREATOR",
        **_stamped(TODAY - 400 * DAY),
    )
    account.add_pipeline("Leer (empty)", **_stamped(TODAY - 30 * DAY))
    account.add_pipeline(
        "Ada’s Ideen 💡", stages=("Idea", "Done"), teamKey=None, **_stamped(TODAY - 200 * DAY)
    )
    return sales, hiring, support


def _stamped(at: int) -> Row:
    return {
        "creationTimestamp": at,
        "lastUpdatedTimestamp": at + 20 * DAY,
        "lastSavedTimestamp": at + 21 * DAY,
    }


def _sales_fields() -> list[Row]:
    """All nine types; one name used twice."""
    return [
        objects.field(
            "1001",
            "Deal size",
            defaultValue="0",
            lastDefaultValueUpdatedTimestamp=TODAY - 250 * DAY,
        ),
        objects.field("1002", "Source", "DROPDOWN", ("Web", "Empfehlung 🤝", "Messe München")),
        objects.field("1003", "Close date", "DATE"),
        objects.field("1004", "Labels", "TAG", ("VIP", "Größe XL", "🔥 heiß")),
        objects.field("1005", "Contract signed", "CHECKBOX"),
        objects.field("1006", "Buyer", "PERSON"),
        objects.field("1007", "Weighted value", "FORMULA", defaultValue="$'Deal size' * 0.4"),
        objects.field("1008", "Main contact", "TEAM_CONTACT"),
        objects.field("1009", "Company", "TEAM_ORGANIZATION"),
        objects.field("1010", "Source"),
        objects.field(
            "1011",
            "Summary",
            aiSettings={"prompt": "Sum up the mails", "source": "WEB_CRAWLING"},
            pinned=True,
        ),
    ]


# --- Boxes that show something --------------------------------------------------------------------


def _add_showcase(
    account: Account, people: dict[str, Row], sales: Row, hiring: Row, support: Row
) -> None:
    full = _add_full_box(account, people, sales)
    _add_its_children(account, people, full)
    _add_odd_values(account, people, sales, full)
    _add_bare_boxes(account, people, sales, support)
    _add_shared_thread(account, people, hiring, full)
    _add_box(
        account,
        "Sell it as a service",
        account.pipeline_named("Ada’s Ideen 💡"),
        people["ada"],
        TODAY - 150 * DAY,
    )


def _add_box(
    account: Account, name: str, pipeline: Row, creator: Row, at: int, **properties: Any
) -> Row:
    box = objects.box(account.number(), name, pipeline, creator, at) | properties
    account.put_box(box)
    return box


def _add_full_box(account: Account, people: dict[str, Row], sales: Row) -> Row:
    """One box with every documented property (5)."""
    company = next(iter(account.teams))
    mia, noah, *_ = account.contacts[company]
    acme = account.organizations[company][0]
    created, ada, bjoern = TODAY - 120 * DAY, people["ada"], people["björn"]
    return _add_box(
        account,
        "Acme – 200 anvils",
        sales,
        ada,
        created,
        notes="first call done\nasked for a discount",
        stageKey="5002",
        creationSourceType="HUMAN",
        fields={
            "1001": "12000",
            "1002": "9002",
            "1003": 1_772_323_200_000,  # midnight, UTC
            "1004": ["9001", "9003"],
            "1005": True,
            "1006": [{"email": "mia@example.org", "fullName": "Mia Muster"}],
            "1007": 4800.0,
            "1008": [mia["key"]],
            "1009": [acme["key"]],
            "1010": "Found us by word of mouth",
        },
        fieldsAutofillStatus={"1011": "PENDING"},
        violations=[{"fieldKey": "1011", "message": "Summary is required"}],
        freshness=0.8312,
        followerKeys=[ada["key"], bjoern["key"]],
        followerCount=2,
        followerSharingEntries=[objects.sharing_entry(ada), objects.sharing_entry(bjoern)],
        assignedToSharingEntries=[objects.sharing_entry(bjoern)],
        taskAssigneeSharingEntrySet=[objects.sharing_entry(ada), objects.sharing_entry(bjoern)],
        incompleteTaskAssigneeSharingEntrySet=[objects.sharing_entry(bjoern)],
        overdueTaskAssigneeSharingEntrySet=[objects.sharing_entry(bjoern)],
        contacts=[
            {
                "key": mia["key"],
                "isStarred": True,
                "isAutoboxed": True,
                "autoboxerKey": ada["key"],
                "autoboxingTimestamp": created + HOUR,
                "autoboxingSource": "EMAIL",
            },
            {"key": noah["key"], "isStarred": False, "isAutoboxed": False},
        ],
        organizations=[{"key": acme["key"], "isStarred": True, "isAutoboxed": False}],
        emailAddresses=["mia@example.org", "buyer@example.org"],
        emailAddressesAutoExtracted=["buyer@example.org"],
        emailAddressesBlacklist=["noreply@example.net"],
        emailAddressesWhitelist=["mia@example.org"],
        stageHistoryEntries=[
            {"stageKey": "5001", "lastEntryToStageTs": created, "timeInStageMs": 10 * DAY},
            {
                "stageKey": "5002",
                "lastEntryToStageTs": created + 10 * DAY,
                "timeInStageMs": 110 * DAY,
            },
        ],
        lastUpdatedTimestamp=TODAY - 5 * DAY,
        lastSavedTimestamp=TODAY - 2 * DAY,
        lastStageChangeTimestamp=created + 10 * DAY,
        firstEmailTimestamp=created + HOUR,
        firstEmailReceivedTimestamp=created + HOUR,
        firstEmailSentTimestamp=created + 2 * HOUR,
        lastEmailSentTimestamp=TODAY - 9 * DAY,
        mostRecentLastSentEmailViewsTimestamp=TODAY - 8 * DAY,
        mostRecentSentEmailsViewsTimestamp=TODAY - 8 * DAY,
        lastTouchpointTimestamp=TODAY - 8 * DAY,
        lastTouchpointType="EMAIL_RECEIVED",
        firstEmailFrom="mia@example.org",
        totalNumberOfSentEmails=1,
        totalNumberOfReceivedEmails=1,
        totalNumberOfSentEmailsViews=3,
        totalNumberOfLastSentEmailViews=2,
        totalNumberOfLastSentEmailLinksClicks=1,
        betaScore=3,
    )


def _add_its_children(account: Account, people: dict[str, Row], box: Row) -> None:
    account.put_children("comments", box["key"], _comments(box, people))
    account.put_children("meetings", box["key"], _meetings(box, people))
    account.put_children("tasks", box["key"], _tasks(account, box, people))
    account.put_children("threads", box["key"], [_full_thread(box, people)])
    account.put_children("files", box["key"], _files(box, people))


def _comments(box: Row, people: dict[str, Row]) -> list[Row]:
    """A question, and an answer to it."""
    ada, bjoern = people["ada"]["key"], people["björn"]["key"]
    question = objects.comment(box, 1, ada, TODAY - 30 * DAY, "@Björn, can we deliver 200?")
    answer = objects.comment(box, 2, bjoern, TODAY - 29 * DAY, "Ja – im März 👍")
    question.update(
        commentKey=question["key"],
        newsfeedEntryKey=keys.other_key("NewsfeedItem", 700_001),
        mentions=[{"userKey": bjoern, "offset": 0, "length": 6}],
        children=[answer["key"]],
        parent=None,
        reactionSummary=[
            {"emoji": "🎉", "count": 1, "users": [objects.user_brief(people["björn"])]}
        ],
        pinnedBy=ada,
    )
    answer.update(
        parent=question["key"], children=None, mentions=None, lastSavedTimestamp=TODAY - 20 * DAY
    )
    return [question, answer]


def _meetings(box: Row, people: dict[str, Row]) -> list[Row]:
    """A call, and a meeting that is set for 2096."""
    ada = people["ada"]["key"]
    call = objects.meeting(box, 1, ada, TODAY - 60 * DAY, "Wants <b>200</b>, not 20")
    call.update(isDraft=False, taskKeys=[keys.child_key("Task", box["key"], 1)], weather="rain")
    later = objects.meeting(
        box, 2, ada, YEAR_2096, "<p>Handing over</p>", meetingType="MEETING_NOTES"
    )
    later.update(duration=None, creationDate=TODAY - 59 * DAY, lastSavedTimestamp=TODAY - 59 * DAY)
    return [call, later]


def _tasks(account: Account, box: Row, people: dict[str, Row]) -> list[Row]:
    """One task with all properties of the newest API, one done, and one in the older shape."""
    ada, bjoern = objects.user_brief(people["ada"]), objects.user_brief(people["björn"])
    contact = account.contacts[next(iter(account.teams))][0]
    open_task = objects.task(
        box, 1, ada, TODAY - 50 * DAY, "Send the offer", dueDate=TODAY - 3 * DAY
    )
    open_task.update(
        assignedTo=[bjoern],
        actions=[{"type": "EMAIL", "value": "Offer for 200 anvils", "contact": contact}],
        meetingKey=keys.child_key("Meeting", box["key"], 1),
        reminderStatus="SCHEDULED",
        priority="high",
    )
    done = objects.task(box, 2, ada, TODAY - 49 * DAY, "Ask for references")
    done.update(status="DONE", lastStatusChangeDate=TODAY - 40 * DAY, actions=None, meetingKey=None)
    older = objects.task(box, 3, ada, TODAY - 48 * DAY, "Call back", dueDate=YEAR_2096)
    del older["creator"], older["assignedTo"]
    older.update(
        creatorSharingEntry=objects.sharing_entry(people["ada"]),
        assignedToSharingEntries=[objects.sharing_entry(people["björn"])],
        sortOrder="000001780272000000000000000003",
        isDraft=False,
    )
    return [open_task, done, older]


def _full_thread(box: Row, people: dict[str, Row]) -> Row:
    """Every documented property (7), and four dated mails."""
    ada = people["ada"]["key"]
    row = objects.thread(box, 1, TODAY - 100 * DAY, "Re: 200 anvils – Angebot", "mia@example.org")
    sent = [TODAY - days * DAY for days in (100, 99, 40, 8)]
    senders = ("mia@example.org", "ada@example.com", "mia@example.org", "mia@example.org")
    file_key = keys.child_key("File", box["key"], 1)
    row.update(
        lastUpdatedTimestamp=sent[-1],
        lastEmailTimestamp=sent[-1],
        names=["Mia Muster", "Ada Example"],
        emailAddresses=["mia@example.org", "ada@example.com"],
        fileKeys=[file_key],
        files=[{"key": file_key, "fileName": "Angebot.pdf"}],
        numberOfEmails=4,
        messageSentTimestamps=sent,
        senderEmailSendTimestampPairs=[
            {"email": email, "sendTimestamp": at} for email, at in zip(senders, sent, strict=True)
        ],
        autoboxLinks=[{"contactKey": box["contacts"][0]["key"]}],
        unifiedMessageThreads=[{"threadId": "15d52837dc00ff8e"}],
        sources=[
            {
                "userKey": ada,
                "messageId": "15d52837dc00ff8f",
                "threadId": "15d52837dc00ff8e",
                "hasOauth": True,
                "visibility": "FULL",
                "gid": "100000000000000000001",
            }
        ],
        requestingUserThreadGmailId="15d52837dc00ff8e",
        mood="friendly",
    )
    return row


def _files(box: Row, people: dict[str, Row]) -> list[Row]:
    ada = people["ada"]["key"]
    offer = objects.file(box, 1, ada, TODAY - 99 * DAY, "Angebot.pdf")
    offer.update(directUrl="https://www.example.com/files/1?signature=sandbox", pages=12)
    drive = objects.file(box, 2, ada, TODAY - 98 * DAY, "Zeichnung – groß.svg")
    drive.update(
        fileType="DRIVE", mimeType="image/svg+xml", size="0", isCurrentUserOwnerInDrive=True
    )
    del drive["gmailAPIFileId"], drive["gmailMessageId"]
    return [offer, drive]


def _add_odd_values(account: Account, people: dict[str, Row], sales: Row, full: Row) -> None:
    """Values as in an account that has been used for years (6)."""
    odd = (
        ("A number as JSON number", {"1001": 42, "1007": 16.8}),
        ("A formula that gives text", {"1001": "1.200,50", "1007": "n/a"}),
        ("Emptied by hand", {"1001": "", "1002": "", "1004": []}),
        ("Options that are gone", {"1002": "9099", "1004": ["9001", "9098"]}),
        ("A field that is gone", {"1055": "who knows", "1001": "7"}),
        ("A time that is not midnight", {"1003": 1_772_361_296_789, "1005": False}),
        (
            "People",
            {
                "1006": [
                    {"email": "mia@example.org"},
                    {"email": "noah@example.net", "fullName": "Noah"},
                ]
            },
        ),
        (
            "Contact as plain key",
            {"1008": full["contacts"][0]["key"], "1009": full["organizations"][0]["key"]},
        ),
        ("Both sources 🤷", {"1002": "9001", "1010": "the other one"}),
    )
    for place, (name, values) in enumerate(odd):
        box = _add_box(
            account, name, sales, people["björn"], TODAY - (110 - place) * DAY, fields=values
        )
        box["linkedBoxKeys"] = [full["key"]]
        full["linkedBoxKeys"].append(box["key"])


def _add_bare_boxes(account: Account, people: dict[str, Row], sales: Row, support: Row) -> None:
    """The documentation's own short list item; nulls; invalid times; a box from 2012."""
    for place, name in enumerate(("Müller & Söhne", "", "株式会社サンプル 📦")):
        row = objects.box(
            account.number(), name, sales, people["ada"], 1_348_436_318_347 + place * DAY
        )
        row.update(notes="first call done", lastUpdatedTimestamp=1_348_441_203_844 + place * DAY)
        account.put_box(
            {property_name: row[property_name] for property_name in DOCUMENTED_LIST_ITEM}
        )
    _add_box(
        account,
        "Nothing is known of this one",
        support,
        people["chloé"],
        TODAY - 90 * DAY,
        notes=None,
        lastCommentTimestamp=0,
        lastEmailUpdatedTimestamp=NEVER,
        firstCallLogTimestamp=NEVER,
        soonestTaskDueDate=None,
        creatorSharingEntry=None,
        assignedToSharingEntries=[],
        contacts=None,
    )


def _add_shared_thread(account: Account, people: dict[str, Row], hiring: Row, full: Row) -> None:
    """A candidate whom a customer recommended: the mail thread is in both boxes."""
    box = _add_box(
        account,
        "Zoë Sür",
        hiring,
        people["björn"],
        TODAY - 80 * DAY,
        fields={"1001": "9003", "1004": "85000"},
    )
    thread = objects.thread(full, 2, TODAY - 79 * DAY, "A candidate for you", "zoe@example.net")
    thread["boxKeys"] = [full["key"], box["key"]]
    account.put_children("threads", full["key"], [thread])
    twin = thread | {"boxKey": box["key"], "pipelineKey": hiring["key"]}
    account.put_children("threads", box["key"], [twin])


# --- Newsfeed, snippets ---------------------------------------------------------------------------


def _add_newsfeed(account: Account, people: dict[str, Row], sales: Row, hiring: Row) -> None:
    """More than 50 events for Sales, and one for Hiring.

    There are events of both scopes, and one that stands for several.
    """
    box = account.boxes_of(sales["key"])[0]
    ada = people["ada"]["key"]
    known = {
        "BOX_NAME": box["name"],
        "PIPELINE_NAME": "Sales",
        "STORY_AUTHOR_DISPLAY_NAME": "Ada Example",
    }
    variables = (
        ("EDIT_STAGE", {"STAGE_KEY": "5002"}),
        (
            "ADD_TASK",
            {"TASK_TEXT": "Send the offer", "DUE_DATE": str(TODAY - 3 * DAY), "STATUS": "NOT_DONE"},
        ),
        (
            "ADD_MEETING",
            {
                "MEETING_TYPE": "CALL_LOG",
                "MEETING_START_TIMESTAMP": str(TODAY - 60 * DAY),
                "MEETING_NOTES": "Wants <b>200</b>, not 20",
            },
        ),
        ("EDIT_TASK_DUE_DATE", {"DUE_DATE": str(TODAY - 2 * DAY)}),
    )
    events = []
    for place in range(60):
        specific, more = variables[place % len(variables)]
        item = objects.event(
            account.number(),
            sales["key"],
            ada,
            TODAY - (60 - place) * HOUR,
            specific,
            **known | more,
        )
        events.append(item | {"boxKey": box["key"]})
    renamed = objects.event(
        account.number(),
        sales["key"],
        ada,
        TODAY - 30 * MINUTE,
        "EDIT_PIPELINE_NAME",
        PIPELINE_NAME="Sales",
    )
    grouped = events[-1]
    grouped.update(collapsedEntries=[events[-2]["key"]], moved=True, confetti=True)
    deleted = objects.event(
        account.number(), sales["key"], ada, TODAY - SECOND, "DELETE_BOX", **known
    )
    deleted.update(newsfeedEntryOperation="DELETE", boxKey=keys.box_key(900_000))
    account.newsfeed[sales["key"]] += [*events, renamed, deleted]

    hired = objects.event(
        account.number(), hiring["key"], ada, TODAY - 80 * DAY, "NEW_BOX", BOX_NAME="Zoë Sür"
    )
    account.newsfeed[hiring["key"]].append(
        hired | {"boxKey": account.boxes_of(hiring["key"])[0]["key"]}
    )


def _add_snippets(account: Account, people: dict[str, Row], sales: Row) -> None:
    """One snippet is shared with a pipeline; the text of the other is a plain string."""
    ada = people["ada"]["key"]
    shared = objects.snippet(
        account.number(), ada, TODAY - 300 * DAY, "Greeting", "<p>Grüezi {name} 👋</p>"
    )
    shared.update(
        snippetType="HTML",
        partOfPipeline=True,
        pipelineKey=sales["key"],
        lastSavedTimestamp=TODAY - 200 * DAY,
        snippetKeyShortcut="hi",
        subject="Your enquiry",
        usageCount=17,
    )
    plain = objects.snippet(account.number(), ada, TODAY - 250 * DAY, "Thanks", "")
    plain["snippetText"] = "Many thanks, and best regards"
    account.snippets += [shared, plain]


# --- Growing --------------------------------------------------------------------------------------


def _spread(account: Account, own: tuple[Row, Row, Row], pipelines: int | None) -> list[Row]:
    """The pipelines that plain boxes go to, in turn. By default Sales gets most of them."""
    sales, hiring, support = own
    if pipelines is None:
        return [sales, sales, hiring, sales, support, sales, hiring, sales, sales, support]
    more = [
        account.add_pipeline(
            f"Pipeline {number}", fields=_sales_fields(), **_stamped(TODAY - 500 * DAY)
        )
        for number in range(len(own) + 1, pipelines + 1)
    ]
    return [*own, *more][:pipelines]


def grow(account: Account, boxes: int, seed: int, pipelines: list[Row]) -> None:
    """Add plain boxes until there are `boxes` in all.

    Each takes about 1.6 KB. Six of ten have children, which are made when requested.
    """
    random = Random(seed)  # noqa: S311 - the same data at every start is the point
    creators = [
        account.me,
        *(user for user in account.users.values() if user["userType"] == "HUMAN"),
    ]
    team = next(iter(account.teams))
    with _no_garbage_collection():
        for place in range(boxes - len(account.boxes)):
            account.put_box(
                _plain_box(account, pipelines[place % len(pipelines)], creators, random)
            )
            if place % 10 == 0:
                _add_plain_contact(account, team, random)


def _plain_box(account: Account, pipeline: Row, creators: list[Row], random: Random) -> Row:
    number = account.number()
    name = f"{random.choice(COMPANIES)} {number}"
    created = TODAY - random.randrange(1, 700 * 86_400) * SECOND
    box = objects.box(number, name, pipeline, random.choice(creators), created)
    box["stageKey"] = random.choice(pipeline["stageOrder"])
    _walk_through_stages(box, pipeline, number)
    box["lastUpdatedTimestamp"] = box["lastSavedTimestamp"] = min(
        created + random.randrange(40 * DAY), TODAY
    )
    box["freshness"] = round(random.random(), 4)
    if random.random() < 0.75:
        box["assignedToSharingEntries"] = []
    box["fields"] = {
        field["key"]: _plain_value(field, random)
        for field in pipeline["fields"]
        if field["type"] in _PLAIN_TYPES
    }
    if random.random() < 0.6:
        _hang_children_on(box, random)
    return box


def _walk_through_stages(box: Row, pipeline: Row, number: int) -> None:
    """Moves a box through about half of the earlier stages, for some days each.

    It has a random generator of its own, so that nothing else depends on this walk.
    """
    random = Random(number)  # noqa: S311 - the same data at every start is the point
    earlier = pipeline["stageOrder"][: pipeline["stageOrder"].index(box["stageKey"])]
    passed = [
        stage
        for stage in earlier
        if random.random() < 0.5 and pipeline["stages"][stage]["name"] not in ENDS
    ]
    at, entries = box["creationTimestamp"], []
    for stage in passed:
        stay = random.randrange(min(40 * DAY, (TODAY - at) // 2))
        entries.append({"stageKey": stage, "lastEntryToStageTs": at, "timeInStageMs": stay})
        at += stay
    entries.append(
        {"stageKey": box["stageKey"], "lastEntryToStageTs": at, "timeInStageMs": TODAY - at}
    )
    box["stageHistoryEntries"], box["lastStageChangeTimestamp"] = entries, at


_PLAIN_TYPES = ("TEXT_INPUT", "DROPDOWN", "DATE", "CHECKBOX", "TAG")


def _plain_value(field: Row, random: Random) -> Any:
    if field["type"] == "DROPDOWN":
        return random.choice(field["dropdownSettings"]["items"])["key"]
    if field["type"] == "TAG":
        return [random.choice(field["tagSettings"]["tags"])["key"]]
    if field["type"] == "DATE":
        return TODAY + random.randrange(-300, 300) * DAY
    if field["type"] == "CHECKBOX":
        return random.random() < 0.5
    return str(random.randrange(1, 90_000))


def _hang_children_on(box: Row, random: Random) -> None:
    """Sets the counters. The rows follow from them, and the other properties from the rows."""
    counters = {
        "commentCount": random.randint(1, 3),
        "taskTotal": random.randint(0, 2),
        "taskCompleteCount": random.randint(0, 1),
        "callLogCount": random.randint(0, 1),
        "meetingNotesCount": random.randint(0, 1),
        "gmailThreadCount": random.randint(0, 2),
        "fileCount": random.randint(0, 1),
    }
    counters["taskCompleteCount"] = min(counters["taskCompleteCount"], counters["taskTotal"])
    box.update(counters)
    for kind, tally in objects.TALLIES.items():
        rows = objects.untouched_children(kind, box)
        if rows:
            box.update((name, value) for name, value in tally(rows).items() if value is not None)


def _add_plain_contact(account: Account, team_key: str, random: Random) -> None:
    number, at = account.number(), TODAY - random.randrange(1, 700 * 86_400) * SECOND
    given_name, family_name = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    contact = objects.contact(number, team_key, account.my_key, at)
    contact.update(
        givenName=given_name,
        familyName=family_name,
        emailAddresses=[f"contact{number}@example.net"],
    )
    account.contacts[team_key].append(contact)
    if number % 2:
        organization = objects.organization(number, team_key, account.my_key, at)
        organization.update(
            name=f"{random.choice(COMPANIES)} {number}",
            normalizedDomains=[f"c{number}.example.org"],
        )
        account.organizations[team_key].append(organization)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """For making millions of objects, none of them garbage.

    Searching them for garbage again and again would double the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
