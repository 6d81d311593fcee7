"""How the sandbox can be set to behave: lasting moods, and faults for chosen requests."""

from __future__ import annotations

import dataclasses
import fnmatch
from typing import Any

BOX_LIST_SHAPES = ("by_call", "envelope", "array")
PAGE_IGNORED = (None, "whole", "first")
ALLOWED: dict[str, tuple[str | None, ...]] = {
    "box_list_shape": BOX_LIST_SHAPES,
    "page_ignored": PAGE_IGNORED,
    "v2_page_ignored": PAGE_IGNORED,
    "timeline": ("entries", "gone", "other_envelope", "filters_refused"),
    "documents": ("markdown", "plain", "html", "json"),
}

FAULT_KINDS = (
    # status=503, body={"error": …} or text or "", headers={…}, retry_after=seconds or HTTP date
    "status",
    "html",  # 500 with App Engine's HTML page
    "not_json",  # 200 with the HTML of a login page
    "wrong_shape",  # 200 with JSON nobody expects: body={"surprise": 1}
    "empty",  # 200 with [] or {"results": [], "hasNextPage": false}
    "half_json",  # 200, the JSON cut in the middle, and a Content-Length that says so
    "half_body",  # 200, the connection closed in the middle of the body
    "drip",  # 200, the second half of the body a byte at a time, every seconds=…
    "reset",  # the connection reset before any byte
    "reset_in_body",  # the connection reset in the middle of the body
    "hang",  # no answer until the client goes away
    "slow",  # the right answer after seconds=…
    "redirect",  # 302 to location=…
)


@dataclasses.dataclass(slots=True)
class Moods:
    """Lasting moods. Change them at any time; an unknown name raises AttributeError."""

    latency_ms: int = 0

    # Box lists. "by_call": an envelope only with page, limit and sortBy (4.1).
    box_list_shape: str = "by_call"
    pages_disordered: bool = False  # each page backwards, with one row twice
    limit_cap: int | None = None  # the most boxes in one response
    # "whole": limit and page are ignored; "first": always the first page
    page_ignored: str | None = None

    # The same for the paged lists of v2.
    v2_limit_cap: int | None = None
    v2_page_ignored: str | None = None

    flag_absent: bool = False  # envelopes without hasNextPage
    # Keys of pipelines whose box list is an empty 200
    empty_pipelines: set[str] = dataclasses.field(default_factory=set)
    box_count_absent: bool = False  # pipelines without boxCount
    counters_absent: bool = False  # boxes without the counters of their children

    rate_limit_per_second: int | None = None  # 429 beyond so many requests in a sliding second
    retry_after: int | None = None  # seconds, sent with that 429

    # Keys of pipelines that are listed, but answer 401 for everything in them
    refused_pipelines: set[str] = dataclasses.field(default_factory=set)
    hidden_is_404: bool = False  # refusals are a 404 instead, as if nothing were there
    # Keys of boxes that are listed, but answer 404 for everything
    gone_boxes: set[str] = dataclasses.field(default_factory=set)
    # Keys of boxes whose children always answer 500
    failing_boxes: set[str] = dataclasses.field(default_factory=set)

    timeline: str = "entries"  # or: "gone" (410), "other_envelope", "filters_refused" (400)
    documents: str = "markdown"  # or: "plain" (text/plain), "html", "json"

    v2_pipelines_missing: bool = False  # v2/pipelines is a 404
    forget_page_cursor: bool = False  # the next cursor sent is refused with a 400, once

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ALLOWED and value not in ALLOWED[name]:
            raise ValueError(f"{name} is one of {ALLOWED[name]}, not {value!r}")
        if name.endswith(("_pipelines", "_boxes")):
            value = set(value)
        object.__setattr__(self, name, value)

    def become(self, **moods: Any) -> None:
        """Change only the moods that are named."""
        for name, value in moods.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        return {
            name: sorted(value) if isinstance(value, set) else value
            for name, value in values.items()
        }


@dataclasses.dataclass
class Match:
    """Selects requests by an fnmatch pattern of paths ("v1/pipelines/*/boxes") and query values.

    It counts its matches: it skips the first `after` requests, then matches `times` of them
    (None: all that follow).
    """

    pattern: str
    after: int = 0
    times: int | None = 1
    where: dict[str, str] = dataclasses.field(default_factory=dict)

    def meets(self, path: str, query: dict[str, str]) -> bool:
        if self.times == 0 or not fnmatch.fnmatchcase(path, self.pattern):
            return False
        if any(query.get(name) != str(value) for name, value in self.where.items()):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclasses.dataclass
class Fault:
    match: Match
    kind: str
    details: dict[str, Any]
