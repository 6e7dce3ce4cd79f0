"""A ZIP archive that is written as it is sent: sizes and checksums come after what they are of.

Python's own writer closes its file when it is thrown away, which one that was cut must not.

Source: APPNOTE.TXT 6.3 §4.3.7, §4.3.9, §4.3.12, §4.3.16; without ZIP64, so no file and no archive of 4 GiB or more
"""

import struct
import zlib

_VERSION = 20
_FLAGS = 0x0808  # the sizes follow; names are UTF-8
_DEFLATED = 8
_TIME, _DATE = 0, 0x21  # 1 January 1980: the same content gives the same bytes
_RAW = -15  # deflate without a head of its own
_LEVEL = 1


class Archive:
    """Gives the bytes of one archive, in order; its files are written one after the other."""

    def __init__(self) -> None:
        """Begin with nothing in it."""
        self._offset = 0
        self._directory: list[bytes] = []

    def begin_file(self, name: str) -> bytes:
        """Give what stands before a file's content."""
        self._name, self._start, self._crc, self._size, self._packed_size = name.encode(), self._offset, 0, 0, 0
        self._deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW)
        kind = (_VERSION, _FLAGS, _DEFLATED, _TIME, _DATE)
        return self._pass(struct.pack("<IHHHHHIIIHH", 0x04034B50, *kind, 0, 0, 0, len(self._name), 0) + self._name)

    def write(self, part: bytes) -> bytes:
        """Give what a part of the content becomes; some of it may come with the next."""
        self._crc = zlib.crc32(part, self._crc)
        self._size += len(part)
        return self._pack(self._deflate.compress(part))

    def end_file(self) -> bytes:
        """Give the rest of the content, and what tells its size and checksum."""
        rest = self._pack(self._deflate.flush())
        sizes = (self._crc, self._packed_size, self._size)
        kind = (_VERSION, _VERSION, _FLAGS, _DEFLATED, _TIME, _DATE)
        entry = struct.pack(
            "<IHHHHHHIIIHHHHHII", 0x02014B50, *kind, *sizes, len(self._name), 0, 0, 0, 0, 0, self._start
        )
        self._directory.append(entry + self._name)
        return rest + self._pass(struct.pack("<IIII", 0x08074B50, *sizes))

    def end(self) -> bytes:
        """Give the directory."""
        directory = b"".join(self._directory)
        files = len(self._directory)
        return directory + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, files, files, len(directory), self._offset, 0)

    def _pack(self, packed: bytes) -> bytes:
        self._packed_size += len(packed)
        return self._pass(packed)

    def _pass(self, written: bytes) -> bytes:
        self._offset += len(written)
        return written
