"""Deltas written by hand, byte by byte, as RFC 3284 lays them out.

And those that stable-retro ships.
"""

import zlib
from unittest.mock import ANY

import pytest
import stable_retro

from metarl.tasks.games import vcdiff
from metarl.tasks.games.vcdiff import CODE_TABLE, Reader, apply_delta

HEAD = b"\xd6\xc3\xc4\x00\x00"
SOURCE = b"abcdefghijklmnop"


def window(size, data=b"", codes=b"", addresses=b"", segment=b"\x01\x10\x00", checksum=None):
    """Return one window.

    `segment` says that it draws on the 16 letters of SOURCE, from the first.
    """
    lengths = bytes([size, 0, len(data), len(codes), len(addresses)])
    body = lengths + (b"" if checksum is None else checksum.to_bytes(4)) + data + codes + addresses
    return (
        bytes([segment[0] | (4 if checksum is not None else 0)])
        + segment[1:]
        + bytes([len(body)])
        + body
    )


# The RFC's own example (section 3): abcdefghijklmnop becomes abcdwxyzefghefghefghefghzzzz.
EXAMPLE = b"abcdwxyzefghefghefghefghzzzz"
# copy 4 from 0; add 4; copy 4 from 4; copy 12 from 24, which runs into itself; run 4
CODES = bytes([20, 5, 20, 28, 0, 4])
GOOD = window(28, b"wxyzz", CODES, b"\x00\x04\x18")


def test_the_example_of_the_rfc():
    assert apply_delta(SOURCE, HEAD + GOOD) == EXAMPLE


def test_the_table_of_codes_is_the_default_one():
    assert len(CODE_TABLE) == 256
    assert [tuple(map(tuple, CODE_TABLE[code])) for code in (0, 1, 18, 19, 20, 162)] == [
        (("run", 0, 0),),
        (("add", 0, 0),),
        (("add", 17, 0),),
        (("copy", 0, 0),),
        (("copy", 4, 0),),
        (("copy", 18, 8),),
    ]
    assert [
        tuple(map(tuple, CODE_TABLE[code])) for code in (163, 174, 234, 235, 246, 247, 255)
    ] == [
        (("add", 1, 0), ("copy", 4, 0)),
        (("add", 4, 0), ("copy", 6, 0)),
        (("add", 4, 0), ("copy", 6, 5)),
        (("add", 1, 0), ("copy", 4, 6)),
        (("add", 4, 0), ("copy", 4, 8)),
        (("copy", 4, 0), ("add", 1, 0)),
        (("copy", 4, 8), ("add", 1, 0)),
    ]


def test_numbers_have_seven_bits_a_byte():
    assert Reader(b"\xba\xef\x9a\x15").number() == 123_456_789  # the RFC's example


def test_addresses_told_by_earlier_ones():
    # mode 1: 2 back from here, 16; mode 2: 1 after the first address, into what it writes itself;
    # mode 6: the address kept under 14
    codes = bytes([19 + 16, 2, 19 + 32, 4, 19 + 16 * 6, 2])
    assert (
        apply_delta(SOURCE, HEAD + window(8, b"", codes, bytes([2, 1, 14])))
        == b"op" + b"popp" + b"op"
    )


def test_several_windows_a_note_and_a_segment_of_the_target():
    first = window(3, b"xyz", bytes([4]), segment=b"\x00")
    second = window(4, b"", bytes([20]), b"\x00", segment=b"\x01\x04\x02")
    third = window(4, b"", bytes([20]), b"\x00", segment=b"\x02\x04\x01")
    assert (
        apply_delta(SOURCE, b"\xd6\xc3\xc4\x00\x04\x03abc" + first + second + third)
        == b"xyzcdefyzcd"
    )


def test_checksums():
    good = window(28, b"wxyzz", CODES, b"\x00\x04\x18", checksum=zlib.adler32(EXAMPLE))
    assert apply_delta(SOURCE, HEAD + good) == EXAMPLE
    with pytest.raises(ValueError, match="made from another version of the file"):
        apply_delta(b"another" + SOURCE[7:], HEAD + good)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (b"PK\x03\x04 and so on", "isn't a VCDIFF file"),
        (b"\xd6\xc3\xc4\x00\x01\x02" + GOOD, "compression or a code table"),
        (HEAD + GOOD[:-2], "ends too early"),
        (HEAD + window(27, b"wxyzz", CODES, b"\x00\x04\x18"), "more bytes than it says"),
        (HEAD + window(29, b"wxyzz", CODES, b"\x00\x04\x18"), "fewer bytes than it says"),
        (HEAD + window(4, b"", bytes([20]), b"\x20"), "copies from nowhere"),
        (HEAD + b"\x01\x11\x00" + GOOD[3:], "made from a longer file"),
        (HEAD + b"\x01\xff\xff\xff\xff\x7f\x00" + GOOD[3:], "number above"),
    ],
)
def test_a_bad_delta_gets_a_sentence(delta, words):
    with pytest.raises(ValueError, match=words):
        apply_delta(SOURCE, delta)


@pytest.mark.parametrize(
    ("game", "size"),
    [
        ("SonicTheHedgehogCustomCathy-Genesis", 524_288),
        ("SonicTheHedgehogCustomKevin-Genesis", 557_056),
        ("SonicTheHedgehog2CustomKevin-Genesis", 1_048_576),
    ],
)
def test_the_contests_deltas_are_read_to_their_end(game, size, monkeypatch):
    """Without their ROMs only the checksums are wrong.

    A ROM of zeros gives a file of a ROM's length.
    """
    path = stable_retro.data.get_file_path(game, "rom.delta", stable_retro.data.Integrations.ALL)
    with open(path, "rb") as stream:
        delta = stream.read()
    with pytest.raises(ValueError, match="another version of the file"):
        apply_delta(bytes(1 << 20), delta)
    monkeypatch.setattr(vcdiff.zlib, "adler32", lambda data: ANY)
    assert len(apply_delta(bytes(1 << 20), delta)) == size
