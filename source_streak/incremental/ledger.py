"""What was visible of each record when its rows were last delivered, and so which to read now.

Why nothing can be lost.  Streak does not say what changed, but listing every box costs only one
request per 500.  So each sync lists all boxes, and the state keeps a fingerprint (32 bits) of what
was visible of each.

  1. A box is read if its fingerprint differs from the one in the ledger, or if there is none.  No
     clock, order or timestamp plays a part in that.
  2. A fingerprint enters the ledger only after the rows of its box have been emitted
     (`mark_delivered`), and state is written from the ledger.  So state never claims more than was
     delivered: if a sync is killed at any moment, the next one reads what is missing.
  3. Whatever must be read again (new, refused, set aside, moved, its state unreadable) needs no
     special case: it is not in the ledger.

One thing can go wrong: a change that leaves the fingerprint as it was.  It happens by chance once
in 4 billion changes, or because nothing visible shows the change (a comment is edited, and no stamp
moves).  Therefore each fingerprint includes a recheck slot, which changes every `recheck_days`
days, on another day for each box.  So each box is read again at least that often, in any case.

Entries are buckets of the hash of a key.  While there is room, there are at least 8,000 times as
many buckets as boxes, so that nearly every box has its own.  Beyond that there are fewer: boxes
that share a bucket share an entry (the sum of their fingerprints), and are read together.
"""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, compress, pairwise
from operator import mul, ne, not_, sub
from typing import NamedTuple

from source_streak.incremental.packed import Unreadable, pack, unpack

HASH_BITS = 32
EXACT_BITS = 13  # more than it takes to number the boxes: at most one in 8,000 shares its bucket
MOST_ENTRIES = 80_000
MOST_BOXES = 2**40  # the highest number of boxes that a text may state
FINGERPRINTS = 2**32


