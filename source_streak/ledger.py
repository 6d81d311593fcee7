"""What was seen of each box when its rows were last delivered, and so: which boxes to read now.

Why nothing can be lost.  Streak tells of no changes, but listing every box costs one request per 500.  So each sync lists all of
them, and the state keeps, for each box, a print (32 bits) of its *face*: everything that decides what its rows look like.

  1. A box is read if its print is not in the ledger, or is another one.  No clock, order or stamp takes part in that.
  2. A print enters the ledger only after the rows of its box have been emitted (`settle`), and state is written from the ledger:
     it never says more than what was delivered.  Killed at any moment, the next sync reads what is not settled.
  3. Whatever makes a box unsettled (new, refused, set aside, moved, its state unreadable) needs no case of its own: it is not there.

What can go wrong is one thing: a change that leaves the print as it was.  By chance, once in 4 billion changes; or because nothing
in the face shows it (an edited comment that moves no stamp).  Therefore a turn goes into the face, which changes once in
`recheck_days`, on another day for each box: so each box is read again at least that often, whoever was wrong.

Entries are buckets of the hash of a box's key.  Up to 80,000 boxes there are at least 8,000 times as many buckets as boxes, so that
a bucket is a box; above that there are fewer, and the boxes that share a bucket share a print (the sum of theirs) and are read
together.  So state stays below 1 MB.

Pure: no framework, no input or output.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from array import array
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

import orjson

Row = Mapping[str, Any]

HASH_BITS = 32
EXACT_BITS = 13  # more than it takes to number the boxes: two share a bucket in one of 16,000 cases
MOST_ENTRIES = (
    80_000  # of all ledgers of a stream together: 5 to 7 bytes each, a third more in base64
)
PRINTS = 2**32


class Unreadable(ValueError):
    """A text that is no ledger: cut off, damaged, or of another version."""


def print_of(key: str, face: Any, turn: int) -> int:
    """The print of a box: of what decides its rows (any JSON value), with its turn.

    A real digest, since prints are added up: the sum of two checksums can stay when the same is changed in both.
    """
    told = orjson.dumps([key, turn, face], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return int.from_bytes(blake2b(told, digest_size=4).digest(), "little")


def turn_of(key: str, day: int, recheck_days: int) -> int:
    """Changes once in `recheck_days` days (0: never), on a day that depends on the key."""
    return (day + zlib.crc32(key.encode())) // recheck_days if recheck_days else 0


def bits_for(boxes: int, of: int) -> int:
    """How many bits of the hash the ledger of a pipeline uses that has `boxes` of the stream's `of`."""
    if of <= MOST_ENTRIES:
        return min(HASH_BITS, boxes.bit_length() + EXACT_BITS)
    return max(0, (MOST_ENTRIES * boxes // of).bit_length() - 1)


class Ledger:
    """The prints of one pipeline's boxes (or one team's organizations).

    `known` is what an earlier sync settled.  `compare` takes the prints of the present list; then `differs` says whether a box is to
    be read, `settle` that it was, and `text` is the state.
    """

    def __init__(self, known: Mapping[int, int] | None = None, bits: int = HASH_BITS) -> None:
        self._known = dict(known or {})
        self._known_bits = self._bits = bits
        self._known_now: dict[int, int] = {}  # buckets of `known` -> print that they would have now
        self._hashes = array("I")  # of the keys of the present list
        self._prints: dict[int, int] = {}  # buckets -> print of the present list
        self._due: dict[int, int] = {}  # buckets -> boxes in them that are still to be read

    @classmethod
    def of(cls, text: str, bits: int) -> Ledger:
        """Read back what `text` wrote. Raises Unreadable."""
        try:
            packed = zlib.decompress(base64.b64decode(text, validate=True))
            count = int.from_bytes(packed[:4], "little")
            prints = array("I")
            prints.frombytes(packed[4 : 4 + 4 * count])
            buckets = _undo_steps(packed[4 + 4 * count :])
        except (ValueError, zlib.error, binascii.Error, TypeError) as error:
            raise Unreadable(str(error)) from error
        if (
            len(prints) != count
            or len(buckets) != count
            or not isinstance(bits, int)
            or not 0 <= bits <= HASH_BITS
        ):
            raise Unreadable("its parts do not fit together")
        return cls(dict(zip(buckets, prints, strict=True)), bits)

    def compare(self, present: Iterable[tuple[str, int]], of: int) -> None:
        """Take the key and print of each box that is there now; `of`: how many boxes the stream has in all."""
        self._hashes, prints = array("I"), array("I")
        for key, print_ in present:
            self._hashes.append(zlib.crc32(key.encode()))
            prints.append(print_)
        self._bits = bits_for(len(self._hashes), of)
        self._prints = _sums(self._hashes, prints, self._bits)
        same = self._bits == self._known_bits
        self._known_now = self._prints if same else _sums(self._hashes, prints, self._known_bits)
        self._due = {}
        for hash_ in self._hashes:
            if self._changed(hash_):
                bucket = hash_ >> (HASH_BITS - self._bits)
                self._due[bucket] = self._due.get(bucket, 0) + 1

    def differs(self, key: str) -> bool:
        """Whether the box has to be read: it, or one that shares its bucket, is not as it was delivered."""
        return self._changed(zlib.crc32(key.encode()))

    def _changed(self, hash_: int) -> bool:
        bucket = hash_ >> (HASH_BITS - self._known_bits)
        return self._known.get(bucket) != self._known_now[bucket]

    def settle(self, key: str) -> None:
        """The rows of a box that differed were emitted; to be called once for each."""
        self._due[zlib.crc32(key.encode()) >> (HASH_BITS - self._bits)] -= 1

    @property
    def bits(self) -> int:
        """For `of`."""
        return self._bits

    @property
    def settled(self) -> int:
        """How many boxes are delivered as they are now."""
        return sum(not self._due.get(hash_ >> (HASH_BITS - self._bits)) for hash_ in self._hashes)

    def text(self) -> str:
        """The ledger for the state: the prints of settled buckets, and nothing of those that are still to be read."""
        return _packed(
            {bucket: now for bucket, now in self._prints.items() if not self._due.get(bucket)}
        )

    def differing(self) -> list[int]:
        """Hashes of the keys of the boxes that are to be read."""
        return list(filter(self._changed, self._hashes))

    def drop(self, hashes: Iterable[int]) -> bool:
        """Of a ledger that is not compared: forget boxes that turned up elsewhere. Returns whether any was there."""
        buckets = {hash_ >> (HASH_BITS - self._known_bits) for hash_ in hashes} & self._known.keys()
        for bucket in buckets:
            del self._known[bucket]
        return bool(buckets)

    def known_text(self) -> str:
        """For the state: what it was made from, less what was dropped."""
        return _packed(self._known)


def _packed(entries: Mapping[int, int]) -> str:
    buckets = sorted(entries)
    prints = array("I", [entries[bucket] for bucket in buckets])
    packed = len(buckets).to_bytes(4, "little") + prints.tobytes() + _steps(buckets)
    return base64.b64encode(zlib.compress(packed, 6)).decode()


def _sums(hashes: Iterable[int], prints: Iterable[int], bits: int) -> dict[int, int]:
    """Bucket -> sum of its boxes' prints: in whatever order they are listed."""
    sums: dict[int, int] = {}
    for hash_, print_ in zip(hashes, prints, strict=True):
        bucket = hash_ >> (HASH_BITS - bits)
        sums[bucket] = (sums.get(bucket, 0) + print_) % PRINTS
    return sums


def _steps(numbers: Iterable[int]) -> bytes:
    """Ascending numbers as the steps between them, 7 bits to a byte: two to three bytes each instead of four."""
    result = bytearray()
    last = 0
    for number in numbers:
        step, last = number - last, number
        while step >= 128:
            result.append(step & 127 | 128)
            step >>= 7
        result.append(step)
    return bytes(result)


def _undo_steps(packed: bytes) -> list[int]:
    numbers: list[int] = []
    last = step = shift = 0
    for byte in packed:
        step |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            last += step
            numbers.append(last)
            step = shift = 0
    if shift:
        raise Unreadable("cut off")
    return numbers
