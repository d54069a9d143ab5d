"""Cuts answers to the size that a client can receive: record limits and sizes of UDP, and the 64 KiB of TCP.

Consul's rules: without EDNS an answer has at most `udp_answer_limit` records, and one that has more is measured as if
names were not compressed; otherwise its size decides.  At least one record stays.  TC is set only with `enable_truncate`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire.layout import AAAA, CNAME, HEADER, SRV, A, Record, kind_of
from pyconsul.agent.dnsd.wire.packed import Room
from pyconsul.agent.dnsd.wire.question import Question
from pyconsul.agent.dnsd.wire.reply import Reply

PLAIN_SIZE = 512  # bytes of an answer over UDP without EDNS (RFC 1035, section 4.2.1)
UDP_SIZE = 65535 - 68  # bytes that a datagram can have at most
TCP_SIZE = 65535 - 12
MOST_ANSWERS = 8  # records over UDP without EDNS, whatever the configuration says
TCP_ANSWERS = 4096
TCP_SRV_ANSWERS = 1024
_UDP_HEADER = 8
_SMALLEST = 16  # bytes of the smallest record: a pointer, its head and an IPv4 address


def room(question: Question, udp: bool) -> int:
    """Return how many bytes the client can receive."""
    if not udp:
        return TCP_SIZE
    size = question.edns.size if question.edns is not None else PLAIN_SIZE
    return PLAIN_SIZE if size <= PLAIN_SIZE else min(size, UDP_SIZE)


def limit(question: Question, udp: bool) -> int:
    """Return how many bytes an answer may have (Consul leaves room for the UDP header)."""
    return room(question, udp) - (_UDP_HEADER if udp else 0)


def cap(rdtype: int, udp: bool, size: int, settings: Settings) -> int:
    """Return how many records an answer to a client with room for `size` bytes can have; when there are more, it is cut."""
    if not udp:
        return TCP_SRV_ANSWERS if rdtype == SRV else TCP_ANSWERS
    return max(0, min(MOST_ANSWERS, settings.udp_answer_limit)) if size == PLAIN_SIZE else size // _SMALLEST


def room_for(question: Question, udp: bool, settings: Settings) -> Room:
    """Return the room for an answer's records.  Nothing may be packed when names are not compressed."""
    size = room(question, udp)
    opt_size = question.edns.answer_size if question.edns is not None else 0
    space = size - (_UDP_HEADER if udp else 0) - HEADER.size - len(question.wire) - opt_size
    most = cap(question.rdtype, udp, size, settings)
    return Room(most, 0 if settings.disable_compression else space, udp and size == PLAIN_SIZE)


def trim(reply: Reply, question: Question, udp: bool, settings: Settings) -> None:
    """Cut a reply that has too many records, or is too long, and note that something was left out.

    A cut answer has no OPT record, as Consul's has none.
    """
    before = len(reply.answer)
    compressed = not settings.disable_compression
    size = room(question, udp)
    most = cap(question.rdtype, udp, size, settings)
    if before > most:
        _keep(reply, most)
        if udp and size == PLAIN_SIZE:
            compressed = False
    space = limit(question, udp) - HEADER.size - len(question.wire)
    opt_size = question.edns.answer_size if question.edns is not None and before <= most else 0
    everything = [*reply.answer, *reply.authority, *reply.additional]
    if len(reply.answer) > 1 and _size(everything, {question.name}, compressed) > space - opt_size:
        reply.authority = []
        _keep(reply, max(1, _fitting(reply, question.name, space, compressed)))
    reply.cut = len(reply.answer) < before


def _keep(reply: Reply, count: int) -> None:
    """Keep the first records of the answer with their additional records."""
    del reply.answer[count:]
    if reply.additional:
        index, kept = _index(reply.additional), set[bytes]()
        reply.additional = [more for item in reply.answer for more in _belonging(item, index, kept)]


def _index(records: Sequence[Record]) -> dict[bytes, Record]:
    """Return the first address or alias of each owner, whose name is in lower case."""
    index: dict[bytes, Record] = {}
    for item in records:
        if kind_of(item) in (A, AAAA, CNAME):
            index.setdefault(item[0].lower(), item)
    return index


def _belonging(item: Record, index: Mapping[bytes, Record], kept: set[bytes]) -> Iterator[Record]:
    """Return the address of an SRV record's target, along aliases, unless it was kept before."""
    target = item[2].lower() if kind_of(item) == SRV else b""
    while target and target not in kept and (found := index.get(target)) is not None:
        kept.add(target)
        yield found
        target = found[2].lower() if kind_of(found) == CNAME else b""


def _fitting(reply: Reply, name: bytes, space: int, compressed: bool) -> int:
    """Return how many of the answer's records fit, with what belongs to them."""
    index, kept, known = _index(reply.additional), set[bytes](), {name}
    for number, item in enumerate(reply.answer):
        space -= _size((item, *_belonging(item, index, kept)), known, compressed)
        if space < 0:
            return number
    return len(reply.answer)


def _size(records: Sequence[Record], known: set[bytes], compressed: bool) -> int:
    """Return how many bytes records take behind names that are known already; learns the names."""
    if not compressed:
        return sum(len(owner) + len(rest) for owner, rest, _ in records)
    total = 0
    for owner, rest, target in records:
        total += len(rest) + (2 if owner in known else len(owner))
        known.add(owner)
        known.add(target)
    return total
