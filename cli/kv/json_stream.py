"""The items of a JSON list that is too long to be held at once: pure, from pieces of its octets.

The items themselves are read by the standard library's decoder. Memory stays at one item and a piece, however long the
list is. The format: RFC 8259.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

#: Length of the longest token that a piece's end may split, strings apart: `-Infinity`, or an escape in a string.
_TOKEN = 12
_BLANKS = " \t\r\n"


class Malformed(Exception):
    """The error and its location; `offset` is in octets from the beginning, `line` counts from 1."""

    def __init__(self, reason: str, offset: int, line: int) -> None:
        super().__init__(f"{reason} at byte {offset} (line {line})")
        self.offset = offset
        self.line = line


class _Text:
    """The text that was received and not yet used up, and where in the whole it begins."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._offset = 0  # octets before `text`
        self._lines = 0
        self._read = 0
        self.text = ""
        self.at = 0
        self.ended = False

    def more(self) -> bool:
        """Drop the used part and read about as much as is left, so that a long item is not scanned too often."""
        used = self.text[: self.at]
        self._offset += len(used.encode())
        self._lines += used.count("\n")
        parts = [self.text[self.at :]]
        wanted, got = len(parts[0]), 0
        while not self.ended and got <= wanted:
            piece = next(self._pieces, None)
            self.ended = piece is None
            try:
                parts.append(self._decode.decode(piece or b"", final=piece is None))
            except UnicodeDecodeError as error:
                raise Malformed(f"not UTF-8: {error.reason}", self._read + error.start, self._lines + 1) from None
            self._read += len(piece or b"")
            got += len(parts[-1])
        self.text, self.at = "".join(parts), 0
        return got > 0

    def peek(self) -> str:
        """Return the next character that is not a blank; empty at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in _BLANKS:
                    return self.text[self.at]
                self.at += 1
            if self.ended or not self.more():
                return ""

    def malformed(self, reason: str, position: int | None = None) -> Malformed:
        before = self.text[: self.at if position is None else position]
        return Malformed(reason, self._offset + len(before.encode()), self._lines + before.count("\n") + 1)

    def item(self) -> Any:
        """Decode the value that begins here."""
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos > len(self.text) - _TOKEN
                if cut and not self.ended:
                    self.more()
                    continue
                raise self.malformed(_reason(error.msg), error.pos) from None
            except RecursionError:
                raise self.malformed("nested too deeply") from None
            if isinstance(found, int | float) and end > len(self.text) - _TOKEN and not self.ended:
                self.more()  # the rest of the number may follow
                continue
            self.at = end
            return found


_DECODER = json.JSONDecoder()


def _reason(message: str) -> str:
    return message[:1].lower() + message[1:].removesuffix(" starting at").removesuffix(" at")


def items(pieces: Iterable[bytes]) -> Iterator[Any]:
    """Yield each item of the list, as soon as it is complete; `null` is an empty list. Raises Malformed."""
    text = _Text(pieces)
    first = text.peek()
    if first == "[":
        text.at += 1
        yield from _listed(text)
    elif first != "n" or text.item() is not None:
        raise text.malformed("expected a list" if first else "nothing there")
    if text.peek():
        raise text.malformed("extra data after the list")


def _listed(text: _Text) -> Iterator[Any]:
    """Parse from the opening bracket to the closing one."""
    mark = "]" if text.peek() == "]" else ","
    while mark != "]":
        if text.peek() == "]":
            raise text.malformed("expected a value")
        yield text.item()
        mark = text.peek()
        if mark not in ("]", ","):
            raise text.malformed("expected ',' or ']'" if mark else "the list is not ended")
        if mark == ",":
            text.at += 1
    text.at += 1
