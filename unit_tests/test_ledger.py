"""Whatever happens to an account, and wherever syncs are cut off: what was delivered, reduced as a destination does, is the account.

The syncs here are those of the connector, less everything but the ledger: list all boxes, read those that differ, settle each after
its row was handed on, take the state now and then, be killed somewhere.
"""

from __future__ import annotations

import base64
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_streak import ledger as ledgers
from source_streak.faces import names_in, of_record
from source_streak.ledger import HASH_BITS, MOST_ENTRIES, Ledger, Unreadable, bits_for, print_of, turn_of

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)
FEW = settings(derandomize=True, deadline=None, max_examples=100)

SCOPES = ("sales", "hiring", "support")
KEYS = [f"box{number}" for number in range(12)]
STAGE_NAMES = [("Demo", "Sent"), ("Sent", "Live"), ("Sold", "Done"), ("Trial", "Quote"), ("Lead", "Qualified")]
Account = dict[str, tuple[str, int]]  # box -> where it is, and its face

# One thing that happens to a box: it comes (back) to some pipeline with some face (few, so that old ones come back), or goes.
EVENTS = st.tuples(st.sampled_from(KEYS), st.none() | st.tuples(st.sampled_from(SCOPES), st.integers(0, 3)))


@dataclass
class Sync:
    """What happens before it, and how far it gets: `reads` boxes are handed on, the state is that after `known` of them.

    There is one in any case: the connector writes it after comparing, before the first row (test_incremental.py).
    """

    events: list[tuple[str, tuple[str, int] | None]]
    reads: int
    known: int
    most_entries: int = MOST_ENTRIES


WHOLE = 10**6
SYNCS = st.builds(Sync, st.lists(EVENTS, max_size=12), st.integers(0, 20) | st.just(WHOLE), st.integers(0, 20) | st.just(WHOLE))
CROWDED_SYNCS = st.builds(Sync, st.lists(EVENTS, max_size=12), st.integers(0, 20), st.integers(0, 20), st.integers(1, 14))


