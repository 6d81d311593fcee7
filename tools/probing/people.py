"""Points 21 and 22: the key's user, teams, contacts and organizations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any, NamedTuple

from probing.assumptions import judged
from probing.points import Answer, Assumption, Point, Question, Row, Sample, Section
from probing.shapes import shape_of, type_of

MOST_TEAMS = 3
PATIENT = 10.0
SHARING = frozenset({"None", "Existence"})
CONTACTS = "v2/teams/{teamKey}/contacts"
WHOLE = {"limit": 1_000}


def myself(sample: Sample) -> Point:
    """The cheapest question, with which every run of the connector begins."""
    answer = yield Question("v1/users/me", patience=PATIENT)
    sample.me = answer.body if answer.ok and isinstance(answer.body, dict) else {}
    other = None
    if sample.me:
        other = yield Question("v1/users/{userKey}", {"userKey": sample.me.get("key")})
    with_key = isinstance(sample.me.get("key"), str)
    return Section(
        "The key's user",
        (
            f"v1/users/me: {answer.told()}.",
            f"v1/users/{{userKey}}: {other.told()}." if other else "There is no user to ask for.",
        ),
        assumptions=(judged("me", answer.told(), with_key if answer.status else None),),
    )


# --- Teams --------------------------------------------------------------------------------------


def teams(sample: Sample) -> Point:
    """Teams, their members and their users; fills `sample.teams`."""
    params = {"limit": 100, "page": 0}
    answer = yield Question("v2/users/me/teams", params=params, patience=PATIENT)
    sample.teams = answer.rows or []
    facts, users = [], []
    for team in sample.teams[:MOST_TEAMS]:
        keys = {"teamKey": team.get("key")}
        one = yield Question("v2/teams/{teamKey}", keys)
        people = yield Question("v2/teams/{teamKey}/users", keys)
        users += people.rows or []
        facts.append(
            f"By its key: {one.told()}. Its users: {people.told()}, {people.envelope}, "
            f"{people.count} rows."
        )
    members = _members(sample.teams)
    for stream, rows in (("teams", sample.teams), ("team_members", members), ("users", users)):
        sample.keep(stream, rows)
    told = f"{answer.told()}, {answer.envelope}"
    return Section(
        "Teams",
        (f"{told}, {len(sample.teams)} teams, {len(members)} members.", *facts),
        shapes=(("A member of a team", shape_of(members)),),
        assumptions=(
            judged("teams", told, answer.rows is not None if answer.status else None),
            _sharing(members),
        ),
        moods=_flag_mood(answer),
    )


def _members(found: list[Row]) -> list[Row]:
    lists = [row.get("members") for row in found]
    return [
        row for rows in lists if isinstance(rows, list) for row in rows if isinstance(row, dict)
    ]


def _sharing(members: list[Row]) -> Assumption:
    values = [row.get("emailSharing") for row in members]
    kinds = Counter(type_of(value) for value in values)
    strange = sum(isinstance(value, str) and value not in SHARING for value in values)
    told = ", ".join(f"{what} {count}" for what, count in kinds.items()) or "no members"
    fits = set(kinds) <= {"string", "null"} and not strange
    return judged("email sharing", f"{told}; other texts: {strange}", fits if members else None)


def _flag_mood(answer: Answer) -> Row:
    absent = answer.rows is not None and isinstance(answer.body, dict) and answer.more is None
    return {"flag_absent": True} if absent else {}


# --- Contacts and organizations -----------------------------------------------------------------


class Pages(NamedTuple):
    """Two pages of a list, and the second one asked for again where it was refused."""

    first: Answer
    second: Answer
    again: Answer | None


def directory(sample: Sample, kind: str) -> Point:
    """Contacts or organizations of each team: limit, cursor; fills the sample."""
    path = f"v2/teams/{{teamKey}}/{kind}"
    answers: list[Answer] = []
    pages: Pages | None = None
    for team in sample.teams[:MOST_TEAMS]:
        keys = {"teamKey": team.get("key")}
        whole = yield Question(path, keys, WHOLE, patience=PATIENT)
        answers.append(whole)
        getattr(sample, kind)[str(team.get("key"))] = whole.rows or []
        if pages is None and whole.count > 2:
            pages = yield from _two_pages(path, keys)
    rows = [row for answer in answers for row in answer.rows or []]
    sample.keep(kind, rows)
    told = ", ".join(
        f"{answer.told()}, {answer.envelope}, {answer.count} rows" for answer in answers
    )
    read = all(answer.rows is not None for answer in answers) if answers else None
    return Section(
        f"{kind.title()} of a team",
        (f"limit=1000: {told or 'no team'}.",),
        assumptions=(
            judged("directory", told or "no team", read, kind=kind),
            _next_page(kind, pages),
            _fields(kind, rows),
            _links(kind, rows),
        ),
        moods=_directory_moods(answers, pages),
    )


def _cursor(answer: Answer) -> str:
    found = answer.body.get("cursor") if isinstance(answer.body, dict) else None
    return found if isinstance(found, str) else ""


def _two_pages(path: str, keys: Row) -> Generator[Question, Answer, Pages | None]:
    first = yield Question(path, keys, {"limit": 2})
    if not _cursor(first):
        return None
    hidden = {"cursor": _cursor(first)}
    second = yield Question(path, keys, {"limit": 2}, hidden)
    again = None
    if second.status == 400:
        again = yield Question(path, keys, {"limit": 2}, hidden)
    return Pages(first, second, again)


def _next_page(kind: str, pages: Pages | None) -> Assumption:
    if pages is None:
        return judged("directory cursor", "no list with a cursor", None, kind=kind)
    shared = {str(key) for key in pages.first.keys} & {str(key) for key in pages.second.keys}
    told = f"{pages.second.told()}, {pages.second.count} rows, {len(shared)} on both pages"
    if pages.again:
        told += f"; the same cursor again: {pages.again.told()}"
    works = bool(pages.second.rows) and not shared
    return judged("directory cursor", told, works, kind=kind)


def _directory_moods(answers: list[Answer], pages: Pages | None) -> Row:
    moods: Row = {}
    capped = [answer.count for answer in answers if _cursor(answer) and answer.count < 1_000]
    if capped:
        moods["v2_limit_cap"] = max(capped)
    if pages and pages.again and pages.again.ok:
        moods["forget_page_cursor"] = True
    return moods


def _fields(kind: str, rows: list[Row]) -> Assumption:
    maps = [row["fields"] for row in rows if isinstance(row.get("fields"), dict)]
    kinds = Counter(type_of(value) for values in maps for value in values.values())
    told = ", ".join(f"{what} {count}" for what, count in kinds.items()) or "no value"
    return judged("directory fields", told, set(kinds) <= {"string"} if kinds else None, kind=kind)


def _links(kind: str, rows: list[Row]) -> Assumption:
    links: list[Any] = []
    for row in rows:
        for title in ("contactLinks", "orgLinks"):
            found = row.get(title) or []
            links += found if isinstance(found, list) else [found]
    with_key = sum(isinstance(link, dict) and "key" in link for link in links)
    told = f"{with_key} of {len(links)} links have a key"
    return judged("directory links", told, with_key == len(links) if links else None, kind=kind)


# --- Contacts saved after a time ----------------------------------------------------------------


def after(sample: Sample) -> Point:
    """Point 21: `after` of the list of contacts: seconds, inclusive."""
    team = next((key for key, rows in sample.contacts.items() if _saved(rows)), None)
    if team is None:
        why = "no contact tells when it was saved"
        return Section(
            "Contacts saved after a time",
            (f"Not asked: {why}.",),
            assumptions=(judged("after", why, None),),
        )
    stamps, keys = _saved(sample.contacts[team]), {"teamKey": team}
    stamp = stamps[len(stamps) // 2]
    second = stamp // 1_000
    at = yield Question(CONTACTS, keys, WHOLE, {"after": second})
    later = yield Question(CONTACTS, keys, WHOLE, {"after": second + 1})
    wrong = yield Question(CONTACTS, keys, WHOLE, {"after": stamp})
    expected = sum(one >= second * 1_000 for one in stamps)
    told = (
        f"in the second of a contact: {at.told()}, {at.count} rows of {expected}; "
        f"in the next: {later.count}; the same in milliseconds: {wrong.told()}, {wrong.count}"
    )
    read = at.rows is not None and later.rows is not None
    inclusive = at.count == expected and later.count < at.count and wrong.count < at.count
    return Section(
        "Contacts saved after a time",
        (f"{told}.",),
        assumptions=(judged("after", told, inclusive if read else None),),
    )


def _saved(rows: list[Row]) -> list[int]:
    found = [row.get("lastSavedTimestamp") for row in rows]
    return sorted(stamp for stamp in found if type(stamp) is int)
