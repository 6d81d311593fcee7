"""Every list is read completely and without duplicates, and it ends.

That holds however Streak pages a list, and whatever changes while it is read.
"""

from __future__ import annotations

import gc
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from typing import Any

import pytest
from conftest import Read, Reading, reading
from destination import discovered
from pytest_mock import MockerFixture
from quick import HurryingClock
from streak_sandbox import Account, Sandbox

from source_streak.api import listings
from source_streak.stream import StreakStream

BOX_LISTS = "v1/pipelines/*/boxes"
CHILDREN = {  # stream: its path, and the counters that save the request
    "box_comments": ("v2/boxes/*/comments", ("commentCount",)),
    "box_meetings": ("v2/boxes/*/meetings", ("callLogCount", "meetingNotesCount")),
    "box_tasks": ("v2/boxes/*/tasks", ("taskTotal",)),
    "box_threads": ("v1/boxes/*/threads", ("gmailThreadCount",)),
    "box_files": ("v1/boxes/*/files", ("fileCount",)),
}
DERIVED = (
    "box_field_values",
    "box_stage_history",
    "box_contacts",
    "box_organizations",
    "box_users",
    "box_links",
)
LISTS = ("boxes", "teams", "users", "contacts", "organizations", "pipelines", *CHILDREN)
WHOLE = 500  # boxes that the connector requests per page
# One request per box, however lists are paged, so read under a few variants only.
FOR_EACH_BOX = {"box_changes", "box_documents"}
LISTED = 1  # how often a sync lists the pipelines if no list is short


def account_with(*sizes: int) -> Account:
    """Two teams, a pipeline of each size, and boxes with long lists of children."""
    account = Account()
    people = [
        account.add_user(f"user{number}@example.com", f"User {number}")["key"]
        for number in range(5)
    ]
    for team in (account.add_team("North", people[:4]), account.add_team("South", people[2:])):
        for _ in range(74 if team["name"] == "North" else 3):
            account.add_contact(team["key"])
            account.add_organization(team["key"])
    for size in sizes:
        boxes = account.boxes_of(account.add_pipeline(f"Pipeline of {size}", boxes=size)["key"])
        for box in boxes[:1]:
            add_children(account, box["key"], comments=1, meetings=2, tasks=1, threads=1, files=1)
        for box in boxes[36:37]:
            add_children(
                account, box["key"], comments=40, meetings=74, tasks=37, threads=3, files=2
            )
    return account


def add_children(account: Account, box_key: str, **counts: int) -> None:
    for kind, count in counts.items():
        for _ in range(count):
            getattr(account, f"add_{kind.removesuffix('s')}")(box_key, "Hello")


@dataclass(frozen=True)
class Variant:
    """One way in which Streak may page its lists."""

    name: str
    moods: dict[str, Any] = field(default_factory=dict)
    sizes: tuple[int, ...] = (0, 37, 74, 100, 38)
    everything: bool = False

    @property
    def streams(self) -> list[str]:
        """The streams that are read under this variant."""
        names = [stream.name for stream in discovered().streams]
        return [name for name in names if self.everything or name not in FOR_EACH_BOX]

    @property
    def page(self) -> int:
        """The number of boxes on a full page."""
        if self.moods.get("page_ignored") == "whole":
            return 10**9
        return min(WHOLE, self.moods.get("limit_cap", WHOLE))

    @property
    def flagged(self) -> bool:
        """Whether a response says that it is the last page."""
        return self.moods.get("box_list_shape") != "array" and not self.moods.get("flag_absent")


ARRAY, NO_FLAG = {"box_list_shape": "array"}, {"flag_absent": True}
CAPPED_37 = {"limit_cap": 37, "v2_limit_cap": 37}
IGNORED_WHOLE = {"page_ignored": "whole", "v2_page_ignored": "whole"}
IGNORED_FIRST = {"page_ignored": "first", "v2_page_ignored": "first"}
NO_COUNTS = {"box_count_absent": True, "counters_absent": True}
FEW = (0, 37, 5)  # for variants in which each box costs a request