@dataclass
class World:
    """An account, a connector that reads it now and then, and a destination."""

    account: Account = field(default_factory=dict)
    state: dict[str, tuple[str, int]] = field(default_factory=dict)  # scope -> text and bits of its ledger
    delivered: dict[str, tuple[str, int]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)  # boxes that the last sync read, in order
    needed: set[str] = field(default_factory=set)  # those that it had to read, by what the state's syncs had delivered
    covered: set[tuple[str, str, int]] = field(default_factory=set)  # (scope, box, face) that the state stands for

    def sync(self, sync: Sync, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(ledgers, "MOST_ENTRIES", sync.most_entries)
        for key, now in sync.events:
            self.account.pop(key, None)
            if now:
                self.account[key] = now
        of_now = {scope: {key: f for key, (where, f) in self.account.items() if where == scope} for scope in SCOPES}
        books = {scope: Ledger.of(*self.state[scope]) if scope in self.state else Ledger() for scope in SCOPES}
        for scope, book in books.items():
            book.compare(prints(of_now[scope].items()), of=len(self.account))
        here = {(scope, key, f) for scope in SCOPES for key, f in of_now[scope].items()}
        self.needed = {key for _, key, _ in here - self.covered}
        due = [(scope, key) for scope in SCOPES for key in of_now[scope] if books[scope].differs(key)]
        self.read = [key for _, key in due]
        covered = {entry for entry in self.covered & here if entry[1] not in self.read}
        for place, (scope, key) in enumerate([*due, ("", "")]):
            if place == min(sync.known, sync.reads, len(due)):
                self.state = {name: (book.text(), book.bits) for name, book in books.items()}
                self.covered = set(covered)
            if place == len(due) or place >= sync.reads:
                break
            self.delivered[key] = (scope, of_now[scope][key])  # the later one wins, as readAt grows from sync to sync
            books[scope].settle(key)
            covered.add((scope, key, of_now[scope][key]))

    @property
    def destination(self) -> Account:
        """What is delivered of boxes that are there now."""
        return {key: row for key, row in self.delivered.items() if key in self.account}


# Nothing is lost, nothing comes twice


@EXAMPLES
@given(syncs=st.lists(SYNCS, max_size=6), events=st.lists(EVENTS, max_size=12))
def test_for_any_history_and_any_kills_what_was_delivered_is_the_account(syncs: list[Sync], events: list) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World()
        for sync in [*syncs, Sync(events, WHOLE, WHOLE)]:
            world.sync(sync, patch)

            assert set(world.read) == world.needed, "what is unchanged is not read again, and nothing else is left out"
            assert len(world.read) == len(set(world.read))

    assert world.destination == world.account


@EXAMPLES
@given(
    syncs=st.lists(CROWDED_SYNCS, max_size=6),
    events=st.lists(EVENTS, max_size=12),
    most_entries=st.integers(1, 14),
)
def test_also_when_boxes_share_entries_and_the_number_of_entries_changes_between_the_syncs(
    syncs: list[Sync], events: list, most_entries: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World()
        for sync in [*syncs, Sync(events, WHOLE, WHOLE, most_entries)]:
            world.sync(sync, patch)

            assert set(world.read) >= world.needed
            assert len(world.read) == len(set(world.read))
        assert world.destination == world.account

        world.sync(Sync([], WHOLE, WHOLE, most_entries), patch)
        assert not world.read, "nothing has changed since the sync before"


@FEW
@given(syncs=st.lists(SYNCS | CROWDED_SYNCS, max_size=5), last=CROWDED_SYNCS)
def test_from_the_state_at_any_point_a_new_sync_hands_on_all_that_was_not_handed_on_before(syncs: list[Sync], last: Sync) -> None:
    """The one property that the rest follows from: the state is never ahead of the rows."""
    with pytest.MonkeyPatch.context() as patch:
        world = World()
        for sync in syncs:
            world.sync(sync, patch)
        world.sync(Sync(last.events, last.known, last.known, last.most_entries), patch)  # nothing after the state's point arrives
        world.sync(Sync([], WHOLE, WHOLE, last.most_entries), patch)

    assert world.destination == world.account


def test_each_box_is_read_until_it_was_handed_on_in_whatever_order_that_happens() -> None:
    faces = {key: number for number, key in enumerate(KEYS)}
    shuffled = Random(1).sample(KEYS, len(KEYS))  # noqa: S311
    book = Ledger()
    book.compare(prints(faces.items()), len(faces))
    for done, key in enumerate(shuffled):
        book.settle(key)

        assert book.settled == done + 1
        again = Ledger.of(book.text(), book.bits)
        again.compare(prints(faces.items()), len(faces))
        assert {key for key in KEYS if again.differs(key)} == set(shuffled[done + 1 :])


def test_the_order_of_the_list_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST_ENTRIES", 4)
    faces = [(key, number) for number, key in enumerate(KEYS)]
    book = settled(faces)
    again = Ledger.of(book.text(), book.bits)
    again.compare(reversed(prints(faces)), len(faces))

    assert book.bits < HASH_BITS
    assert not [key for key in KEYS if again.differs(key)]


def test_a_box_that_goes_is_forgotten_and_read_when_it_comes_back_as_it_was() -> None:
    book = settled([("one", 1), ("two", 2)])
    gone = compared(book, [("one", 1)])
    assert not gone.differs("one")

    back = compared(gone, [("one", 1), ("two", 2)])
    assert back.differs("two")
    assert not back.differs("one")


@EXAMPLES
@given(
    sizes=st.lists(st.integers(1, 14) | st.just(MOST_ENTRIES), min_size=2, max_size=5),
    present=st.lists(st.sampled_from(KEYS), min_size=1, unique=True),
    changed=st.sets(st.sampled_from(KEYS)),
)
def test_another_number_of_entries_alone_makes_no_box_differ_and_hides_none_that_does(
    sizes: list[int], present: list[str], changed: set[str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledgers, "MOST_ENTRIES", sizes[0])
        book = settled([(key, 0) for key in present])
        for size in sizes[1:]:
            patch.setattr(ledgers, "MOST_ENTRIES", size)
            other = compared(book, [(key, int(key in changed)) for key in present])
            assert {key for key in present if other.differs(key)} >= changed & set(present)

            book = compared(book, [(key, 0) for key in present])
            assert not [key for key in present if book.differs(key)]


# Of a pipeline that is not listed


@pytest.mark.parametrize("most_entries", [MOST_ENTRIES, 5])
def test_a_box_dropped_from_a_ledger_that_is_not_compared_is_read_there_when_it_comes_back(
    monkeypatch: pytest.MonkeyPatch, most_entries: int
) -> None:
    monkeypatch.setattr(ledgers, "MOST_ENTRIES", most_entries)
    faces = [(key, "as it is") for key in KEYS]
    whole = settled(faces)
    book = Ledger.of(whole.text(), whole.bits)

    assert book.drop([zlib.crc32(b"box3"), zlib.crc32(b"box99999")])
    assert not book.drop([zlib.crc32(b"box3")])
    again = Ledger.of(book.known_text(), book.bits)
    again.compare(prints(faces), len(faces))
    assert again.differs("box3")
    assert most_entries < MOST_ENTRIES or [key for key in KEYS if again.differs(key)] == ["box3"]


def test_a_ledger_that_is_not_compared_is_written_as_it_was_read() -> None:
    whole = settled([(key, "as it is") for key in KEYS])

    assert Ledger.of(whole.text(), whole.bits).known_text() == whole.text()


# Shared entries


@FEW
@given(boxes=st.integers(0, 10**7), others=st.integers(0, 10**7))
def test_the_ledgers_of_a_stream_have_together_no_more_entries_than_are_allowed(boxes: int, others: int) -> None:
    of = boxes + others
    entries = sum(min(part, 2 ** bits_for(part, of)) for part in (boxes, others))

    assert entries <= MOST_ENTRIES + 1, "an empty pipeline's ledger may count for one"
    assert of > MOST_ENTRIES or 2 ** bits_for(boxes, of) >= 8_000 * boxes, "one entry for each box, but for one in thousands"


@FEW
@given(st.lists(st.integers(1, 500), min_size=1, max_size=50), st.integers(50, 300))
def test_also_of_many_pipelines(sizes: list[int], most_entries: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledgers, "MOST_ENTRIES", most_entries)
        bits = [bits_for(size, sum(sizes)) for size in sizes]

    assert sum(min(size, 2**bit) for size, bit in zip(sizes, bits, strict=True)) <= most_entries + len(sizes)


@pytest.mark.parametrize(("before", "after"), STAGE_NAMES)
def test_a_stage_renamed_is_seen_in_every_box_also_where_boxes_share_an_entry(
    monkeypatch: pytest.MonkeyPatch, before: str, after: str
) -> None:
    """The same change to all boxes of an entry must not cancel out in the sum of their prints."""
    monkeypatch.setattr(ledgers, "MOST_ENTRIES", 8_000)
    boxes = [{"key": f"agxzfm1haWxm{number:06}", "name": "Acme", "lastSavedTimestamp": 10**12 + number * 977} for number in range(8_001)]
    book = settled((box["key"], of_record(box, names_in(pipeline(before)))) for box in boxes)
    book = compared(book, [(box["key"], of_record(box, names_in(pipeline(after)))) for box in boxes])

    assert book.bits < HASH_BITS
    unseen = sum(not book.differs(box["key"]) for box in boxes)
    assert not unseen, f"{unseen} of {len(boxes)} boxes are taken for unchanged"


def test_one_change_leads_to_few_other_boxes_being_read_where_boxes_share_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledgers, "MOST_ENTRIES", 1_000)
    faces = {f"box{number}": number for number in range(10_000)}
    book = compared(settled(faces.items()), (faces | {"box77": -1 % 2**32}).items())

    assert book.bits == 9
    assert 1 <= sum(book.differs(key) for key in faces) < 60


# Its text


@EXAMPLES
@given(st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), max_size=40))
def test_a_ledger_is_read_back_as_it_was_written(faces: dict[int, int]) -> None:
    boxes = [(f"box{key}", print_) for key, print_ in faces.items()]
    book = settled(boxes)
    again = compared(book, boxes)

    assert again.text() == book.text()
    assert again.settled == len(boxes)
    assert book.text().isascii()


