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
    """What an answer may take: records, and bytes behind the question.  When there are more records than `most`,
    the bytes count as if names were not compressed."""

    most: int
    space: int


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
    """Pack prepared records into an answer to a question by name, in an order of chance; None when it does not fit."""
    cut = len(items) > room.most
    items = some(items, room.most, chance)
    if items and items[0].stem:
        packed = _pack_srv(items, HEADER.size + len(name) + 4, suffix, cut)
        spelled = _spelled(items, len(name), len(suffix)) if cut else 0
    else:
        packed = Packed(len(items), b"".join([item.front for item in items]), 0, b"", cut)
        spelled = len(packed.answer) + len(items) * (len(name) - len(TO_QUESTION)) if cut else 0
    size = max(spelled, len(packed.answer) + len(packed.additional))
    return packed if size <= min(room.space, _POINTABLE - HEADER.size - len(name) - 4) else None


def _pack_srv(items: Sequence[Item], start: int, suffix: bytes, cut: bool) -> Packed:
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
    answer = suffix.join([item.front for item in items]) + suffix
    return Packed(len(items), answer, count, b"".join(parts), cut)


def _spelled(items: Sequence[Item], name: int, suffix: int) -> int:
    """How many bytes the records take when all names are written out."""
    answer = sum(len(item.front) + suffix + name - len(TO_QUESTION) for item in items)
    rests = {item.stem: len(item.rest) for item in items}
    return answer + sum(len(stem) + suffix + rest for stem, rest in rests.items())


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
