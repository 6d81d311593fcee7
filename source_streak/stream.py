"""A stream in the framework's terms: facts, pure hooks, and the methods that Airbyte calls.

A stream keeps nothing of a read. AbstractSource calls `read`, which makes a Reading, turns its
items into the framework's messages, and drops it at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import cache, cached_property
from typing import Any

from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteStreamStatus,
    AirbyteStreamStatusReason,
    AirbyteStreamStatusReasonType,
    AirbyteStreamStatusTraceMessage,
    AirbyteTraceMessage,
    ConfiguredAirbyteStream,
    FailureType,
    StreamDescriptor,
    SyncMode,
    TraceType,
    Type,
)
from airbyte_cdk.sources.streams.core import StreamData
from airbyte_cdk.sources.streams.http import HttpStream
from airbyte_cdk.sources.types import StreamSlice
from airbyte_cdk.sources.utils.schema_helpers import InternalConfig, ResourceSchemaLoader
from airbyte_cdk.utils import AirbyteTracedException
from airbyte_protocol_dataclasses.models import (  # type: ignore[import-untyped]
    AirbyteStreamStatusRateLimitedReason,
)

from source_streak.api.account import Account
from source_streak.api.bounds import MOST_KEPT, Bound
from source_streak.api.client import json_of, path_of
from source_streak.api.errors import Level, StreakError
from source_streak.api.listings import Listing
from source_streak.api.packing import Properties
from source_streak.api.paging import Pager, Params, Row, Whole, parse_page
from source_streak.api.transport import Response
from source_streak.incremental import fingerprint
from source_streak.incremental.state import StreamState
from source_streak.reading.entities import EntityReading
from source_streak.reading.fetching import Doubts, fetch
from source_streak.reading.heartbeat import Item, Limited, Signal
from source_streak.reading.mode import Mode
from source_streak.reading.parents import ENTITIES, Parent, parents_of, rows_of
from source_streak.reading.plan import Plan
from source_streak.reading.reading import EventReading, Reading
from source_streak.records.shape import Shape

NO_CURSOR = {"__ab_no_cursor_state_message": True}  # the framework's state of a full refresh


class Failure(AirbyteTracedException):
    """A StreakError as the framework's exception.

    It has the sentence and no stack trace, which would tell a user nothing.
    """

    def __init__(self, error: StreakError) -> None:
        super().__init__(
            message=error.sentence,
            internal_message=error.sentence,
            failure_type=FailureType(error.failure),
        )

    def __repr__(self) -> str:
        """The sentence, because the framework's closing message quotes the repr."""
        return str(self.message)

    def as_airbyte_message(self, *args: Any, **kwargs: Any) -> AirbyteMessage:
        message = super().as_airbyte_message(*args, **kwargs)
        if message.trace and message.trace.error:
            message.trace.error.stack_trace = None
        return message


