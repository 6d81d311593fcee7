"""Nothing is lost, whatever happens to an account and wherever a sync is killed.

The destination keeps the newest row of each box, and ends up equal to the account. The syncs here
are those of the connector reduced to the ledger: list all boxes, read those that differ, mark each
as delivered after its row was emitted, write a state now and then, be killed at some point.
"""

from __future__ import annotations

import base64
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdCompressionParameters, ZstdCompressor

from source_streak.incremental.fingerprint import fingerprint, names_in, visible_record
from source_streak.incremental.ledger import HASH_BITS, MOST_ENTRIES, Entries, Ledger, bits_for
from source_streak.incremental.packed import Unreadable, pack

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)
FEW = settings(derandomize=True, deadline=None, max_examples=100)

SCOPES = ("sales", "hiring", "support")
KEYS = [f"box{number}" for number in range(12)]
STAGE_NAMES = [
    *(("Demo", "Sent"), ("Sent", "Live"), ("Sold", "Done")),
    *(("Trial", "Quote"), ("Lead", "Qualified")),
]
Account = dict[str, tuple[str, int]]  # box -> its pipeline, and what is visible of it

# An event: a box appears in a pipeline, with one of a few looks (so that old ones come back), or
# disappears.
PLACES = st.tuples(st.sampled_from(SCOPES), st.integers(0, 3))
EVENTS = st.tuples(st.sampled_from(KEYS), st.none() | PLACES)


@dataclass
class Sync:
    """What happens before a sync, and how far it gets.

    It emits `reads` boxes, and its last state is the one after `known` of them. There always is a
    state: the connector writes one after comparing, before the first row (test_incremental.py).
    """

    events: list[tuple[str, tuple[str, int] | None]]
    reads: int
    known: int
    most: int = MOST_ENTRIES


WHOLE = 10**6
UPTO = st.integers(0, 20)
SYNCS = st.builds(Sync, st.lists(EVENTS, max_size=12), UPTO | st.just(WHOLE), UPTO | st.just(WHOLE))
CROWDED_SYNCS = st.builds(Sync, st.lists(EVENTS, max_size=12), UPTO, UPTO, st.integers(1, 14))


@dataclass
class World:
    """An account, a connector that syncs it, and a destination."""

    account: Account = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)  # scope -> text of its ledger
    delivered: dict[str, tuple[str, int]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)  # boxes that the last sync read, in order
    needed: set[str] = field(default_factory=set)  # those that the state made it read
    covered: set[tuple[str, str, int]] = field(default_factory=set)  # what the state stands for

    def sync(self, sync: Sync) -> None:
        for key, now in sync.events:
            self.account.pop(key, None)
            if now:
                self.account[key] = now
        in_scope: dict[str, dict[str, int]] = {scope: {} for scope in SCOPES}
        for key, (where, look) in self.account.items():
            in_scope[where][key] = look
        books = {scope: loaded(self.state.get(scope)) for scope in SCOPES}
        for scope, book in books.items():
            book.compare(prints(in_scope[scope].items()), len(self.account), most=sync.most)
        here = {(scope, key, look) for scope in SCOPES for key, look in in_scope[scope].items()}
        self.needed = {key for _, key, _ in here - self.covered}
        pending = [
            (scope, key) for scope in SCOPES for key in in_scope[scope] if books[scope].differs(key)
        ]
        self.read = [key for _, key in pending]
        covered = {entry for entry in self.covered & here if entry[1] not in self.read}
        for place, (scope, key) in enumerate([*pending, ("", "")]):
            if place == min(sync.known, sync.reads, len(pending)):
                self.state = {name: book.text() for name, book in books.items()}
                self.covered = set(covered)
            if place == len(pending) or place >= sync.reads:
                break
            self.delivered[key] = (scope, in_scope[scope][key])  # the later row wins: readAt grows
            books[scope].mark_delivered(key)
            covered.add((scope, key, in_scope[scope][key]))

    @property
    def destination(self) -> Account:
        """The delivered rows of boxes that still exist."""
        return {key: row for key, row in self.delivered.items() if key in self.account}


