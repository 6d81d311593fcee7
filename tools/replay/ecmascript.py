"""Patterns as the platform's form reads them: `new RegExp(pattern)`, in a browser."""

from __future__ import annotations

import re

NEWLINE_AT_END = re.compile(r"(?<!\\)((?:\\\\)*)\$")
# What Python knows and ECMAScript does not; each with what it is.
PYTHON_ONLY = (
    (r"\(\?P[<=>]", "a group named with (?P"),
    (r"\(\?[aiLmsux]+\)", "flags in the pattern, such as (?i)"),
    (r"\(\?[aiLmsux]*-?[aiLmsux]*:(?<!\(\?:)", "flags for a part of the pattern"),
    (r"\(\?#", "a comment"),
    (r"\(\?\(", "a condition on a group"),
    (r"\(\?>", "an atomic group"),
    (r"[*+?}]\+", "a possessive quantifier"),
    (r"\\[AZ]", r"\A or \Z: write ^ or $"),
    (r"\\a", r"\a"),
    (r"\\N\{", r"a character by its name, \N{…}"),
    (r"\\U[0-9a-fA-F]{8}", r"\U: write \u{…}"),
)
ESCAPED_BACKSLASHES = re.compile(r"\\\\")


def not_ecmascript(pattern: str) -> str | None:
    r"""Why a pattern is none of ECMAScript's; None if nothing speaks against it.

    Finds what Python alone knows, and what no engine would take. Classes and escaped backslashes
    are taken out first, so that `[*]+` and `[+*]` are no possessive quantifiers.
    """
    bare = re.sub(r"\[(?:\\.|[^\]\\])*\]", "[x]", ESCAPED_BACKSLASHES.sub("", pattern))
    for found, words in PYTHON_ONLY:
        if re.search(found, bare):
            return words
    try:
        re.compile(python(pattern))
    except re.error as error:
        return f"no pattern at all: {error}"
    return None


def matches(pattern: str, text: str) -> bool:
    """Whether the form takes a text: it tries the pattern on it without the spaces around it."""
    return re.search(python(pattern), text.strip()) is not None


def python(pattern: str) -> str:
    """The same pattern for Python's `re`: other names of groups, and a $ that allows no newline."""
    named = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    return NEWLINE_AT_END.sub(r"\1(?!\\n)$", named)
