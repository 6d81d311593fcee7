"""S1 to S8: the specification, from which the platform makes a form.

WEB is airbyte-webapp/src.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from replay.ecmascript import matches, not_ecmascript
from replay.output import Message, Run
from replay.rules import Found, rule

FIRST_LINES, FIRST_BYTES = 10, 2 * 1024 * 1024
SECRET = re.compile(r"(api_?key|token|password|secret|credential)", re.IGNORECASE)


def specification(run: Run) -> Message:
    """What the form is made of; nothing where there is no SPEC."""
    found = next((spec for _, spec in run.bodies("SPEC", "spec")), {})
    inner = found.get("connectionSpecification")
    return inner if isinstance(inner, dict) else {}


def settings(schema: Any, path: str = "") -> Iterator[tuple[str, Message]]:
    """Every property of a specification at any depth, with its path."""
    if not isinstance(schema, dict):
        return
    for name, inner in (schema.get("properties") or {}).items():
        if isinstance(inner, dict):
            yield f"{path}{name}", inner
            yield from settings(inner, f"{path}{name}.")
    for branch in schema.get("oneOf") or ():
        yield from settings(branch, path)
    yield from settings(schema.get("items"), path)


@rule("spec")
def s1_there_is_one_specification_and_it_comes_first(run: Run) -> Found:
    """S1. The platform looks at the first 10 lines and 2 MiB: CW/…/protocol detection."""
    found = [number for number, message in run.messages if message.get("type") == "SPEC"]
    if len(found) != 1:
        yield None, f"{len(found)} messages of the type SPEC"
    if run.code:
        yield None, f"spec ended with status {run.code}"
    if found and (found[0] > FIRST_LINES or run.stdout.find(b'"SPEC"') > FIRST_BYTES):
        yield found[0], "the SPEC comes too late"


@rule("spec")
def s2_patterns_are_those_of_a_browser(run: Run) -> Found:
    """S2. WEB/core/form/schemaToYup.ts:140-165: RegExp, tried on the trimmed text."""
    for path, setting in settings(specification(run)):
        pattern = setting.get("pattern")
        if not isinstance(pattern, str):
            continue
        problem = not_ecmascript(pattern)
        if problem:
            yield None, f"{path}: the pattern {pattern!r} holds {problem}"
            continue
        examples = setting.get("examples") or []
        for text in [*examples, *([setting["default"]] if "default" in setting else [])]:
            if isinstance(text, str) and not matches(pattern, text):
                yield None, f"{path}: its own example {text!r} does not match {pattern!r}"


@rule("spec")
def s3_of_several_types_the_real_one_comes_first(run: Run) -> Found:
    """S3. Of a list the form takes the first: WEB/core/form/schemaToFormBlock.ts."""
    for path, setting in settings(specification(run)):
        kind = setting.get("type")
        kinds = [kind] if isinstance(kind, str) else kind
        if isinstance(kinds, list) and kinds and isinstance(kinds[0], str) and kinds[0] != "null":
            continue
        if "oneOf" not in setting:
            yield None, f"{path}: the type is {kind!r}"


@rule("spec")
def s4_choices_can_be_told_apart(run: Run) -> Found:
    """S4. "oneOfWithoutConst": WEB/core/form/schemaToFormBlock.ts."""
    for path, setting in [("the root", specification(run)), *settings(specification(run))]:
        if "oneOf" not in setting:
            continue
        if setting.get("type") != "object":
            yield None, f"{path}: a oneOf whose type is not object"
        shared: set[str] | None = None
        for branch in setting["oneOf"]:
            inner = branch.get("properties") or {}
            fixed = {
                name for name, one in inner.items() if isinstance(one, dict) and "const" in one
            }
            shared = fixed if shared is None else shared & fixed
            if branch.get("type", "object") != "object":
                yield None, f"{path}: a branch of its oneOf is no object"
        if not shared:
            yield None, f"{path}: the branches of its oneOf share no property with a const"


@rule("spec")
def s5_secrets_are_marked(run: Run) -> Found:
    """S5. `airbyte_secret`, true and nothing else, masks a value and stores it as a secret."""
    for path, setting in settings(specification(run)):
        secret = SECRET.search(path.rpartition(".")[2]) and setting.get("type") == "string"
        if secret and setting.get("airbyte_secret") is not True:
            yield None, f"{path} looks like a secret and is not marked as one"


@rule("spec")
def s6_the_form_has_one_order(run: Run) -> Found:
    """S6. WEB/core/form/schemaToFormBlock.ts: required first, then `order`, then by name."""
    root = specification(run)
    if not root:
        return  # S1
    if root.get("type") != "object":
        yield None, f"the root's type is {root.get('type')!r}"
    for path, level in [("", root), *settings(root)]:
        properties = level.get("properties") or {}
        orders = [one["order"] for one in properties.values() if "order" in one]
        if not all(isinstance(order, int) and not isinstance(order, bool) for order in orders):
            yield None, f"{path or 'the root'}: an order that is no whole number"
        if len(orders) != len(set(orders)):
            yield None, f"{path or 'the root'}: an order comes twice"
        for name in level.get("required") or ():
            if name not in properties:
                yield None, f"{path or 'the root'}: {name} is required, but no property"
            elif properties[name].get("airbyte_hidden"):
                yield None, f"{path or 'the root'}: {name} is required, but hidden"


@rule("spec")
def s7_the_documentation_has_an_address(run: Run) -> Found:
    """S7. The class has the type URI: with anything else the line does not parse."""
    for number, spec in run.bodies("SPEC", "spec"):
        address = spec.get("documentationUrl")
        if address is None:
            continue
        parts = urlsplit(address) if isinstance(address, str) else None
        if parts is None or not parts.scheme or not parts.netloc or " " in address:
            yield number, f"documentationUrl is {address!r}"


@rule("spec")
def s8_the_version_of_the_protocol_is_0(run: Run) -> Found:
    """S8. airbyte-commons-protocol/…/AirbyteProtocolVersionRange.kt:24-27."""
    for number, spec in run.bodies("SPEC", "spec"):
        version = spec.get("protocol_version")
        if version is not None and not re.fullmatch(r"0(\.\d+){1,2}", str(version)):
            yield number, f"protocol_version is {version!r}"