VARIANTS = (
    Variant("by call", everything=True),
    Variant("envelope", {"box_list_shape": "envelope"}),
    Variant("array", ARRAY),
    Variant("capped at 100", {"limit_cap": 100, "v2_limit_cap": 100}),
    Variant("capped at 37", CAPPED_37),
    Variant("v2 capped at 2", {"limit_cap": 37, "v2_limit_cap": 2}, everything=True),
    Variant("array capped at 37", CAPPED_37 | ARRAY),
    Variant("page ignored, all in one answer", IGNORED_WHOLE),
    Variant("page ignored, always the first", IGNORED_FIRST),
    Variant("array, page ignored, all in one answer", IGNORED_WHOLE | ARRAY),
    Variant("array, page ignored, always the first", IGNORED_FIRST | ARRAY),
    Variant("flag absent", NO_FLAG),
    Variant("flag absent, capped at 37", NO_FLAG | CAPPED_37),
    Variant("flag absent, page ignored", NO_FLAG | IGNORED_FIRST),
    Variant("box count absent", {"box_count_absent": True}),
    Variant("array capped at 37, box count absent", CAPPED_37 | ARRAY | {"box_count_absent": True}),
    Variant(
        "array, page ignored, box count absent", IGNORED_FIRST | ARRAY | {"box_count_absent": True}
    ),
    Variant("counters absent", {"counters_absent": True}, FEW, everything=True),
    Variant("flag and all counts absent, capped at 37", NO_FLAG | NO_COUNTS | CAPPED_37, FEW),
    Variant("flag and all counts absent, page ignored", NO_FLAG | NO_COUNTS | IGNORED_WHOLE, FEW),
    Variant("no v2 pipelines", {"v2_pipelines_missing": True}),
    Variant(
        "no v2 pipelines, array capped at 37", {"v2_pipelines_missing": True} | ARRAY | CAPPED_37
    ),
)


@dataclass(frozen=True)
class Sync:
    """All streams, read once under one variant."""

    variant: Variant
    streak: Sandbox
    reading: Reading


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: variant.name)
def sync(request: pytest.FixtureRequest) -> Iterator[Sync]:
    variant = request.param
    with (
        Sandbox(account=account_with(*variant.sizes), **variant.moods) as streak,
        reading(streak) as read,
    ):
        yield Sync(variant, streak, read(*variant.streams))


def keys_in(account: Account, stream: str) -> set[Any]:
    """The primary keys that a stream must deliver, taken from the account."""
    if stream in CHILDREN:
        return {(box["key"], row["key"]) for box, row in account.all(stream.removeprefix("box_"))}
    if stream == "users":
        return {member["userKey"] for team in account.teams.values() for member in team["members"]}
    if stream in ("contacts", "organizations"):
        return {row["key"] for rows in getattr(account, stream).values() for row in rows}
    return set(getattr(account, stream))


def keys_read(read_: Reading, stream: str) -> set[Any]:
    """The primary keys of a stream's records; asserts that none repeats."""
    return set(read_.keys(stream, "boxKey", "key") if stream in CHILDREN else read_.keys(stream))


def primary_keys() -> dict[str, list[str]]:
    return {
        stream.name: [name for (name,) in stream.source_defined_primary_key]
        for stream in discovered().streams
    }


# --- Under every variant --------------------------------------------------------------------------


@pytest.mark.parametrize("stream", LISTS)
def test_a_list_is_complete_however_streak_pages_it(sync: Sync, stream: str) -> None:
    assert sync.reading.statuses[stream] == "COMPLETE"
    assert keys_read(sync.reading, stream) == keys_in(sync.streak.account, stream)


def test_no_stream_repeats_a_primary_key(sync: Sync) -> None:
    for stream, columns in primary_keys().items():
        sync.reading.keys(stream, *columns)


def test_a_sync_of_all_streams_requests_each_page_of_a_box_list_once(sync: Sync) -> None:
    asked = Counter((entry.path, entry.query["page"]) for entry in sync.streak.requests(BOX_LISTS))

    assert set(asked.values()) == {1}


def test_a_box_list_takes_one_request_per_page_and_at_most_one_to_find_its_end(sync: Sync) -> None:
    for key, pipeline in sync.streak.account.pipelines.items():
        pages = max(1, ceil(pipeline["boxCount"] / sync.variant.page))
        asked = len(sync.streak.requests(f"v1/pipelines/{key}/boxes"))
        assert pages <= asked <= pages + (not sync.variant.flagged)


