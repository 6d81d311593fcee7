"""The account of `make demo`: two years of a small design studio, for pictures with a story.

Sales narrows from stage to stage, autumn is busy and August is not, and the deals of somebody who
left lie untouched. It has the odd cases that the dbt package is tested with: money in several
notations, a box in no stage, boxes in a stage that was deleted, an empty pipeline, a stage order
that was changed later. It is the same on any day, because its calendar ends on 2026-06-01.
"""

# ruff: noqa: RUF001  (names and texts as people write them)

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import accumulate
from random import Random

from . import objects
from .account import Account, wall_clock
from .demo_people import FIRST_DAY, MARCO_LEFT, Company, add_companies, add_people
from .demo_talk import talk
from .objects import DAY, HOUR, MINUTE, TODAY, Row

ORDER_CHANGED = FIRST_DAY + 240 * DAY  # until then an offer went out before anybody qualified
ON_HOLD = "5007"  # a stage of Sales that was deleted
REMOVED_OPTION = "9009"  # of its field Source
BUSY = (1.0, 1.0, 1.35, 1.25, 1.0, 0.85, 0.65, 0.4, 1.6, 1.75, 1.45, 0.6)  # January first
TICKETS = (1.8, 1.6, 1.1, 0.9, 0.8, 0.8, 0.7, 0.7, 0.9, 1.0, 1.1, 1.4)
EVEN = (1.0,) * 12
PROJECTS = ("website", "rebrand", "shop fitting", "packaging", "brochure", "signage", "app design")
TROUBLES = ("Login fails", "Wrong invoice", "Slow pages", "Broken link", "Missing file", "Typo")
CANDIDATES = (
    *("Nora Quinn", "Ethan Ross", "李小龙", "Aisha Bello", "Łucja Wójcik", "Théo Martin"),
    *("Иван Петров", "Grace Hill", "Kofi Mensah", "Sofía Ruiz", "Ravi Kumar", "Emma Stone"),
)


@dataclass(frozen=True)
class Course:
    """How boxes go through a pipeline."""

    stages: tuple[str, ...]  # the open ones, in their order
    won: str
    lost: str | None
    days: tuple[int, ...]  # that a box usually stays, by stage
    lose: tuple[float, ...]  # the chance to be lost, by stage
    seasons: tuple[float, ...]
    stuck: float  # the chance to get stuck, at each stage


SALES = Course(
    stages=("5001", "5002", "5003", "5004"),
    won="5005",
    lost="5006",
    days=(11, 17, 22, 21),
    lose=(0.26, 0.24, 0.22, 0.26),
    seasons=BUSY,
    stuck=0.05,
)
HIRING = Course(
    stages=("5001", "5002", "5003", "5004"),
    won="5005",
    lost="5006",
    days=(6, 9, 12, 7),
    lose=(0.4, 0.4, 0.3, 0.15),
    seasons=EVEN,
    stuck=0.03,
)
SUPPORT = Course(
    stages=("5001", "5002"),
    won="5003",
    lost=None,
    days=(2, 4),
    lose=(0.0, 0.0),
    seasons=TICKETS,
    stuck=0.03,
)


def demo_account(seed: int = 7) -> Account:
    """About 230 boxes in three pipelines, and a pipeline without any."""
    random = Random(seed)  # noqa: S311 - the same data at every start is the point
    account = Account(clock=lambda: TODAY)
    people = add_people(account)
    companies = add_companies(account, random)
    sales, hiring, support = _add_pipelines(account)
    for number, created in enumerate(_moments(random, SALES.seasons, 140)):
        _add_deal(account, people, sales, random.choice(companies), random, number, created)
    for number, created in enumerate(_moments(random, HIRING.seasons, 36)):
        _add_candidate(account, people, hiring, random, number, created)
    for created in _moments(random, SUPPORT.seasons, 54):
        _add_ticket(account, people, support, random.choice(companies), random, created)
    _add_odd_boxes(account, people, sales, companies)
    _add_news(account)
    _add_snippet(account)
    account.clock = wall_clock
    return account


