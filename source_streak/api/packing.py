"""The rows of long lists, compressed in memory until the sync ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypedDict

import msgspec
import zstandard

from source_streak.api.client import json_of
from source_streak.api.paging import Page, Row, WrongShape, key_of, parse_page
from source_streak.api.parsing import parse_unchecked, written
from source_streak.api.transport import Response

Properties = tuple[str, ...] | None  # to read of a row, besides its key; None: all

# Rows: half a page of boxes. Smaller parts waste memory when packed, larger ones when unpacked.
PACKED_TOGETHER = 250
ZSTD_LEVEL = 1
LOCAL = threading.local()


@dataclass
class Packed:
    """Some rows of one page, compressed. Each row has a `key`.

    `superseded` holds the keys of rows that were seen again later, and are left out here.
    """

    blob: bytes
    keys: tuple[str, ...]
    source: str  # the key of the pipeline or team
    seen_at: float  # seconds of the monotonic clock
    superseded: set[str] = field(default_factory=set)

    def rows(self, properties: Properties = None) -> list[Row]:
        """Unpack the rows: whole, or only their keys and these properties."""
        rows: list[Row] = _decoder(properties).decode(_decompress(self.blob))
        for row, key in zip(rows, self.keys, strict=True):
            row["key"] = key  # the same object, so that remembering it takes no second copy
        return (
            [row for row in rows if row["key"] not in self.superseded] if self.superseded else rows
        )


@dataclass(frozen=True)
class PackedPage(Page):
    """One answer, compressed into `parts`; its `rows` hold only keys."""

    parts: tuple[Packed, ...] = ()
    without_key: int = 0


def put_away(
    response: Response, key_names: tuple[str, ...], source: str, seen_at: float
) -> PackedPage:
    """A page with its rows compressed. If a key occurs twice, the later row counts.

    `source`, `seen_at`: as in Packed. Raises WrongShape if the answer is not a page.
    """
    page = parse_page(json_of(response, parse_unchecked))
    known = [(key, row) for row in page.rows if (key := key_of(row, key_names))]
    rows = {key: row if row.get("key") == key else {**row, "key": key} for key, row in known}
    keys = list(rows)
    groups = [
        keys[start : start + PACKED_TOGETHER] for start in range(0, len(keys), PACKED_TOGETHER)
    ]
    parts = [
        Packed(_packed([rows[key] for key in group]), tuple(group), source, seen_at)
        for group in groups
    ]
    return PackedPage(
        [{"key": key} for key in keys],
        page.more,
        page.cursor,
        tuple(parts),
        len(page.rows) - len(known),
    )


def _packed(rows: list[Row]) -> bytes:
    """Compress rows with one compressor per thread: one per part would cost more than it saves.

    Raises WrongShape if a row is nested too deeply to be written.
    """
    if not hasattr(LOCAL, "compressor"):
        LOCAL.compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    try:
        packed: bytes = LOCAL.compressor.compress(written(rows))
    except ValueError as error:
        raise WrongShape(str(error)) from error
    return packed


def _decompress(blob: bytes) -> bytes:
    if not hasattr(LOCAL, "decompressor"):
        LOCAL.decompressor = zstandard.ZstdDecompressor()
    data: bytes = LOCAL.decompressor.decompress(blob)
    return data


@cache
def _decoder(properties: Properties) -> msgspec.json.Decoder[list[Row]]:
    """A decoder that skips all other properties, and so takes a third of the time.

    It is better for whole rows, too: orjson first reserves twelve times the size of a text, and the
    system has to clear that memory anew for each part.
    """
    if properties is None:
        return msgspec.json.Decoder(list[Row])
    kinds = dict.fromkeys(("key", *properties), Any)
    row = TypedDict("row", kinds, total=False)  # type: ignore[misc] # names known at run time
    return msgspec.json.Decoder(list[row])