def test_an_empty_ledger_has_a_text_too() -> None:
    assert not compared(settled([]), []).settled


def test_every_text_cut_off_is_unreadable() -> None:
    book = settled([(key, number * 10**8) for number, key in enumerate(KEYS)])
    for length in range(len(book.text())):
        with pytest.raises(Unreadable):
            Ledger.of(book.text()[:length], book.bits)


def test_a_text_with_any_one_letter_changed_is_unreadable_or_means_the_same() -> None:
    """base64 has bits that mean nothing."""
    faces = [(key, number * 10**8) for number, key in enumerate(KEYS)]
    whole = settled(faces)
    text, unreadable = whole.text(), 0
    for place in range(len(text)):
        for letter in "A9+/=z\n é":
            damaged = text[:place] + letter + text[place + 1 :]
            try:
                book = Ledger.of(damaged, whole.bits)
            except Unreadable:
                unreadable += 1
                continue
            book.compare(prints(faces), len(faces))
            assert not [key for key, _ in faces if book.differs(key)]
    assert unreadable > 0.9 * 8 * len(text)


PACKED = st.binary(max_size=60).map(lambda packed: base64.b64encode(zlib.compress(packed)).decode())
COUNTED = st.tuples(st.integers(0, 5), st.binary(max_size=40)).map(
    lambda parts: base64.b64encode(zlib.compress(parts[0].to_bytes(4, "little") + parts[1])).decode()
)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    text=PACKED | COUNTED | st.text(max_size=60) | st.binary().map(lambda packed: base64.b64encode(packed).decode()),
    bits=st.integers(-1, 40) | st.text(max_size=2) | st.none() | st.floats(),
)
def test_nonsense_is_unreadable_or_a_ledger_in_which_boxes_differ(text: str, bits: object) -> None:
    try:
        book = Ledger.of(text, bits)  # type: ignore[arg-type]
    except Unreadable:
        return
    book.compare([("box", 7)], 1)
    assert book.differs("box")
    book.settle("box")
    assert Ledger.of(book.text(), book.bits)


