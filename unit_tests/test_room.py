"""All states of a sync together stay below the platform's limit, however large the account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streak_sandbox import keys

from source_streak.incremental.ledger import Ledger
from source_streak.incremental.room import (
    CHILDREN,
    ENTRY,
    IMPORTANCE,
    SHARED_ENTRY,
    TOTAL,
    Need,
    Share,
    divide,
)
from source_streak.incremental.state import StreamState

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)
NOW = 1_795_284_000_123


def account(
    boxes: int, children: int = 0, pipelines: int = 1, tables: int = 0, contacts: int = 0
) -> list[Need]:
    """The needs of all incremental streams of an account."""
    small = ("contacts", "organizations", "contact_field_values", "organization_field_values")
    return [
        Need("boxes", boxes, 0, pipelines),
        *(Need(f"boxes_{table}", boxes // pipelines, 0, 1) for table in range(tables)),
        Need("box_field_values", boxes, 10 * boxes, pipelines),
        Need("box_stage_history", boxes, 2 * boxes, pipelines),
        *(Need(stream, boxes, children // 5, pipelines) for stream in CHILDREN),
        *(Need(stream, contacts, 5 * contacts * ("values" in stream), 1) for stream in small),
        Need("newsfeed", 0, 0, pipelines),
    ]


def kept(needs: list[Need], total: int = TOTAL) -> set[str]:
    """The streams that keep their keys."""
    return {stream for stream, share in divide(needs, total).items() if share.key_bytes}


# Shares


def test_in_a_small_account_every_stream_is_exact_and_has_room_to_grow() -> None:
    needs = account(150, 600, 3, 3, 200)
    shares = divide(needs)

    assert shares.keys() == {need.stream for need in needs}
    assert kept(needs) == shares.keys() - {"newsfeed"}
    for need in needs:
        assert shares[need.stream].entries >= need.entities + 100
        assert need.stream == "newsfeed" or shares[need.stream].key_bytes > 10_000


@pytest.mark.parametrize("boxes", [0, 1, 5_000, 30_000])
def test_up_to_30_000_boxes_every_stream_is_exact(boxes: int) -> None:
    needs = account(boxes, 2 * boxes, 20, 20, boxes // 2)
    shares = divide(needs)

    assert all(shares[need.stream].entries >= need.entities for need in needs)
    assert kept(needs) == shares.keys() - {"newsfeed"}


def test_ledgers_that_are_too_large_all_have_equally_many_boxes_per_entry() -> None:
    needs = [Need("boxes", 900_000, 0, 1), Need("box_comments", 300_000, 0, 1)]
    shares = divide(needs)

    together = sum(share.entries for share in shares.values())
    assert 0.95 * TOTAL / 2 < together * SHARED_ENTRY <= TOTAL / 2
    assert shares["boxes"].entries == pytest.approx(3 * shares["box_comments"].entries, rel=0.01)


def test_the_least_important_streams_give_up_their_keys_first() -> None:
    needs = account(250_000, 600_000, 20, 1, 1_000)
    order = [*IMPORTANCE[:1], "boxes_0", *IMPORTANCE[2:]]
    given_up = [kept(needs, total) for total in range(60_000_000, -1, -100_000)]
    first_given_up = [
        next((step for step, names in enumerate(given_up) if stream not in names), len(given_up))
        for stream in order
    ]

    assert given_up[0] == set(order)
    large = [stream for stream in order if "contact" not in stream and "organi" not in stream]
    steps = dict(zip(order, first_given_up, strict=True))
    assert [steps[stream] for stream in large] == sorted(
        (steps[stream] for stream in large), reverse=True
    )
    assert not given_up[-1]


def test_a_small_stream_keeps_its_keys_where_a_large_one_gives_them_up() -> None:
    needs = [Need("boxes", 900_000, 0, 1), Need("contacts", 1_000, 0, 1)]

    assert kept(needs) == {"contacts"}


def test_newsfeed_and_box_changes_keep_no_keys_and_unknown_streams_give_up_first() -> None:
    needs = [
        *(Need("newsfeed", 0, 0, 5), Need("box_changes", 100, 0, 5)),
        *(Need("box_documents", 250_000, 0, 5), Need("boxes", 250_000, 0, 5)),
    ]

    assert kept(needs, 12_000_000) == {"boxes", "box_documents"}
    assert kept(needs, 4_000_000) == set()
    assert kept(needs, 7_000_000) == {"boxes"}


def test_without_streams_or_without_room_nothing_is_shared_out() -> None:
    assert divide([]) == {}
    assert divide([Need("boxes", 5, 0, 1)], 0) == {"boxes": Share(0, 0)}


NEEDS = st.builds(
    Need,
    st.sampled_from([*IMPORTANCE, "boxes_sales", "newsfeed", "box_changes", "box_documents"]),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.integers(0, 5_000),
)


@EXAMPLES
@given(st.lists(NEEDS, unique_by=lambda need: need.stream), st.integers(0, 2 * TOTAL))
def test_shares_never_exceed_the_room_that_there_is(needs: list[Need], total: int) -> None:
    shares = divide(needs, total)
    exact = all(shares[need.stream].entries >= need.entities for need in needs)
    entries = sum(share.entries for share in shares.values())
    ledgers = entries * (ENTRY if exact else SHARED_ENTRY)
    key_bytes = sum(share.key_bytes for share in shares.values())
    fixed = sum(need.fixed_bytes for need in needs)

    assert all(share.entries >= 0 and share.key_bytes >= 0 for share in shares.values())
    assert ledgers <= total / 2
    assert not key_bytes or fixed + ledgers + key_bytes <= total


# With real keys


class Made:
    """The states of an account, with keys as random as Streak's may be."""

    def __init__(self, boxes: int, children: int, pipelines: int, tables: int) -> None:
        self.numbers = Random(3)  # noqa: S311
        self.needs = account(boxes, children, pipelines, tables)
        self.shares = divide(self.needs, boxes * TOTAL // 250_000)
        self.boxes = {
            keys.pipeline_key(pipeline): [
                self.key("Case") for _ in range(pipeline, boxes, pipelines)
            ]
            for pipeline in range(pipelines)
        }
        self.each = children / boxes / 5

    def key(self, kind: str) -> str:
        number = self.numbers.randrange(2**44, 2**53)
        return keys._reference(("Organization", keys.MAIL_DOMAIN), (kind, number))

    def rows(self, stream: str) -> list[str]:
        """The keys of the rows of one box."""
        if stream == "box_field_values":
            return [str(1001 + field) for field in range(14) if self.numbers.random() < 0.7]
        if stream == "box_stage_history":
            return [str(5001 + stage) for stage in range(self.numbers.randrange(1, 4))]
        if stream in CHILDREN and self.numbers.random() < 0.25:
            count = int(self.each * 4 + self.numbers.random())
            return [self.key("Comment") for _ in range(count)]
        return []

    def states(self) -> Iterator[tuple[Need, StreamState]]:
        """The state of each stream after a sync that delivered everything."""
        for number, need in enumerate(self.needs):
            table = need.stream.startswith("boxes_")
            state = StreamState({}, NOW, 30, None, need.stream == "boxes" or table)
            state.share, state.user = self.shares[need.stream], keys.user_key(1)
            scopes = list(self.boxes) if need.scopes > 1 else list(self.boxes)[number : number + 1]
            if need.stream == "newsfeed":
                for scope in scopes:
                    state.events.see(scope, map(str, range(50)), NOW)
            elif need.entities:
                self.deliver(state, need, scopes)
            yield need, state

    def deliver(self, state: StreamState, need: Need, scopes: list[str]) -> None:
        for scope in scopes:
            ledger = Ledger()  # with random fingerprints: real ones would take long
            prints = [(key, self.numbers.getrandbits(32)) for key in self.boxes[scope]]
            ledger.compare(prints, need.entities, most=state.share.entries)
            for key in self.boxes[scope]:
                ledger.mark_delivered(key)
                if state.share.key_bytes:
                    state.delivered.remember(scope, key, self.rows(need.stream))
            state._ledgers[scope] = ledger
            state._stale.add(scope)


def size(state: StreamState, need: Need) -> int:
    """The characters of a state message."""
    blob: dict[str, Any] = {"stream_descriptor": {"name": need.stream}}
    blob["stream_state"] = state.as_dict()
    message = {"type": "STATE", "state": {"type": "STREAM", "stream": blob, "sourceStats": {}}}
    return len(json.dumps(message, separators=(",", ":")))


def test_the_states_of_a_large_account_stay_below_8_mb() -> None:
    """A tenth of 250,000 boxes, 600,000 children and 1,000 pipelines, with all streams selected."""
    made = Made(25_000, 60_000, 100, 20)
    sizes, exact = {}, set()
    for need, state in made.states():
        if state.share.key_bytes and state.keys_fit():
            exact.add(need.stream)
        else:
            state.give_up_keys()
        sizes[need.stream] = size(state, need)

    assert sum(sizes.values()) < TOTAL / 10
    assert sum(sizes.values()) > TOTAL / 20, "there is not half of it left"
    assert "boxes" in exact
    assert not exact & {"box_threads", "box_files"}


def test_keys_that_are_estimated_to_fit_do_fit() -> None:
    """A stream never finds out during a sync that its keys do not fit after all."""
    made = Made(2_000, 4_000, 10, 5)
    made.shares = divide(made.needs, 1_100_000)
    for need, state in made.states():
        assert state.keys_fit()
        assert need.stream == "newsfeed" or state.share.key_bytes
        ledgers = need.scopes * 130 + state.share.entries * ENTRY
        assert size(state, need) < need.fixed_bytes + ledgers + state.share.key_bytes
        assert state.delivered.size() + state.unlisted.size() <= need.key_bytes