@pytest.mark.parametrize("stream", CHILDREN)
def test_a_counter_of_0_saves_a_request_but_an_absent_one_does_not(sync: Sync, stream: str) -> None:
    pattern, counters = CHILDREN[stream]
    boxes = sync.streak.account.boxes.values()
    absent = sync.streak.moods.counters_absent
    to_ask = {box["key"] for box in boxes if absent or any(box[counter] for counter in counters)}

    assert {entry.path.split("/")[2] for entry in sync.streak.requests(pattern)} == to_ask


def test_no_request_fails_except_for_v2_pipelines_where_streak_lacks_them(sync: Sync) -> None:
    refused = [entry.path for entry in sync.streak.log if entry.status != 200]

    assert refused == (["v2/pipelines"] * LISTED if sync.streak.moods.v2_pipelines_missing else [])


# --- The exact number of requests -----------------------------------------------------------------


def test_a_sync_of_everything_sends_only_the_necessary_requests(
    streak: Sandbox, read: Read
) -> None:
    assert read().ok

    account = streak.account
    teams, pipelines = len(account.teams), len(account.pipelines)
    boxes = account.boxes.values()
    children = sum(
        any(box.get(counter) != 0 for counter in counters)
        for _, counters in CHILDREN.values()
        for box in boxes
    )
    changes_and_documents = sum(
        len(streak.requests(f"v*/boxes/*/{what}")) for what in ("timeline", "md")
    )
    assert changes_and_documents >= 2 * len(boxes)
    users_contacts_organizations, lists_and_newsfeeds = 3 * teams, 2 * pipelines
    assert (
        len(streak.log)
        == 1
        + users_contacts_organizations
        + LISTED
        + lists_and_newsfeeds
        + children
        + changes_and_documents
        + 1
    )


@pytest.mark.parametrize(
    "streams",
    [
        ("boxes",),
        ("box_field_values",),
        ("boxes", *DERIVED),
        ("box_comments", "box_tasks"),
        ("boxes", *DERIVED, *CHILDREN),
    ],
    ids=lambda streams: f"{len(streams)} from {streams[0]}",
)
def test_each_box_list_is_requested_once_whichever_streams_are_selected(
    streak: Sandbox, read: Read, streams: tuple[str, ...]
) -> None:
    assert read(*streams).ok

    lists = {f"v1/pipelines/{key}/boxes": 1 for key in streak.account.pipelines}
    assert Counter(entry.path for entry in streak.requests(BOX_LISTS)) == lists
    assert len(streak.requests("v*/pipelines")) == LISTED
    assert not streak.requests("v2/teams/*")


@pytest.mark.parametrize("names_or_keys", ["names", "keys"])
def test_unselected_pipelines_are_not_requested(
    streak: Sandbox, read: Read, names_or_keys: str
) -> None:
    sales = streak.account.pipeline_named("Sales")
    read_ = read(pipelines=[sales["name" if names_or_keys == "names" else "key"]])
    boxes = {box["key"] for box in streak.account.boxes_of(sales["key"])}

    assert set(read_.keys("boxes")) == boxes
    assert read_.keys("pipelines") == [sales["key"]]
    assert {entry.path.split("/")[2] for entry in streak.requests("v1/pipelines/*")} == {
        sales["key"]
    }
    assert {entry.path.split("/")[2] for entry in streak.requests("v?/boxes/*")} <= boxes


EMPTY = pytest.mark.parametrize("streak", [{"account": "empty"}], indirect=True, ids=[""])


@EMPTY
@pytest.mark.parametrize("boxes", [499, 500, 501, 1000])
@pytest.mark.parametrize("counted", [True, False], ids=["counted", "not counted"])
@pytest.mark.parametrize("shape", ["envelope", "array"])
def test_a_full_last_page_ends_a_list_like_any_other(
    streak: Sandbox, read: Read, boxes: int, counted: bool, shape: str
) -> None:
    streak.account.add_pipeline("Sales", boxes=boxes)
    streak.moods.box_list_shape, streak.moods.box_count_absent = shape, not counted
    pages = ceil(boxes / WHOLE)
    one_to_see_the_end = shape == "array" and (not counted or boxes % WHOLE == 0)

    assert set(read("boxes").keys("boxes")) == set(streak.account.boxes)
    assert len(streak.requests(BOX_LISTS)) == pages + one_to_see_the_end