def _add_pipelines(account: Account) -> tuple[Row, Row, Row]:
    stamps = {
        "creationTimestamp": FIRST_DAY - 20 * DAY,
        "lastUpdatedTimestamp": ORDER_CHANGED,
        "lastSavedTimestamp": ORDER_CHANGED,
    }
    sales = account.add_pipeline(
        "Sales",
        stages=("Lead", "Qualified", "Proposal", "Negotiation", "Won", "Lost"),
        fields=[
            objects.field("1001", "Deal size"),
            objects.field("1002", "Source", "DROPDOWN", ("Referral", "Website", "Trade fair")),
            objects.field("1003", "Close date", "DATE"),
            objects.field("1004", "Tags", "TAG", ("Key account", "Rush", "日本")),
            objects.field("1005", "Contract signed", "CHECKBOX"),
        ],
        **stamps,
    )
    hiring = account.add_pipeline(
        "Hiring",
        stages=("Applied", "Screening", "Interview", "Offer", "Hired 🎉", "Rejected"),
        fields=[objects.field("1001", "Role", "DROPDOWN", ("Designer", "Engineer", "Writer"))],
        **stamps,
    )
    support = account.add_pipeline(
        "Support",
        stages=("New", "Waiting for customer", "Solved"),
        fields=[objects.field("1001", "Severity", "DROPDOWN", ("Low", "High", "Critical 🔥"))],
        **stamps,
    )
    new = dict.fromkeys(stamps, TODAY - 45 * DAY)
    account.add_pipeline("Partnerships (new)", **new)
    return sales, hiring, support


# --- One box of each pipeline ---------------------------------------------------------------------


def _add_deal(
    account: Account,
    people: dict[str, Row],
    sales: Row,
    company: Company,
    random: Random,
    number: int,
    created: int,
) -> None:
    owner = _seller(random, created)
    entries = _walk(random, created, SALES, owner == "marco")
    box = _box(account, people, sales, company, owner, entries)
    box["name"] = f"{company.name} – {random.choice(PROJECTS)}"
    closed = entries[-1]["stageKey"] in (SALES.won, SALES.lost)
    box["fields"] = {
        "1002": random.choice(("9001", "9001", "9002", "9002", "9003")),
        "1003": entries[-1]["lastEntryToStageTs"] if closed else TODAY + random.randrange(60) * DAY,
        "1004": random.sample(("9001", "9002", "9003"), random.choice((0, 0, 1, 2))),
        "1005": entries[-1]["stageKey"] == SALES.won,
    }
    if number % 12:  # not everybody enters one
        box["fields"]["1001"] = _money(random, owner)
    if random.random() < 0.07 and owner in ("ada", "chiara"):
        box["assignedToSharingEntries"].append(objects.sharing_entry(people["yuki"]))
    talk(account, people, box, company, owner, random)


def _add_candidate(
    account: Account,
    people: dict[str, Row],
    hiring: Row,
    random: Random,
    number: int,
    created: int,
) -> None:
    owner = "priya" if created < MARCO_LEFT else random.choice(("ada", "yuki"))
    name = CANDIDATES[number % len(CANDIDATES)]
    address = f"candidate{number}@mail.example.net"
    candidate = Company(name, "", "", name, address)
    box = _box(account, people, hiring, None, owner, _walk(random, created, HIRING, False))
    box["name"] = name if number < len(CANDIDATES) else f"{name} ({number})"
    box["fields"] = {"1001": random.choice(("9001", "9002", "9003"))}
    talk(account, people, box, candidate, owner, random)


def _add_ticket(
    account: Account,
    people: dict[str, Row],
    support: Row,
    company: Company,
    random: Random,
    created: int,
) -> None:
    owner = random.choice(("yuki", "yuki", "yuki", "bjorn", ""))
    entries = _walk(random, created, SUPPORT, False)
    box = _box(account, people, support, company, owner, entries)
    box["name"] = f"{random.choice(TROUBLES)} – {company.name}"
    box["fields"] = {"1001": random.choice(("9001", "9001", "9002", "9003"))}
    talk(account, people, box, company, owner, random)


def _box(
    account: Account,
    people: dict[str, Row],
    pipeline: Row,
    company: Company | None,
    owner: str,
    entries: list[Row],
) -> Row:
    creator = people[owner or "ada"]
    created = entries[0]["lastEntryToStageTs"]
    box = objects.box(account.number(), "", pipeline, creator, created)
    box.update(
        stageKey=entries[-1]["stageKey"],
        stageHistoryEntries=entries,
        lastStageChangeTimestamp=entries[-1]["lastEntryToStageTs"],
        lastUpdatedTimestamp=entries[-1]["lastEntryToStageTs"],
        lastSavedTimestamp=entries[-1]["lastEntryToStageTs"],
        creationSourceType="HUMAN",
    )
    if not owner:
        box["assignedToSharingEntries"] = []
    if company:
        box["contacts"] = [{"key": company.contact_key, "isStarred": True, "isAutoboxed": False}]
        box["organizations"] = [{"key": company.key, "isStarred": True, "isAutoboxed": False}]
    account.put_box(box)
    return box


# --- When, how far, who, how much -----------------------------------------------------------------


