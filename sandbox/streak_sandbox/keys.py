"""Keys that look like Streak's (streak_api.md 1.2).

They are App Engine datastore references in URL-safe base64 without padding. A reference is the
application id followed by a path of (kind, id or name) pairs. The ids of a box's children contain
the id of the box, so a comment can be found by its key, without an index of all comments.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re

APPLICATION = b"s~mailfoogae"
MAIL_DOMAIN = "example.com"

FIRST_BOX_ID = 4_700_000_000_000
CHILDREN_PER_BOX = 1_000_000

_HEAD = b"j" + bytes([len(APPLICATION)]) + APPLICATION
_LONG_ID = b",~~streaklongid~~"
_KEY_LETTERS = re.compile(r"[A-Za-z0-9_-]+")


def user_key(number: int) -> str:
    return _reference(("Organization", MAIL_DOMAIN), ("User", 5_600_000_000_000_000 + number))


def team_key(number: int) -> str:
    return _reference(("Team", 5_650_000_000_000_000 + number))


def pipeline_key(number: int) -> str:
    return _reference(("Organization", MAIL_DOMAIN), ("Workflow", 5_700_000_000_000_000 + number))


def box_key(number: int) -> str:
    return _box_key_of_id(FIRST_BOX_ID + number)


def child_key(kind: str, box: str, number: int) -> str:
    """The key of a comment, meeting, task, thread or file.

    `kind` is the datastore's word, such as "Comment".
    """
    return _reference(
        ("Organization", MAIL_DOMAIN), (kind, _last_id(box) * CHILDREN_PER_BOX + number)
    )


def box_of_child(key: str) -> str | None:
    """The key of the box that a child's key belongs to; None if the key cannot be a child's."""
    number = _last_id(key) // CHILDREN_PER_BOX
    return _box_key_of_id(number) if number >= FIRST_BOX_ID else None


def other_key(kind: str, number: int) -> str:
    """The key of a snippet or a newsfeed item."""
    return _reference(("Organization", MAIL_DOMAIN), (kind, 5_800_000_000_000_000 + number))


def contact_key(number: int) -> str:
    return _base64(b"TeamContact" + _LONG_ID + str(5_700_000_000_000_000 + number).encode())


def organization_key(number: int) -> str:
    return _base64(b"TeamOrganization" + _LONG_ID + str(5_710_000_000_000_000 + number).encode())


def is_key(text: str) -> bool:
    """Whether a text could be one of Streak's keys.

    Anything else in a path is the "key issue" 400 (1.4).
    """
    content = _decoded(text)
    return content.startswith(_HEAD) or (content.startswith(b"Team") and _LONG_ID in content)


def _box_key_of_id(number: int) -> str:
    return _reference(("Organization", MAIL_DOMAIN), ("Case", number))


def _reference(*path: tuple[str, int | str]) -> str:
    content = b"".join(_element(kind, name) for kind, name in path)
    return _base64(_HEAD + b"r" + _varint(len(content)) + content)


@functools.lru_cache(maxsize=1024)  # the mail domain is in nearly every key
def _element(kind: str, name: int | str) -> bytes:
    tail = (
        b"\x18" + _varint(name)
        if isinstance(name, int)
        else b'"' + _varint(len(name)) + name.encode()
    )
    return b"\x0b\x12" + _varint(len(kind)) + kind.encode() + tail + b"\x0c"


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that more follow."""
    content = bytearray()
    while number > 0x7F:
        content.append(number & 0x7F | 0x80)
        number >>= 7
    content.append(number)
    return bytes(content)


@functools.lru_cache(maxsize=1024)  # a box's children are made one after the other
def _last_id(key: str) -> int:
    """The number in the last element of the path; 0 if it has none."""
    content = _decoded(key)
    end = len(content) - 2
    start = end
    while start > 0 and content[start - 1] & 0x80:
        start -= 1
    return sum((byte & 0x7F) << (7 * place) for place, byte in enumerate(content[start : end + 1]))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    if not _KEY_LETTERS.fullmatch(text):
        return b""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