@EMPTY
@pytest.mark.parametrize("shape", ["envelope", "array"])
def test_a_long_list_read_several_pages_at_once_is_complete_and_repeats_no_page(
    streak: Sandbox, read: Read, shape: str
) -> None:
    streak.account.add_pipeline("Sales", boxes=37 * 20)
    streak.moods.limit_cap, streak.moods.box_list_shape = 37, shape

    assert set(read("boxes").keys("boxes")) == set(streak.account.boxes)
    assert [int(entry.query["page"]) for entry in streak.requests(BOX_LISTS)[:2]] == [0, 1]
    assert Counter(entry.query["page"] for entry in streak.requests(BOX_LISTS)) == {
        str(page): 1 for page in range(20 + (shape == "array"))
    }


def test_every_box_list_is_requested_in_an_order_that_edits_do_not_change(
    streak: Sandbox, read: Read
) -> None:
    read("boxes")

    assert {entry.query["sortBy"] for entry in streak.requests(BOX_LISTS)} == {"creationTimestamp"}


# --- Malformed and truncated lists ----------------------------------------------------------------


@pytest.mark.parametrize("stream", ["boxes", "box_field_values", "box_comments"])
def test_an_empty_list_of_a_full_pipeline_ends_the_stream_incomplete_and_names_it(
    streak: Sandbox, read: Read, stream: str
) -> None:
    sales = streak.account.pipeline_named("Sales")["key"]
    others = [record for record in read(stream).records[stream] if record["pipelineKey"] != sales]
    streak.moods.empty_pipelines = {sales}
    read_ = read(stream, "pipelines")

    assert '"Sales"' in read_.error_of(stream).message
    assert [{**record, "readAt": None} for record in read_.records[stream]] == [
        {**record, "readAt": None} for record in others
    ]
    assert read_.statuses["pipelines"] == "COMPLETE"


def test_a_box_list_that_is_empty_only_once_is_read_completely(streak: Sandbox, read: Read) -> None:
    streak.fault(f"v1/pipelines/{streak.account.pipeline_named('Sales')['key']}/boxes", "empty")
    read_ = read("boxes")

    assert read_.ok
    assert set(read_.keys("boxes")) == set(streak.account.boxes)


def test_an_account_with_nothing_but_an_empty_pipeline_is_no_failure(
    read: Read, streak: Sandbox
) -> None:
    for key in list(streak.account.pipelines):
        streak.account.delete_pipeline(key)
    streak.account.add_pipeline("Nothing in it")

    assert read("boxes", *CHILDREN).ok


@EMPTY
@pytest.mark.parametrize("shape", ["envelope", "array"])
def test_the_log_gives_both_numbers_when_streak_truncates_a_list_and_ignores_pages(
    streak: Sandbox, read: Read, shape: str
) -> None:
    streak.account.add_pipeline("Sales", boxes=600)
    streak.moods.page_ignored, streak.moods.box_list_shape = "first", shape
    read_ = read("boxes")

    assert len(read_.keys("boxes")) == 500
    assert [line for line in read_.logs if "600" in line and "500" in line and '"Sales"' in line]


@EMPTY
def test_a_truncated_box_list_is_reported_even_without_a_box_count(
    streak: Sandbox, read: Read
) -> None:
    streak.account.add_pipeline("Sales", boxes=600)
    streak.moods.page_ignored, streak.moods.box_count_absent = "first", True
    read_ = read("boxes")

    assert len(read_.keys("boxes")) == 500
    assert not read_.ok or [line for line in read_.logs if '"Sales"' in line]


@pytest.mark.parametrize("stream", ["teams", "pipelines"])
def test_a_truncated_list_of_teams_or_pipelines_is_reported(
    streak: Sandbox, read: Read, stream: str
) -> None:
    streak.moods.v2_limit_cap, streak.moods.v2_page_ignored = 1, "first"
    read_ = read(stream)

    assert not read_.ok or [line for line in read_.logs if "more pages" in line]


