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

from pyconsul.agent.dnsd.candidates import Candidate
from pyconsul.agent.dnsd.wire import AAAA, HEADER, SRV, TO_QUESTION, TXT, A, address_head, record, srv_head

T = TypeVar("T")

_TARGET_AT = 18  # where the target starts in an SRV record: pointer, head, priority, weight, port
_POINTABLE = 0x4000  # a pointer has 14 bits


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


def prepare(found: Sequence[Candidate], kind: int, ttl: int, suffix_length: int) -> list[Item] | None:
    """Prepare the records of a service for SRV, A or AAAA, under a domain of some length; None when it is not plain."""
    items: dict[object, Item] = {}
    for one in found:
        end = one.endpoint(kind)
        if end is None or not end.packed:
            return None
        rest = address_head(end.packed, ttl) + end.packed
        if kind == SRV:
            if one.texts and one.named != end.stem:
                return None
            front = TO_QUESTION + srv_head(len(end.stem) + suffix_length, ttl) + one.place + end.stem
            texts = tuple([record(b"", TXT, ttl, text)[1] for text in one.texts])
            items.setdefault(one.key, Item(front, end.stem, rest, texts))
        elif len(end.packed) == (4 if kind == A else 16):
            items.setdefault(rest, Item(TO_QUESTION + rest))
        else:
            return None
    return list(items.values())


def packs(kind: int) -> bool:
    """Whether answers of a type can be packed."""
    return kind in (SRV, A, AAAA)


def pack(items: Sequence[Item], name: bytes, suffix: bytes, room: Room, chance: Callable[[], float]) -> Packed | None:
    """Pack prepared records into an answer to a question by name, in an order of chance and cut to the room.

    None when not even one fits, when it would be too long for pointers, or when only texts are too much.
    """
    cut = len(items) > room.most
    chosen = some(items, room.most, chance)
    start = HEADER.size + len(name) + 4
    if not (cut and room.spelled):
        packed = _join(chosen, start, suffix, cut)
        if packed is None or len(packed.answer) + len(packed.additional) <= room.space:
            return packed
    keep = _fitting(chosen, len(name) if cut and room.spelled else 0, len(suffix), room.space)
    cut = cut or keep < len(chosen)
    return _join(chosen[:keep], start, suffix, cut) if keep and cut else None


def _join(items: Sequence[Item], start: int, suffix: bytes, cut: bool) -> Packed | None:
    fronts = [item.front for item in items]
    if not items or not items[0].stem:
        return Packed(len(items), b"".join(fronts), 0, b"", cut)
    answer = suffix.join(fronts) + suffix
    if start + len(answer) > _POINTABLE:
        return None
    parts: list[bytes] = []
    add = parts.append
    seen: set[bytes] = set()
    at, more, count = (0xC000 | start) + _TARGET_AT, len(suffix), 0
    for front, stem, rest, texts in items:
        if stem not in seen:
            seen.add(stem)
            target = at.to_bytes(2)
            add(target)
            add(rest)
            count += 1
            if texts and not cut:
                count += len(texts)
                parts.extend([target + text for text in texts])
        at += len(front) + more
    return Packed(len(items), answer, count, b"".join(parts), cut)


def _fitting(items: Sequence[Item], name: int, suffix: int, space: int) -> int:
    """How many of the items fit without their texts.  `name`: the length of the owner when it is written out, else 0."""
    seen: set[bytes] = set()
    for number, (front, stem, rest, _) in enumerate(items):
        space -= len(front) + (suffix if stem else 0) + (name - len(TO_QUESTION) if name else 0)
        if stem and stem not in seen:
            seen.add(stem)
            space -= len(rest) + (len(stem) + suffix if name else len(TO_QUESTION))
        if space < 0:
            return number
    return len(items)


def some(items: Sequence[T], most: int, chance: Callable[[], float]) -> list[T]:
    """At most so many of the items, picked and ordered by chance."""
    count = len(items)
    if count <= most:
        return sorted(items, key=lambda _: chance()) if count > 1 else list(items)
    rest = list(items)
    for place in range(most):
        other = place + int(chance() * (count - place))
        rest[place], rest[other] = rest[other], rest[place]
    return rest[:most]