# Nothing is lost, and nothing is delivered twice


@EXAMPLES
@given(syncs=st.lists(SYNCS, max_size=6), events=st.lists(EVENTS, max_size=12))
def test_the_destination_equals_the_account_after_any_history_and_any_kills(
    syncs: list[Sync], events: list[Any]
) -> None:
    world = World()
    for sync in [*syncs, Sync(events, WHOLE, WHOLE)]:
        world.sync(sync)

        assert set(world.read) == world.needed, "unchanged boxes are not read, and no others missed"
        assert len(world.read) == len(set(world.read))

    assert world.destination == world.account


@EXAMPLES
@given(
    syncs=st.lists(CROWDED_SYNCS, max_size=6),
    events=st.lists(EVENTS, max_size=12),
    most=st.integers(1, 14),
)
def test_the_destination_equals_the_account_even_when_boxes_share_entries(
    syncs: list[Sync], events: list[Any], most: int
) -> None:
    world = World()
    for sync in [*syncs, Sync(events, WHOLE, WHOLE, most)]:
        world.sync(sync)

        assert set(world.read) >= world.needed
        assert len(world.read) == len(set(world.read))
    assert world.destination == world.account

    world.sync(Sync([], WHOLE, WHOLE, most))
    assert not world.read, "nothing has changed since the sync before"


@FEW
@given(syncs=st.lists(SYNCS | CROWDED_SYNCS, max_size=5), last=CROWDED_SYNCS)
def test_the_state_is_never_ahead_of_the_rows(syncs: list[Sync], last: Sync) -> None:
    """From the state at any point, a new sync delivers all that was not delivered before it.

    All the rest follows from this property.
    """
    world = World()
    for sync in syncs:
        world.sync(sync)
    world.sync(Sync(last.events, last.known, last.known, last.most))  # all that came later is lost
    world.sync(Sync([], WHOLE, WHOLE, last.most))

    assert world.destination == world.account


def test_each_box_differs_until_it_is_delivered_in_whatever_order() -> None:
    looks = {key: number for number, key in enumerate(KEYS)}
    shuffled = Random(1).sample(KEYS, len(KEYS))  # noqa: S311
    book = Ledger()
    book.compare(prints(looks.items()), len(looks))
    for done, key in enumerate(shuffled):
        book.mark_delivered(key)

        assert book.delivered_count == done + 1
        again = compared(book, looks.items())
        assert {key for key in KEYS if again.differs(key)} == set(shuffled[done + 1 :])


def test_boxes_that_share_an_entry_are_pending_until_all_of_them_were_delivered() -> None:
    looks = [(key, number) for number, key in enumerate(KEYS)]
    book = Ledger()
    book.compare(prints(looks), len(looks), most=1)
    for key in KEYS[:-1]:
        book.mark_delivered(key)

        assert book.delivered_count == 0
        assert all(compared(book, looks, most=1).differs(key) for key in KEYS)

    book.mark_delivered(KEYS[-1])
    assert book.delivered_count == len(KEYS)
    assert not any(compared(book, looks, most=1).differs(key) for key in KEYS)


def test_the_order_of_the_list_makes_no_box_differ() -> None:
    looks = [(key, number) for number, key in enumerate(KEYS)]
    book = delivered(looks, most=4)
    again = loaded(book.text())
    again.compare(reversed(prints(looks)), len(looks), most=4)

    assert book.bits < HASH_BITS
    assert not [key for key in KEYS if again.differs(key)]


