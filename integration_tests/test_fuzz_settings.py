"""Any settings and any configured catalog give valid protocol messages and readable errors."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer
from anything import ANY, TEXTS
from commands import Outcome, here
from conftest import catalog_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from quick import QuickClock
from streak_sandbox import Sandbox

from source_streak import SourceStreak

SPEC = json.loads((files("source_streak") / "spec.json").read_text())
PROPERTIES = SPEC["connectionSpecification"]["properties"]
EXAMPLES = settings(
    derandomize=True,
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
FEW = settings(EXAMPLES, max_examples=4)


@pytest.fixture(scope="module")
def streak() -> Iterator[Sandbox]:
    with Sandbox(account="empty") as sandbox, pytest.MonkeyPatch.context() as environment:
        sandbox.account.add_team("Team")
        pipeline = sandbox.account.add_pipeline("Sales", boxes=2)["key"]
        for kind in ("TEXT_INPUT", "DATE", "CHECKBOX", "TAG"):
            sandbox.account.add_field(pipeline, kind.title(), kind, ("a",) * (kind == "TAG"))
        tag = sandbox.account.pipelines[pipeline]["fields"][-1]["tagSettings"]["tags"][0]["key"]
        values = {"1001": "text", "1002": 1_772_361_296_789, "1003": True, "1004": [tag]}
        for box in sandbox.account.boxes_of(pipeline):
            sandbox.account.edit_box(box["key"], fields=values)
        environment.setenv("STREAK_API_URL", sandbox.url)
        yield sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


class Desk:
    """Runs commands in this process, with the given settings and catalog."""

    def __init__(self, folder: Path, streak: Sandbox) -> None:
        self.folder, self.streak = folder, streak

    def check(self, config: object) -> Outcome:
        return here("check", "--config", self._file("config", config))

    def read(self, config: object, catalog: object) -> Outcome:
        files = ("--config", self._file("config", config))
        return here("read", *files, "--catalog", self._file("catalog", catalog))

    def settings(self, **settings: Any) -> dict[str, Any]:
        return {"api_key": self.streak.key, "requests_per_second": 20, **settings}

    def _file(self, name: str, content: object) -> str:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (self.folder / name).write_bytes(raw)
        return str(self.folder / name)


@pytest.fixture(scope="module")
def desk(folder: Path, streak: Sandbox) -> Desk:
    return Desk(folder, streak)


def assert_is_a_sentence(text: str) -> None:
    assert text[0].isupper(), text
    assert text.rstrip().endswith((".", ")", '"')), text
    assert "Something went wrong" not in text, "the framework's words for what nobody foresaw"
    assert len(text) < 3_000


def assert_is_an_answer(ran: Outcome, command: str) -> None:
    """Assert that a command followed the protocol and that its errors are readable sentences."""
    ran.assert_no_traceback()
    for error in ran.errors:
        assert_is_a_sentence(error["message"])
        assert not error.get("stack_trace")
        assert error["failure_type"] == "config_error", error
    if command == "check":
        status, sentence = ran.verdict()
        assert status in ("SUCCEEDED", "FAILED")
        if status == "FAILED":
            assert_is_a_sentence(sentence)
        return
    assert ran.code == bool(ran.errors)
    assert set(ran.statuses.values()) <= {"COMPLETE", "INCOMPLETE"}


START_DATES = (
    TEXTS
    | st.from_regex(r"[0-9]{1,4}[-:/TPWZ+. ][0-9TZPDW:./+-]{0,12}", fullmatch=True)
    | st.datetimes().map(str)
    | st.dates().map(str)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "api_key": TEXTS | ANY,
    "pipelines": st.lists(TEXTS | st.just("Sales") | ANY, max_size=3) | ANY,
    "start_date": START_DATES | ANY,
    "requests_per_second": st.integers() | st.floats() | ANY,
    "recheck_days": st.integers() | st.floats() | ANY,
    "pipeline_tables": ANY,
    "track_deletions": ANY,
    "_limit": ANY,
    "somethingNew": ANY,
}


def test_every_setting_is_tried() -> None:
    assert set(PROPERTIES) <= set(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_any_value_of_a_setting_is_accepted_or_refused_with_a_readable_error(
    desk: Desk, name: str
) -> None:
    @EXAMPLES
    @given(VALUES[name])
    def check_it(value: Any) -> None:
        assert_is_an_answer(desk.check(desk.settings(**{name: value})), "check")

    check_it()


@settings(EXAMPLES, max_examples=30)
@given(st.dictionaries(st.sampled_from(sorted(PROPERTIES)) | TEXTS, ANY, max_size=4))
def test_a_read_with_any_settings_ends_in_records_or_a_readable_error(
    desk: Desk, catalog: dict[str, Any], config: dict[str, Any]
) -> None:
    assert_is_an_answer(desk.read({**desk.settings(), **config}, catalog), "read")


@EXAMPLES
@example(b"\xff\xfe{\x00")
@example(b"")
@example(b"[" * 100_000)
@example(b'{"api_key": NaN}')
@given(st.binary(max_size=20) | ANY.map(lambda value: json.dumps(value).encode()))
def test_any_settings_file_is_accepted_or_refused_with_a_readable_error(
    desk: Desk, config: bytes
) -> None:
    """A file without an object is an error of the command, not a connection status."""
    ran = desk.check(config)

    assert_is_an_answer(ran, "check" if ran.of_type("CONNECTION_STATUS") else "read")


# --- The configured catalog -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def catalog(desk: Desk) -> dict[str, Any]:
    """A pipeline table and a stream of each kind, as discover found them."""
    found = SourceStreak(QuickClock()).discover(None, desk.settings())  # type: ignore[arg-type]
    names = ("boxes_sales", "boxes", "box_comments", "teams", "newsfeed")
    configured = catalog_of(*names, found=found, incremental=True)
    dumped: dict[str, Any] = ConfiguredAirbyteCatalogSerializer.dump(configured)
    return dumped


STREAM = ("streams", 0)  # the table
SCHEMA = (*STREAM, "stream", "json_schema")
PROPERTY = (*SCHEMA, "properties")
PLACES: list[tuple[str | int, ...]] = [
    *(("streams",), STREAM),
    *((*STREAM, name) for name in ("stream", "sync_mode", "destination_sync_mode")),
    *((*STREAM, name) for name in ("cursor_field", "primary_key", "generation_id", "sync_id")),
    *((*STREAM, "stream", name) for name in ("name", "json_schema", "supported_sync_modes")),
    *((*STREAM, "stream", name) for name in ("source_defined_primary_key", "namespace")),
    *((*STREAM, "stream", name) for name in ("default_cursor_field", "is_resumable")),
    *((*SCHEMA, name) for name in ("properties", "type", "streakPipelineKey", "$schema")),
    *((*PROPERTY, name) for name in ("box_key", "name", "date", "read_at", "other_properties")),
    *((*PROPERTY, "date", name) for name in ("type", "format", "streakFieldKey", "airbyte_type")),
    *((*PROPERTY, "tag", name) for name in ("type", "items")),
    (*PROPERTY, "_ab_cdc_deleted_at"),
    ("streams", 1, "stream", "json_schema"),
    ("streams", 1, "stream", "json_schema", "properties"),
    ("streams", 1, "stream", "json_schema", "properties", "key"),
    ("streams", 3, "stream", "name"),
]
IDS = [".".join(map(str, place)) for place in PLACES]


def put(catalog: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """A copy of the catalog with another value at that place."""
    changed = copy.deepcopy(catalog)
    inner: Any = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return changed


@pytest.mark.parametrize("place", PLACES, ids=IDS)
def test_any_value_in_a_configured_catalog_is_accepted_or_refused_with_a_readable_error(
    desk: Desk, catalog: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    @FEW
    @example([])
    @example(["null"])
    @example(None)
    @given(ANY)
    def read_it(value: Any) -> None:
        ran = desk.read(desk.settings(), put(catalog, place, value))
        assert_is_an_answer(ran, "read")

    read_it()


# --- Known odd cases ------------------------------------------------------------------------------

ODD_COLUMNS = {
    "a date that is nothing but null": ("date", {"type": ["null"], "format": "date-time"}),
    "a date of no type": ("date", {"type": [], "format": "date-time"}),
    "a text of no type": ("text_input", {"type": []}),
    "a list of no type": ("tag", {"type": []}),
    "a fixed column of no type": ("created", {"type": []}),
    "a fixed column that is nothing but null": ("created", {"type": ["null"]}),
}


@pytest.mark.parametrize("name", ODD_COLUMNS)
def test_an_odd_column_schema_loses_no_row(desk: Desk, catalog: dict[str, Any], name: str) -> None:
    column, schema = ODD_COLUMNS[name]
    known = catalog["streams"][0]["stream"]["json_schema"]["properties"][column]

    ran = desk.read(desk.settings(), put(catalog, (*PROPERTY, column), {**known, **schema}))

    assert_is_an_answer(ran, "read")
    assert (ran.code, ran.count("boxes_sales"), ran.count("boxes")) == (0, 2, 2)


@pytest.mark.parametrize("key", [5, None, [], {"a": 1}, True])
def test_a_table_whose_pipeline_key_is_not_a_string_is_found_by_its_name(
    desk: Desk, catalog: dict[str, Any], key: object
) -> None:
    ran = desk.read(desk.settings(), put(catalog, (*SCHEMA, "streakPipelineKey"), key))

    assert_is_an_answer(ran, "read")
    assert (ran.code, ran.count("boxes_sales")) == (0, 2)


@pytest.mark.parametrize("key", ["0", "type", "true", "message", '"'])
def test_a_very_short_api_key_garbles_no_message(
    desk: Desk, catalog: dict[str, Any], key: str
) -> None:
    """Hiding such a key would replace parts of every printed line."""
    assert_is_an_answer(desk.check(desk.settings(api_key=key)), "check")

    ran = desk.read(desk.settings(api_key=key), catalog)

    assert_is_an_answer(ran, "read")
    assert "Streak refused this API key" in ran.said


def test_settings_with_a_byte_order_mark_are_accepted(desk: Desk) -> None:
    settings = json.dumps(desk.settings()).encode("utf-8-sig")

    assert desk.check(settings).verdict() == ("SUCCEEDED", "")


@pytest.mark.parametrize(
    "place", [(*STREAM, "stream", "name"), (*PROPERTY, "date", "description")], ids=["name", "text"]
)
def test_a_lone_surrogate_in_a_catalog_is_replaced(
    desk: Desk, catalog: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    """A lone surrogate cannot be written as UTF-8."""
    ran = desk.read(desk.settings(), put(catalog, place, "boxes_\ud83d"))

    assert_is_an_answer(ran, "read")
    assert "\ufffd" in ran.said or ran.code == 0


def test_a_lone_surrogate_in_a_setting_is_replaced(desk: Desk, catalog: dict[str, Any]) -> None:
    odd: tuple[dict[str, Any], ...] = ({"start_date": "\ud83d"}, {"pipelines": ["\ud83d"]})
    for half in odd:
        ran = desk.read(desk.settings(**half), catalog)
        assert_is_an_answer(ran, "read")
        assert '"\ufffd"' in ran.said


HOSTILE = {
    "a proxy that is no address": {"HTTPS_PROXY": "http://u:p@.example..:1"},
    "another one": {"ALL_PROXY": "http://[::1"},
    "an address with a control character": {"STREAK_API_URL": "https://streak\x7f.example/api/"},
    "an address with half a letter": {"STREAK_API_URL": "https://streak\udcff.example/api/"},
    "an address that is none": {"STREAK_API_URL": "https://.example..:1/"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_invalid_proxy_or_api_url_is_reported_in_a_readable_error(
    desk: Desk, catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("STREAK_API_URL", "https://streak.invalid/api/")
    for variable, value in HOSTILE[name].items():
        monkeypatch.setenv(variable, value)

    ran = desk.read(desk.settings(), catalog)

    assert_is_an_answer(ran, "read")
    assert ran.code == 1
    assert "u:p" not in ran.out
    status, sentence = desk.check(desk.settings()).verdict()
    assert status == "FAILED"
    assert "HTTPS_PROXY" in sentence or "STREAK_API_URL" in sentence
