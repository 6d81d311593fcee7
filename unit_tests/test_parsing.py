"""Odd values do not cost a page: which ones are accepted, and which are not."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from source_streak.api.parsing import parse_json, takes_more_than, without_nul


def parse(content: bytes) -> Any:
    return parse_json(without_nul(content)[0])


@pytest.mark.parametrize(
    "written", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400, "9" * 5000]
)
def test_an_impossible_number_becomes_its_text_and_the_rest_of_the_page_stays(
    written: str,
) -> None:
    page = f'{{"results": [{{"key": "a", "n": {written}}}, {{"key": "b", "n": 7.5}}]}}'

    assert parse(page.encode()) == {"results": [{"key": "a", "n": written}, {"key": "b", "n": 7.5}]}


@pytest.mark.parametrize("number", ["0", "-5", "7.25", "1e-999", "-0.0", str(2**63), str(-(2**63))])
def test_numbers_beside_an_impossible_one_are_read_as_usual(number: str) -> None:
    alone = parse(f"[{number}]".encode())[0]
    beside = parse(f"[{number}, NaN]".encode())[0]

    assert (beside, type(beside)) == (alone, type(alone))


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**300])
def test_an_integer_beyond_64_bits_is_a_float_even_beside_an_impossible_number(
    number: int,
) -> None:
    assert parse(f"[{number}]".encode()) == [float(number)]
    assert parse(f"[{number}, NaN]".encode()) == [float(number), "NaN"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_page_with_a_byte_order_mark_or_in_utf_16_or_utf_32_is_read(encoding: str) -> None:
    assert parse('{"name": "Zoë 🎉"}'.encode(encoding)) == {"name": "Zoë 🎉"}


# --- U+0000 ---------------------------------------------------------------------------------------


def test_nul_is_removed_from_texts_and_keys_and_counted() -> None:
    content = rb'{"na\u0000me": "a\u0000b\u0000", "rows": [["\u0000"]]}'

    assert without_nul(content)[1] == 4
    assert parse(content) == {"name": "ab", "rows": [[""]]}


def test_a_backslash_followed_by_u0000_is_not_taken_for_nul() -> None:
    content = rb'["\\u0000", "\\\u0000", "\\\\u0000", "\u00001"]'

    assert without_nul(content)[1] == 2
    assert parse(content) == ["\\u0000", "\\", "\\\\u0000", "1"]


def test_a_page_without_nul_is_not_copied() -> None:
    content = b'{"name": "Zo\\u00eb"}'

    assert without_nul(content) == (content, 0)
    assert without_nul(content)[0] is content


def test_an_unescaped_nul_is_removed_too() -> None:
    assert parse(b'["a\0b"]') == ["ab"]


# --- Letters --------------------------------------------------------------------------------------


def test_half_an_emoji_becomes_a_replacement_character() -> None:
    content = rb'{"cut": "\ud83c", "other half": "x\udf89y", "whole": "\ud83c\udf89"}'

    assert parse(content) == {"cut": "�", "other half": "x�y", "whole": "🎉"}


def test_a_backslash_followed_by_ud83c_is_not_taken_for_half_an_emoji() -> None:
    assert parse(rb'["\\ud83c", "\ud83c"]') == ["\\ud83c", "�"]


def test_bytes_that_are_not_utf_8_become_a_replacement_character() -> None:
    assert parse(b'{"name": "Zo\xeb"}') == {"name": "Zo�"}


@pytest.mark.parametrize("odd", ["\n", "\t", "\x1b"])
def test_a_control_character_within_a_text_is_kept(odd: str) -> None:
    assert parse(f'["a{odd}b"]'.encode()) == [f"a{odd}b"]


# --- Invalid JSON ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"<html>",
        b"{",
        b'{"results": [{"key": "a"}',
        b'["a',
        b"nan",
        b"[1,]",
        b"\xff\xfe",
    ],
    ids=repr,
)
def test_invalid_json_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(content)


@pytest.mark.parametrize("depth", [250, 1000, 100_000])
@pytest.mark.parametrize("within", ["1", "NaN"])
def test_json_nested_too_deeply_to_be_written_is_refused(depth: int, within: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(b"[" * depth + within.encode() + b"]" * depth)


def test_json_nested_200_levels_deep_is_read() -> None:
    assert orjson.dumps(parse(b"[" * 200 + b"NaN" + b"]" * 200))


# --- Memory ---------------------------------------------------------------------------------------


def measured(content: bytes) -> int:
    """The bytes of memory that the parsed content takes."""
    tracemalloc.start()
    try:
        parsed = json.loads(content)
        return tracemalloc.get_traced_memory()[0] if parsed else 0
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "row",
    [
        {},
        [],
        7_000_000,
        "a text",
        {"key": "agxBox", "name": "A box"},
        {"key": "agxBox", "fields": {str(number): number * 0.37 for number in range(1001, 1020)}},
    ],
    ids=str,
)
def test_the_memory_that_a_response_takes_is_estimated_before_it_is_parsed(row: Any) -> None:
    content = orjson.dumps([row] * 20_000)
    taken = measured(content)

    assert takes_more_than(taken, content)
    assert not takes_more_than(8 * taken, content)


# --- Anything -------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_any_json_that_python_writes_can_be_read_and_written_again(
    value: Any, ascii_only: bool
) -> None:
    content = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")

    written = orjson.dumps(parse(content))

    assert b"\\u0000" not in written.replace(b"\\\\", b"")
    assert orjson.loads(written) == parse(written)