def test_a_box_that_leaves_and_comes_back_unchanged_is_read_again() -> None:
    book = delivered([("one", 1), ("two", 2)])
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
def test_a_change_in_the_number_of_entries_makes_no_box_differ_and_hides_no_change(
    sizes: list[int], present: list[str], changed: set[str]
) -> None:
    book = delivered([(key, 0) for key in present], most=sizes[0])
    for size in sizes[1:]:
        other = compared(book, [(key, int(key in changed)) for key in present], most=size)
        assert {key for key in present if other.differs(key)} >= changed & set(present)

        book = compared(book, [(key, 0) for key in present], most=size)
        assert not [key for key in present if book.differs(key)]


# Known and forgotten boxes


@pytest.mark.parametrize("most", [MOST_ENTRIES, 5])
def test_a_delivered_box_is_known_even_after_it_changes(most: int) -> None:
    looks = [(key, 0) for key in KEYS]
    book = loaded(delivered(looks, most=most).text())
    assert all(book.knows(key) for key in KEYS)
    book.compare(prints([(key, 1) for key in KEYS[:3]]), 3, most=most)

    assert all(book.knows(key) for key in KEYS)
    assert most < len(KEYS) or not book.knows("box99999")
    assert not any(Ledger().knows(key) for key in KEYS)


@pytest.mark.parametrize("before_comparing", [True, False])
@pytest.mark.parametrize("changes", [[], KEYS[:1], KEYS[1:], KEYS])
def test_only_a_forgotten_box_and_changed_ones_are_read_again(
    before_comparing: bool, changes: list[str]
) -> None:
    looks = [(key, "as it is") for key in KEYS]
    now = [(key, "changed" if key in changes else look) for key, look in looks]
    book = loaded(delivered(looks).text())
    if before_comparing:
        book.forget(["box3", "box99999"])
        assert not book.knows("box3")
        book.compare(prints(now), len(now))
    else:
        book.compare(prints(now), len(now))
        book.forget(["box3", "box99999"])

    assert not book.knows("box3")
    assert {key for key in KEYS if book.differs(key)} == {"box3", *changes}
    assert book.delivered_count == len(KEYS) - len({"box3", *changes})
    assert {key for key in KEYS if compared(book, now).differs(key)} == {"box3", *changes}
    for key in {"box3", *changes}:
        book.mark_delivered(key)
    assert not [key for key in KEYS if compared(book, now).differs(key)]


def test_a_box_that_is_forgotten_after_its_delivery_is_read_again() -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = delivered(looks)
    book.forget(["box3"])

    assert book.differs("box3")
    assert [key for key in KEYS if compared(book, looks).differs(key)] == ["box3"]


@pytest.mark.parametrize("most", [1, 3, 6])
def test_forgetting_a_box_forgets_those_that_share_its_entry(most: int) -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = delivered(looks, most=most)
    book.forget(["box3"])
    again = compared(book, looks, most=most)

    assert again.differs("box3")
    assert book.delivered_count == sum(not again.differs(key) for key in KEYS)


@pytest.mark.parametrize("most", [1, 3, 6])
def test_forgetting_an_unlisted_box_does_not_affect_those_that_shared_its_entry(
    most: int,
) -> None:
    looks = [(key, "as it is") for key in KEYS]
    left = [(key, look) for key, look in looks if key != "box3"]
    book = loaded(delivered(looks, most=most).text())
    book.compare(prints(left), len(left), most=most)
    for key in [key for key, _ in left if book.differs(key)]:
        book.mark_delivered(key)

    book.forget(["box3"])

    assert not [key for key, _ in left if compared(book, left, most=most).differs(key)]
    assert compared(book, looks, most=most).differs("box3")


def test_the_text_of_a_ledger_that_is_not_compared_lacks_forgotten_boxes() -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = loaded(delivered(looks).text())
    book.forget(["box3", "box4", "box99999"])

    assert book.delivered_count == len(KEYS) - 2
    assert [key for key in KEYS if compared(book, looks).differs(key)] == ["box3", "box4"]


# Kept entries of boxes that are not listed


