"""Makes records of instances: SRV with the addresses of their targets, or the addresses themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from pyconsul.agent.dnsd.wire.candidate import Candidate, Endpoint
from pyconsul.agent.dnsd.wire.layout import (
    AAAA,
    ANY,
    CNAME,
    NS,
    SRV,
    TXT,
    A,
    Record,
    address_head,
    kind_of,
    pointing,
    record,
    srv_head,
    with_ttl,
)
from pyconsul.agent.dnsd.wire.packed import Room
from pyconsul.agent.dnsd.wire.reply import Reply

MAX_RESOLVED = 5  # records that a host name adds to an answer, when the client has no EDNS

Resolve: TypeAlias = Callable[[bytes], Sequence[Record]]

_HAS_V4 = frozenset((SRV, A, ANY, NS, TXT))
_HAS_V6 = frozenset((SRV, AAAA, ANY, NS, TXT))


class Lookup(msgspec.Struct, frozen=True):
    """A name within the zone that is being answered.

    name: on the wire, as asked.  labels: those before the domain, in lower case.  suffix: the domain, as asked.
    room: no more than one record above its most need be made.  brief: the client has no EDNS.  depth: how many more names
    may be followed.
    """

    name: bytes
    rdtype: int
    labels: Sequence[str]
    suffix: bytes
    room: Room
    brief: bool
    depth: int


def fits(packed: bytes, rdtype: int) -> bool:
    """Return whether an address of this family answers a question of a type."""
    return rdtype in (_HAS_V4 if len(packed) == 4 else _HAS_V6)


def cname(owner: bytes, ttl: int, target: bytes) -> Record:
    """Return a CNAME record."""
    return pointing(owner, CNAME, ttl, target)


def labels_of(name: bytes) -> list[str]:
    """Return the labels of a name on the wire, in lower case."""
    labels, position = [], 0
    while length := name[position]:
        labels.append(name[position + 1 : position + 1 + length].decode("utf-8", "replace").lower())
        position += 1 + length
    return labels


def address_records(
    found: Sequence[Candidate], ttl: int, asked: Lookup, reply: Reply, resolve: Resolve, limit: int
) -> None:
    """Add the addresses of instances, each once and at most `limit` (0: all); or one host name, when there are none."""
    answer, name, rdtype = reply.answer, asked.name, asked.rdtype
    heads = {4: address_head(b"1234", ttl), 16: address_head(bytes(16), ttl)}
    seen: set[bytes] = set()
    host = b""
    enough = min(limit or asked.room.most + 1, asked.room.most + 1)
    for one in found:
        end = one.endpoint(rdtype)
        if end is None:
            continue
        packed = end.packed or (end.fallback if end.host == name else b"")
        if not packed:
            host = host or end.host
        elif packed not in seen and fits(packed, rdtype):
            seen.add(packed)
            answer.append((name, heads[len(packed)] + packed, b""))
            if len(answer) == enough:
                return
    if host and not answer:
        answer.append(cname(name, ttl, host))
        answer.extend(_led_to(host, ttl, asked, resolve))


def _led_to(host: bytes, ttl: int, asked: Lookup, resolve: Resolve) -> list[Record]:
    """Return the aliases and addresses that a host name leads to, with the service's TTL."""
    more = [with_ttl(item, ttl) for item in resolve(host) if kind_of(item) in (CNAME, A, AAAA)]
    return more[:MAX_RESOLVED] if asked.brief else more


def srv_records(found: Sequence[Candidate], ttl: int, asked: Lookup, reply: Reply, resolve: Resolve) -> None:
    """Add the SRV records of instances, each once, and the addresses and texts of their targets."""
    answer, additional, name, suffix = reply.answer, reply.additional, asked.name, asked.suffix
    seen: set[tuple[str, str, int]] = set()
    named: set[bytes] = set()  # targets whose addresses are there already
    told: set[bytes] = set()  # nodes whose texts are
    heads: dict[int, bytes] = {}
    address_heads = {4: address_head(b"1234", ttl), 16: address_head(bytes(16), ttl)}
    for one in found:
        if one.key in seen:
            continue
        seen.add(one.key)
        if one.any is not None:
            packed, target = _target(one.any, asked)
            head = heads.get(len(target))
            if head is None:
                head = heads[len(target)] = srv_head(len(target), ttl)
            answer.append((name, head + one.place + target, target))
            if target not in named:
                named.add(target)
                if packed:
                    additional.append((target, address_heads[len(packed)] + packed, b""))
                else:
                    additional.extend(_led_to(target, ttl, asked, resolve))
        if one.texts and one.named and one.named not in told:
            told.add(one.named)
            owner = one.named + suffix
            additional.extend([record(owner, TXT, ttl, text) for text in one.texts])
        if len(answer) > asked.room.most:
            return


def _target(end: Endpoint, asked: Lookup) -> tuple[bytes, bytes]:
    """Return the address and the target's name of an SRV record."""
    if end.packed:
        return end.packed, end.stem + asked.suffix
    if end.fallback and end.host == asked.name:
        return end.fallback, end.fallback_stem + asked.suffix
    return b"", end.host