def _moments(random: Random, seasons: tuple[float, ...], count: int) -> list[int]:
    """Creation times for `count` boxes: on working days, by season, more every year."""
    days = [FIRST_DAY + day * DAY for day in range(728) if (FIRST_DAY // DAY + day + 3) % 7 < 5]
    weights = [
        seasons[datetime.fromtimestamp(day / 1000, timezone.utc).month - 1]
        * (1 + 0.6 * (day - FIRST_DAY) / (TODAY - FIRST_DAY))
        for day in days
    ]
    sums = list(accumulate(weights))
    places = [(number + random.random()) / count * sums[-1] for number in range(count)]
    times = [days[bisect(sums, place)] for place in places]
    return [time + random.randrange(8 * 60, 17 * 60) * MINUTE for time in times]


def _walk(random: Random, created: int, course: Course, left: bool) -> list[Row]:
    """A box's stages, and when it entered each. `left`: its owner left and moves it no more."""
    path = list(course.stages)
    if course is SALES and created < ORDER_CHANGED:
        path[1], path[2] = path[2], path[1]
    until = MARCO_LEFT if left else TODAY
    at, entries, ended = created, [], ""
    for place, stage in enumerate(path):
        usual = course.days[course.stages.index(stage)]
        stay = int(random.gammavariate(1.6, usual / 1.6) * DAY) + HOUR
        lost = random.random() < course.lose[place]
        stuck = random.random() < (0.3 if left else course.stuck)
        entries.append(_entry(stage, at))
        if stuck or at + stay > until:
            break
        at += stay
        ended = (course.lost or "") if lost else course.won if place == len(path) - 1 else ""
        if ended:
            entries.append(_entry(ended, at))
            break
    for entry, after in zip(entries, [*entries[1:], None], strict=True):
        end = after["lastEntryToStageTs"] if after else TODAY
        entry["timeInStageMs"] = end - entry["lastEntryToStageTs"]
    return entries


def _entry(stage: str, at: int) -> Row:
    return {"stageKey": stage, "lastEntryToStageTs": at, "timeInStageMs": 0}


def _seller(random: Random, created: int) -> str:
    """The owner of a deal. Marco sold too until he left; a few deals belong to nobody."""
    sellers = ["ada", "ada", "bjorn", "bjorn", "bjorn", "chiara", "chiara", "chiara", "chiara"]
    if created < MARCO_LEFT:
        sellers += ["marco"] * (7 if created > MARCO_LEFT - 120 * DAY else 3)
    return "" if random.random() < 0.05 else random.choice(sellers)


def _money(random: Random, owner: str) -> str | int:
    """A deal's size, which everybody writes in a different way."""
    thousands = max(1, round(random.lognormvariate(2.4, 0.7)))
    if random.random() < 0.04:
        return "to be negotiated"
    return {
        "ada": f"${thousands},000",
        "bjorn": f"{thousands}.000,50 €",
        "chiara": f"{thousands}k",
        "marco": f"{thousands}000",
    }.get(owner, thousands * 1000)


# --- What is odd, what is new ---------------------------------------------------------------------


def _add_odd_boxes(
    account: Account, people: dict[str, Row], sales: Row, companies: list[Company]
) -> None:
    """Two boxes in no stage, and three in a stage that was deleted."""
    for number, company in enumerate(companies[:5]):
        created = TODAY - (130 + 9 * number) * DAY
        entries = [_entry("5001", created), _entry(ON_HOLD, created + 6 * DAY)]
        entries[0]["timeInStageMs"] = 6 * DAY
        entries[1]["timeInStageMs"] = TODAY - created - 6 * DAY
        box = _box(account, people, sales, company, "ada", entries)
        box["name"] = f"{company.name} – on hold"
        box["fields"] = {"1001": f"CHF {number + 3}’500.–", "1002": REMOVED_OPTION}
        if number < 2:
            box.update(name=f"{company.name} – imported", stageHistoryEntries=[], stageKey=None)


def _add_news(account: Account) -> None:
    """Fills each pipeline's newsfeed with its last 50 moves."""
    for pipeline in account.pipelines.values():
        moves = [
            (entry["lastEntryToStageTs"], box, entry["stageKey"])
            for box in account.boxes_of(pipeline["key"])
            for entry in box["stageHistoryEntries"][1:]
        ]
        for at, box, stage in sorted(moves, key=lambda move: move[0])[-50:]:
            known = {"BOX_NAME": box["name"], "STAGE_KEY": stage}
            creator = box["creatorKey"]
            item = objects.event(
                account.number(), pipeline["key"], creator, at, "EDIT_STAGE", **known
            )
            account.newsfeed[pipeline["key"]].append(item | {"boxKey": box["key"]})


def _add_snippet(account: Account) -> None:
    text = "<p>Hello {name}, thank you for your enquiry.</p>"
    snippet = objects.snippet(account.number(), account.my_key, FIRST_DAY, "First answer", text)
    account.snippets.append(snippet)
