"""The endpoints of a box's history: its timeline (12), and the box as one text (4.3)."""

from __future__ import annotations

from . import documents, timelines
from .asking import Call, Refusal, Text, envelope, fail, get, open_box, read_cursor, write_cursor
from .objects import Row

TIMELINE_LIMIT, TIMELINE_LIMIT_MOST = 25, 100


@get("v1/boxes/{key}/md", query="maxTokens")
def document_of_box(call: Call) -> Text | Row:
    """A box as Markdown. If maxTokens is too small for it, a 400 says how many it needs."""
    box = open_box(call)
    fail(call, box)
    text = documents.document(call.account, box)
    least, most = documents.tokens(text.partition("## Timeline")[0]), call.whole_number("maxTokens")
    if most is not None and most < least:
        raise Refusal(400, f"maxTokens must be at least {least}")
    if most is not None and documents.tokens(text) > most:
        text = text[: most * documents.LETTERS_A_TOKEN]
    if call.moods.documents == "json":
        return {"markdown": text}
    kinds = {"markdown": "text/markdown", "plain": "text/plain", "html": "text/html"}
    whole = f"<!doctype html><pre>{text}</pre>" if call.moods.documents == "html" else text
    return Text(whole, kinds[call.moods.documents])


@get("v2/boxes/{key}/timeline", query="filters direction startTimestamp limit nextPageToken")
def timeline_of_box(call: Call) -> Row:
    """12. Newest first by default. Entries after startTimestamp, or before it if descending.

    A token carries all other parameters, and is refused together with any of them.
    """
    box = open_box(call)
    fail(call, box)
    if call.moods.timeline == "gone":
        raise Refusal(410, "This API has been retired")
    if "nextPageToken" in call.query and len(call.query) > 1:
        raise Refusal(400, "nextPageToken cannot be combined with other parameters")
    asked = _timeline_query(call)
    entries = [
        (place, entry)
        for place, entry in _numbered(call.account.timeline(box["key"]))
        if entry.kind in asked["filters"]
    ]
    if asked["direction"] == "Descending":
        entries.reverse()
    entries = [(place, entry) for place, entry in entries if _beyond(place, asked)]
    page, more = entries[: asked["limit"]], len(entries) > asked["limit"]
    bodies = [entry.body for _, entry in page]
    if call.moods.timeline == "other_envelope":
        return envelope(call, bodies, more)
    token = write_cursor([asked | {"place": page[-1][0]}]) if more else None
    return {"entries": bodies} | ({"nextPage": token} if token else {})


def _timeline_query(call: Call) -> Row:
    """The query's values, from the token if there is one. A wrong parameter is a 400."""
    if "nextPageToken" in call.query:
        (asked,) = read_cursor(call.query["nextPageToken"])
        return asked
    if "filters" in call.query and call.moods.timeline == "filters_refused":
        raise Refusal(400, "filters is not valid")
    text = call.query.get("filters")
    names = (
        timelines.FILTERS
        if text is None
        else tuple(text.removeprefix("[").removesuffix("]").split(","))
    )
    if (text is not None and text != f"[{','.join(names)}]") or not set(names) <= set(
        timelines.FILTERS
    ):
        raise Refusal(400, f"filters must be [A,B] of {', '.join(timelines.FILTERS)}, not {text!r}")
    limit = call.whole_number("limit", least=1) or TIMELINE_LIMIT
    if limit > TIMELINE_LIMIT_MOST:
        raise Refusal(400, f"limit must be at most {TIMELINE_LIMIT_MOST}")
    return {
        "filters": names,
        "direction": call.one_of("direction", ("Ascending", "Descending")) or "Descending",
        "start": call.whole_number("startTimestamp"),
        "limit": limit,
        "place": None,
    }


def _numbered(entries: list[timelines.Entry]) -> list[tuple[list[int], timelines.Entry]]:
    """Each entry with its place: its time, and its number among entries of the same time."""
    found: list[tuple[list[int], timelines.Entry]] = []
    for entry in entries:
        same = found and found[-1][0][0] == entry.at
        found.append(([entry.at, found[-1][0][1] + 1 if same else 0], entry))
    return found


def _beyond(place: list[int], asked: Row) -> bool:
    sign = 1 if asked["direction"] == "Ascending" else -1
    if asked["place"] is not None:
        return place > asked["place"] if sign > 0 else place < asked["place"]
    return asked["start"] is None or sign * place[0] > sign * asked["start"]