@EXAMPLES
@given(
    listed=st.sets(st.sampled_from(KEYS)),
    kept=st.sets(st.sampled_from(KEYS)),
    changed=st.sets(st.sampled_from(KEYS)),
    sizes=st.tuples(*[st.integers(1, 14) | st.just(MOST_ENTRIES)] * 3),
)
def test_kept_entries_of_unlisted_boxes_hide_no_change(
    listed: set[str], kept: set[str], changed: set[str], sizes: tuple[int, int, int]
) -> None:
    looks = dict.fromkeys(KEYS, 0)
    book = loaded(delivered(looks.items(), most=sizes[0]).text())
    book.compare(
        prints((key, looks[key]) for key in listed), len(KEYS), kept - listed, most=sizes[1]
    )
    for key in filter(book.differs, listed):
        book.mark_delivered(key)
    back = loaded(book.text())
    back.compare(prints((key, int(key in changed)) for key in KEYS), len(KEYS), most=sizes[2])
    differing = {key for key in KEYS if back.differs(key)}

    assert differing >= changed
    if min(sizes) == MOST_ENTRIES:
        assert differing == changed | (set(KEYS) - listed - kept)
        assert book.delivered_count == len(listed | kept)


def test_a_kept_entry_stays_from_sync_to_sync() -> None:
    looks = [(key, "as it is") for key in KEYS]
    text = delivered(looks).text()
    for _ in range(3):
        book = loaded(text)
        book.compare(prints(looks[:5]), 5, keep=KEYS[5:8])
        text = book.text()

    assert book.delivered_count == 8
    assert [key for key in KEYS if loaded_with(text, looks).differs(key)] == KEYS[8:]


def test_no_entry_is_kept_for_a_box_that_was_never_delivered() -> None:
    book = loaded(delivered([("one", 1)]).text())
    book.compare(prints([("one", 1)]), 1, keep=["two"])

    assert book.delivered_count == 1
    assert loaded_with(book.text(), [("one", 1), ("two", 2)]).differs("two")


def test_a_kept_entry_can_be_forgotten() -> None:
    looks = [("one", 1), ("two", 2)]
    book = loaded(delivered(looks).text())
    book.compare(prints(looks[:1]), 1, keep=["two"])
    book.forget(["two"])

    assert book.delivered_count == 1
    assert loaded_with(book.text(), looks).differs("two")


def test_an_unlisted_box_is_not_kept_while_it_shares_its_entry() -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = loaded(delivered(looks, most=1).text())
    book.compare(prints(looks[1:]), len(looks), keep=KEYS[:1], most=1)

    assert all(book.differs(key) for key in KEYS[1:])
    for key in KEYS[1:]:
        book.mark_delivered(key)
    assert not any(compared(book, looks[1:], most=1).differs(key) for key in KEYS[1:])
    assert compared(book, looks, most=1).differs(KEYS[0])


def test_an_unlisted_box_that_shared_an_entry_is_not_kept_when_there_are_more_entries() -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = loaded(delivered(looks, most=1).text())
    book.compare(prints(looks[1:]), len(looks), keep=KEYS[:1])

    assert book.delivered_count == 0


def test_an_unlisted_box_that_will_share_an_entry_is_not_kept_when_there_are_fewer() -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = loaded(delivered(looks).text())
    book.compare(prints(looks[1:]), len(looks), keep=KEYS[:1], most=1)

    assert book.delivered_count == len(KEYS) - 1
    assert not any(compared(book, looks[1:], most=1).differs(key) for key in KEYS[1:])


# Boxes that another ledger reads


@pytest.mark.parametrize("most", [MOST_ENTRIES, 5])
@pytest.mark.parametrize("others", [0, 100])
def test_a_ledger_that_is_not_compared_releases_a_box_that_another_one_reads(
    most: int, others: int
) -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = loaded(delivered(looks, most=most).text())
    elsewhere = Ledger()
    keys = ["box3", *(f"other{number}" for number in range(others))]
    elsewhere.compare(prints((key, 0) for key in keys), len(keys))

    assert elsewhere.differing() == sorted(zlib.crc32(key.encode()) for key in keys)
    assert book.release(elsewhere.differing())
    assert not book.release(elsewhere.differing())
    again = loaded_with(book.text(), looks)
    assert again.differs("box3")
    assert most < len(KEYS) or [key for key in KEYS if again.differs(key)] == ["box3"]


