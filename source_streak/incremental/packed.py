"""Bytes as short text for the state: compressed, in base64, with a checksum that tells damage."""

from __future__ import annotations

import base64
import threading

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

LEVEL = 9  # 19 saves a tenth more, and takes forty times as long
MAGIC = b"\x28\xb5\x2f\xfd"  # how every frame of Zstandard begins: not worth saving
WIDEST_WINDOW = 2**24  # bytes; more than LEVEL uses, so that damage cannot ask for more memory


class Unreadable(ValueError):
    """A text that is not what it should be: cut off, damaged or of another version."""


class _Tools(threading.local):
    """Reused, since making them costs more than most texts; one pair a thread, since they are not safe to share."""

    def __init__(self) -> None:
        self.compressor = ZstdCompressor(LEVEL, write_checksum=True)
        self.decompressor = ZstdDecompressor(max_window_size=WIDEST_WINDOW)


TOOLS = _Tools()


def pack(content: bytes) -> str:
    """The reverse of `unpack`."""
    return base64.b64encode(TOOLS.compressor.compress(content)[len(MAGIC) :]).decode()


def unpack(text: str) -> bytes:
    """What was packed. Raises Unreadable."""
    reader = TOOLS.decompressor.decompressobj()
    try:
        content = reader.decompress(MAGIC + base64.b64decode(text, validate=True))
    except (ValueError, TypeError, ZstdError) as error:
        raise Unreadable(str(error)) from error
    if not reader.eof or reader.unused_data:
        raise Unreadable("cut off, or followed by something else")
    return content
