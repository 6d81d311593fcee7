"""A second account for the dbt package: 5,000 boxes of two teams, each made from a story.

Names are in Cyrillic and Japanese. Money is written in several notations, stages were deleted, and
some boxes went straight from their first stage to the won one. A `Story` says what happened to a
box. The account is built from the stories, and the tests compute their figures from them alone.
"""

# ruff: noqa: RUF001  (names as people write them; the same account at every start)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from streak_sandbox import Account, objects
from streak_sandbox.objects import DAY, HOUR, MINUTE, TODAY, Row

BOXES = 5_000
FIRST_DAY = TODAY - 700 * DAY
DELETED = "5009"  # the key of a deleted stage in each pipeline
VARIABLES = {
    "streak_won_stages": ["Closed won", "Оплачено", "受注", "Hired*"],
    "streak_lost_stages": ["Closed lost", "Отказ", "失注", "Rejected"],
    "streak_amount_fields": ["Deal size", "Сумма", "金額"],
}
# A partial selection: no newsfeed, changes, documents, meetings or files.
SELECTED = (
    *("boxes", "pipelines", "pipeline_stages", "box_stage_history", "box_field_values"),
    *("teams", "users", "box_users", "box_threads", "box_tasks", "box_comments"),
    *("contacts", "organizations", "box_contacts", "box_organizations"),
)
STAGES = {
    "Продажи": ("Новый", "Переговоры", "Договор", "Оплачено", "Отказ"),
    "営業": ("引き合い", "提案", "交渉", "受注", "失注"),
    "Sales EU": ("Lead", "Offer", "Contract", "Closed - Won", "Closed/Lost"),
    "採用": ("応募", "面接", "内定", "Hired 🎉", "Rejected"),
}
MONEY_FIELDS = {"Продажи": "Сумма", "営業": "金額", "Sales EU": "Deal size"}
PEOPLE = {
    "Команда Север": ("Иван Петров", "Ольга Смирнова", "Björn Lind"),
    "東京チーム": ("佐藤 花子", "田中 由紀"),
}


def european(amount: float) -> str:
    """1.200,50 €"""
    whole, _, cents = f"{amount:,.2f}".partition(".")
    return f"{whole.replace(',', '.')},{cents} €"


def american(amount: float) -> str:
    """$1,200.50"""
    return f"${amount:,.2f}"


def spaced(amount: float) -> str:
    """1 200,50, with a non-breaking space."""
    whole, _, cents = f"{amount:,.2f}".partition(".")
    return f"{whole.replace(',', chr(0xA0))},{cents}"


NOTATIONS: tuple[Callable[[float], str | float], ...] = (
    european,
    american,
    spaced,
    lambda amount: f"{spaced(amount)} ₽",
    lambda amount: f"￥{amount:,.2f}",
    float,
)


@dataclass
class Story:
    """What happened to one box."""

    number: int
    pipeline: str
    owner: str  # a full name
    created: int
    amount: float | None
    # The stages that it was in, as (place in STAGES, or 9 for the deleted one; time of entry).
    visits: list[tuple[int, int]] = field(default_factory=list)
    mails: list[tuple[bool, int]] = field(default_factory=list)  # (whether it is ours, time)
    comment_at: int | None = None

    @property
    def place(self) -> int:
        """The place of its current stage."""
        return self.visits[-1][0]

    @property
    def since(self) -> int:
        return self.visits[-1][1]


def stories(seed: int = 11) -> list[Story]:
    """The stories of all boxes."""
    random = Random(seed)
    return [_story(number, random) for number in range(BOXES)]


def _story(number: int, random: Random) -> Story:
    pipeline = random.choice([*STAGES])
    team = "東京チーム" if pipeline in ("営業", "採用") else "Команда Север"
    created = FIRST_DAY + random.randrange(690 * 24) * HOUR
    has_money = pipeline in MONEY_FIELDS and random.random() < 0.9
    amount = round(random.uniform(50, 90_000), 2) if has_money else None
    story = Story(number, pipeline, random.choice(PEOPLE[team]), created, amount)
    story.visits.append((0, created))
    at, place = created, 0
    while place < 3:
        at += random.randrange(HOUR, 40 * DAY)
        luck = random.random()
        if at > TODAY or luck < 0.1:  # it stays in its stage
            break
        if luck < 0.28:
            story.visits.append((4, at))
            break
        if place == 0 and luck > 0.97:  # straight to the won stage
            place = 2
        elif place == 1 and luck > 0.985:
            story.visits.append((9, at))
            break
        place += 1
        story.visits.append((place, at))
    _talk(story, random)
    return story