@pytest.mark.parametrize("others", [0, 100])
def test_a_kept_entry_is_released_when_another_ledger_reads_its_box_but_no_listed_one(
    others: int,
) -> None:
    looks = [(key, "as it is") for key in KEYS]
    book = loaded(delivered(looks).text())
    book.compare(prints(looks[:3]), 3, keep=["box3", "box4"])
    elsewhere = [zlib.crc32(key.encode()) for key in ("box0", "box3")]
    hashes = sorted([*elsewhere, *range(others)])

    assert book.release(hashes)
    assert not book.release(hashes)
    again = loaded_with(book.text(), looks)
    assert [key for key in KEYS[:5] if again.differs(key)] == ["box3"]


def test_a_ledger_that_is_not_compared_is_written_as_it_was_read() -> None:
    whole = delivered([(key, "as it is") for key in KEYS])

    assert loaded(whole.text()).text() == whole.text()


# Shared entries


@FEW
@given(boxes=st.integers(0, 10**7), others=st.integers(0, 10**7), most=st.integers(1, 500_000))
def test_two_ledgers_together_have_no_more_entries_than_allowed(
    boxes: int, others: int, most: int
) -> None:
    total = boxes + others
    entries = sum(min(part, 2 ** bits_for(part, total, most)) for part in (boxes, others))

    assert entries <= most + 1, "an empty pipeline's ledger may count for one"
    exact = 2 ** bits_for(boxes, total, most) >= min(8_000 * boxes, 2**HASH_BITS)
    assert total > most or exact, "an entry is a box, but for one in thousands"


@FEW
@given(st.lists(st.integers(1, 500), min_size=1, max_size=50), st.integers(50, 300))
def test_many_ledgers_together_have_no_more_entries_than_allowed(
    sizes: list[int], most: int
) -> None:
    bits = [bits_for(size, sum(sizes), most) for size in sizes]
    entries = sum(min(size, 2**bit) for size, bit in zip(sizes, bits, strict=True))

    assert entries <= most + len(sizes)


@pytest.mark.parametrize("most", [0, 1])
def test_a_ledger_with_room_for_no_more_than_one_entry_still_notices_changes(most: int) -> None:
    book = delivered([(key, 0) for key in KEYS], most=most)

    assert book.bits == 0
    assert not any(
        compared(book, [(key, 0) for key in KEYS], most=most).differs(key) for key in KEYS
    )
    assert all(
        compared(book, [(key, int(key == "box3")) for key in KEYS], most=most).differs(key)
        for key in KEYS
    )


@pytest.mark.parametrize(("before", "after"), STAGE_NAMES)
def test_a_renamed_stage_makes_every_box_differ_even_where_boxes_share_an_entry(
    before: str, after: str
) -> None:
    """The same change to all boxes of an entry must not cancel out in the sum of fingerprints."""
    boxes = [
        {"key": f"agxzfm1haWxm{number:06}", "name": "Acme", "lastSavedTimestamp": 10**12 + number}
        for number in range(8_001)
    ]

    def looks(stage: str) -> list[tuple[str, Any]]:
        names = names_in(pipeline(stage))
        return [(box["key"], visible_record(box, names)) for box in boxes]

    book = compared(delivered(looks(before), most=8_000), looks(after), most=8_000)

    assert book.bits < HASH_BITS
    unseen = sum(not book.differs(box["key"]) for box in boxes)
    assert not unseen, f"{unseen} of {len(boxes)} boxes are taken for unchanged"


