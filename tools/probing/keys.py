"""Points 15 and 16: what is asked by key, and keys that name nothing."""

from __future__ import annotations

import base64
import binascii
from collections import Counter

from probing.assumptions import judged
from probing.names import name
from probing.points import Answer, Point, Question, Row, Sample, Section
from probing.shapes import shape_of

KEY_ISSUE = "usually a key issue"
MALFORMED = "12345"


def single_objects(sample: Sample) -> Point:
    """15.1 and 3.1: whatever deletions are concluded from answers by its key."""
    known: list[tuple[str, str, Row]] = []
    if sample.pipelines:
        known.append(("v1/pipelines/{pipelineKey}", "pipelineKey", sample.pipelines[0]))
        known.append(("v2/pipelines/{pipelineKey}", "pipelineKey", sample.pipelines[0]))
    if sample.teams:
        known.append(("v2/teams/{teamKey}", "teamKey", sample.teams[0]))
    for path, title, rows in (
        ("v2/contacts/{contactKey}", "contactKey", sample.contacts),
        ("v2/organizations/{organizationKey}", "organizationKey", sample.organizations),
    ):
        found = [row for of_team in rows.values() for row in of_team][:1]
        known += [(path, title, row) for row in found]
    facts, good = [], []
    for path, title, row in known:
        answer = yield Question(path, {title: row.get("key")})
        is_object = answer.ok and isinstance(answer.body, dict)
        good.append(is_object and answer.body.get("key") == row.get("key"))
        facts.append(f"{path}: {answer.told()}, {'the same' if good[-1] else 'another'} key.")
    told = f"{sum(good)} of {len(good)} do"
    return Section(
        "Single objects by their keys",
        tuple(facts) or ("Nothing to ask for.",),
        assumptions=(judged("single objects", told, all(good) if good else None),),
    )


def strangers(sample: Sample) -> Point:
    """15: keys that look right and name nothing, and one that is no key at all."""
    paths: list[tuple[str, str, str]] = []
    for template, title, row in _models(sample):
        paths.append((template, title, stranger(str(row.get("key")))))
    well_formed: list[Answer] = []
    for template, title, key in paths:
        if key:
            well_formed.append((yield Question(template, {title: key})))
    malformed: list[Answer] = []
    for template, title in dict.fromkeys((template, title) for template, title, _ in paths):
        malformed.append((yield Question(template, {title: MALFORMED})))
    answers = [*well_formed, *malformed]
    bodies = [answer.body for answer in answers if answer.is_json and answer.status != 200]
    in_words = sum(KEY_ISSUE in str(answer.body) for answer in answers)
    good = all(_gone(answer) for answer in well_formed) if well_formed else None
    bad = all(answer.status == 400 for answer in malformed) if malformed else None
    return Section(
        "Keys that name nothing",
        (
            f"Well-formed: {_told(well_formed)}.",
            f"Malformed: {_told(malformed)}.",
            f"{in_words} of {len(answers)} answers hold the words of the key issue.",
        ),
        shapes=(("The body of a refusal", shape_of(bodies)),),
        assumptions=(
            judged("unknown key", _told(well_formed), good),
            judged("malformed key", _told(malformed), bad),
        ),
    )


def _models(sample: Sample) -> list[tuple[str, str, Row]]:
    found: list[tuple[str, str, Row]] = []
    for box in sample.all_boxes[:1]:
        found += [
            ("v1/boxes/{boxKey}", "boxKey", box),
            ("v2/boxes/{boxKey}/comments", "boxKey", box),
            ("v1/boxes/{boxKey}/files", "boxKey", box),
        ]
    found += [("v2/pipelines/{pipelineKey}", "pipelineKey", row) for row in sample.pipelines[:1]]
    found += [("v2/teams/{teamKey}", "teamKey", row) for row in sample.teams[:1]]
    contacts = [row for rows in sample.contacts.values() for row in rows][:1]
    found += [("v2/contacts/{contactKey}", "contactKey", row) for row in contacts]
    organizations = [row for rows in sample.organizations.values() for row in rows][:1]
    found += [
        ("v2/organizations/{organizationKey}", "organizationKey", row) for row in organizations
    ]
    return found


def stranger(key: str) -> str:
    """A key like this one that very likely names nothing: its number is another. "" if it has none.

    Keys are URL-safe base64: of a path whose last element ends with a number in seven-bit groups,
    or of a text that ends with digits (1.2 in the API notes).
    """
    try:
        content = bytearray(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
    except (binascii.Error, ValueError):
        return ""
    if content[-1:].isdigit():
        place = len(content) - 2
        content[place] = ord("0") + (content[place] - ord("0") + 5) % 10
        content[place - 3] = ord("0") + (content[place - 3] - ord("0") + 3) % 10
    elif len(content) > 6 and content[-1] == 0x0C and content[-3] & 0x80:
        content[-4] ^= 0x2A
        content[-5] ^= 0x15
    else:
        return ""
    return base64.urlsafe_b64encode(bytes(content)).rstrip(b"=").decode()


def _gone(answer: Answer) -> bool:
    """401 and 403 too: the number may be one of somebody else's."""
    by_words = answer.status == 400 and KEY_ISSUE in str(answer.body)
    return answer.status in (401, 403, 404) or by_words


def _told(answers: list[Answer]) -> str:
    """Statuses by how often, with what the refusals' bodies are."""
    told = Counter(f"{answer.told()} ({_kind(answer)})" for answer in answers)
    return ", ".join(f"{count} times {what}" for what, count in told.items()) or "not asked"


def _kind(answer: Answer) -> str:
    if not answer.length:
        return "empty body"
    if not isinstance(answer.body, dict):
        return answer.media
    return "object {" + ", ".join(name(title) for title in sorted(answer.body)[:8]) + "}"
