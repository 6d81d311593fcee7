"""Packs bytes as short text for the state: compressed, base64, with a checksum against damage."""

from __future__ import annotations

import base64
import threading

from zstandard import ZstdCompressionParameters, ZstdCompressor, ZstdDecompressor, ZstdError

# Sorted keys resemble their neighbours, so a small window packs as well as a large one, in half the
# time, and takes 0.6 MB of memory instead of 8. Level 19 saves a tenth, but takes 30 times as long.
PARAMETERS = ZstdCompressionParameters.from_level(
    8, window_log=16, hash_log=15, chain_log=15, write_checksum=True
)
MAGIC = b"\x28\xb5\x2f\xfd"  # every Zstandard frame begins with it: no need to store it
# Bytes; more than any version used. A damaged text cannot ask for more memory than this.
WIDEST_WINDOW = 2**24


class Unreadable(ValueError):
    """A text that is not what it should be: cut off, damaged or of another version."""


class _Tools(threading.local):
    """Kept by each thread: making them costs more than most texts, and sharing is not safe."""

    def __init__(self) -> None:
        self.compressor = ZstdCompressor(compression_params=PARAMETERS)
        self.decompressor = ZstdDecompressor(max_window_size=WIDEST_WINDOW)


TOOLS = _Tools()


def pack(*parts: bytes) -> str:
    """Pack bytes as text. Several parts are packed as one, without joining them in memory."""
    packer = TOOLS.compressor.compressobj(size=sum(map(len, parts)))
    packed = b"".join([*map(packer.compress, parts), packer.flush()])
    return base64.b64encode(packed[len(MAGIC) :]).decode()


def unpack(text: str) -> bytes:
    """The bytes that were packed. Raises Unreadable."""
    reader = TOOLS.decompressor.decompressobj()
    try:
        content = reader.decompress(MAGIC + base64.b64decode(text, validate=True))
    except (ValueError, TypeError, ZstdError) as error:
        raise Unreadable(str(error)) from error
    if not reader.eof:
        raise Unreadable("cut off")
    return content