def _talk(story: Story, random: Random) -> None:
    """Add mail to a fifth of the boxes, and a comment to a tenth."""
    if random.random() < 0.2:
        at = story.created + random.randrange(5 * DAY)
        ours = random.random() < 0.4
        for _ in range(random.randrange(1, 6)):
            if at > TODAY:
                break
            story.mails.append((ours, at))
            at += random.randrange(5 * MINUTE, 3 * DAY)
            ours = not ours if random.random() < 0.8 else ours
    if random.random() < 0.1:
        story.comment_at = min(TODAY - HOUR, story.since + random.randrange(20 * DAY))


# --- The account built from the stories -----------------------------------------------------------


def other_account(told: list[Story]) -> Account:
    """An account built from the stories."""
    account = Account(clock=lambda: TODAY)
    people = _people(account)
    pipelines = {name: _pipeline(account, name) for name in STAGES}
    for story in told:
        _box(account, people[story.owner], pipelines[story.pipeline], story)
    return account


def _people(account: Account) -> dict[str, Row]:
    """Users by full name. The API key's own user is in both teams and owns nothing."""
    found = {}
    for place, (team, names) in enumerate(PEOPLE.items()):
        for number, name in enumerate(names):
            address = f"Person{number}@Team{place}.example.com"
            found[name] = account.add_user(address, name)
        members = [account.my_key, *(found[name]["key"] for name in names)]
        key = account.add_team(team, members)["key"]
        for number in range(20):
            given, family = (
                ("Анна", f"Иванова {number}") if place == 0 else ("花子", f"鈴木 {number}")
            )
            account.add_contact(key, givenName=given, familyName=family)
            account.add_organization(
                key, name=f"ООО Вектор {number}" if place == 0 else f"株式会社{number}"
            )
    return found


def _pipeline(account: Account, name: str) -> Row:
    fields = [objects.field("1001", MONEY_FIELDS[name])] if name in MONEY_FIELDS else []
    teams = list(account.teams)
    return account.add_pipeline(
        name,
        stages=STAGES[name],
        fields=fields,
        teamKey=teams[1] if name in ("営業", "採用") else teams[0],
        creationTimestamp=FIRST_DAY - DAY,
    )


def _stage_key(place: int) -> str:
    return str(5001 + place) if place < 9 else DELETED


def _box(account: Account, owner: Row, pipeline: Row, story: Story) -> None:
    box = objects.box(
        account.number(), f"{story.owner} – {story.number}", pipeline, owner, story.created
    )
    ends = [at for _, at in story.visits[1:]] + [TODAY]
    box.update(
        stageKey=_stage_key(story.place),
        stageHistoryEntries=[
            {"stageKey": _stage_key(place), "lastEntryToStageTs": at, "timeInStageMs": end - at}
            for (place, at), end in zip(story.visits, ends, strict=True)
        ],
        lastStageChangeTimestamp=story.since,
    )
    if story.amount is not None:
        box["fields"] = {"1001": NOTATIONS[story.number % len(NOTATIONS)](story.amount)}
    team = pipeline["teamKey"]
    for kind, kept in (("contacts", account.contacts), ("organizations", account.organizations)):
        entry = kept[team][story.number % 20]
        box[kind] = [{"key": entry["key"], "isStarred": True, "isAutoboxed": False}]
    account.put_box(box)
    if story.mails:
        account.put_children("threads", box["key"], [_thread(box, owner, story)])
    if story.comment_at:
        comment = objects.comment(box, 1, owner["key"], story.comment_at, "Позвонить ещё раз")
        account.put_children("comments", box["key"], [comment])


def _thread(box: Row, owner: Row, story: Story) -> Row:
    addresses = {True: owner["email"].upper(), False: "Buyer@Kunde.example.org"}
    pairs = [{"email": addresses[ours], "sendTimestamp": at} for ours, at in story.mails]
    thread = objects.thread(box, 1, pairs[-1]["sendTimestamp"], "見積り", pairs[-1]["email"])
    return thread | {"senderEmailSendTimestampPairs": pairs, "numberOfEmails": len(pairs)}