def test_a_truncated_child_list_is_reported(streak: Sandbox, read: Read) -> None:
    streak.moods.v2_limit_cap, streak.moods.v2_page_ignored = 1, "first"

    assert [line for line in read("box_tasks").logs if "more pages" in line]


@pytest.mark.parametrize("streak", [{"boxes": 20}], indirect=True, ids=[""])
@pytest.mark.parametrize(
    "kind", ["wrong_shape", "not_json", "half_json", "half_body", "html", "empty"]
)
@pytest.mark.parametrize(
    "pattern",
    [
        "v2/users/me/teams",
        "v2/pipelines",
        BOX_LISTS,
        "v2/teams/*/contacts",
        "v2/boxes/*/tasks",
        "v1/snippets",
    ],
)
def test_a_response_that_is_not_a_list_is_requested_again_and_not_taken_for_empty(
    streak: Sandbox, read: Read, pattern: str, kind: str
) -> None:
    streak.fault(pattern, kind)
    read_ = read("teams", "pipelines", "boxes", "contacts", "box_tasks", "snippets")

    assert read_.ok
    for stream in ("teams", "pipelines", "boxes", "contacts", "box_tasks"):
        assert keys_read(read_, stream) == keys_in(streak.account, stream)
    assert len(read_.records["snippets"]) == 2


# --- Changes while a list is read -----------------------------------------------------------------


@dataclass
class Lists:
    """Two pipelines that are read one after the other, in pages of two boxes.

    So a test can change the account at an exact point of the read.
    """

    streak: Sandbox
    read: Read

    def __post_init__(self) -> None:
        account = self.streak.account
        self.first, self.second = (
            account.add_pipeline(name, boxes=8)["key"] for name in ("First", "Second")
        )
        self.streak.moods.limit_cap = 2

    def boxes(self, pipeline: str) -> list[str]:
        """The keys in the order of the list: newest first."""
        return [box["key"] for box in reversed(self.streak.account.boxes_of(pipeline))]

    def before_page(self, page: int, change: Change) -> None:
        """Change the account at the request for that page of the first list.

        All earlier pages have been read by then.
        """
        self.streak.on(
            f"v1/pipelines/{self.first}/boxes",
            lambda streak: change(streak.account),
            where={"page": str(page)},
        )

    def between(self, change: Change) -> None:
        """Change the account after the first list was read and before the second is."""
        self.streak.on(f"v1/pipelines/{self.second}/boxes", lambda streak: change(streak.account))

    def delivered(self) -> dict[str, dict[str, Any]]:
        read_ = self.read("boxes")
        assert read_.ok
        return dict(zip(read_.keys("boxes"), read_.records["boxes"], strict=True))


Change = Callable[[Account], Any]
SHAPES = {
    "envelope": {"box_list_shape": "envelope"},
    "array": ARRAY,
    "flag absent": {"box_list_shape": "envelope"} | NO_FLAG,
}


@pytest.fixture
def lists(read: Read, streak: Sandbox, mocker: MockerFixture) -> Lists:
    mocker.patch.object(listings, "LISTS_AT_ONCE", 1)
    mocker.patch.object(listings, "PAGES_AHEAD", 1)
    return Lists(streak, read)


@pytest.fixture
def long_lists(mocker: MockerFixture) -> None:
    """Requests the box counts again after any list, not only after 50 pages of lists."""
    mocker.patch("source_streak.api.long_lists.COUNT_AGAIN_AFTER", 0)


EMPTY_IN_EACH_SHAPE = pytest.mark.parametrize(
    "streak",
    [{"account": "empty", **moods} for moods in SHAPES.values()],
    indirect=True,
    ids=SHAPES,
)


@EMPTY_IN_EACH_SHAPE
@pytest.mark.parametrize("page", [1, 2, 3])
def test_boxes_created_while_their_list_is_read_neither_hide_nor_repeat_others(
    lists: Lists, page: int
) -> None:
    there = set(lists.streak.account.boxes)
    lists.before_page(
        page, lambda account: [account.add_box(lists.first, f"New {number}") for number in range(3)]
    )

    assert there <= set(lists.delivered()) <= set(lists.streak.account.boxes)