@pytest.mark.parametrize("text", [None, 5, 1.5, True, [], {}, ["eJw="], b"\xff"])
def test_what_is_no_text_is_unreadable(text: object) -> None:
    with pytest.raises(Unreadable):
        Ledger.of(text, HASH_BITS)  # type: ignore[arg-type]


# Its size


@pytest.mark.parametrize(
    ("boxes", "pipelines", "most"),
    [(50_000, 1, 600_000), (50_000, 20, 600_000), (80_000, 3, 1_000_000), (80_001, 3, 1_000_000), (1_000_000, 1, 1_000_000)],
)
def test_the_ledgers_of_a_stream_stay_small(boxes: int, pipelines: int, most: int) -> None:
    numbers = Random(4)  # noqa: S311
    size = 0
    for number in range(pipelines):
        part = boxes // pipelines + (boxes % pipelines if not number else 0)
        size += len(full(numbers, part, boxes).text())

    assert size < most


@pytest.mark.parametrize("pipelines", [2, 7])
def test_the_ledgers_of_a_million_boxes_stay_small_in_several_pipelines(pipelines: int) -> None:
    """Not by way of compare: a million faces take their time. As many entries as there can be at that many bits."""
    numbers, size = Random(5), 0  # noqa: S311
    for _ in range(pipelines):
        bits = bits_for(1_000_000 // pipelines, 1_000_000)
        book = Ledger({bucket: numbers.getrandbits(32) for bucket in range(2**bits)}, bits)
        book._prints = book._known  # what compare makes of a list without changes
        size += len(book.text())

    assert size < 1_000_000


# The turn


@EXAMPLES
@given(key=st.text(), day=st.integers(0, 50_000), recheck_days=st.integers(1, 400))
def test_within_recheck_days_every_turn_changes_exactly_once(key: str, day: int, recheck_days: int) -> None:
    turns = [turn_of(key, day + days, recheck_days) for days in range(recheck_days + 1)]

    assert sum(later != earlier for earlier, later in pairwise(turns)) == 1
    assert turns[-1] == turns[0] + 1


def test_each_day_it_is_the_turn_of_as_many() -> None:
    keys, days = [f"box{number}" for number in range(9_000)], 30
    changes = Counter(day for key in keys for day in range(100, 100 + days) if turn_of(key, day, days) != turn_of(key, day + 1, days))

    assert sum(changes.values()) == len(keys)
    assert all(200 < changes[day] < 400 for day in range(100, 100 + days))


@FEW
@given(key=st.text(), day=st.integers(0, 50_000))
def test_with_0_days_it_is_never_the_turn_of_any(key: str, day: int) -> None:
    assert turn_of(key, day, 0) == turn_of(key, day + 1, 0)


# Prints

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@EXAMPLES
@given(parts=JSON, turn=st.integers(0, 2**31))
def test_the_print_of_any_json_is_a_number_of_32_bits_and_changes_with_key_and_turn(parts: object, turn: int) -> None:
    print_ = print_of("box", parts, turn)

    assert 0 <= print_ < 2**32
    assert print_ == print_of("box", parts, turn)
    assert print_ not in (print_of("box", parts, turn + 1), print_of("another", parts, turn))


@EXAMPLES
@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=6))
def test_the_order_of_properties_does_not_change_a_print(parts: dict[str, int]) -> None:
    bounded = {name: value % 2**53 for name, value in parts.items()}

    assert print_of("box", bounded, 1) == print_of("box", dict(reversed(bounded.items())), 1)


