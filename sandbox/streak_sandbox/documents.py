"""A box as one Markdown text (4.3), for people and language models. Its layout may change."""

from __future__ import annotations

import datetime
from typing import Any

from . import timelines
from .crm import Crm
from .objects import Row

LETTERS_A_TOKEN = 4


def document(crm: Crm, box: Row) -> str:
    """Overview, columns, contacts, organizations, linked boxes, tasks, then the timeline."""
    pipeline = crm.pipelines[box["pipelineKey"]]
    stage = pipeline["stages"].get(box["stageKey"], {}).get("name", box["stageKey"])
    overview = {
        "Pipeline": pipeline["name"],
        "Stage": stage,
        "Created": _time(box["creationTimestamp"]),
        "Notes": box.get("notes") or "",
    }
    parts = [
        f"# {box['name']}",
        _lines(overview),
        _section("Columns", _lines(_columns(pipeline, box))),
        _section("Contacts", _bullets(_names(crm, "contacts", box))),
        _section("Organizations", _bullets(_names(crm, "organizations", box))),
        _section("Linked boxes", _bullets(_linked(crm, box))),
        _section("Tasks", _bullets([row["text"] for row in crm.tasks[box["key"]]])),
        _section("Timeline", _bullets([_told(entry) for entry in crm.timeline(box["key"])])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def tokens(text: str) -> int:
    """About how many tokens a language model would count."""
    return -(-len(text) // LETTERS_A_TOKEN)


def _columns(pipeline: Row, box: Row) -> Row:
    names = {field["key"]: field["name"] for field in pipeline["fields"]}
    return {names.get(key, key): value for key, value in box["fields"].items()}


def _names(crm: Crm, kind: str, box: Row) -> list[str]:
    found = []
    for link in box.get(kind) or []:
        try:
            row = crm.directory_entry(kind, link["key"])
        except KeyError:
            continue
        found.append(row.get("name") or f"{row.get('givenName')} {row.get('familyName')}")
    return found


def _linked(crm: Crm, box: Row) -> list[str]:
    linked = box.get("linkedBoxKeys", [])
    return [crm.boxes[key]["name"] for key in linked if key in crm.boxes]


def _told(entry: timelines.Entry) -> str:
    content = entry.body.get("content", {})
    text = content.get("message") or content.get("notes") or content.get("subject") or ""
    return f"{_time(entry.at)} {entry.kind.replace('_', ' ').lower()} {text}".rstrip()


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _lines(facts: dict[str, Any]) -> str:
    return "\n".join(f"- **{name}**: {value}" for name, value in facts.items())


def _bullets(texts: list[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)


def _time(at: int) -> str:
    then = datetime.datetime.fromtimestamp(at / 1_000, datetime.timezone.utc)
    return then.isoformat(timespec="seconds").replace("+00:00", "Z")
