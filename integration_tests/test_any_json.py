"""Malformed JSON from Streak, and damaged states from the platform.

Every read ends, with records that fit their schemas or a readable error, and without a traceback.
The connector reads a sandbox account without sockets; the tests alter the sandbox's responses.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import (
    AirbyteMessageSerializer,
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)
from anything import ANY, TEXTS
from destination import discovered
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pytest_mock import MockerFixture
from requests import Response
from streak_sandbox import Account
from streak_sandbox.api import ROUTES, Call, Refusal, Text
from streak_sandbox.moods import Moods
from test_incremental import states_of
from watches import WornClock

from source_streak import SourceStreak
from source_streak.api import transport
from source_streak.stream import Failure

EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MOST_REQUESTS = 1_500  # in one read of this account; a few dozen are usual
MESSAGES = 20_000

# --- An account that answers without sockets ------------------------------------------------------


def small() -> Account:
    """Two pipelines, and a few boxes with one child of each kind."""
    account = Account()
    team = account.add_team("Team")["key"]
    account.add_contact(team, givenName="Ada", fields={"7001": "x"})
    account.add_organization(team, name="Acme")
    account.snippets.append({"key": "agxSnippet", "snippetText": "Hello"})
    for name in ("Sales", "Hiring"):
        pipeline = account.add_pipeline(name, boxes=2)["key"]
        for kind, options in (
            ("TEXT_INPUT", ()),
            ("DROPDOWN", ("a", "b")),
            ("TAG", ("c",)),
            ("DATE", ()),
            ("CHECKBOX", ()),
        ):
            account.add_field(pipeline, kind.title(), kind, options)
        for box in account.boxes_of(pipeline):
            account.edit_box(
                box["key"],
                fields={
                    "1001": "text",
                    "1002": "9001",
                    "1003": ["9001"],
                    "1004": 1_772_361_296_789,
                },
            )
            account.add_comment(box["key"], "Hello")
            account.add_task(box["key"])
            account.add_meeting(box["key"])
            account.add_thread(box["key"])
            account.add_file(box["key"])
    return account


class Stub:
    """Replaces the HTTP session: answers requests from an account.

    `change` may replace the JSON of an endpoint, or even its bytes.
    """

    def __init__(self) -> None:
        self.account = small()
        self.change: Callable[[str, Any], Any] = lambda path, body: body
        self.asked: list[str] = []

    @cached_property
    def streams(self) -> list[AirbyteStream]:
        """What discover finds in the unaltered account, pipeline tables included."""
        change, self.change = self.change, lambda path, body: body
        found = source().discover(logging.getLogger("airbyte"), KEY).streams
        self.change = change
        return found

    def get(self, url: str, *, params: dict[str, Any], **_: Any) -> Response:
        path = url.partition("/api/")[2]
        self.asked.append(path)
        assert len(self.asked) < MOST_REQUESTS, f"it goes on asking: {self.asked[-3:]}"
        status, body = self._answer(path, {name: str(value) for name, value in params.items()})
        body = self.change(path, body) if status == 200 else body
        response = Response()
        response.status_code = status
        if isinstance(body, Text):
            response.headers["Content-Type"] = body.kind
            body = body.content.encode()
        response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        for route in ROUTES:
            parts, wanted = path.split("/"), route.path.split("/")
            if len(parts) == len(wanted) and all(
                one == other or other.startswith("{")
                for one, other in zip(parts, wanted, strict=True)
            ):
                keys = {
                    other.strip("{}"): one
                    for one, other in zip(parts, wanted, strict=True)
                    if other.startswith("{")
                }
                try:
                    return 200, copy.deepcopy(
                        route.answer(Call(self.account, Moods(), keys, query))
                    )
                except Refusal as refusal:
                    return refusal.status, refusal.body
        return 404, {"error": "Not found"}


@pytest.fixture(scope="module")
def stub(module_mocker: MockerFixture) -> Iterator[Stub]:
    stub = Stub()
    module_mocker.patch.object(transport, "session", return_value=stub)
    logging.disable(logging.INFO)  # nobody reads the log, and it takes half of the time
    yield stub
    logging.disable(logging.NOTSET)


def source() -> SourceStreak:
    """A source whose clock lets each attempt take a minute, so that it gives up soon."""
    return SourceStreak(WornClock(30.0))


KEY = {"api_key": "abc", "requests_per_second": 20, "recheck_days": 0}
SCHEMAS = {stream.name: stream.json_schema for stream in discovered().streams}


class Whole:
    """One read of all streams, tables included, serialized as the command does."""

    def __init__(self, stub: Stub, state: Any = None, anew: bool = False) -> None:
        """`anew`: discover the catalog now; otherwise use that of the unaltered account."""
        stub.asked.clear()
        self.errors: list[str] = []
        self.records: list[tuple[str, dict[str, Any]]] = []
        self.states: dict[str, dict[str, Any]] = {}
        logger = logging.getLogger("airbyte")
        streams = self._discovered(logger) if anew else stub.streams
        self.schemas = {stream.name: stream.json_schema for stream in streams}
        catalog = ConfiguredAirbyteCatalog(
            [
                ConfiguredAirbyteStream(
                    stream,
                    SyncMode.incremental
                    if SyncMode.incremental in stream.supported_sync_modes
                    else SyncMode.full_refresh,
                    DestinationSyncMode.append,
                )
                for stream in streams
            ]
        )
        try:
            for count, message in enumerate(
                source().read(logger, KEY, catalog, states_of(**state) if state else None)
            ):
                assert count < MESSAGES
                written = orjson.loads(orjson.dumps(AirbyteMessageSerializer.dump(message)))
                if message.record:
                    self.records.append((message.record.stream, written["record"]["data"]))
                if message.state:
                    self.states[message.state.stream.stream_descriptor.name] = written["state"][
                        "stream"
                    ]["stream_state"]
                if message.trace and message.trace.error:
                    self._say(message.trace.error.message or "")
                    assert message.trace.error.stack_trace is None, message.trace.error.stack_trace
        except Failure as closing:
            self._say(str(closing.message))

    def _discovered(self, logger: logging.Logger) -> list[AirbyteStream]:
        try:
            return source().discover(logger, KEY).streams
        except Failure as failure:
            self._say(str(failure.message))
            return discovered().streams

    def _say(self, sentence: str) -> None:
        assert "Something went wrong" not in sentence, (
            "the framework's words for an exception that nobody foresaw"
        )
        assert sentence.rstrip().endswith((".", ")", '"')), sentence
        self.errors.append(sentence)

    def assert_fits(self) -> None:
        """Assert that each record fits its schema and that no primary key repeats."""
        validators = {name: Draft7Validator(schema) for name, schema in self.schemas.items()}
        keys = {
            name: [path[0] for path in PRIMARY_KEYS.get(name, [["box_key"]])]
            for name in self.schemas
        }
        seen = set()
        for stream, record in self.records:
            problem = next(validators[stream].iter_errors(record), None)
            assert problem is None, f"{stream}: {problem and problem.message}"
            identity = (stream, *(record.get(name) for name in keys[stream]))
            assert None not in identity
            assert identity not in seen, identity
            seen.add(identity)


PRIMARY_KEYS = {stream.name: stream.source_defined_primary_key for stream in discovered().streams}

# --- Strategies for malformed JSON ----------------------------------------------------------------

OPTIONS = ANY | st.lists(
    st.fixed_dictionaries({}, optional={"key": ANY, "name": ANY, "tag": ANY}) | ANY, max_size=3
)
KINDS = (
    st.sampled_from(
        [
            "TEXT_INPUT",
            "DROPDOWN",
            "TAG",
            "DATE",
            "CHECKBOX",
            "PERSON",
            "FORMULA",
            "TEAM_CONTACT",
            "NEW",
        ]
    )
    | ANY
)
DEFINITION = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["1001", "1002", "1003", "01001", "٣", "9" * 5_000, "x"]) | ANY,
        "name": st.sampled_from(["Text_Input", "Deal size", "deal SIZE", "🎧", "name", "box_key"])
        | ANY,
        "type": KINDS,
        "dropdownSettings": ANY | st.fixed_dictionaries({"items": OPTIONS}),
        "tagSettings": ANY | st.fixed_dictionaries({"tags": OPTIONS}),
    },
)
STAGES = ANY | st.dictionaries(
    st.sampled_from(["5001", "5002"]) | TEXTS,
    st.fixed_dictionaries({}, optional={"name": ANY, "key": ANY}) | ANY,
)
PIPELINE = st.fixed_dictionaries(
    {},
    optional={
        "name": ANY,
        "fields": ANY | st.lists(DEFINITION | ANY, max_size=4),
        "stages": STAGES,
        "stageOrder": ANY | st.lists(TEXTS, max_size=3),
        "aclEntries": ANY
        | st.lists(
            st.fixed_dictionaries({}, optional={"userKey": ANY, "email": ANY}) | ANY, max_size=3
        ),
        "boxCount": ANY,
        "creationTimestamp": ANY,
        "hasNextPage": ANY,
        "mascot": ANY,
    },
)
FIELDS_OF_TEAM = (
    st.fixed_dictionaries({"fields": ANY | st.dictionaries(TEXTS, DEFINITION | ANY, max_size=3)})
    | ANY
)
TEAM = st.fixed_dictionaries(
    {},
    optional={
        "name": ANY,
        "members": OPTIONS,
        "contactSettings": FIELDS_OF_TEAM,
        "organizationSettings": FIELDS_OF_TEAM,
        "created": ANY,
    },
)
VALUES = ANY | st.dictionaries(
    st.sampled_from(["1001", "1002", "1003", "1004", "1005"]) | TEXTS, ANY, max_size=4
)
COUNTER = ANY | st.integers(-2, 3)
BOX = st.fixed_dictionaries(
    {},
    optional={
        "name": ANY,
        "fields": VALUES,
        "stageKey": ANY,
        "commentCount": COUNTER,
        "taskTotal": COUNTER,
        "fileCount": COUNTER,
        "gmailThreadCount": COUNTER,
        "lastUpdatedTimestamp": ANY,
        "stageHistoryEntries": ANY
        | st.lists(
            st.fixed_dictionaries({}, optional={"stageKey": ANY, "lastEntryToStageTs": ANY}),
            max_size=3,
        ),
        "assignedToSharingEntries": OPTIONS,
        "followerSharingEntries": OPTIONS,
        "followerKeys": ANY | st.lists(ANY, max_size=2),
        "creatorSharingEntry": ANY,
        "contacts": OPTIONS,
        "organizations": OPTIONS,
        "linkedBoxKeys": ANY | st.lists(ANY, max_size=3),
        "mascot": ANY,
    },
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "key": ANY,
        "name": ANY,
        "message": ANY,
        "timestamp": ANY,
        "fields": VALUES,
        "members": ANY,
        "size": ANY,
        "mascot": ANY,
    },
)


def rows_of(body: Any) -> list[Any]:
    if isinstance(body, dict):
        return body.get("results") or body.get("entries") or []
    return body if isinstance(body, list) else []


def altered(part: str, change: dict[str, Any]) -> Callable[[str, Any], Any]:
    """A change of the first row in each response of that endpoint."""

    def alter(path: str, body: Any) -> Any:
        if path.endswith(part) and (rows := rows_of(body)):
            rows[0].update(change)
        return body

    return alter


def read_twice(stub: Stub, change: Callable[[str, Any], Any], anew: bool = False) -> None:
    """Read the account twice, the second time with the state of the first read."""
    stub.change = change
    first = Whole(stub, anew=anew)
    first.assert_fits()
    Whole(stub, first.states, anew).assert_fits()


@EXAMPLES
@example({"fields": [{"key": "9" * 5_000, "name": "long", "type": "DATE"}]})
@example({"boxCount": 10**25})
@example({"name": {"a": 1}, "stages": {"5001": {"name": ["x"]}}, "stageOrder": "5001"})
@given(PIPELINE)
def test_a_malformed_pipeline_yields_valid_records_or_a_readable_error(
    stub: Stub, change: dict[str, Any]
) -> None:
    read_twice(stub, altered("/pipelines", change), anew=True)


@EXAMPLES
@given(TEAM)
def test_a_malformed_team_yields_valid_records_or_a_readable_error(
    stub: Stub, change: dict[str, Any]
) -> None:
    read_twice(stub, altered("/teams", change))


@settings(EXAMPLES, max_examples=30)
@example({"commentCount": 2**63 - 1, "taskTotal": -5})
@example({"fields": {"1004": 1e300, "1001": 10**25}, "lastUpdatedTimestamp": 1e300})
@given(BOX)
def test_a_malformed_box_yields_valid_records_or_a_readable_error(
    stub: Stub, change: dict[str, Any]
) -> None:
    read_twice(stub, altered("/boxes", change))


def test_huge_comment_counters_lose_no_comment(stub: Stub) -> None:
    def every(path: str, body: Any) -> Any:
        for row in rows_of(body) if path.endswith("/boxes") else ():
            row["commentCount"] = 2**63 - 1
        return body

    stub.change = every
    whole = Whole(stub)

    whole.assert_fits()
    assert not whole.errors
    assert sum(stream == "box_comments" for stream, _ in whole.records) == 4


EVERY_LIST = (
    *("/comments", "/tasks", "/meetings", "/threads", "/files", "/timeline"),
    *("/contacts", "/organizations", "/users", "/snippets", "/newsfeed"),
)


@EXAMPLES
@given(st.sampled_from(EVERY_LIST), ROW)
def test_a_malformed_row_of_any_other_list_yields_valid_records_or_a_readable_error(
    stub: Stub, part: str, change: dict[str, Any]
) -> None:
    read_twice(stub, altered(part, change))


@settings(EXAMPLES, max_examples=30)
@given(
    st.sampled_from(("/teams", "/pipelines", "/boxes", "/users/me", *EVERY_LIST)),
    ANY | st.fixed_dictionaries({"results": ANY, "hasNextPage": ANY}),
)
def test_any_response_body_yields_valid_records_or_a_readable_error(
    stub: Stub, part: str, body: Any
) -> None:
    stub.change = lambda path, known: body if path.endswith(part) else known

    Whole(stub, anew=True).assert_fits()


# --- Truncated texts and deep nesting -------------------------------------------------------------

HALF_AN_EMOJI = rb'"Acme \ud83d"', '"Acme �"'


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        HALF_AN_EMOJI,
        (rb'"\udca5 Acme"', '"� Acme"'),
        (rb'"\ud83d\ude00 \ud83d"', '"😀 �"'),
        (rb'"\\ud83d"', r'"\\ud83d"'),
        (rb'"\\\ud83d"', r'"\\�"'),
        (b'"Acme \xed\xa0\xbd"', None),
        (b'"Acme \xf0\x9f"', '"Acme �"'),
    ],
)
@pytest.mark.parametrize("part", ["/boxes", "/comments", "/pipelines", "/contacts"])
def test_a_text_cut_inside_a_character_loses_that_character_but_no_row(
    stub: Stub, part: str, sent: bytes, read: str | None
) -> None:
    column = {
        "/boxes": "name",
        "/comments": "message",
        "/pipelines": "name",
        "/contacts": "givenName",
    }[part]

    def cut(path: str, body: Any) -> Any:
        if not path.endswith(part):
            return body
        rows_of(body)[0][column] = "HERE"
        return json.dumps(body).encode().replace(b'"HERE"', sent)

    stub.change = cut
    whole = Whole(stub)

    whole.assert_fits()
    assert not whole.errors
    assert sum(stream == "boxes" for stream, _ in whole.records) == 4
    stream = {
        "/boxes": "boxes",
        "/comments": "box_comments",
        "/pipelines": "pipelines",
        "/contacts": "contacts",
    }[part]
    texts = [record.get(column) for name, record in whole.records if name == stream]
    assert read is None or json.loads(read) in texts


@pytest.mark.parametrize("part", ["/users/me", "/teams", "/pipelines", "/boxes", *EVERY_LIST])
@pytest.mark.parametrize("depth", [100, 240, 300, 1_000, 100_000])
def test_a_deeply_nested_value_yields_a_record_or_a_readable_error(
    stub: Stub, part: str, depth: int
) -> None:
    def nest(path: str, body: Any) -> Any:
        if not path.endswith(part):
            return body
        row = body if part == "/users/me" else rows_of(body)[0]
        row["mascot"] = "HERE"
        return (
            json.dumps(body)
            .encode()
            .replace(b'"HERE"', b'{"a":[' * (depth // 2) + b"1" + b"]}" * (depth // 2))
        )

    stub.change = nest
    whole = Whole(stub)

    whole.assert_fits()
    assert whole.errors or depth < 300


# --- States ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(stub: Stub) -> dict[str, Any]:
    """The states of a sync of the unaltered account, by stream."""
    stub.change = lambda path, body: body
    return Whole(stub).states


STATE_VALUES = (
    ANY
    | st.integers()
    | st.dictionaries(st.sampled_from(["\ud83d", "gone"]) | TEXTS, ANY, max_size=2)
    | st.just({"gone": {"settled": 10**30, "bits": 3, "prints": "eJw="}})
    | st.just({"gone": "eJwLzi9OLQEACPcCgg=="})
)
PARTS = (
    *("version", "readAt", "summary", "user", "startDate", "ledgers", "keys", "keysGivenUp"),
    *("unlisted", "untold", "suspected", "events", "clock", "somethingNew"),
)


@EXAMPLES
@example({"ledgers": {"gone": {"settled": 10**30, "bits": 3, "prints": "eJw="}}}, False)
@example({"suspected": ["\ud83d", 5, "x"]}, False)
@example({"keys": {"\ud83d": "eJw="}, "events": {"\ud83d": 5}}, True)
@given(st.dictionaries(st.sampled_from(PARTS), STATE_VALUES, max_size=3), st.booleans())
def test_a_damaged_state_deletes_nothing_and_is_replaced_by_a_valid_one(
    stub: Stub, known: dict[str, Any], damage: dict[str, Any], inside: bool
) -> None:
    """Replaces parts of a good state or, with `inside`, the entries of each pipeline in them."""
    stub.change = lambda path, body: body
    states = copy.deepcopy(known)
    for state in states.values():
        for part, value in damage.items():
            if inside and isinstance(state.get(part), dict):
                state[part] = dict.fromkeys(state[part], value)
            else:
                state[part] = value

    whole = Whole(stub, states)

    whole.assert_fits()
    assert not whole.errors
    assert not [record for _, record in whole.records if record.get("_ab_cdc_deleted_at")], (
        "a damaged state has deleted something"
    )
    again = Whole(stub, whole.states)
    assert not again.errors
    assert {stream for stream, _ in again.records}.isdisjoint(
        name for name, state in whole.states.items() if "ledgers" in state
    )


def test_the_unaltered_account_yields_records_of_most_streams_and_no_error(stub: Stub) -> None:
    stub.change = lambda path, body: body
    whole = Whole(stub)

    whole.assert_fits()
    assert not whole.errors
    assert len({stream for stream, _ in whole.records}) >= 20