# Helpers


def prints(faces: Iterable[tuple[str, Any]]) -> list[tuple[str, int]]:
    """As the connector makes them of faces."""
    return [(key, print_of(key, face, 0)) for key, face in faces]


def settled(faces: Iterable[tuple[str, Any]]) -> Ledger:
    """The ledger after a whole first sync."""
    faces = list(faces)
    book = Ledger()
    book.compare(prints(faces), len(faces))
    for key, _ in faces:
        book.settle(key)
    return book


def compared(book: Ledger, faces: Iterable[tuple[str, Any]]) -> Ledger:
    """The next sync's ledger, from that one's text."""
    faces = list(faces)
    again = Ledger.of(book.text(), book.bits)
    if faces:
        again.compare(prints(faces), len(faces))
    return again


def full(numbers: Random, boxes: int, of: int) -> Ledger:
    """The ledger of so many boxes, all settled, with prints and hashes as random as real ones."""
    book = Ledger()
    book._hashes = array("I", (numbers.getrandbits(32) for _ in range(boxes)))
    book._bits = bits_for(boxes, of)
    book._prints = {hash_ >> (HASH_BITS - book._bits): numbers.getrandbits(32) for hash_ in book._hashes}
    return book


def pipeline(stage: str) -> dict:
    return {"key": "sales", "name": "Sales", "stages": {"5001": {"name": stage}}, "fields": []}
