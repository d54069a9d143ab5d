"""LZW as Go's `compress/lzw` writes it: least significant bit first, literals of 8 bits, codes of 9 to 12 bits.

Code 256 clears the table, 257 ends the data. The encoder counts one code after each data code; when the count reaches a power of
two the width grows, and at 4095 it clears the table. The decoder's count lags one behind.
"""

from __future__ import annotations

from pyconsul.agent.gossip.wire.errors import DecodeError

_CLEAR, _END = 256, 257
_FIRST_WIDTH, _LAST_WIDTH = 9, 12
_LAST_CODE = 4095
_LITERALS = [bytes([value]) for value in range(256)] + [b"", b""]  # 256 and 257 are no data


def decompress(data: bytes, limit: int) -> bytes:
    """Return the expanded data, at most `limit` bytes. Raises DecodeError."""
    output = bytearray()
    table = _LITERALS.copy()
    width, bits, bit_count = _FIRST_WIDTH, 0, 0
    previous: bytes | None = None
    for byte in data:
        bits |= byte << bit_count
        bit_count += 8
        if bit_count < width:
            continue
        code = bits & ((1 << width) - 1)
        bits >>= width
        bit_count -= width
        if code == _CLEAR:
            table, width, previous = _LITERALS.copy(), _FIRST_WIDTH, None
            continue
        if code == _END:
            return bytes(output)
        known = len(table)
        if code < known:
            entry = table[code]
        elif code == known and previous is not None and known <= _LAST_CODE:
            entry = previous + previous[:1]
        else:
            raise DecodeError(f"LZW: invalid code {code}")
        output += entry
        if len(output) > limit:
            raise DecodeError(f"LZW: the data expands to more than {limit} bytes")
        if previous is not None and known <= _LAST_CODE:
            table.append(previous + entry[:1])
        previous = entry
        if len(table) >= 1 << width and width < _LAST_WIDTH:
            width += 1
    raise DecodeError("LZW: the data is truncated")


class _BitWriter:
    """Codes packed into bytes, least significant bit first."""

    __slots__ = ("_bit_count", "_bits", "_output")

    def __init__(self) -> None:
        self._output = bytearray()
        self._bits = self._bit_count = 0

    def write(self, code: int, width: int) -> None:
        self._bits |= code << self._bit_count
        self._bit_count += width
        while self._bit_count >= 8:
            self._output.append(self._bits & 255)
            self._bits >>= 8
            self._bit_count -= 8

    def finish(self) -> bytes:
        if self._bit_count:
            self._output.append(self._bits & 255)
        return bytes(self._output)


def compress(data: bytes) -> bytes:
    """Return the data compressed, byte for byte as Go does."""
    writer = _BitWriter()
    width, count = _FIRST_WIDTH, _END
    table: dict[int, int] = {}  # prefix code << 8 | next byte → code
    writer.write(_CLEAR, width)
    prefix = -1
    for byte in data:
        if prefix < 0:
            prefix = byte
            continue
        key = prefix << 8 | byte
        longer = table.get(key)
        if longer is not None:
            prefix = longer
            continue
        writer.write(prefix, width)
        prefix = byte
        count += 1
        if count == 1 << width:
            width += 1
        if count == _LAST_CODE:
            writer.write(_CLEAR, width)
            width, count = _FIRST_WIDTH, _END
            table.clear()
        else:
            table[key] = count
    if prefix >= 0:
        writer.write(prefix, width)
        count += 1
        if count == 1 << width:
            width += 1
        if count == _LAST_CODE:
            writer.write(_CLEAR, width)
            width = _FIRST_WIDTH
    writer.write(_END, width)
    return writer.finish()