@EMPTY_IN_EACH_SHAPE
def test_a_box_listed_twice_because_others_were_created_is_delivered_as_last_seen(
    lists: Lists,
) -> None:
    last_of_page_0 = lists.boxes(lists.first)[1]

    def change(account: Account) -> None:
        account.add_box(lists.first, "New")
        account.edit_box(last_of_page_0, name="Edited")

    lists.before_page(1, change)
    assert lists.delivered()[last_of_page_0]["name"] == "Edited"


@EMPTY_IN_EACH_SHAPE
@pytest.mark.parametrize("page", [1, 2, 3])
def test_boxes_edited_while_their_list_is_read_keep_their_place_in_it(
    lists: Lists, page: int
) -> None:
    def change(account: Account) -> None:
        for key in lists.boxes(lists.first):
            account.edit_box(key, name="Edited")

    lists.before_page(page, change)
    delivered = lists.delivered()

    assert set(delivered) == set(lists.streak.account.boxes)
    assert [delivered[key]["name"] == "Edited" for key in lists.boxes(lists.first)] == [
        place >= 2 * page for place in range(8)
    ]


@EMPTY_IN_EACH_SHAPE
@pytest.mark.parametrize("place", range(0, 8, 2))
@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_deletion_while_the_list_is_read_hides_no_other_box(
    lists: Lists, page: int, place: int
) -> None:
    gone = lists.boxes(lists.first)[place]
    lists.before_page(page, lambda account: account.delete_box(gone))

    assert set(lists.delivered()) | {gone} == set(lists.streak.account.boxes) | {gone}


@EMPTY_IN_EACH_SHAPE
def test_a_box_deleted_before_its_page_was_read_causes_no_warning(lists: Lists) -> None:
    last = lists.boxes(lists.first)[-1]
    lists.before_page(1, lambda account: account.delete_box(last))
    read_ = lists.read("boxes")

    assert set(read_.keys("boxes")) == set(lists.streak.account.boxes)
    assert not [line for line in read_.logs if "holds only" in line]


@EMPTY_IN_EACH_SHAPE
@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_box_moved_into_a_list_already_read_is_not_lost(lists: Lists, place: int) -> None:
    moved = lists.boxes(lists.second)[place]
    lists.between(lambda account: account.move_box(moved, lists.first))
    delivered = lists.delivered()

    assert set(delivered) == set(lists.streak.account.boxes)
    assert delivered[moved]["pipelineKey"] == lists.first


@EMPTY_IN_EACH_SHAPE
def test_two_boxes_that_swap_pipelines_while_lists_are_read_are_both_delivered(
    lists: Lists,
) -> None:
    there, back = lists.boxes(lists.first)[3], lists.boxes(lists.second)[3]

    def change(account: Account) -> None:
        account.move_box(there, lists.second)
        account.move_box(back, lists.first)

    lists.between(change)
    assert set(lists.delivered()) == set(lists.streak.account.boxes)


@EMPTY_IN_EACH_SHAPE
def test_a_box_moved_into_a_list_already_read_is_not_lost_when_another_takes_its_place(
    lists: Lists, long_lists: None
) -> None:
    moved = lists.boxes(lists.second)[3]

    def change(account: Account) -> None:
        account.move_box(moved, lists.first)
        account.add_box(lists.second, "New")

    lists.between(change)
    assert moved in lists.delivered()


@EMPTY_IN_EACH_SHAPE
@pytest.mark.parametrize("place", [0, 3, 7])
def test_a_box_moved_into_a_list_not_yet_read_is_delivered_once_from_there(
    lists: Lists, place: int
) -> None:
    moved = lists.boxes(lists.first)[place]
    lists.between(lambda account: account.move_box(moved, lists.second))
    delivered = lists.delivered()

    assert set(delivered) == set(lists.streak.account.boxes)
    assert (delivered[moved]["pipelineKey"], delivered[moved]["pipelineName"]) == (
        lists.second,
        "Second",
    )


