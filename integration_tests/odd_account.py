"""A sandbox whose account has odd names and, in each property, every odd value of its kind.

It alters its responses row by row: each row gets the next odd value of the property's kind, so that
after some rows each property has had them all.
"""

from __future__ import annotations

import json
import re
from typing import Any
from zlib import crc32

from aiohttp import web
from streak_sandbox import Sandbox
from streak_sandbox.account import Account
from streak_sandbox.api import Refusal, Text

NUL, HALF = "before\0after", "half \ud83d an emoji"
LONG = "long " * 14_000  # 70,000 characters; a VARCHAR of Redshift has 65,535 bytes
TEXTS: tuple[Any, ...] = (
    *(
        NUL,
        HALF,
        LONG,
        "",
        " ",
        "😀👩‍👩‍👧‍👦",
        "שלום עולם",
        "a\tb\r\nc\u2028d",
        "\\u0000 \\n \\N \\.",
        '"quoted"',
    ),
    *(
        "'; DROP TABLE boxes; --",
        "007",
        "1e5",
        "NaN",
        "null",
        "true",
        "2026-02-30",
        "\x01\x1f\x7f\ufeff",
    ),
)
INTEGERS: tuple[Any, ...] = (
    *(2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 2**64 - 1, 2**64, 10**30, -(10**30)),
    *(0, -1, 1.5, 3.0, "34816", "much", True, None),
)
TIMES: tuple[Any, ...] = (
    *(253_402_300_799_999, 253_402_300_800_000, -62_135_596_800_000, -62_135_596_800_001),
    *(
        1_790_000_000_000_000,
        1_790_000_000_000_000_000,
        2**63,
        10**30,
        0,
        -1,
        1,
        1_790_000_000_000.5,
    ),
    *("1790000000000", "2026-09-21", "tomorrow", None),
)
NUMBERS: tuple[Any, ...] = (
    0.1,
    1e20,
    -1e-9,
    12345678901234567890,
    2.5,
    "1.200,50",
    "7",
    True,
    None,
)
BOOLEANS: tuple[Any, ...] = (True, False, None, 0, 1, "true", "yes")
SHORTEST_TIME = 10**11  # milliseconds: smaller numbers are counts, not times
LONGEST_TEXT = 3_000_000  # characters of one comment

# Properties that stay as they are: other keys would break relations and request paths.
KEPT = re.compile(r"([kK]eys?|stageOrder|boxCount|version|type|Type|role|permission)$")
# Responses that define how others are read; only names in them are odd, see `odd_account`.
DEFINITIONS = re.compile(r"v\d/(users/me|pipelines|users/me/teams)$")

NAMES = (
    *(
        "😀",
        "select",
        "Ä Ö ß ﷺ",
        NUL,
        HALF,
        "'; DROP TABLE boxes; --",
        'a "quoted" name',
        "x" * 300,
    ),
    *("x" * 300 + "y", "Sales", "SALES", " sales ", "1st", "boxes", "", "key", "_airbyte_raw_id"),
    *(
        "_airbyte_extracted_at",
        "_airbyte_meta",
        "_ab_cdc_deleted_at",
        "read_at",
        "box_key",
        "%s {0}",
    ),
)
KINDS = (
    *("TEXT_INPUT", "DATE", "CHECKBOX", "DROPDOWN", "TAG", "FORMULA", "PERSON"),
    *("TEAM_CONTACT", "TEAM_ORGANIZATION", "A_KIND_OF_TOMORROW"),
)
ODD_OF_KIND: dict[str, tuple[Any, ...]] = {
    "DATE": TIMES,
    "CHECKBOX": BOOLEANS,
    "TAG": (["9001"], [], ["9001", "9002", "gone"], [NUL], None, "9001"),
    "DROPDOWN": ("9001", "gone", NUL, "", None, 9001),
    "FORMULA": (*TEXTS, *NUMBERS),
}


class OddSandbox(Sandbox):
    """A sandbox that sends odd values. Its odd integers, except times, are at most `largest`."""

    largest = 10**30

    def _right_answer(self, request: web.Request, entry: Any, sent: Any = None) -> web.Response:
        try:
            content = self._content(request, entry, sent)
        except Refusal:
            return super()._right_answer(request, entry, sent)
        if isinstance(content, Text):
            text = f"{content.content}\n{NUL}".encode(errors="replace")
            return web.Response(body=text, content_type=content.kind)
        content = json.loads(json.dumps(content))  # the account itself stays as it is
        if not DEFINITIONS.match(entry.path):
            spoil_all(content, self.largest)
        return web.Response(body=json.dumps(content).encode(), content_type="application/json")


def spoil_all(content: Any, largest: int) -> None:
    """Alter every row of a response, but not the properties around the rows."""
    rows = content.get("results", ()) if isinstance(content, dict) else content
    for number, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            spoil(row, number + crc32(str(row.get("key")).encode()) % 1000, largest)


def spoil(row: dict[str, Any], number: int, largest: int) -> None:
    """Alter a row, but only one property in eleven of every second row: good values remain."""
    for place, (name, value) in enumerate(sorted(row.items())):
        if KEPT.search(name) or (number % 2 and place % 11 != number % 11):
            continue
        if isinstance(value, dict):
            spoil(value, number + place, largest)
        elif isinstance(value, list):
            spoil_all(value, largest)
        else:
            row[name] = odd(value, number + place, largest)


def odd(value: Any, turn: int, largest: int) -> Any:
    """An odd value of the same kind as this one."""
    if isinstance(value, bool):
        return BOOLEANS[turn % len(BOOLEANS)]
    if isinstance(value, str):
        return TEXTS[turn % len(TEXTS)]
    if isinstance(value, float):
        return NUMBERS[turn % len(NUMBERS)]
    if isinstance(value, int):
        if abs(value) >= SHORTEST_TIME:
            return TIMES[turn % len(TIMES)]
        one = INTEGERS[turn % len(INTEGERS)]
        return one if not isinstance(one, int) or abs(one) <= largest else value
    return value


def odd_account(streak: Sandbox) -> Account:
    """Add pipelines, fields, options and stages with odd names, and fields with odd values."""
    account = streak.account
    for number, name in enumerate(NAMES):
        kinds = [KINDS[(number + place) % len(KINDS)] for place in range(4)]
        pipeline = account.add_pipeline(name, stages=[name, NAMES[number - 1], "Won"])["key"]
        for place, kind in enumerate(kinds):
            label = NAMES[(number + place) % len(NAMES)]
            account.add_field(pipeline, label, kind, (label, "plain"))
        for turn in range(3):
            box = account.add_box(pipeline, name)
            fields = {
                str(1001 + place): of_kind(kind, turn + place) for place, kind in enumerate(kinds)
            }
            account.edit_box(box["key"], fields=fields)
    first = next(iter(account.boxes))
    account.add_comment(first, "x" * LONGEST_TEXT)
    return account


def of_kind(kind: str, turn: int) -> Any:
    """An odd value of a custom field."""
    values = ODD_OF_KIND.get(kind, TEXTS)
    return values[turn % len(values)]
