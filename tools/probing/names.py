"""Which property names may be printed: names are Streak's, but a map's names can be a person's.

Dynamic text reaches the report through `name` alone. It is marked there, and resolved when all that
the account holds has been seen.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import source_streak

WITHHELD = "…"
MARKED = re.compile("\0([^\0]*)\0")
CAMEL = re.compile(
    r"_?[a-z]{2,}(?:[A-Z][a-z]+|[A-Z]{2,5}(?![a-z])|[A-Z](?![A-Za-z])|\d{1,2}(?!\d))*"
)
CONSTANT = re.compile(r"[A-Z]{2,}(?:_[A-Z]+)+")
LONGEST = 40
WORD = re.compile(r"\w+")

# Names of envelopes, refusals and documented objects that are in no schema.
ENVELOPES = """
results hasNextPage cursor entries nextPage error success message query page boxes contacts
orgs key value code status details creatorSharingEntry assignedToSharingEntries orgKey
"""

# Words that any API's names are made of: printed even where the account's texts have them too.
WORDS = """
action active actor added after agent all api app archived array assigned at author auto
base before body bool box boxes by call calls change changed changes changeset child
children code collapsed color comment comments company config contact contacts content count
counter create created creation creator cursor custom data date day days default definition
delete deleted description detail details display document due duration edit edited editor
email emails empty enabled end entity entries entry error event events extra field fields
file files filter first flag follower folder format from full group has hash header history
icon id ids image index info is item items key keys kind label last left length level limit
line link linked links list log mail main map member members message meta metadata mode
modified move moved my name names new newsfeed next no node note notes number object of
offset old on op operation option options order org organization organizations origin owner
page pages parent part path payload permission person pipeline pipelines position prev
previous priority properties property raw read ref removed result results role root row
scope sent set settings share shared size snippet sort source specific stage stages start
state status step story string subject summary system tag tags target task tasks team
template text thread threads time timeline timestamp timezone title to token total type
types unit unread update updated url user users value values variable variables version view
views visible was
"""
VOCABULARY = frozenset(WORDS.split())
PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

# Objects whose names are keys, or words that people chose.
MAPS = frozenset(
    [
        "fields",
        "stages",
        "customPermissionSets",
        "contactOrgListPermissions",
        "experiments",
        "fieldsAutofillStatus",
        "params",
    ]
)


def name(text: object) -> str:
    """A name out of an answer, marked: `Known.resolve` prints it, or three dots."""
    return "\0" + str(text).replace("\0", "") + "\0"


def schemas() -> dict[str, dict[str, Any]]:
    """The connector's own, by stream."""
    folder = Path(source_streak.__file__).parent / "schemas"
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


@functools.cache
def known_names() -> frozenset[str]:
    """Every property that a schema declares, at any depth."""
    folder = Path(source_streak.__file__).parent / "schemas"
    texts = [json.loads(path.read_text()) for path in folder.rglob("*.json")]
    return frozenset(ENVELOPES.split()) | {found for text in texts for found in _declared(text)}


def is_api_word(title: str) -> bool:
    """Declared by a schema, or an identifier made of words that any API has."""
    if title in known_names():
        return True
    parts = PARTS.findall(title)
    like_one = CAMEL.fullmatch(title) or CONSTANT.fullmatch(title)
    return bool(like_one) and all(part.lower() in VOCABULARY for part in parts)


def _declared(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for title, inner in schema.get("properties", {}).items():
            yield title
            yield from _declared(inner)
        yield from _declared(schema.get("items"))


class Known:
    """What has been seen of the account's own words, so that none is printed for a name."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def note(self, value: Any) -> None:
        """Every text in an answer, whole and word by word; and what is named in maps."""
        waiting = [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                self._note_text(one)
            elif isinstance(one, list):
                waiting.extend(one)
            elif isinstance(one, dict):
                waiting.extend(one.values())
                for title in MAPS & one.keys():
                    waiting.extend(one[title] if isinstance(one[title], dict) else ())

    def _note_text(self, text: str) -> None:
        text = text.lower()
        self._said.update(WORD.findall(text))
        self._said.add("".join(WORD.findall(text)))

    def may_print(self, title: str) -> bool:
        """Whether a name is Streak's.

        Declared by a schema; made of an API's own words; or an identifier that no text of the
        account holds, neither as a word nor when its words are written together.
        """
        if is_api_word(title):
            return True
        if len(title) > LONGEST or not (CAMEL.fullmatch(title) or CONSTANT.fullmatch(title)):
            return False
        return not {title.lower(), title.lower().replace("_", "")} & self._said

    def resolve(self, text: str, printed: Callable[[str], str] = str) -> str:
        """The text with its marked names printed or withheld."""
        return MARKED.sub(
            lambda found: printed(found[1]) if self.may_print(found[1]) else WITHHELD, text
        )
