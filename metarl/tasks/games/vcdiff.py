"""Decodes VCDIFF, in which a file is told by its differences from another (RFC 3284).

stable-retro ships the Retro Contest's own levels in this form: as what must change in the ROM of a
game. They use the default code table, no compression of sections, and the checksum of each window
that xdelta3 adds.
"""

import zlib
from itertools import product
from typing import NamedTuple

__all__ = ["apply_delta"]

MAGIC = b"\xd6\xc3\xc4\x00"
# bits of a window's indicator
FROM_SOURCE = 1
FROM_TARGET = 2
CHECKED = 4
NOTED = 4  # bit of a file's indicator: whoever made it left a note
ADD = "add"
RUN = "run"
COPY = "copy"
# sizes of the cache of addresses, the latter in units of 256
NEAR = 4
SAME = 3
LONGEST = 1 << 27  # bytes of a decoded window; the largest ROM has a quarter of that


class Instruction(NamedTuple):
    """What to do for `size` bytes; a size of 0 stands in the delta."""

    kind: str
    size: int
    mode: int = 0  # of a copy's address


def _code_table() -> list[tuple[Instruction, ...]]:
    """Return the default one: one or two instructions for each byte (RFC 3284, section 5.6)."""
    table: list[tuple[Instruction, ...]] = [(Instruction(RUN, 0),)]
    table += [(Instruction(ADD, size),) for size in range(18)]
    table += [
        (Instruction(COPY, size, mode),) for mode, size in product(range(9), (0, *range(4, 19)))
    ]
    table += [
        (Instruction(ADD, add), Instruction(COPY, copy, mode))
        for mode, add, copy in product(range(6), range(1, 5), range(4, 7))
    ]
    table += [
        (Instruction(ADD, add), Instruction(COPY, 4, mode))
        for mode, add in product(range(6, 9), range(1, 5))
    ]
    return table + [(Instruction(COPY, 4, mode), Instruction(ADD, 1)) for mode in range(9)]


CODE_TABLE = _code_table()


class Reader:
    """Reads bytes from first to last."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    @property
    def over(self) -> bool:
        """Whether all is read."""
        return self.at >= len(self.data)

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        if self.at + count > len(self.data):
            raise ValueError("The delta ends too early; it is damaged.")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self) -> int:
        """Return the next byte."""
        return self.take(1)[0]

    def number(self) -> int:
        """Return the next whole number, seven bits a byte, the highest first."""
        value = 0
        while True:
            digit = self.byte()
            value = value << 7 | digit & 127
            if value > LONGEST:
                raise ValueError(
                    f"The delta holds a number above {LONGEST}; it is damaged, or no ROM's."
                )
            if digit < 128:
                return value


class AddressCache:
    """Addresses that copies used lately, by which the next ones are told (RFC 3284, section 5.1)."""

    def __init__(self) -> None:
        self.near = [0] * NEAR
        self.same = [0] * (SAME * 256)
        self.next = 0

    def decode(self, addresses: Reader, here: int, mode: int) -> int:
        """Return where a copy begins, counted from the source segment's first byte.

        `here` is where it goes to.
        """
        if mode == 0:
            address = addresses.number()
        elif mode == 1:
            address = here - addresses.number()
        elif mode < 2 + NEAR:
            address = self.near[mode - 2] + addresses.number()
        else:
            address = self.same[(mode - 2 - NEAR) * 256 + addresses.byte()]
        self.near[self.next] = address
        self.next = (self.next + 1) % NEAR
        self.same[address % (SAME * 256)] = address
        return address


def apply_delta(source: bytes, delta: bytes) -> bytes:
    """Return the file that `delta` tells of, given the file that it was made from.

    Raises:
        ValueError: not a delta of this kind, a damaged one, or one of another source.
    """
    if delta[:4] != MAGIC or len(delta) < 5:
        raise ValueError("This isn't a VCDIFF file.")
    if delta[4] & ~NOTED:
        raise ValueError(
            "This VCDIFF file uses compression or a code table of its own, which isn't supported."
        )
    reader = Reader(delta[5:])
    target = bytearray()
    if delta[4] & NOTED:
        reader.take(reader.number())
    while not reader.over:
        indicator = reader.byte()
        segment = b""
        if indicator & (FROM_SOURCE | FROM_TARGET):
            size = reader.number()
            start = reader.number()
            segment = bytes((source if indicator & FROM_SOURCE else target)[start : start + size])
            if len(segment) < size:
                raise ValueError("The delta was made from a longer file than this one.")
        target += _window(Reader(reader.take(reader.number())), segment, bool(indicator & CHECKED))
    return bytes(target)


def _window(reader: Reader, segment: bytes, checked: bool) -> bytes:
    """Return one window of the target (RFC 3284, section 4.3)."""
    size = reader.number()
    if reader.byte() != 0:
        raise ValueError("This VCDIFF file's sections are compressed, which isn't supported.")
    lengths = [reader.number() for _ in range(3)]
    checksum = int.from_bytes(reader.take(4)) if checked else None
    data, codes, addresses = (Reader(reader.take(length)) for length in lengths)
    cache = AddressCache()
    all_bytes = bytearray(segment)
    while not codes.over:
        for kind, fixed, mode in CODE_TABLE[codes.byte()]:
            count = fixed or codes.number()
            if len(all_bytes) - len(segment) + count > size:
                raise ValueError("The delta gives more bytes than it says; it is damaged.")
            if kind == ADD:
                all_bytes += data.take(count)
            elif kind == RUN:
                all_bytes += data.take(1) * count
            else:
                start = cache.decode(addresses, len(all_bytes), mode)
                if not 0 <= start < len(all_bytes):
                    raise ValueError("The delta copies from nowhere; it is damaged.")
                while count > 0:  # a copy may run into what it has written itself
                    piece = all_bytes[start : start + count]
                    all_bytes += piece
                    start = start + len(piece)
                    count = count - len(piece)
    window = bytes(all_bytes[len(segment) :])
    if len(window) != size:
        raise ValueError("The delta gives fewer bytes than it says; it is damaged.")
    if checksum is not None and zlib.adler32(window) != checksum:
        raise ValueError(
            "The checksum of the result is wrong: the delta was made from another version of the"
            " file."
        )
    return window