def test_one_change_makes_few_other_boxes_differ_where_boxes_share_an_entry() -> None:
    looks = {f"box{number}": number for number in range(10_000)}
    changed = looks | {"box77": -1}
    book = compared(delivered(looks.items(), most=1_000), changed.items(), most=1_000)

    assert book.bits == 9
    assert 1 <= sum(book.differs(key) for key in looks) < 60


# The text of a ledger


@EXAMPLES
@given(st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), max_size=40))
def test_a_ledger_is_read_back_as_it_was_written(looks: dict[int, int]) -> None:
    boxes = [(f"box{key}", look) for key, look in looks.items()]
    book = delivered(boxes)
    again = compared(book, boxes)

    assert again.text() == book.text()
    assert again.delivered_count == len(boxes) == Ledger.count_in(book.text())
    assert again.bits == book.bits
    assert book.text().isascii()


def test_an_empty_ledger_can_be_written_and_read_back() -> None:
    assert not compared(delivered([]), []).delivered_count


def test_a_truncated_text_is_unreadable() -> None:
    text = delivered([(key, number) for number, key in enumerate(KEYS)]).text()
    for length in range(len(text)):
        with pytest.raises(Unreadable):
            Ledger.from_text(text[:length])


def test_a_text_with_any_one_letter_changed_is_unreadable_or_means_the_same() -> None:
    """Some bits of base64 mean nothing. Another test covers the numbers in front of it."""
    looks = [(key, number) for number, key in enumerate(KEYS)]
    text, unreadable = delivered(looks).text(), 0
    start = text.rindex(".")
    for place in range(start, len(text)):
        for letter in "A9+/=z\n é":
            damaged = text[:place] + letter + text[place + 1 :]
            try:
                book = Ledger.from_text(damaged)
            except Unreadable:
                unreadable += 1
                continue
            book.compare(prints(looks), len(looks))
            assert not [key for key, _ in looks if book.differs(key)]
    assert unreadable > 0.9 * 8 * (len(text) - start)


@pytest.mark.parametrize("other", ["0.17", "99.17", "12.0", "12.5", "12.18", "12.32"])
def test_wrong_numbers_in_front_of_a_text_hide_no_change(other: str) -> None:
    looks = [(key, number) for number, key in enumerate(KEYS)]
    text = delivered(looks).text()
    changed = [(key, -number - 1) for number, key in enumerate(KEYS)]
    try:
        book = Ledger.from_text(other + text[text.rindex(".") :])
    except Unreadable:
        return
    book.compare(prints(changed), len(changed))
    assert all(book.differs(key) for key in KEYS)


PACKED = st.binary(max_size=64).map(pack)
NUMBERS = st.lists(st.integers(0, 2**32 - 1), max_size=12).map(lambda ints: array("I", ints))
BASE64 = st.binary().map(lambda packed: base64.b64encode(packed).decode())


@settings(derandomize=True, deadline=None, max_examples=500)
@given(
    text=PACKED | NUMBERS.map(lambda ints: pack(ints.tobytes())) | st.text(max_size=60) | BASE64,
    count=st.integers(-1, 40) | st.text(max_size=2) | st.floats() | st.integers(),
    bits=st.integers(-1, 40) | st.text(max_size=2) | st.none() | st.floats(),
)
def test_nonsense_is_unreadable_or_a_ledger_in_which_boxes_differ(
    text: str, count: Any, bits: Any
) -> None:
    try:
        book = Ledger.from_text(f"{count}.{bits}.{text}")
    except Unreadable:
        return
    book.compare([("box", 7)], 1)
    assert book.differs("box")
    book.mark_delivered("box")
    assert Ledger.from_text(book.text())


@pytest.mark.parametrize(
    "text", [None, 5, 1.5, True, [], {}, ["1.2.eJw="], b"\xff", b"1.2.eJw=", ""]
)
def test_an_empty_text_or_another_type_is_unreadable(text: Any) -> None:
    with pytest.raises(Unreadable):
        Ledger.from_text(text)
    with pytest.raises(Unreadable):
        Ledger.count_in(text)