class StreakStream(HttpStream):
    """One stream of Streak. A subclass states its facts and overrides the hooks that it needs."""

    parent: Level = Level.ACCOUNT  # what its rows belong to
    endpoint: str = ""  # with the parent's key columns in braces; empty: the parent holds the rows
    pager: Pager = Whole()
    counters: tuple[str, ...] = ()  # in the parent; all 0: nothing to request; absent is not 0
    key_names: tuple[str, ...] = ("key",)  # where a row has its key; v1 has a second name for it
    incremental: bool = False  # leaves out what was delivered and has not changed
    tells_deletions: bool = False  # reports them by records with `_ab_cdc_deleted_at`
    of_one_pipeline: bool = False  # a box that moves to another pipeline leaves the stream
    since_parameter: str = ""  # limits a request to what came since the last sync; empty: no limit
    made_of: Properties = None  # the properties of a listed row that `rows` needs; None: all
    cursor_column: str = "readAt"

    def __init__(self, account: Account, plan: Plan | None = None) -> None:
        """`plan`: how the streams of one sync share the room for their states."""
        self.account, self.plan = account, plan or Plan()
        super().__init__()

    # --- Facts derived from others

    @property
    def url_base(self) -> str:
        return self.account.client.url

    @property
    def cursor_field(self) -> str | list[str]:
        return self.cursor_column if self.incremental else []

    @property
    def is_resumable(self) -> bool:
        """Never: a full refresh always starts from the beginning."""
        return False

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override] # cached below
        """The schema file. The framework's cache would keep the stream and its whole sync alive."""
        return _schema_of(self.name)

    @property
    def shape(self) -> Shape:
        """The columns in the schema. One for each reading, because it counts what does not fit."""
        return Shape(self.get_json_schema())

    @cached_property
    def key_columns(self) -> tuple[str, ...]:
        """The primary key.

        If rows belong to a row of a long list, the last column is their own key.
        """
        return (
            (self.primary_key,)
            if isinstance(self.primary_key, str)
            else tuple(map(str, self.primary_key or ()))
        )

    @property
    def row_keys(self) -> bool:
        """Whether rows have keys besides the key of the box (contact, …) that they belong to."""
        return len(self.key_columns) > 1

    @property
    def scope(self) -> str | None:
        """The key of the only pipeline that the stream reads; None: it reads all."""
        return None

    def expected(self, row: Row) -> int | None:
        """How many rows the parent's counters promise; None if there are none or one is absent."""
        counts = [row.get(counter) for counter in self.counters]
        return sum(counts) if counts and all(type(count) is int for count in counts) else None  # type: ignore[arg-type]

    def can_have_rows(self, row: Row) -> bool:
        """Whether there can be anything to request. An absent counter rules nothing out."""
        return not self.counters or any(row.get(counter) != 0 for counter in self.counters)

    # --- Hooks of a request. The reading uses these, as the framework would.

    def path(self, *, stream_slice: Mapping[str, Any] | None = None, **_: Any) -> str:
        return path_of(
            self.endpoint,
            {
                name: key
                for name, key in (stream_slice or {}).items()
                if f"{{{name}}}" in self.endpoint
            },
        )

    def request_params(
        self,
        stream_state: Mapping[str, Any] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        next_page_token: Mapping[str, Any] | None = None,
    ) -> Params:
        """`next_page_token`: what the pager proposed; None for the first page."""
        first = self.pager.first()
        asked = first if next_page_token is None else dict(next_page_token)
        since = (stream_slice or {}).get("since") if asked == first else None
        return {**asked, self.since_parameter: since} if since else asked

    def parse_response(self, response: Response, **_: Any) -> Iterable[Mapping[str, Any]]:
        return parse_page(json_of(response)).rows

    def next_page_token(self, response: Response) -> Mapping[str, Any] | None:
        """What a response says about further pages; paging.read_list decides."""
        page = parse_page(json_of(response))
        return {"more": page.more, "cursor": page.cursor}

    # --- Hooks of a row: pure

    def prepare(self, account: Account) -> StreakError | None:
        """Get what the first row needs. Blocks. Returns an error if the pipeline is gone."""
        return None

    def select_listings(self, lists: list[Listing]) -> list[Listing]:
        """Choose the long lists that the stream reads."""
        return lists

    def names_in(self, source: Row) -> Any:
        """What rows show of a pipeline or team: the names that it gives to keys."""
        return None

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        """A JSON value that changes whenever the stream's rows of a box (contact, …) do."""
        return fingerprint.visible_activity(row, source_key)

    def rows(self, parent: Parent) -> Iterable[Row]:
        """The rows inside a parent: by default the parent itself."""
        return [parent.row]

    def keys_in(self, row: Row) -> Iterable[str]:
        """The keys of the rows that `rows` makes of a parent, if they have keys of their own."""
        return ()

    def unset_rows(self, parent: Parent) -> Iterable[Row]:
        """Empty rows for a parent's unset values; delivered where deletions are not reported."""
        return ()

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        """Columns that the connector adds: labels next to keys, never in their place."""
        return {}

    def misshapen(self, parent: Parent) -> Iterable[str]:
        """The types of custom fields whose values do not have the shape of their type."""
        return ()

    def newest(self, rows: list[Row]) -> int | None:
        """For streams of events: the time of the newest one, in epoch milliseconds."""
        return None

    def gap(self, rows: list[Row], fresh: list[Row], newest: int | None) -> str:
        """For streams of events: a warning if some are lost, with %s for the parent's name."""
        return ""

    # --- What Airbyte calls

    def read(  # the framework has no type for the state manager
        self,
        configured_stream: ConfiguredAirbyteStream,
        logger: Any,
        slice_logger: Any,
        stream_state: MutableMapping[str, Any],
        state_manager: Any,
        internal_config: InternalConfig,
    ) -> Iterator[AirbyteMessage]:
        """Read the stream. Without a state manager (read_only_records) no state is emitted."""
        properties = configured_stream.stream.json_schema.get("properties")
        columns = frozenset(properties) if isinstance(properties, dict) and properties else None
        reading = self.reading(configured_stream.sync_mode, stream_state, columns)
        name, clock, count = self.name, self.account.clock, 0
        try:
            for item in reading.items():
                if type(item) is dict:
                    yield _record_message(name, item, clock.now())
                    count += 1
                    if internal_config.is_limit_reached(count):
                        break
                elif isinstance(item, Limited) or item is Signal.RESUMED:
                    yield _status_message(name, item, clock.now())
                elif state_manager:
                    yield _state_message(name, self._state_of(reading))
        except StreakError as error:
            if state_manager:
                yield _state_message(name, self._state_of(reading))
            raise Failure(error) from error
        if state_manager:
            yield _state_message(name, self._state_of(reading))

    def _state_of(self, reading: Reading) -> Mapping[str, Any]:
        return reading.state.as_dict() if self.incremental else NO_CURSOR

    def reading(
        self, sync_mode: SyncMode, saved: Mapping[str, Any], columns: frozenset[str] | None = None
    ) -> Reading:
        """Make a Reading. `columns`: the columns of the configured schema; None: all."""
        whole = not (self.incremental and sync_mode is SyncMode.incremental)
        mode, config = Mode(whole, columns), self.account.config
        known = (
            {name: saved[name] for name in ("version", "readAt") if name in saved}
            if whole
            else saved
        )
        now = self.account.clock.now()
        state = StreamState(
            known, now, config.recheck_days, config.start, keeps_empty=not self.row_keys
        )
        if self.parent in ENTITIES:
            return EntityReading(self, self.account, state, mode, self.plan)
        return (EventReading if self.incremental else Reading)(self, self.account, state, mode)

    def stream_slices(self, **_: Any) -> Iterator[StreamSlice]:
        """One slice for each parent. Lists are requested once the first slice is taken."""
        account = self.account
        parents = (
            rows_of(account.good_listings(self.parent))
            if self.parent in ENTITIES
            else parents_of(account, self.parent)
        )
        for parent in parents:
            yield StreamSlice(
                partition=dict(parent.keys), cursor_slice={}, extra_fields={"parent": parent}
            )

    def read_records(
        self,
        sync_mode: SyncMode,
        cursor_field: list[str] | None = None,
        stream_slice: Mapping[str, Any] | None = None,
        stream_state: Mapping[str, Any] | None = None,
    ) -> Iterable[StreamData]:
        """One parent's records, made with the same hooks and code as in `read`."""
        parent: Parent = stream_slice.extra_fields["parent"]  # type: ignore[union-attr] # a slice of stream_slices
        rows = self.rows(parent)
        try:
            if self.endpoint:
                bound = Bound(MOST_KEPT)
                answer = fetch(self, self.account.access, bound, Doubts(), parent)
                if answer.refusal:
                    self.account.decide(answer.refusal, self.parent, self.name.replace("_", " "))
                rows = answer.rows
            yield from self.reading(SyncMode.full_refresh, {}).records(parent, rows)
        except StreakError as error:
            raise Failure(error) from error