@EMPTY_IN_EACH_SHAPE
def test_a_box_moved_into_a_list_that_was_refused_at_first_is_in_every_stream(lists: Lists) -> None:
    moved = lists.boxes(lists.first)[3]
    second = f"v1/pipelines/{lists.second}/boxes"
    lists.streak.fault(second, "status", status=404, body={"error": "Not found"})
    lists.streak.on(second, lambda streak: streak.account.move_box(moved, lists.second), after=1)
    read_ = lists.read("boxes", "box_users", "box_stage_history")

    assert read_.ok
    assert set(read_.keys("boxes")) == set(lists.streak.account.boxes)
    for stream in ("box_users", "box_stage_history"):
        assert {record["boxKey"] for record in read_.records[stream]} == set(
            lists.streak.account.boxes
        )


@EMPTY_IN_EACH_SHAPE
def test_the_children_of_a_box_that_moved_are_delivered_once(lists: Lists) -> None:
    moved = lists.boxes(lists.first)[3]
    lists.streak.account.add_comment(moved, "Hello")
    lists.between(lambda account: account.move_box(moved, lists.second))

    assert [
        record["pipelineKey"] for record in lists.read("box_comments").records["box_comments"]
    ] == [lists.second]


@EMPTY
def test_boxes_created_after_the_count_hide_no_older_box_under_a_capped_page_size(
    streak: Sandbox, read: Read, long_lists: None
) -> None:
    sales = streak.account.add_pipeline("Sales", boxes=37)["key"]
    there = set(streak.account.boxes)
    streak.moods.limit_cap, streak.moods.box_list_shape = 37, "array"
    streak.on(
        f"v1/pipelines/{sales}/boxes",
        lambda streak: [streak.account.add_box(sales, "New") for _ in range(3)],
    )

    assert there <= set(read("boxes").keys("boxes"))


@EMPTY
@pytest.mark.parametrize("stream", ["contacts", "organizations"])
def test_contacts_and_organizations_edited_while_listed_are_delivered_once(
    streak: Sandbox, read: Read, stream: str
) -> None:
    account = streak.account
    team = account.add_team("Team")["key"]
    add, edit = (getattr(account, f"{verb}_{stream.removesuffix('s')}") for verb in ("add", "edit"))
    keys = [add(team)["key"] for _ in range(11)]
    streak.moods.v2_limit_cap = 4
    streak.on(
        f"v2/teams/*/{stream}",
        lambda _: [edit(keys[place], other="Edited") for place in (0, 1, 7)],
        after=1,
    )
    read_ = read(stream)

    assert read_.ok
    assert set(read_.keys(stream)) == set(keys)


@EMPTY
def test_contacts_deleted_while_their_list_is_read_hide_no_others(
    streak: Sandbox, read: Read
) -> None:
    team = streak.account.add_team("Team")["key"]
    keys = [streak.account.add_contact(team)["key"] for _ in range(11)]
    streak.moods.v2_limit_cap = 4
    streak.on("v2/teams/*/contacts", lambda streak: streak.account.delete_contact(keys[1]), after=1)

    assert set(keys) - {keys[1]} <= set(read("contacts").keys("contacts"))


@EMPTY
@pytest.mark.parametrize("stream", ["contacts", "organizations"])
@pytest.mark.parametrize("page", [1, 2])
def test_a_refused_page_cursor_restarts_the_list_once(
    streak: Sandbox, read: Read, stream: str, page: int
) -> None:
    team = streak.account.add_team("Team")["key"]
    for _ in range(11):
        streak.account.add_contact(team)
        streak.account.add_organization(team)
    streak.moods.v2_limit_cap = 4
    streak.fault(
        f"v2/teams/*/{stream}",
        "status",
        status=400,
        body={"error": "cursor has expired"},
        after=page,
    )
    read_ = read(stream)

    assert read_.ok
    assert set(read_.keys(stream)) == keys_in(streak.account, stream)
    assert len(streak.requests(f"v2/teams/*/{stream}")) == page + 1 + 3