def test_a_text_that_needs_much_memory_to_unpack_is_unreadable() -> None:
    """The header of a Zstandard frame says how much memory unpacking needs."""
    settings = ZstdCompressionParameters(window_log=26)
    packer = ZstdCompressor(compression_params=settings).compressobj()
    frame = packer.compress(bytes(8)) + packer.flush()
    with pytest.raises(Unreadable):
        Ledger.from_text(f"1.17.{base64.b64encode(frame[4:]).decode()}")


def test_a_text_that_claims_to_be_huge_is_unreadable() -> None:
    """The header of a Zstandard frame claims a length, which must not be allocated."""
    for head in (b"\xe0" + b"\xff" * 8, b"\xa0" + b"\xff" * 4, b"\x80\xf8" + b"\xff" * 4):
        with pytest.raises(Unreadable):
            Ledger.from_text(f"5.17.{base64.b64encode(head).decode()}")


# The size of a ledger


@pytest.mark.parametrize(
    ("boxes", "pipelines", "most"),
    [(50_000, 1, 400_000), (50_000, 20, 410_000), (80_000, 3, 650_000), (80_001, 3, 650_000)],
)
def test_the_ledgers_of_up_to_80_001_boxes_stay_small(
    boxes: int, pipelines: int, most: int
) -> None:
    size = sum(
        len(full(number, len(range(number, boxes, pipelines)), boxes).text())
        for number in range(pipelines)
    )

    assert size < most


@pytest.mark.parametrize("pipelines", [1, 2, 7])
def test_the_ledgers_of_a_million_boxes_stay_small(pipelines: int) -> None:
    """The ledgers have as many entries as their bits allow."""
    size = 0
    for number in range(pipelines):
        bits = bits_for(1_000_000 // pipelines, 1_000_000, MOST_ENTRIES)
        buckets = array("I", range(2**bits))
        size += len(Ledger(Entries(bits, buckets, random(number, 2**bits))).text())

    assert size < 650_000


# Helpers


def prints(looks: Iterable[tuple[str, Any]]) -> list[tuple[str, int]]:
    """Keys and fingerprints, made from what is visible as the connector makes them."""
    return [(key, fingerprint(key, look, 0)) for key, look in looks]


def loaded(text: str | None) -> Ledger:
    """The ledger of the next sync."""
    return Ledger() if text is None else Ledger.from_text(text)


def loaded_with(text: str, looks: Iterable[tuple[str, Any]], most: int = MOST_ENTRIES) -> Ledger:
    looks = list(looks)
    book = loaded(text)
    book.compare(prints(looks), len(looks), most=most)
    return book


def delivered(looks: Iterable[tuple[str, Any]], most: int = MOST_ENTRIES) -> Ledger:
    """The ledger after a complete first sync."""
    looks = list(looks)
    book = Ledger()
    book.compare(prints(looks), len(looks), most=most)
    for key, _ in looks:
        book.mark_delivered(key)
    return book


def compared(book: Ledger, looks: Iterable[tuple[str, Any]], most: int = MOST_ENTRIES) -> Ledger:
    """The ledger of the next sync, read from the text of this one and compared."""
    return loaded_with(book.text(), looks, most)


def random(seed: int, count: int) -> array[int]:
    return array("I", Random(seed).randbytes(4 * count))  # noqa: S311


def full(seed: int, boxes: int, total: int) -> Ledger:
    """A ledger of this many boxes, with fingerprints and hashes as random as real ones."""
    bits = bits_for(boxes, total, MOST_ENTRIES)
    buckets = array("I", sorted({hash_ >> (HASH_BITS - bits) for hash_ in random(seed, boxes)}))
    return Ledger(Entries(bits, buckets, random(seed + 1, len(buckets))), boxes)


def pipeline(stage: str) -> dict[str, Any]:
    return {"key": "sales", "name": "Sales", "stages": {"5001": {"name": stage}}, "fields": []}
