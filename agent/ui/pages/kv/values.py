"""Values as people read and edit them: text with its line ends, hex dumps, lines side by side, and texts that are joined.

A browser sends each line end of a text as CR LF, and cannot hold all bytes; a value that was not edited stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

DUMPED = 4096  # bytes of a hex dump
MAX_LINES = 2000  # of a text that is compared; the time grows with the square
CONTEXT = 3  # equal lines around a difference
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MINE, MIDDLE, THEIRS = "<<<<<<< yours", "=======", ">>>>>>> stored"


def text_of(value: bytes) -> str | None:
    """Return a value as text; None for a binary one."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if CONTROLS.search(text) else text


def unified(text: str) -> str:
    """Return a text with LF at the end of each line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def edited(old: bytes, typed: str) -> bytes:
    """Return the bytes of a text that was edited in a browser: the old ones if nothing was, else with the old line ends."""
    before, lines = text_of(old), unified(typed)
    if before is not None and unified(before) == lines:
        return old
    ends_crlf = before is not None and "\r\n" in before and before.count("\n") == before.count("\r\n")
    return (lines.replace("\n", "\r\n") if ends_crlf else lines).encode("utf-8", "surrogateescape")


def has_mixed_ends(text: str) -> bool:
    """Return whether an edited text will lose some of its line ends."""
    return "\r" in text and len({text.count("\r"), text.count("\n"), text.count("\r\n")}) > 1


def hexdump(value: bytes) -> str:
    """Return the first bytes as `hexdump -C` shows them."""
    rows = []
    for start in range(0, min(len(value), DUMPED), 16):
        row = value[start : start + 16]
        digits = f"{row[:8].hex(' ')}  {row[8:].hex(' ')}"
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{start:08x}  {digits:<48}  |{letters}|")
    return "\n".join(rows)


@dataclass(frozen=True, slots=True)
class Side:
    """A line of one side.  number: from 1, 0 for no line; differs: to be marked."""

    number: int = 0
    text: str = ""
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lines side by side; or `skipped` equal ones."""

    left: Side = Side()
    right: Side = Side()
    skipped: int = 0


def side_by_side(left: str, right: str) -> list[Pair] | None:
    """Return the lines of two texts next to each other, without long equal parts; None if they are too long to compare."""
    old, new = _lines(left), _lines(right)
    if max(len(old), len(new)) > MAX_LINES:
        return None
    pairs: list[Pair] = []
    for kind, first, last, start, end in _blocks(old, new):
        if kind != "equal":
            for at in range(max(last - first, end - start)):
                pairs.append(Pair(_side(old, first + at, last), _side(new, start + at, end)))
            continue
        equal = [
            Pair(Side(a + 1, old[a]), Side(b + 1, new[b]))
            for a, b in zip(range(first, last), range(start, end), strict=True)
        ]
        head = CONTEXT if first else 0
        tail = CONTEXT if last < len(old) or end < len(new) else 0
        hidden = len(equal) - head - tail
        if hidden > 1:
            equal[head : head + hidden] = [Pair(skipped=hidden)]
        pairs += equal
    return pairs


def _side(lines: Sequence[str], at: int, end: int) -> Side:
    return Side(at + 1, lines[at], differs=True) if at < end else Side()


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, int, int, int, int]]:
    from difflib import SequenceMatcher

    return list(SequenceMatcher(None, old, new).get_opcodes())


def joined(base: str | None, mine: str, theirs: str) -> tuple[str, int]:
    """Return a text with the changes of two people, and the number of places that both have changed, which are marked.

    base: what both began with; without it, each difference is marked.
    """
    ours, other = _lines(mine), _lines(theirs)
    if max(len(ours), len(other)) > MAX_LINES:
        return "\n".join([MINE, *ours, MIDDLE, *other, THEIRS]), 1
    found: list[str] = []
    conflicts = 0
    for middle, left, right in _pieces(None if base is None else _lines(base), ours, other):
        if left == right or right == middle:
            found += left
        elif left == middle:
            found += right
        else:
            found += [MINE, *left, MIDDLE, *right, THEIRS]
            conflicts += 1
    return "\n".join(found), conflicts


def _pieces(
    base: list[str] | None, mine: list[str], theirs: list[str]
) -> Iterator[tuple[list[str] | None, list[str], list[str]]]:
    """Yield what stands in the base, mine and theirs, piece by piece; all three begin a piece together."""
    if base is None:
        for kind, first, last, start, end in _blocks(mine, theirs):
            yield (mine[first:last] if kind == "equal" else None), mine[first:last], theirs[start:end]
        return
    left, right = _kept(base, mine), _kept(base, theirs)
    at = (0, 0, 0)
    for number in range(len(base)):
        if number in left and number in right:
            here = (number, left[number], right[number])
            yield base[at[0] : here[0]], mine[at[1] : here[1]], theirs[at[2] : here[2]]
            yield [base[number]], [base[number]], [base[number]]
            at = (here[0] + 1, here[1] + 1, here[2] + 1)
    yield base[at[0] :], mine[at[1] :], theirs[at[2] :]


def _kept(base: list[str], text: list[str]) -> dict[int, int]:
    """Return where lines of the base stand in a text."""
    return {
        first + at: start + at
        for kind, first, last, start, _ in _blocks(base, text)
        if kind == "equal"
        for at in range(last - first)
    }