def bits_for(boxes: int, total: int, most: int) -> int:
    """How many bits of the hash to use for a ledger of `boxes` boxes.

    All ledgers of the stream together hold `total` boxes, in at most `most` entries.
    """
    if total <= most:
        return min(HASH_BITS, boxes.bit_length() + EXACT_BITS)
    return max(0, (most * boxes // total).bit_length() - 1)


class Entries(NamedTuple):
    """Buckets of the hash in ascending order, with the sum of fingerprints and number of boxes.

    `sizes`, the numbers of boxes, are not in the state, and so are empty for earlier syncs.
    """

    bits: int = HASH_BITS
    buckets: array[int] = array("I")
    prints: array[int] = array("I")
    sizes: array[int] = array("I")

    @classmethod
    def from_hashed(cls, hashed: Sequence[int], bits: int) -> Entries:
        """Entries from the (hash << 32 | fingerprint) of each box, in ascending order."""
        shift = 2 * HASH_BITS - bits
        each = array("I", [one >> shift for one in hashed])
        # Whether each box is the first of its bucket.
        first = bytearray([True, *map(ne, each[1:], each)])
        starts = array("I", [*compress(range(len(each)), first), len(each)])
        sums = array("Q", accumulate((one % FINGERPRINTS for one in hashed), initial=0))
        sums = array("Q", [sums[start] for start in starts])
        prints = array("I", [(end - start) % FINGERPRINTS for start, end in pairwise(sums)])
        sizes = array("I", map(sub, starts[1:], starts))
        return cls(bits, array("I", compress(each, first)), prints, sizes)

    def bucket(self, hash_: int) -> int:
        """The bucket that a hash belongs to."""
        return hash_ >> (HASH_BITS - self.bits)

    def find(self, hash_: int) -> int:
        """The index of the entry that covers a hash; -1 if there is none."""
        bucket = hash_ >> (HASH_BITS - self.bits)
        place = bisect_left(self.buckets, bucket)
        return place if place < len(self.buckets) and self.buckets[place] == bucket else -1


class Ledger:
    """The entries of one pipeline's boxes (or one team's contacts or organizations).

    It starts with what earlier syncs delivered.  `compare` takes what is listed now.  Then
    `differs` says whether to read a box, `mark_delivered` notes that its rows were emitted, and
    `text` returns the state.
    """

    def __init__(self, known: Entries | None = None, delivered: int = 0) -> None:
        self._known, self._known_count = known or Entries(), delivered
        self._forgotten: set[int] = set()  # buckets of `known` to ignore
        self._kept: dict[int, int] = {}  # entries of unlisted boxes, by bucket of `now`
        # What is listed, after `compare`: box by box, as entries, and as entries that have as many
        # bits as `known`.
        self._hashed: array[int] = array("Q")
        self._now: Entries | None = None
        self._known_now = self._known
        self._pending: array[int] = array("i")  # boxes still to be read, for each entry of `now`
        self._marked: array[int] = array("I")  # buckets of boxes read since `_settle`
        # Buckets of `known_now` that differ from `known`, or those that do not: the fewer ones.
        self._exceptions: set[int] = set()
        self._rule = True  # whether all but the exceptions differ

    @classmethod
    def from_text(cls, text: str) -> Ledger:
        """Read back what `text` wrote. Raises Unreadable."""
        delivered, bits, packed = _parts(text)
        content = unpack(packed)
        if len(content) % 8:
            raise Unreadable("its parts do not fit together")
        half = len(content) // 2
        prints, steps = array("I", content[:half]), array("I", _gathered(content[half:]))
        try:
            buckets = array("I", accumulate(steps))
        except OverflowError as error:
            raise Unreadable("a step too far") from error
        return cls(Entries(bits, buckets, prints), delivered)

    @staticmethod
    def count_in(text: str) -> int:
        """How many boxes a text says were delivered. Raises Unreadable."""
        return _parts(text)[0]

    def text(self) -> str:
        """The text for the state: entries of delivered boxes, without those still to be read."""
        buckets, prints = self._entries()
        steps = array("I", buckets[:1])
        steps.extend(map(sub, buckets[1:], buckets[:-1]))
        packed = pack(prints.tobytes(), _spread(steps.tobytes()))
        return f"{self.delivered_count}.{self.bits}.{packed}"

    def compare(
        self,
        present: Iterable[tuple[str, int]],
        total: int,
        keep: Iterable[str] = (),
        most: int = MOST_ENTRIES,
    ) -> None:
        """Compare with what is listed now. `present`: key and fingerprint of each box.

        `total`: how many boxes the stream has in all its ledgers, which together have at most
        `most` entries. `keep`: keys that are not listed, but whose entries stay, unless they share
        their bucket with a listed box.
        """
        if self._now:  # not the first time in this sync: what was delivered since counts
            self._known, self._forgotten = Entries(self.bits, *self._entries()), set()
        hashed = array("Q", sorted([_hash(key) << HASH_BITS | print_ for key, print_ in present]))
        now = Entries.from_hashed(hashed, bits_for(len(hashed), total, most))
        same = now.bits == self._known.bits or not self._known.buckets
        known_now = now if same else Entries.from_hashed(hashed, self._known.bits)
        known = dict(zip(self._known.buckets, self._known.prints, strict=True))
        for bucket in self._forgotten:
            known.pop(bucket, None)
        differs = bytearray(map(ne, map(known.get, known_now.buckets), known_now.prints))
        self._rule = sum(differs) > len(differs) / 2
        exceptions = map(not_, differs) if self._rule else differs
        self._exceptions = set(compress(known_now.buckets, exceptions))
        self._hashed, self._now, self._known_now = hashed, now, known_now
        self._marked = array("I")
        if same:
            self._pending = array("i", map(mul, now.sizes, differs))
        else:
            counts = Counter(map(now.bucket, self.differing()))
            self._pending = array("i", map(counts.__getitem__, now.buckets))
        self._kept = self._keepable({_hash(key) for key in keep}, known)

    def _keepable(self, hashes: set[int], known: Mapping[int, int]) -> dict[int, int]:
        """The entries that cover unlisted boxes and no listed ones, by bucket of `now`."""
        now = self._now or Entries()
        kept: dict[int, int] = {}
        for old, hash_ in {self._known.bucket(hash_): hash_ for hash_ in hashes}.items():
            if old in known and self._known_now.find(hash_) < 0 and now.find(hash_) < 0:
                new = now.bucket(hash_)
                kept[new] = (kept.get(new, 0) + known[old]) % FINGERPRINTS
        return kept

    def differs(self, key: str) -> bool:
        """Whether to read a listed box: it, or another in its bucket, is not as last delivered."""
        return self._changed(_hash(key))

    def _changed(self, hash_: int) -> bool:
        return (self._known_now.bucket(hash_) in self._exceptions) != self._rule

    def knows(self, key: str) -> bool:
        """Whether an entry of earlier syncs covers a box, so that it was delivered before."""
        hash_ = _hash(key)
        return self._known.find(hash_) >= 0 and self._known.bucket(hash_) not in self._forgotten

    def mark_delivered(self, key: str) -> None:
        """Note that the rows of a box that differs were emitted. Call it once for each such box."""
        self._marked.append(_hash(key) >> (HASH_BITS - self.bits))

    def _settle(self) -> Entries:
        """Subtract marked boxes from pending ones, all at once: that is three times as fast."""
        now = self._now or Entries()
        if self._marked:
            read = Counter(self._marked)
            self._pending = array("i", map(sub, self._pending, map(read.__getitem__, now.buckets)))
            self._marked = array("I")
        return now

    def forget(self, keys: Iterable[str]) -> None:
        """Read these boxes again once they are listed.

        Those that are not listed now leave their bucket as it is.
        """
        now = self._settle()
        for hash_ in map(_hash, keys):
            if self._known.find(hash_) >= 0:
                self._forgotten.add(self._known.bucket(hash_))
            self._kept.pop(now.bucket(hash_), None)
            if _has(self._hashed, hash_ << HASH_BITS, (hash_ + 1) << HASH_BITS):
                place = now.find(hash_)
                self._pending[place] = now.sizes[place]
                known_bucket = self._known_now.bucket(hash_)
                (self._exceptions.discard if self._rule else self._exceptions.add)(known_bucket)

    def release(self, hashes: Sequence[int]) -> bool:
        """Stop claiming boxes that are not listed here and are read from another ledger.

        `hashes`: what `differing` of that ledger returned. Returns whether any box was claimed.
        """
        claimed = self._known.buckets if self._now is None else sorted(self._kept)
        shift = HASH_BITS - self.bits
        if len(hashes) < len(claimed):
            buckets = {hash_ >> shift for hash_ in hashes}
            found = {bucket for bucket in buckets if _has(claimed, bucket, bucket + 1)}
        else:
            found = {one for one in claimed if _has(hashes, one << shift, (one + 1) << shift)}
        if self._now is None:
            found -= self._forgotten
            self._forgotten |= found
        for bucket in found:
            self._kept.pop(bucket, None)
        return bool(found)

    def differing(self) -> list[int]:
        """The key hashes of the listed boxes to read, in ascending order."""
        return [one >> HASH_BITS for one in self._hashed if self._changed(one >> HASH_BITS)]

    @property
    def bits(self) -> int:
        """How many bits of the hash say which entry covers a box."""
        return (self._now or self._known).bits

    @property
    def delivered_count(self) -> int:
        """How many boxes are delivered and up to date."""
        if self._now is None:
            return max(0, self._known_count - len(self._forgotten))
        return sum(compress(self._now.sizes, self._delivered())) + len(self._kept)

    def _delivered(self) -> Iterator[bool]:
        """For each entry, whether all its boxes are delivered (and it is not forgotten)."""
        if self._now is None:
            return (bucket not in self._forgotten for bucket in self._known.buckets)
        self._settle()
        return (pending <= 0 for pending in self._pending)

    def _entries(self) -> tuple[array[int], array[int]]:
        """Buckets and fingerprints for the state."""
        entries, chosen = self._now or self._known, bytearray(self._delivered())
        buckets = array("I", compress(entries.buckets, chosen))
        prints = array("I", compress(entries.prints, chosen))
        if self._kept:
            merged = sorted([*zip(buckets, prints, strict=True), *self._kept.items()])
            buckets, prints = (array("I", column) for column in zip(*merged, strict=True))
        return buckets, prints


def _hash(key: str) -> int:
    return zlib.crc32(key.encode())


def _has(numbers: Sequence[int], first: int, end: int) -> bool:
    """Whether one of these ascending numbers lies in range(first, end)."""
    place = bisect_left(numbers, first)
    return place < len(numbers) and numbers[place] < end


def _parts(text: str) -> tuple[int, int, str]:
    """The number of boxes, bits and packed entries in a ledger's text. Raises Unreadable."""
    try:
        delivered, bits, packed = text.split(".")
        numbers = int(delivered), int(bits)
    except (AttributeError, TypeError, ValueError) as error:
        raise Unreadable("not the text of a ledger") from error
    if not 0 <= numbers[0] < MOST_BOXES or not 0 <= numbers[1] <= HASH_BITS:
        raise Unreadable("not the numbers of a ledger")
    return *numbers, packed


def _spread(numbers: bytes) -> bytes:
    """Reorder numbers of 4 bytes: all first bytes, then all second ones, …. This packs better."""
    return b"".join(numbers[place::4] for place in range(4))


def _gathered(planes: bytes) -> bytes:
    """The reverse of `_spread`."""
    quarter = len(planes) // 4
    numbers = bytearray(len(planes))
    for place in range(4):
        numbers[place::4] = planes[place * quarter : (place + 1) * quarter]
    return bytes(numbers)
