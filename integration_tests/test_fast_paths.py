"""A full refresh takes a fast path if it leaves nothing out; its records are the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from airbyte_cdk.sources.utils.casing import camel_to_snake
from conftest import Read
from streak_sandbox import Sandbox

from source_streak.api.errors import Level
from source_streak.reading.parents import Parent
from source_streak.stream import StreakStream
from source_streak.streams import STREAMS

MADE_OF_BOXES = [
    camel_to_snake(stream.__name__)
    for stream in STREAMS
    if stream.parent is Level.BOX and not stream.endpoint
]
EARLIER_THAN_ALL = "1970-01-02"  # with a start date, boxes are parsed whole for their timestamps


def test_records_are_the_same_with_and_without_the_fast_path(streak: Sandbox, read: Read) -> None:
    one, other, *_ = streak.account.boxes
    streak.account.edit_box(one, linkedBoxKeys=[other])
    fast, plain = read(*MADE_OF_BOXES), read(*MADE_OF_BOXES, start_date=EARLIER_THAN_ALL)
    for stream in MADE_OF_BOXES:
        assert fast.records[stream]
        assert [_timeless(one) for one in fast.records[stream]] == [
            _timeless(one) for one in plain.records[stream]
        ]


def _timeless(record: dict[str, object]) -> bytes:
    return orjson.dumps({name: value for name, value in record.items() if name != "readAt"})


@pytest.mark.parametrize(
    "kind", [stream for stream in STREAMS if stream.made_of], ids=lambda kind: kind.__name__
)
def test_rows_depend_only_on_the_properties_that_their_stream_declares(
    kind: type[StreakStream], streak: Sandbox
) -> None:
    stream, account = kind(None), streak.account  # type: ignore[arg-type] # it sends no request
    one, other, *_ = account.boxes
    account.edit_box(one, linkedBoxKeys=[other])
    of_teams = account.contacts if kind.parent is Level.CONTACT else account.organizations
    rows, sources = (
        (account.boxes.values(), account.pipelines.values())
        if kind.parent is Level.BOX
        else ([row for rows in of_teams.values() for row in rows], account.teams.values())
    )

    def made_of(parents: list[Parent]) -> list[Any]:
        return [[[*stream.rows(one)], [*stream.misshapen(one)]] for one in parents]

    whole = [Parent(row, {}, source) for row in rows for source in sources]
    part = [
        one._replace(row={name: one.row[name] for name in one.row if name in stream.made_of})
        for one in whole
    ]
    assert made_of(part) == made_of(whole)
    assert any(rows for rows, _ in made_of(whole))
