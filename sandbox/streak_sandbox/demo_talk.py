"""What is in a box of the demo's account: mails, comments, calls, tasks and files."""

from __future__ import annotations

from random import Random

from . import objects
from .account import Account
from .demo_people import MARCO_LEFT, Company
from .objects import DAY, HOUR, MINUTE, TODAY, Row

ENDS = ("Won", "Lost", "Hired 🎉", "Rejected", "Solved")
SUBJECTS = ("Your enquiry", "Our proposal", "Next steps", "A question", "Dates", "First draft")
WORDS = (
    *("Sounds keen, wants a quote.", "Asked for references.", "Budget comes next quarter."),
    *("Sent the second draft 📄", "Waiting for their board.", "Likes option B."),
)
TO_DO = ("Send the offer", "Call back", "Ask for the brief", "Check the contract", "Follow up")
# How many hours it usually takes each person to answer.
PATIENCE = {"ada": 3, "bjorn": 20, "chiara": 2, "yuki": 5, "priya": 9, "marco": 30, "": 26}


def talk(
    account: Account,
    people: dict[str, Row],
    box: Row,
    company: Company,
    owner: str,
    random: Random,
) -> None:
    """Fills a box with talk from while it was open and its owner still in the team."""
    person = people[owner or "ada"]
    until = _end(account, box, owner, random)
    if random.random() < 0.75:
        _mail(account, box, person, company, owner, until, random)
    if random.random() < 0.45:
        _comment(account, box, person, until, random)
    if random.random() < 0.35:
        _meet(account, box, person, until, random)
    if random.random() < 0.5:
        _plan(account, box, person, until, random)
    if random.random() < 0.15:
        at = _between(box, until, random)
        file = objects.file(box, 1, person["key"], at, "proposal.pdf")
        account.put_children("files", box["key"], [file])


def _end(account: Account, box: Row, owner: str, random: Random) -> int:
    """When talk about a box ended: at its end, or for an open box now or when it was forgotten."""
    stages = account.pipelines[box["pipelineKey"]]["stages"]
    last = box["stageHistoryEntries"][-1]
    if stages.get(last["stageKey"], {}).get("name") in ENDS:
        return int(last["lastEntryToStageTs"])
    gone = MARCO_LEFT if owner == "marco" else TODAY - HOUR
    forgotten = last["lastEntryToStageTs"] + random.randrange(4, 30) * DAY
    return int(min(gone, max(forgotten, box["creationTimestamp"] + DAY)))


def _between(box: Row, until: int, random: Random) -> int:
    """A random moment in the box's life, within working hours."""
    created = box["creationTimestamp"]
    at = created + random.randrange(max(HOUR, until - created))
    return int(min(at // DAY * DAY + random.randrange(8 * 60, 18 * 60) * MINUTE, TODAY - HOUR))


def _mail(
    account: Account,
    box: Row,
    person: Row,
    company: Company,
    owner: str,
    until: int,
    random: Random,
) -> None:
    """One or two threads, with replies in turn. Addresses are written as each mail had them."""
    threads = [
        _thread(box, number, person, company, owner, until, random)
        for number in range(1, random.choice((2, 2, 3)))
    ]
    account.put_children("threads", box["key"], threads)
    sent, received = [], []
    for thread in threads:
        for pair in thread["senderEmailSendTimestampPairs"]:
            ours = pair["email"].lower() == person["email"]
            (sent if ours else received).append(pair["sendTimestamp"])
    box.update(
        totalNumberOfSentEmails=len(sent),
        totalNumberOfReceivedEmails=len(received),
        firstEmailTimestamp=min(sent + received),
        lastEmailUpdatedTimestamp=max(sent + received),
    )
    for name, times in (("Sent", sent), ("Received", received)):
        box.pop(f"lastEmail{name}Timestamp", None)
        if times:
            box[f"lastEmail{name}Timestamp"] = max(times)
            box[f"firstEmail{name}Timestamp"] = min(times)


def _thread(
    box: Row,
    number: int,
    person: Row,
    company: Company,
    owner: str,
    until: int,
    random: Random,
) -> Row:
    at = min(_between(box, until, random), until)
    thread = objects.thread(box, number, at, random.choice(SUBJECTS), company.email)
    pairs, theirs = [], random.random() < 0.7
    for _ in range(random.randrange(1, 8)):
        email = company.email if theirs else person["email"]
        spelled = random.choice((email, email, email.lower(), email.title()))
        pairs.append({"email": spelled, "sendTimestamp": at})
        hours = 14 if not theirs else PATIENCE[owner]
        at += int(random.lognormvariate(0, 0.8) * hours * HOUR)
        theirs = not theirs if random.random() < 0.9 else theirs
        if at > until:
            break
    thread.update(
        senderEmailSendTimestampPairs=pairs,
        messageSentTimestamps=[pair["sendTimestamp"] for pair in pairs],
        numberOfEmails=len(pairs),
        lastEmailTimestamp=pairs[-1]["sendTimestamp"],
        lastEmailFrom=pairs[-1]["email"],
        lastUpdatedTimestamp=pairs[-1]["sendTimestamp"],
        names=[company.person, person["displayName"]],
        emailAddresses=[company.email, person["email"]],
    )
    return thread


def _comment(account: Account, box: Row, person: Row, until: int, random: Random) -> None:
    rows = [
        objects.comment(
            box, number, person["key"], _between(box, until, random), random.choice(WORDS)
        )
        for number in range(1, random.randrange(2, 5))
    ]
    account.put_children("comments", box["key"], rows)


def _meet(account: Account, box: Row, person: Row, until: int, random: Random) -> None:
    """Calls, meetings, and now and then a meeting in the future."""
    rows = []
    for number in range(1, random.randrange(2, 4)):
        kind = random.choice(("CALL_LOG", "CALL_LOG", "MEETING_NOTES"))
        planned = kind == "MEETING_NOTES" and until > TODAY - 3 * DAY
        at = TODAY + 9 * DAY if planned else _between(box, until, random)
        minutes = random.choice((10, 15, 30, 45, 60))
        notes = "<p>Talked about the next steps.</p>"
        meeting = objects.meeting(
            box,
            number,
            person["key"],
            at,
            notes,
            meetingType=kind,
            duration=minutes * MINUTE,
        )
        rows.append(meeting | {"creationDate": min(at, TODAY - DAY)})
    account.put_children("meetings", box["key"], rows)


def _plan(account: Account, box: Row, person: Row, until: int, random: Random) -> None:
    """Most tasks are done; open boxes have some that are due or overdue."""
    brief = objects.user_brief(person)
    rows = []
    for number in range(1, random.randrange(2, 4)):
        at = _between(box, until, random)
        due = at + random.randrange(1, 25) * DAY
        task = objects.task(box, number, brief, at, random.choice(TO_DO), dueDate=due)
        if due < TODAY - 150 * DAY or random.random() < 0.45:
            done = at + int(random.lognormvariate(0.5, 0.9) * DAY)
            task.update(status="DONE", lastStatusChangeDate=min(done, TODAY - HOUR))
        rows.append(task)
    account.put_children("tasks", box["key"], rows)