def _record_message(name: str, record: dict[str, Any], now: int) -> AirbyteMessage:
    message = AirbyteRecordMessage(stream=name, data=record, emitted_at=now)
    return AirbyteMessage(type=Type.RECORD, record=message)


def _state_message(name: str, blob: Mapping[str, Any]) -> AirbyteMessage:
    descriptor = StreamDescriptor(name=name)
    stream = AirbyteStreamState(stream_descriptor=descriptor, stream_state=AirbyteStateBlob(blob))
    state = AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream)
    return AirbyteMessage(type=Type.STATE, state=state)


def _status_message(name: str, item: Item, now: int) -> AirbyteMessage:
    """RUNNING: with RATE_LIMITED as reason while Streak asks to wait, without one afterwards."""
    reasons = None
    if isinstance(item, Limited):
        limit = AirbyteStreamStatusRateLimitedReason(quota_reset=item.until)
        kind = AirbyteStreamStatusReasonType.RATE_LIMITED
        reasons = [AirbyteStreamStatusReason(type=kind, rate_limited=limit)]
    running = AirbyteStreamStatus.RUNNING
    status = AirbyteStreamStatusTraceMessage(StreamDescriptor(name=name), running, reasons)
    trace = AirbyteTraceMessage(TraceType.STREAM_STATUS, float(now), stream_status=status)
    return AirbyteMessage(type=Type.TRACE, trace=trace)


@cache
def _schema_of(name: str) -> Mapping[str, Any]:
    """Resolve a schema once per process. Nobody may change it."""
    return ResourceSchemaLoader("source_streak").get_schema(name)
