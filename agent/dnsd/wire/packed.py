"""Answers about plain services, packed straight into bytes.

A service is plain when each of its instances has an IP address of the asked family: the usual
case.  Its records differ between questions in their order and in how the domain is written
only, so everything else is prepared once, and an answer of 50 SRV records costs a fifth of
what it costs record by record (`selection`).  Both give the same records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from pyconsul.agent.dnsd.wire.candidate import Candidate
from pyconsul.agent.dnsd.wire.layout import AAAA, HEADER, SRV, TO_QUESTION, TXT, A, address_head, record, srv_head

T = TypeVar("T")

_TARGET_AT = 18  # where the target starts in an SRV record: pointer, head, priority, weight, port
_POINTABLE = 0x4000  # a pointer has 14 bits
SHARED = 8  # questions that are answered in the same order


class Packed(msgspec.Struct, frozen=True):
    """The answer and additional sections as they stand behind the question, with the number of records in each."""

    answers: int
    answer: bytes
    additionals: int
    additional: bytes
    cut: bool  # records were left out


class Room(msgspec.Struct, frozen=True):
    """What an answer may take: records, and bytes behind the question; without bytes nothing is packed.

    spelled: when there are too many records, the bytes count as if names were not compressed.
    """

    most: int
    space: int
    spelled: bool = False


class Item(NamedTuple):
    """An instance's records, all but the domain.

    front: the SRV record up to the domain, or an address record.  stem: the target up to the domain.  rest: the
    target's address record behind its owner.  texts: its TXT records behind their owner.
    """

    front: bytes
    stem: bytes = b""
    rest: bytes = b""
    texts: tuple[bytes, ...] = ()


class Rotation:
    """Rotates items when only some fit into an answer: a window over a random order.

    From answer to answer it moves by one, and after a round the order is drawn again. So of any `total` answers in a row,
    from the start of a round on, each instance is first in one.
    """

    __slots__ = ("_at", "_order", "_total")

    def __init__(self) -> None:
        self._order: list[int] = []  # twice, so that no window has to wrap
        self._total = self._at = 0

    def next(self, items: Sequence[T], count: int, rng: Callable[[], float]) -> list[T]:
        """Return the next `count` items (at most all)."""
        total = len(items)
        if total != self._total or self._at >= total:
            self._order = some(range(total), total, rng) * 2
            self._total, self._at = total, 0
        at = self._at
        self._at = at + 1
        return [items[number] for number in self._order[at : at + min(count, total)]]


class Prepared:
    """The prepared records of a service for one type and length of the domain, and the order they were last packed in.

    An order is used for a few questions before the next is drawn: most of its packing is the same for names of one
    length.  `fresh` draws at once.  `size`: bytes of all records, behind the question.
    """

    __slots__ = ("_left", "fronts", "glue", "items", "order", "rotation", "size")

    def __init__(self, items: list[Item], suffix_length: int = 0) -> None:
        self.items = items
        self.size = _size(items, suffix_length)
        self.rotation = Rotation()
        self.order = items
        self.fronts: list[bytes] = []
        self.glue: dict[int, tuple[int, bytes]] = {}  # by where the answer section starts
        self._left = 0

    def arrange(self, rng: Callable[[], float], fresh: bool) -> None:
        """Draw an order, when it is time to."""
        if fresh or not self._left:
            self.order = some(self.items, len(self.items), rng)
            self.fronts = [item.front for item in self.order]
            self.glue = {}
            self._left = SHARED
        self._left -= 1


def prepare(found: Sequence[Candidate], rdtype: int, ttl: int, suffix_length: int) -> list[Item] | None:
    """Prepare the records of a service for SRV, A or AAAA, under a domain of some length; None when it is not plain."""
    items: dict[object, Item] = {}
    for one in found:
        end = one.endpoint(rdtype)
        if end is None or not end.packed:
            return None
        rest = address_head(end.packed, ttl) + end.packed
        if rdtype == SRV:
            if one.texts and one.named != end.stem:
                return None
            front = TO_QUESTION + srv_head(len(end.stem) + suffix_length, ttl) + one.place + end.stem
            texts = tuple([record(b"", TXT, ttl, text)[1] for text in one.texts])
            items.setdefault(one.key, Item(front, end.stem, rest, texts))
        elif len(end.packed) == (4 if rdtype == A else 16):
            items.setdefault(rest, Item(TO_QUESTION + rest))
        else:
            return None
    return list(items.values())


def packs(rdtype: int) -> bool:
    """Return whether answers of a type can be packed."""
    return rdtype in (SRV, A, AAAA)


def pack(
    prepared: Prepared,
    name: bytes,
    suffix: bytes,
    room: Room,
    rng: Callable[[], float],
    limit: int = 0,
    fresh: bool = False,
    rotation: Rotation | None = None,
) -> Packed | None:
    """Pack prepared records into an answer to a question by name, in random order, cut to the room.

    limit: how many records there may be however much room there is; 0: any number.  fresh: no other answer's order.
    rotation: used when not all items fit, instead of the one that all answers share.
    None when not even one record fits, when it would be too long for pointers, or when only texts are too much.
    """
    start = HEADER.size + len(name) + 4
    total = len(prepared.items)
    count = min(total, limit or total)
    cut = count > room.most
    if count == total and not cut and prepared.size <= room.space:
        prepared.arrange(rng, fresh)
        return _whole(prepared, start, suffix)
    chosen = (rotation or prepared.rotation).next(prepared.items, min(count, room.most), rng)
    spelled = cut and room.spelled
    if len(chosen) < total and not spelled:
        packed = _join(chosen, start, suffix, cut)
        if packed is not None and len(packed.answer) + len(packed.additional) <= room.space:
            return packed
    keep = _fitting(chosen, len(name) if spelled else 0, len(suffix), room.space)
    cut = cut or keep < len(chosen)
    return _join(chosen[:keep], start, suffix, cut) if keep and cut else None


def _whole(prepared: Prepared, start: int, suffix: bytes) -> Packed | None:
    """Return all records, in the prepared order."""
    fronts = prepared.fronts
    if not fronts or not prepared.order[0].stem:
        return Packed(len(fronts), b"".join(fronts), 0, b"", False)
    answer = suffix.join(fronts) + suffix
    if start + len(answer) > _POINTABLE:
        return None
    glue = prepared.glue.get(start)
    if glue is None:
        glue = prepared.glue[start] = _glue(prepared.order, start, len(suffix), True)
    return Packed(len(fronts), answer, glue[0], glue[1], False)


def _join(items: Sequence[Item], start: int, suffix: bytes, cut: bool) -> Packed | None:
    """Records of some items; their texts only when nothing is left out."""
    fronts = [item.front for item in items]
    if not items or not items[0].stem:
        return Packed(len(items), b"".join(fronts), 0, b"", cut)
    answer = suffix.join(fronts) + suffix
    if start + len(answer) > _POINTABLE:
        return None
    return Packed(len(items), answer, *_glue(items, start, len(suffix), not cut), cut)


def _glue(items: Sequence[Item], start: int, suffix_length: int, told: bool) -> tuple[int, bytes]:
    """Return the additional section behind SRV records that start somewhere: the number of its records, and their bytes.

    Each target's address comes once, with its texts if they are to be told; the owners point to the targets.
    """
    parts: list[bytes] = []
    add = parts.append
    seen: set[bytes] = set()
    at, count = (0xC000 | start) + _TARGET_AT, 0
    for front, stem, rest, texts in items:
        if stem not in seen:
            seen.add(stem)
            target = at.to_bytes(2)
            add(target)
            add(rest)
            count += 1
            if texts and told:
                count += len(texts)
                parts.extend([target + text for text in texts])
        at += len(front) + suffix_length
    return count, b"".join(parts)


def _fitting(items: Sequence[Item], name: int, suffix: int, space: int) -> int:
    """Return how many of the items fit without their texts.  `name`: the length of the owner when it is written out, else 0."""
    seen: set[bytes] = set()
    for number, (front, stem, rest, _) in enumerate(items):
        space -= len(front) + (suffix if stem else 0) + (name - len(TO_QUESTION) if name else 0)
        if stem and stem not in seen:
            seen.add(stem)
            space -= len(rest) + (len(stem) + suffix if name else len(TO_QUESTION))
        if space < 0:
            return number
    return len(items)


def _size(items: Sequence[Item], suffix: int) -> int:
    """Return how many bytes all items take, with their texts."""
    size, seen = 0, set[bytes]()
    for front, stem, rest, texts in items:
        size += len(front) + (suffix if stem else 0)
        if stem and stem not in seen:
            seen.add(stem)
            size += sum(len(TO_QUESTION) + len(one) for one in (rest, *texts))
    return size


def some(items: Sequence[T], most: int, rng: Callable[[], float]) -> list[T]:
    """Return at most `most` items, in random order."""
    count = len(items)
    if count <= most:
        return sorted(items, key=lambda _: rng()) if count > 1 else list(items)
    rest = list(items)
    for place in range(most):
        other = place + int(rng() * (count - place))
        rest[place], rest[other] = rest[other], rest[place]
    return rest[:most]
