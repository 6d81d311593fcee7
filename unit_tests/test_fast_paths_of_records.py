"""Fast paths give byte for byte the same as the plain ones."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import orjson
import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    StreamDescriptor,
    Type,
)
from airbyte_protocol_dataclasses.models import (  # type: ignore[import-untyped]
    AirbyteRecordMessageMeta,
)

from source_streak import SourceStreak
from source_streak.command import Entrypoint, line_of
from source_streak.records.once import MOST, Once
from source_streak.records.shape import FIRST_MS, LAST_MS, Shape, iso_time


def record(stream: str, namespace: str | None = None) -> AirbyteMessage:
    message = AirbyteRecordMessage(stream, {"key": "k"}, emitted_at=1, namespace=namespace)
    return AirbyteMessage(type=Type.RECORD, record=message)


def state(stream: str, namespace: str | None = None) -> AirbyteMessage:
    of_stream = AirbyteStreamState(StreamDescriptor(stream, namespace), AirbyteStateBlob({}))
    message = AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=of_stream)
    return AirbyteMessage(type=Type.STATE, state=message)


def lines(entrypoint: type[AirbyteEntrypoint]) -> list[str]:
    counted, counts = entrypoint(SourceStreak()), defaultdict(float)
    messages = (
        *(state("boxes"), record("boxes"), record("boxes"), record("teams"), record("boxes", "n")),
        *(state("boxes"), record("boxes"), state("teams"), state("boxes"), state("boxes", "n")),
    )
    return [
        entrypoint.airbyte_message_to_string(counted.handle_record_counts(message, counts))
        for message in messages
    ]


def test_records_are_counted_as_the_framework_counts_them() -> None:
    assert lines(Entrypoint) == lines(AirbyteEntrypoint)


ODD = {"text": 'é 株 \U0001f600 " \\ \u2028', "at": 1.5, "deep": [{"a": [True], "null": None}]}
MESSAGES = {
    "a record": record("boxes"),
    "a record of odd values": AirbyteMessage(
        type=Type.RECORD, record=AirbyteRecordMessage("boxes_株", ODD, emitted_at=2**53)
    ),
    "a record with half an emoji": AirbyteMessage(
        type=Type.RECORD, record=AirbyteRecordMessage("boxes", {"text": "\ud83d"}, emitted_at=1)
    ),
    "a record with a namespace": record("boxes", "n"),
    "a record with an empty namespace": record("boxes", ""),
    "a record with changes noted": AirbyteMessage(
        type=Type.RECORD,
        record=AirbyteRecordMessage("boxes", {}, 1, meta=AirbyteRecordMessageMeta(changes=[])),
    ),
    "a record with a name that is no text": AirbyteMessage(
        type=Type.RECORD, record=AirbyteRecordMessage("boxes", {"a": {5: 1}}, emitted_at=1)
    ),
    "a state": state("boxes"),
}


@pytest.mark.parametrize("what", MESSAGES)
def test_a_message_becomes_the_same_line_that_the_framework_writes(what: str) -> None:
    line = AirbyteEntrypoint.airbyte_message_to_string(MESSAGES[what])
    assert line_of(MESSAGES[what]).decode() == f"{line}\n"


def test_a_shared_object_is_converted_once_while_there_is_room_to_keep_it() -> None:
    calls: list[Any] = []

    def make(thing: Any) -> bytes:
        calls.append(thing)
        return orjson.dumps(thing)

    made = Once(make)
    alike: list[list[int]] = [[1], [1]]
    many = [[number] for number in range(MOST)]
    for thing in (*alike, *alike, *many, *alike):
        assert made.of(thing) == orjson.dumps(thing)
    assert len(calls) == len(alike) + len(many) + len(alike)
    assert made.of(alike[-1]) is made.of(alike[-1])


@pytest.mark.parametrize("edge", [0, -1, 1, -2, LAST_MS, LAST_MS + 1, FIRST_MS, FIRST_MS - 1])
def test_a_time_is_written_as_iso_time_writes_it(edge: int) -> None:
    shape = Shape({"properties": {"at": {"type": "string", "format": "date-time"}}})
    steps = range(edge - 3 * 86_400_000, edge + 3 * 86_400_000, 7_654_321)
    for moment in (edge, *steps):
        written = shape.record({"at": moment})
        assert written.get("at") == iso_time(moment)
