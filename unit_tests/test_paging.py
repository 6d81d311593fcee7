"""Each guard of api/paging.py has a test of its own, whose name says which guard is missing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from source_streak.api.bounds import MOST_PACKED, TIMES_COUNTED, Bound, EndlessList
from source_streak.api.errors import Refused
from source_streak.api.paging import (
    Cursored,
    Numbered,
    Page,
    Pager,
    Params,
    Row,
    Whole,
    WrongShape,
    collect,
    key_of,
    parse_page,
    read_list,
    use_each,
)

settings.register_profile(
    "no clock", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("no clock")

TOO_MANY = 50  # requests: a list that needs this many has no end


def rows(*keys: Any) -> list[Row]:
    return [{"key": key} for key in keys]


@dataclass
class Server:
    """Gives its answers in turn, the last one again and again. An answer may be a Refused."""

    answers: list[Page | Refused]
    asked: list[Params] = field(default_factory=list)

    def ask(self, params: Params) -> Page:
        assert len(self.asked) < TOO_MANY, "the list has no end"
        self.asked.append(params)
        answer = self.answers[min(len(self.asked), len(self.answers)) - 1]
        if isinstance(answer, Refused):
            raise answer
        return answer


@dataclass
class List:
    """The result of reading a list, and the requests that it took."""

    keys: list[Any]
    whole: bool
    asked: list[Params]


def read(pager: Pager, *answers: Page | Refused, expected: int | None = None, **more: Any) -> List:
    server = Server(list(answers))
    return drained(read_list(pager, server.ask, expected, **more), server.asked)


def drained(pages: Any, asked: list[Params]) -> List:
    keys = []
    while True:
        try:
            keys += [row.get("key") for row in next(pages)]
        except StopIteration as end:
            return List(keys, end.value, asked)


NUMBERED, WHOLE, CURSORED = Numbered(10, "creationTimestamp"), Whole(), Cursored(10)
EXPIRED = Refused(400, "cursor has expired")


# --- Numbered -------------------------------------------------------------------------------------


def test_a_flag_that_says_no_more_ends_a_numbered_list() -> None:
    full = Page(rows(*range(10), "a"), more=False)

    assert len(read(NUMBERED, full, expected=99).asked) == 1


def test_a_page_with_nothing_new_ends_a_numbered_list() -> None:
    listed = read(NUMBERED, Page(rows("a", "b")), expected=99)

    assert listed.keys == ["a", "b"]
    assert len(listed.asked) == 2


def test_a_page_with_nothing_new_ends_a_numbered_list_even_if_it_says_that_there_is_more() -> None:
    same = Page(rows("a", "b"), more=True)

    assert read(NUMBERED, same).keys == ["a", "b"]


def test_an_empty_page_ends_a_numbered_list() -> None:
    assert len(read(NUMBERED, Page(rows("a")), Page([])).asked) == 2


def test_a_flag_that_says_more_outweighs_a_short_page_and_a_reached_count() -> None:
    answers = Page(rows("a"), more=True), Page(rows("b"), more=False)

    assert read(NUMBERED, *answers, expected=1).keys == ["a", "b"]


def test_a_short_page_alone_does_not_end_a_list() -> None:
    capped = Page(rows("a", "b")), Page(rows("c")), Page(rows("d")), Page([])

    assert read(NUMBERED, *capped, expected=4).keys == ["a", "b", "c", "d"]


def test_a_short_page_does_not_end_a_list_whose_count_is_unknown() -> None:
    capped = Page(rows("a", "b")), Page(rows("c")), Page(rows("d")), Page([])

    assert read(NUMBERED, *capped).keys == ["a", "b", "c", "d"]


def test_the_count_alone_does_not_end_a_list_because_it_may_be_old() -> None:
    grown = Page(rows(*range(10))), Page(rows(10)), Page([])

    assert read(NUMBERED, *grown, expected=10, identify=lambda row: str(row["key"])).keys == list(
        range(11)
    )


def test_a_page_is_full_if_it_is_as_long_as_the_longest_so_far_whatever_the_limit() -> None:
    capped_and_grown = Page(rows("a", "b")), Page(rows("c", "d")), Page(rows("e")), Page([])

    assert read(NUMBERED, *capped_and_grown, expected=4).keys == ["a", "b", "c", "d", "e"]


def test_the_longest_page_stays_the_measure_after_a_shorter_one() -> None:
    answers = (
        Page(rows("a", "b", "c")),
        Page(rows("d")),
        Page(rows("e", "f")),
        Page(rows("never asked for")),
    )

    assert read(NUMBERED, *answers, expected=6).keys == ["a", "b", "c", "d", "e", "f"]


def test_the_count_and_a_short_page_together_end_a_list_without_one_more_request() -> None:
    assert len(read(NUMBERED, Page(rows("a", "b")), expected=2).asked) == 1


def test_rows_are_counted_over_all_pages() -> None:
    answers = Page(rows("a", "b", "c")), Page(rows("d")), Page(rows("never asked for"))

    assert len(read(NUMBERED, *answers, expected=4).asked) == 2


def test_a_row_that_comes_twice_is_counted_once() -> None:
    answers = Page(rows("a", "b", "c")), Page(rows("c", "d")), Page(rows("e")), Page([])

    assert read(NUMBERED, *answers, expected=5).keys == ["a", "b", "c", "d", "e"]


def test_requests_for_a_numbered_list_differ_only_in_the_page_number() -> None:
    assert read(NUMBERED, Page(rows("a")), Page(rows("b")), Page([])).asked == [
        {"limit": 10, "page": number, "sortBy": "creationTimestamp"} for number in range(3)
    ]


def test_a_numbered_list_without_an_order_sends_no_sort_parameter() -> None:
    assert Numbered(10).first() == {"limit": 10, "page": 0}


# --- Whole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [None, False])
def test_a_list_without_paging_is_requested_once_without_parameters(more: bool | None) -> None:
    assert read(WHOLE, Page(rows("a"), more)).asked == [{}]


def test_a_list_without_paging_that_says_more_is_read_to_its_end() -> None:
    answers = Page(rows("a"), more=True), Page(rows("b"), more=True), Page(rows("c"), more=False)
    read_ = read(WHOLE, *answers)

    assert read_.keys == ["a", "b", "c"]
    assert read_.asked == [{}, {"page": 1}, {"page": 2}]


def test_a_list_without_paging_that_says_more_and_sends_nothing_new_ends() -> None:
    assert read(WHOLE, Page(rows("a"), more=True)).keys == ["a"]


# --- Cursored -------------------------------------------------------------------------------------


def test_a_response_without_a_cursor_ends_a_cursored_list() -> None:
    read_ = read(CURSORED, Page(rows("a"), cursor="1"), Page(rows("b")))

    assert read_.keys == ["a", "b"]
    assert read_.asked == [{"limit": 10}, {"limit": 10, "cursor": "1"}]


def test_an_empty_page_ends_a_cursored_list_even_if_it_has_a_cursor() -> None:
    assert (
        len(
            read(CURSORED, Page(rows("a"), cursor="1"), Page([], cursor="2"), Page(rows("b"))).asked
        )
        == 2
    )


def test_a_page_with_nothing_new_does_not_end_a_cursored_list() -> None:
    answers = Page(rows("a"), cursor="1"), Page(rows("a"), cursor="2"), Page(rows("b"))

    assert read(CURSORED, *answers).keys == ["a", "b"]


def test_a_repeated_cursor_ends_the_list_as_incomplete() -> None:
    circle = Page(rows("a"), cursor="1"), Page(rows("b"), cursor="2"), Page(rows("c"), cursor="1")
    read_ = read(CURSORED, *circle)

    assert (read_.keys, read_.whole) == (["a", "b", "c"], False)


def test_a_cursored_list_that_says_more_and_gives_no_cursor_is_incomplete() -> None:
    assert not read(CURSORED, Page(rows("a"), more=True)).whole


def test_a_refused_cursor_restarts_the_list_and_no_row_is_passed_on_twice() -> None:
    answers = Page(rows("a"), cursor="1"), EXPIRED, Page(rows("a"), cursor="2"), Page(rows("b"))
    read_ = read(CURSORED, *answers)

    assert read_.keys == ["a", "b"]
    assert read_.asked[2] == {"limit": 10}


def test_a_restarted_list_may_see_the_same_cursors_again() -> None:
    first_two = Page(rows("a"), cursor="1"), Page(rows("b"), cursor="2")
    read_ = read(CURSORED, *first_two, EXPIRED, *first_two, Page(rows("c")))

    assert (read_.keys, read_.whole) == (["a", "b", "c"], True)


def test_a_list_is_restarted_only_once() -> None:
    with pytest.raises(Refused, match="expired"):
        read(
            CURSORED,
            Page(rows("a"), cursor="1"),
            EXPIRED,
            Page(rows("a"), cursor="2"),
            EXPIRED,
            Page(rows("a")),
        )


def test_a_refused_first_page_is_not_taken_for_a_refused_cursor() -> None:
    server = Server([EXPIRED])
    with pytest.raises(Refused):
        drained(read_list(CURSORED, server.ask), server.asked)

    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [401, 403, 410])
def test_a_refusal_that_is_not_about_the_cursor_is_raised(status: int) -> None:
    with pytest.raises(Refused):
        read(CURSORED, Page(rows("a"), cursor="1"), Refused(status), Page(rows("a")))


# --- The rows of a list ---------------------------------------------------------------------------


def test_a_row_that_comes_twice_is_passed_on_once() -> None:
    read_ = read(NUMBERED, Page(rows("a", "b", "a")), Page(rows("b", "c")), Page([]))

    assert read_.keys == ["a", "b", "c"]


def test_rows_that_another_list_already_had_are_not_passed_on() -> None:
    seen = {"a"}

    assert read(WHOLE, Page(rows("a", "b")), seen=seen).keys == ["b"]
    assert seen == {"a", "b"}


def test_rows_that_another_list_already_had_do_not_keep_a_list_going() -> None:
    assert len(read(NUMBERED, Page(rows("a", "b")), seen={"a", "b"}).asked) == 1


def test_rows_without_a_key_are_passed_on() -> None:
    assert read(WHOLE, Page(rows(None, "a", None))).keys == [None, "a", None]


def test_rows_without_a_key_do_not_keep_a_list_going() -> None:
    read_ = read(NUMBERED, Page(rows(None, "a")))

    assert len(read_.asked) == 2


def test_the_identify_function_decides_which_rows_are_the_same() -> None:
    answer = Page([{"fileKey": "a"}, {"fileKey": "a"}, {"fileKey": "b"}])

    assert len(read(WHOLE, answer, identify=lambda row: key_of(row, ("key", "fileKey"))).keys) == 2


@pytest.mark.parametrize(
    ("answers", "whole"),
    [
        ([Page(rows("a"), more=False)], True),
        ([Page(rows("a")), Page([])], True),
        ([Page([], more=False)], True),
        ([Page(rows("a"), more=True), Page(rows("b"), more=False)], True),
        ([Page(rows("a"), more=True)], False),
        ([Page([], more=True)], False),
    ],
)
@pytest.mark.parametrize("pager", [NUMBERED, WHOLE], ids=["numbered", "whole"])
def test_a_list_that_says_more_and_sends_nothing_new_is_incomplete(
    pager: Pager, answers: list[Page], whole: bool
) -> None:
    assert read(pager, *answers).whole is whole


# --- Any server -----------------------------------------------------------------------------------

Serve = Callable[[Params], Page]


def server(there: int, cap: int, flagged: bool) -> Serve:
    """A server with its own page size, which sends every row once."""

    def serve(params: Params) -> Page:
        size = min(params["limit"], cap)
        start = size * params["page"]
        return Page(
            rows(*map(str, range(there)[start : start + size])),
            start + size < there if flagged else None,
        )

    return serve


@given(
    there=st.integers(0, 60),
    limit=st.integers(1, 20),
    cap=st.integers(1, 30),
    flagged=st.booleans(),
    counted=st.booleans(),
)
def test_each_row_comes_once_with_at_most_one_empty_page_whatever_the_page_size(
    there: int, limit: int, cap: int, flagged: bool, counted: bool
) -> None:
    asked: list[Params] = []
    serve = server(there, cap, flagged)

    def ask(params: Params) -> Page:
        assert len(asked) < 2 * TOO_MANY, "the list has no end"
        asked.append(params)
        return serve(params)

    read_ = drained(read_list(Numbered(limit), ask, there if counted else None), asked)

    assert read_.keys == [str(number) for number in range(there)]
    assert read_.whole
    pages = max(1, ceil(there / min(limit, cap)))
    assert pages <= len(asked) <= pages + (not flagged)


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=4)),
    st.sampled_from([None, True]),
    st.none() | st.integers(0, 9),
)
def test_a_list_ends_and_has_no_row_twice_whatever_the_server_sends(
    pages: list[list[str]], more: bool | None, expected: int | None
) -> None:
    read_ = read(NUMBERED, *(Page(rows(*keys), more) for keys in [*pages, []]), expected=expected)

    assert len(read_.keys) == len(set(read_.keys))
    assert len(read_.asked) <= len({key for keys in pages for key in keys}) + 1


# --- Endless lists --------------------------------------------------------------------------------

MANY = 200_000  # rows in a page


def endless(params: Params) -> Page:
    """The answer of a server that never runs out of new rows."""
    first = params["page"] * MANY
    return Page([{"key": number} for number in range(first, first + MANY)], more=True)


def read_endless(expected: int | None, pages: int) -> int:
    """How many rows this many pages bring."""
    each = read_list(Numbered(MANY), endless, expected, identify=lambda row: str(row["key"]))
    return sum(len(next(each)) for _ in range(pages))


def test_a_list_of_over_a_million_rows_is_stopped_where_streak_counts_few() -> None:
    with pytest.raises(EndlessList, match="1,200,000 rows, but Streak counts 99,999"):
        read_endless(expected=99_999, pages=6)


def test_a_list_of_exactly_a_million_rows_is_read_where_streak_counts_few() -> None:
    assert read_endless(expected=3, pages=5) == 1_000_000


@pytest.mark.parametrize("expected", [None, 1_200_000 // TIMES_COUNTED])
def test_a_list_of_over_a_million_rows_is_read_where_its_count_is_high_or_unknown(
    expected: int | None,
) -> None:
    assert read_endless(expected, pages=6) == 1_200_000


def test_a_list_that_streak_does_not_count_is_stopped_by_the_bound() -> None:
    pages = read_list(Numbered(MANY), endless, identify=lambda row: str(row["key"]))

    with pytest.raises(EndlessList, match="2,200,000 rows, and goes on"):
        use_each(pages, Bound(MOST_PACKED), lambda _: None)


def test_lists_that_are_read_together_share_one_bound() -> None:
    bound = Bound(3)
    with bound.one_list() as more:
        more(2)
        with pytest.raises(EndlessList), bound.one_list() as more_elsewhere:
            more_elsewhere(2)
        with pytest.raises(EndlessList):
            more(0)


def test_a_list_that_ended_or_was_refused_frees_its_part_of_the_bound() -> None:
    bound = Bound(3)
    with bound.one_list() as more:
        more(3)
    with suppress(Refused), bound.one_list() as more:
        more(3)
        raise Refused(404, "")
    with bound.one_list() as more:
        more(3)


def test_repeated_rows_count_towards_the_bound() -> None:
    """Otherwise one new row in each page would keep such a list going forever."""
    again = [{"key": "a"}] * MANY

    def ask(params: Params) -> Page:
        return Page([{"key": str(params["page"])}, *again], more=True)

    with pytest.raises(EndlessList):
        collect(read_list(Numbered(MANY), ask, expected=1), Bound(2 * MOST_PACKED))


# --- Parsing a response ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [rows("a"), {"results": rows("a")}], ids=["array", "envelope"])
def test_a_list_is_read_as_an_array_and_in_an_envelope(body: Any) -> None:
    assert parse_page(body) == Page(rows("a"))


@pytest.mark.parametrize("body", [[], {"results": []}], ids=["array", "envelope"])
def test_an_empty_list_is_a_list(body: Any) -> None:
    assert parse_page(body).rows == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        1,
        "results",
        True,
        {"error": "no"},
        {"results": None},
        {"results": {}},
        {"results": "abc"},
    ],
    ids=str,
)
def test_a_body_that_is_not_a_list_is_not_taken_for_an_empty_list(body: Any) -> None:
    with pytest.raises(WrongShape):
        parse_page(body)


@pytest.mark.parametrize("row", [None, 1, "abc", []], ids=str)
def test_a_list_that_holds_anything_but_objects_is_refused(row: Any) -> None:
    for body in ([{"key": "a"}, row], {"results": [row]}):
        with pytest.raises(WrongShape):
            parse_page(body)


@pytest.mark.parametrize("flag", [None, "no", 0, 1, []], ids=repr)
def test_a_flag_that_is_neither_true_nor_false_is_ignored(flag: Any) -> None:
    assert parse_page({"results": [], "hasNextPage": flag}).more is None


@pytest.mark.parametrize("flag", [True, False])
def test_the_flag_for_more_pages_is_read(flag: bool) -> None:
    assert parse_page({"results": [], "hasNextPage": flag}).more is flag


@pytest.mark.parametrize("cursor", [None, True, 5.5, {}, ["x"]], ids=repr)
def test_a_cursor_that_is_neither_text_nor_an_integer_is_ignored(cursor: Any) -> None:
    assert parse_page({"results": [], "cursor": cursor}).cursor is None


@pytest.mark.parametrize("cursor", ["abc", 5])
def test_a_cursor_is_read_as_text(cursor: Any) -> None:
    assert parse_page({"results": [], "cursor": cursor}).cursor == str(cursor)


@pytest.mark.parametrize(("flag", "more"), [("false", False), ("True", True)])
def test_a_flag_that_comes_as_text_is_read(flag: str, more: bool) -> None:
    assert parse_page({"results": [], "hasNextPage": flag}).more is more


@pytest.mark.parametrize("key", [None, "", 5, ["a"], {"a": 1}], ids=repr)
def test_an_empty_key_or_one_that_is_not_text_counts_as_missing(key: Any) -> None:
    assert key_of({"key": key}) is None


def test_a_key_is_looked_for_under_each_of_its_names_in_turn() -> None:
    names = ("key", "boxKey")

    assert key_of({"key": "", "boxKey": "b"}, names) == "b"
    assert key_of({"boxKey": "b", "key": "a"}, names) == "a"
    assert key_of({"boxKey": "b"}) is None
