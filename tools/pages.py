"""The documentation site's own part: pages made from schemas, spec.json and other files.

mkdocs.yml uses it as a hook. `make docs` first runs tools/stream_facts.py, which writes what
discover says to .venv-docs/streams.json. Two comments in a page, such as <!-- streams --> and
<!-- /streams -->, enclose a generated part. Readers of the repository see the text between them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

TOP = Path(__file__).parents[1]
DOCS = TOP / "docs"
FACTS = TOP / ".venv-docs/streams.json"
MERMAID = TOP / ".venv-docs/mermaid.min.js"
COPIES = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
REFRESH = "Full refresh \\| Overwrite"  # for a table, where a plain | would be a border
DEDUPED = "Incremental \\| Append + Deduped"
# Search shows these pages first, or later.
BOOST = {
    "incremental.md": 3,
    "messages.md": 2,
    "tables.md": 2,
    "settings.md": 2,
    "reliability.md": 0.5,
}
FENCE = re.compile(r"^ *(```+|~~~+)")
ITEM = re.compile(r"^( *)([-*+]|\d+[.)])( +)")
LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")


# --- What mkdocs calls ---------------------------------------------------------------------------


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts a page for each stream into the navigation, under "Streams"."""
    groups = [
        {group: [{shown(name): address(name)} for name in streams]}
        for group, streams in written().items()
    ]
    for section in config.nav or []:
        if "Streams" in section:
            section["Streams"] += groups
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    for name, page in stream_pages().items():
        files.append(File.generated(config, address(name), content=page))
    for target, source in COPIES.items():
        files.append(File.generated(config, target, content=(TOP / source).read_text()))
    files.append(File.generated(config, "assets/mermaid.min.js", content=MERMAID.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in the generated parts, and converts GitHub's Markdown to mkdocs's."""
    for name, make in {"streams": overview, "settings": settings, "messages": messages}.items():
        before, begin, rest = markdown.partition(f"<!-- {name} -->")
        if begin:
            markdown = before + make() + rest.partition(f"<!-- /{name} -->")[2]
    markdown = without_airbyte_tags(markdown)
    markdown = relinked(markdown, page.file.src_uri, files, str(config.repo_url))
    page.meta["mermaid"] = "```mermaid" in markdown
    page.meta["search"] = {"boost": BOOST.get(page.file.src_uri, 1)}
    return indented(markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts each diagram into a box of its own, which site.css makes movable on a phone."""
    return re.sub(
        r'(<pre class="mermaid">.*?</pre>)', r'<div class="diagram">\1</div>', html, flags=re.DOTALL
    )


# --- Streams -------------------------------------------------------------------------------------


def discovered() -> dict[str, Any]:
    """What discover says, by name."""
    return {stream["name"]: stream for stream in json.loads(FACTS.read_text())}


def written() -> dict[str, dict[str, Any]]:
    """docs/streams.yml: group -> stream -> facts, only for streams that exist."""
    there = discovered()
    groups = yaml.safe_load((DOCS / "streams.yml").read_text())
    found = {
        group: {name: facts for name, facts in streams.items() if name in there}
        for group, streams in groups.items()
    }
    missing = there.keys() - {name for streams in found.values() for name in streams}
    if missing:
        raise SystemExit(f"docs/streams.yml says nothing of {', '.join(sorted(missing))}.")
    return {group: streams for group, streams in found.items() if streams}


def address(name: str) -> str:
    """The address of a stream's page."""
    return f"streams/{name.replace('<', '').replace('>', '')}.md"


def shown(name: str) -> str:
    """A stream's name as a title, which must not look like a tag."""
    return name.replace("<", "\u2039").replace(">", "\u203a")


def overview() -> str:
    """All streams, in one table for each group."""
    there, lines = discovered(), []
    for group, streams in written().items():
        lines += [
            f"## {group}",
            "",
            "| Stream | What | Incremental | Requests |",
            "|---|---|---|---|",
        ]
        for name, facts in streams.items():
            incremental = "yes" if "incremental" in there[name]["supported_sync_modes"] else "no"
            link = f"[`{name}`]({Path(address(name)).name})"
            lines.append(f"| {link} | {facts['what']} | {incremental} | {facts['requests']} |")
        lines.append("")
    return "\n".join(lines)


def stream_pages() -> dict[str, str]:
    """A page for each stream."""
    there, people, links = discovered(), personal_data(), reference_pages()
    pages = {}
    for streams in written().values():
        for name, facts in streams.items():
            pages[name] = stream_page(there[name], facts, people.get(name), links.get(name))
    return pages


def stream_page(
    stream: dict[str, Any],
    facts: dict[str, str],
    people: tuple[str, str] | None,
    link: str | None,
) -> str:
    """A stream's page: facts first, then the columns."""
    keys = ", ".join(f"`{path[0]}`" for path in stream.get("source_defined_primary_key") or [])
    cursor = stream.get("default_cursor_field")
    incremental = "incremental" in stream["supported_sync_modes"]
    rows = {
        "Primary key": keys,
        "Cursor": f"`{cursor[0]}`, the time of the sync that read the row" if cursor else "none",
        "Sync mode": DEDUPED if incremental else f"{REFRESH} (the only one: it is read whole)",
        "Requests": facts["requests"],
        "Personal data": f"{people[1]} (of {people[0]})" if people and people[0] else "none",
        "Streak's own page": link or "",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items() if value)
    columns = "\n".join(
        f"| `{name}` | {kind(column)} | {described(column)} |"
        for name, column in stream["json_schema"]["properties"].items()
    )
    return (
        f"# {shown(stream['name'])}\n\n{facts['what']}\n\n"
        f"| | |\n|---|---|\n{table}\n\n{facts.get('note', '')}\n"
        f"## Columns\n\n| Column | Type | What |\n|---|---|---|\n{columns}\n"
    )


def kind(column: dict[str, Any]) -> str:
    """A column's type in words."""
    types = column.get("type", "any")
    types = [types] if isinstance(types, str) else [one for one in types if one != "null"]
    if column.get("format") == "date-time":
        return "timestamp"
    if types == ["array"]:
        inner = (column.get("items") or {}).get("type")
        inner = [inner] if isinstance(inner, str) else [one for one in inner or [] if one != "null"]
        return f"array of {inner[0]}s" if inner else "array"
    return " or ".join(types)


def described(column: dict[str, Any]) -> str:
    """A column's description, and the names of the properties inside it."""
    inside = (column.get("items") or column).get("properties") or {}
    names = ", ".join(f"`{name}`" for name in inside)
    sentence = column.get("description", "").replace("|", "\\|").replace("<", "&lt;")
    return f"{sentence} Holds {names}." if names else sentence


def personal_data() -> dict[str, tuple[str, str]]:
    """Stream -> whose personal data and which, from the table in streak.md."""
    found = {}
    for names, whom, what in rows_of(section((DOCS / "streak.md").read_text(), "## Personal data")):
        found.update(dict.fromkeys(re.findall(r"`([^`]+)`", names), (whom, what)))
    return found


def reference_pages() -> dict[str, str]:
    """Stream -> link to the page in Streak's reference, from the table in streak.md."""
    table = section((DOCS / "streak.md").read_text(), "## Supported Streams")
    return {cells[0].strip("`"): cells[-1] for cells in rows_of(table)}


# --- Settings and messages -----------------------------------------------------------------------


def settings() -> str:
    """The settings as in spec.json."""
    spec = json.loads((TOP / "source_streak/spec.json").read_text())["connectionSpecification"]
    parts = []
    for name, field in spec["properties"].items():
        facts = [f"`{name}`", kind(field), "required" if name in spec["required"] else "optional"]
        facts += [f"default `{json.dumps(field['default'])}`"] if "default" in field else []
        facts += [f"{field['minimum']} to {field['maximum']:,}"] if "minimum" in field else []
        facts += ["secret"] if field.get("airbyte_secret") else []
        examples = ", ".join(f"`{json.dumps(one)}`" for one in field.get("examples", []))
        parts.append(f"## {field['title']}\n\n{' · '.join(facts)}\n\n{field['description']}\n")
        parts[-1] += f"\nExamples: {examples}\n" if examples else ""
    return "\n".join(parts)


def messages() -> str:
    """The troubleshooting tables of streak.md, one level up."""
    text = section((DOCS / "streak.md").read_text(), "### Troubleshooting")
    text = "#### " + text.split("</details>")[0].partition("#### ")[2]
    return re.sub(r"^##(#+ )", r"\1", text, flags=re.MULTILINE)


# --- Markdown ------------------------------------------------------------------------------------


def section(text: str, heading: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    level = len(heading.split(maxsplit=1)[0])
    return re.split(rf"\n#{{1,{level}}} ", text.split(f"\n{heading}\n")[1])[0]


def rows_of(text: str) -> list[list[str]]:
    """The cells of each row of the first table, without the head."""
    table = re.search(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = table[0].splitlines()[2:] if table else []
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def without_airbyte_tags(markdown: str) -> str:
    """Removes tags that only Airbyte's site knows, and folding that this site does not need."""
    markdown = re.sub(r"<summary>.*?</summary>\n?", "", markdown, flags=re.DOTALL)
    return re.sub(
        r"^ *</?(HideInUI|FieldAnchor|details)\b[^>]*>\n?", "", markdown, flags=re.MULTILINE
    )


def relinked(markdown: str, page: str, files: Files, repository: str) -> str:
    """Links to files lead to the repository, unless they are pages or have a copy in the site."""

    def target(found: re.Match[str]) -> str:
        path, anchor = found[1], found[2] or ""
        if not path or re.match(r"[a-z]+:", path):
            return found[0]
        at = (TOP / COPIES[page]).parent if page in COPIES else (DOCS / page).parent
        real = (at / path).resolve()
        if not real.is_relative_to(TOP):
            return found[0]
        copies = {str(TOP / source): copy for copy, source in COPIES.items()}
        inside = copies.get(str(real)) or (
            str(real.relative_to(DOCS)) if real.is_relative_to(DOCS) else None
        )
        if inside and files.get_file_from_path(inside):
            return "../" * page.count("/") + inside + anchor
        if not real.exists():
            return found[0]
        kind = "tree" if real.is_dir() else "blob"
        return f"{repository.rstrip('/')}/{kind}/main/{real.relative_to(TOP)}{anchor}"

    lines, fenced = [], False
    for line in markdown.split("\n"):
        fenced ^= bool(FENCE.match(line))
        lines.append(line if fenced else LINK.sub(target, line))
    return "\n".join(lines)


def indented(markdown: str) -> str:
    """Indents lists for Python-Markdown: four spaces a level, and a blank line before each list."""
    lines: list[str] = []
    offsets: list[int] = []  # where the text of each open list item begins
    fence: int | None = None  # how much the lines of an open fence move to the right
    for line in markdown.split("\n"):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if fence is not None:
            lines.append(" " * max(0, indent + fence) + bare if bare else "")
            fence = None if FENCE.match(line) else fence
            continue
        if not bare:
            lines.append("")
            continue
        offsets = [offset for offset in offsets if offset <= indent]
        depth = len(offsets)
        moved = 4 * depth + indent - (offsets[-1] if offsets else 0)
        item = ITEM.match(line)
        if item and not depth and lines and lines[-1].strip() and not in_list(lines):
            lines.append("")
        lines.append(" " * moved + bare)
        if item:
            offsets.append(len(item[0]))
        elif FENCE.match(line):
            fence = moved - indent
    return "\n".join(lines)


def in_list(lines: list[str]) -> bool:
    """Whether the last paragraph belongs to a list."""
    for line in reversed(lines):
        if not line.strip():
            return False
        if ITEM.match(line) or line.startswith("    "):
            return True
    return False