@EMPTY
def test_page_cursors_that_are_always_refused_end_the_stream_incomplete(
    streak: Sandbox, read: Read
) -> None:
    team = streak.account.add_team("Team")["key"]
    for _ in range(11):
        streak.account.add_contact(team)
    streak.moods.v2_limit_cap = 4
    streak.fault(
        "v2/teams/*/contacts",
        "status",
        status=400,
        body={"error": "cursor has expired"},
        after=1,
        times=None,
    )
    read_ = read("contacts", "teams")

    assert "cursor has expired" in read_.error_of("contacts").message
    assert read_.statuses["teams"] == "COMPLETE"
    assert len(streak.requests("v2/teams/*/contacts")) < 10


def test_the_first_pages_of_a_list_are_requested_in_order(streak: Sandbox, read: Read) -> None:
    streak.moods.limit_cap = 10
    read("boxes")

    for key in streak.account.pipelines:
        pages = [
            int(entry.query["page"]) for entry in streak.requests(f"v1/pipelines/{key}/boxes")
        ][:3]
        assert all(earlier < later for earlier, later in pairwise(pages))


@pytest.mark.parametrize(
    ("bound", "stream", "pages"),
    [
        ("api.listings.MOST_PACKED", "contacts", "v2/teams/*/contacts"),
        ("reading.reading.MOST_KEPT", "users", "v2/teams/*/users"),
        ("reading.reading.MOST_KEPT", "box_tasks", "v2/boxes/*/tasks"),
        ("api.short_lists.MOST_SHORT", "teams", "v2/users/me/teams"),
    ],
)
def test_a_list_beyond_its_size_limit_ends_its_stream_with_a_readable_error(
    streak: Sandbox, read: Read, mocker: MockerFixture, bound: str, stream: str, pages: str
) -> None:
    mocker.patch(f"source_streak.{bound}", 1)
    for box in streak.account.boxes:
        streak.account.add_task(box, "One")
        streak.account.add_task(box, "Another")
    read_ = read(stream, "pipelines")

    assert "more than can exist" in read_.error_of(stream).message
    assert stream == "teams" or read_.statuses["pipelines"] == "COMPLETE"
    assert len(streak.requests(pages)) <= 60, "asked again for what would be so again"


@EMPTY
@pytest.mark.parametrize("limit_cap", [10, 37, None])
def test_no_box_is_lost_in_a_storm_of_edits_and_moves(
    streak: Sandbox, read: Read, limit_cap: int | None
) -> None:
    pipelines = [
        streak.account.add_pipeline(f"Pipeline {number}", boxes=60)["key"] for number in range(4)
    ]
    streak.moods.limit_cap = limit_cap
    boxes = list(streak.account.boxes)
    for number in range(4):

        def change(streak: Sandbox, number: int = number) -> None:
            for place in (number, 80 + number, 160 + number):
                streak.account.edit_box(boxes[place], name="Edited")
                streak.account.move_box(boxes[place], pipelines[place % 4])

        streak.on(BOX_LISTS, change, after=number)

    assert set(read("boxes").keys("boxes")) == set(boxes)


@EMPTY
@pytest.mark.parametrize("stream", ["contacts", "organizations"])
def test_the_log_never_counts_more_rows_read_than_there_are(
    streak: Sandbox, read: Read, stream: str
) -> None:
    team = streak.account.add_team("Team")["key"]
    for _ in range(9):
        getattr(streak.account, f"add_{stream.removesuffix('s')}")(team)
    streak.moods.v2_limit_cap = 2
    lines = read(stream, clock=HurryingClock(step=10.0)).logs
    said = [
        found.groups()
        for line in lines
        if (found := re.match(rf"(\d+) of (\d+) {stream} read", line))
    ]

    assert said
    assert not [(done, of) for done, of in said if int(done) > int(of)]


def test_a_read_leaves_no_thread_behind_in_a_process_that_goes_on(
    streak: Sandbox, read: Read
) -> None:
    assert read().ok

    ours = [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith(("streak-request", "streak-list", "streak-account"))
    ]
    for thread in ours:
        thread.join(2)
    assert not [thread.name for thread in ours if thread.is_alive()]


def test_a_read_leaves_no_stream_behind_in_a_process_that_goes_on(
    streak: Sandbox, read: Read
) -> None:
    assert read("boxes", "box_comments").ok
    gc.collect()

    streams = [thing for thing in gc.get_objects() if isinstance(thing, StreakStream)]
    assert [stream.name for stream in streams if stream.url_base == streak.url] == []
