"""Who is in the demo's account: six users, one of whom has left, and the companies they talk to."""

# ruff: noqa: RUF001  (names as people write them)

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from . import objects
from .account import Account
from .objects import DAY, HOUR, TODAY, Row

FIRST_DAY = TODAY - 730 * DAY
MARCO_LEFT = TODAY - 170 * DAY

COMPANIES = (
    ("Harbour & Pine", "harbourpine", "Olivia Grant", "Retail"),
    ("Northwind Bakery", "northwind-bakery", "Sam Porter", "Food"),
    ("株式会社さくら", "sakura", "佐藤 花子", "Hotels"),
    ("Müller & Söhne", "mueller", "Jürgen Müller", "Engineering"),
    ("Blue Lantern Books", "bluelantern", "Zoë Carter", "Retail"),
    ("ООО Вектор", "vektor", "Ирина Соколова", "Software"),
    ("Łódź Labs", "lodzlabs", "Łukasz Nowak", "Research"),
    ("Greenfield Clinics", "greenfield", "Amara Okafor", "Health"),
    ("Café Zürich", "cafezuerich", "Reto Keller", "Food"),
    ("Ñandú Viajes", "nandu", "José Ibáñez", "Travel"),
    ("Αθήνα Σχέδιο", "athina", "Νίκος Παππάς", "Design"),
    ("Summit Climbing", "summitclimb", "Maya Brooks", "Sports"),
    ("شركة النور", "alnoor", "ليلى حداد", "Trade"),
    ("Copper Kettle", "copperkettle", "Ben Archer", "Food"),
    ("Fjord Fisk", "fjordfisk", "Søren Dahl", "Food"),
    ("Riverside School", "riverside", "Hannah Cole", "Education"),
    ("한빛 디자인", "hanbit", "김민준", "Design"),
    ("Old Mill Brewery", "oldmill", "Tom Walsh", "Food"),
)


@dataclass(frozen=True)
class Company:
    """An organization and its one contact."""

    name: str
    key: str
    contact_key: str
    person: str
    email: str


def add_people(account: Account) -> dict[str, Row]:
    """The users by short name. Marco has left the team; Priya has the role ArchiveOnly."""
    ada = account.me
    ada.update(timezoneId="Europe/London", lastSeenTimestamp=TODAY - HOUR, isOauthComplete=True)
    people = {"ada": ada}
    for short, full_name in (
        ("bjorn", "Björn Lindqvist"),
        ("chiara", "Chiara Rossi"),
        ("yuki", "田中 由紀"),
        ("priya", "Priya Nair"),
        ("marco", "Marco Bianchi"),
    ):
        people[short] = account.add_user(f"{short}@example.com", full_name)
    members = [person["key"] for short, person in people.items() if short != "marco"]
    team = account.add_team("Lighthouse Studio", members)
    team.update(creationDate=FIRST_DAY - 60 * DAY, lastSavedTimestamp=MARCO_LEFT)
    for member in team["members"]:
        member["inviteDate"] = FIRST_DAY - 50 * DAY
        member["role"] = "ArchiveOnly" if member["userKey"] == people["priya"]["key"] else "Member"
    team["members"][0]["role"] = "Owner"
    fields = [objects.field("1001", "Segment", "DROPDOWN", ("Small", "Medium", "Large"))]
    team["organizationSettings"] = {"fields": {field["key"]: field for field in fields}}
    return people


def add_companies(account: Account, random: Random) -> list[Company]:
    """All in the one team. Email addresses are in the case in which they were typed."""
    team = next(iter(account.teams))
    return [_add_company(account, team, random, *company) for company in COMPANIES]


def _add_company(
    account: Account, team: str, random: Random, name: str, domain: str, person: str, industry: str
) -> Company:
    at = FIRST_DAY - random.randrange(40) * DAY
    email = f"{random.choice(('Hello', 'office', 'SALES'))}@{domain}.example.org"
    given, _, family = person.partition(" ")
    organization = account.add_organization(
        team,
        name=name,
        industry=industry,
        employeeCount=random.choice(("1-10", "11-50", "51-200")),
        domains=[f"www.{domain}.example.org"],
        normalizedDomains=[f"{domain}.example.org"],
        fields={"1001": random.choice(("9001", "9002", "9003"))},
        **_saved(at),
    )
    contact = account.add_contact(
        team,
        givenName=given,
        familyName=family or None,
        emailAddresses=[email],
        domains=[f"{domain}.example.org"],
        normalizedDomains=[f"{domain}.example.org"],
        orgLinks=[{"key": organization["key"], "isMagicLinked": True, "creationTimestamp": at}],
        **_saved(at),
    )
    link = {"key": contact["key"], "isMagicLinked": True, "creationTimestamp": at}
    organization["contactLinks"] = [link]
    return Company(name, organization["key"], contact["key"], person, email)


def _saved(at: int) -> dict[str, Any]:
    return {"creationDate": at, "versionTimestamp": at, "lastSavedTimestamp": at}
