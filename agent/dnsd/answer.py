"""Answers a question from the state: the zone itself, services, nodes, prepared queries, addresses, reverse names.

Pure: views of the state, randomness and time are passed in, and hosts outside the zone whose
addresses are needed are named in the reply (`wanted`) for the caller to look up.  A part of the
state that is not at hand ends the attempt (NotHeld).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.dnsd import addresses, candidates, names, selection
from pyconsul.agent.dnsd.selection import Lookup
from pyconsul.agent.dnsd.services import Service, service_of
from pyconsul.agent.dnsd.settings import Settings, Zone
from pyconsul.agent.dnsd.views import Views
from pyconsul.agent.dnsd.wire.candidate import Candidate
from pyconsul.agent.dnsd.wire.layout import (
    AAAA,
    ANY,
    AXFR,
    NOTIMP,
    NS,
    NXDOMAIN,
    PTR,
    REFUSED,
    SERVFAIL,
    SOA,
    SRV,
    TXT,
    A,
    Record,
    address,
    encode_name,
    pointing,
    record,
    soa,
)
from pyconsul.agent.dnsd.wire.packed import Room, Rotation, pack, packs
from pyconsul.agent.dnsd.wire.question import Question
from pyconsul.agent.dnsd.wire.reply import Reply
from pyconsul.agent.model.node import Node
from pyconsul.agent.reads import catalog
from pyconsul.agent.state import topics
from pyconsul.agent.state.schemas import NODES

SERVERS = "consul"  # the service of the servers, which are the zone's name servers
MAX_SERVERS = 3
UNLIMITED = Room(65535, 0)  # nothing is cut, and nothing is packed
MAX_DEPTH = 3  # how many times a name within the zone may lead to another
_UNUSUAL = re.compile(r"[^A-Za-z0-9\-]")


class AnswerContext(msgspec.Struct):
    """The inputs of an answer.

    rng: returns a random number from 0 to 1.  caller: whose permissions limit what answers
    show.  service: the subject's service.  resolved: records of hosts
    outside the zone, by their names on the wire.  now: Unix seconds, for the zone's serial number.  source: the
    client's IP address.  fresh: draw a new order of the records.  rotation: for repeated
    answers to this question that show a part of the instances.
    """

    views: Views
    settings: Settings
    rng: Callable[[], float]
    now: float
    caller: Authorizer = EVERYTHING
    service: Service | None = None
    resolved: Mapping[bytes, Sequence[Record]] | None = None
    source: str = ""
    fresh: bool = False
    rotation: Rotation | None = None


class Subject(msgspec.Struct, frozen=True):
    """The subject of a question.

    zone: the zone that its name is in.  labels: those before the zone.  suffix: the zone's name as asked.
    name: the parsed name; None when nothing can have it.  service: the service whose instances the answer needs, or "".
    """

    zone: Zone | None = None
    labels: Sequence[str] = ()
    suffix: bytes = b""
    name: names.Name | None = None
    service: str = ""


def subject_of(question: Question, settings: Settings) -> Subject:
    """Return the subject of a question."""
    zone = zone_of(question.labels, settings)
    if zone is None:
        return Subject()
    at = len(question.labels) - len(zone.labels)
    labels, suffix = question.labels[:at], question.name[question.starts[at] :]
    if question.rdtype in (SOA, NS):
        return Subject(zone, labels, suffix, service=SERVERS)
    if question.rdtype == AXFR:
        return Subject(zone, labels, suffix)
    name = names.parse(labels, question.rdtype == SRV)
    return Subject(zone, labels, suffix, name, name.name if isinstance(name, names.ServiceName) else "")


def answer(question: Question, subject: Subject, known: AnswerContext, room: Room = UNLIMITED) -> Reply:
    """Return the reply to a question about a subject.

    May stop after room.most + 1 records, enough for the caller to see truncation; records that fit into the room may be
    packed; the caller cuts those that do not fit.
    """
    reply = Reply()
    zone = subject.zone
    if zone is None and question.labels and question.labels[-1] == "arpa":
        return _reverse(question, known, reply)
    if zone is None:
        reply.rcode, reply.refused = REFUSED, True
        return reply
    if question.rdtype in (SOA, NS):
        _servers(question, subject.suffix, known, reply)
    elif question.rdtype == AXFR:
        reply.rcode = NOTIMP
    else:
        asked = Lookup(
            question.name, question.rdtype, subject.labels, subject.suffix, room, question.edns is None, MAX_DEPTH
        )
        if not _look_up(subject.name, known.service, asked, known, reply):
            reply.authority.append(_soa(question, known))
    return reply


def zone_of(labels: Sequence[str], settings: Settings) -> Zone | None:
    """Return the zone that a name is in: the longest that fits."""
    found = None
    for zone in (settings.domain, settings.alt_domain):
        if zone is None or (found is not None and len(found.labels) > len(zone.labels)):
            continue
        if tuple(labels[-len(zone.labels) :]) == zone.labels:
            found = zone
    return found


def _soa(question: Question, known: AnswerContext) -> Record:
    """Return the zone's SOA record; the alternative domain's only below it, and only when it is asked in lower case."""
    settings = known.settings
    domain, other = settings.domain.wire, settings.alt_domain
    if other is not None and len(question.labels) > len(other.labels) and question.name.endswith(other.wire):
        domain = other.wire
    numbers = settings.soa
    return soa(domain, int(known.now), numbers.refresh, numbers.retry, numbers.expire, numbers.min_ttl)


def _servers(question: Question, suffix: bytes, known: AnswerContext, reply: Reply) -> None:
    """SOA and NS questions: every name in the zone is answered with the zone's."""
    servers, glue = _name_servers(suffix, known, reply)
    if question.rdtype == SOA:
        reply.answer.append(_soa(question, known))
        reply.authority.extend(servers)
    else:
        reply.answer.extend(servers)
    reply.additional.extend(glue)


def _name_servers(suffix: bytes, known: AnswerContext, reply: Reply) -> tuple[list[Record], list[Record]]:
    reply.topics.add(topics.of_service(SERVERS))
    ttl = known.settings.node_ttl
    servers: list[Record] = []
    glue: list[Record] = []
    service, nodes = known.service or _service_of(SERVERS, known), known.views.service(SERVERS)[NODES]
    for one in shuffled(service.found, known, reply):
        node = nodes.get(one.key[0].lower())
        if node is None or not one.named or _UNUSUAL.search(node.node):
            continue
        name = candidates.node_stem(node.node.lower(), known.settings.datacenter) + suffix.lower()
        servers.append(pointing(suffix, NS, ttl, name))
        glue += _node_addresses(node, Lookup(name, ANY, (), suffix, UNLIMITED, False, 0), known, reply)
        if len(servers) == MAX_SERVERS:
            break
    return servers, glue


def _service_of(name: str, known: AnswerContext) -> Service:
    return service_of(known.views.service(name), name, known.settings, known.caller)


def shuffled(found: Sequence[Candidate], known: AnswerContext, reply: Reply) -> Sequence[Candidate]:
    """Return the instances in random order."""
    if len(found) < 2:
        return found
    reply.varied = True
    rng = known.rng
    return sorted(found, key=lambda _: rng())


def _look_up(
    name: names.Name | None, service: Service | None, asked: Lookup, known: AnswerContext, reply: Reply
) -> bool:
    """Add the answer for a name within the zone; `service`: the service that it names, if it is known already.

    Return False when the zone's SOA record is due: the name or the data does not exist.
    """
    own = known.settings.datacenter
    match name:
        case names.ServiceName(name=""):  # `_._tcp`, which Consul cannot look up either
            reply.rcode = SERVFAIL
            return True
        case names.ServiceName():
            if name.peer or name.datacenter not in ("", own):
                return _missing(reply)
            found = service or _service_of(name.name, known)
            return _service(name, found, asked, known, reply)
        case names.NodeName():
            if asked.rdtype not in (A, AAAA, ANY, TXT):
                return True
            if name.peer or name.datacenter not in ("", own):
                return _missing(reply)
            return _node(name, asked, known, reply)
        case names.QueryName():
            return _query(name, asked, known, reply) if name.datacenter in ("", own) else _missing(reply)
        case names.AddressName():
            return _address(name, asked, known, reply)
        case names.MeshName():
            return True
    return _missing(reply)


def _missing(reply: Reply) -> bool:
    reply.rcode = NXDOMAIN
    return False


def _service(name: names.ServiceName, service: Service, asked: Lookup, known: AnswerContext, reply: Reply) -> bool:
    reply.topics.add(topics.of_service(name.name))
    suffix = asked.suffix
    ready = service.prepared(asked.rdtype, name.tag, len(suffix)) if asked.room.space and packs(asked.rdtype) else None
    if ready is not None:
        reply.many = len(ready.items)
        reply.varied = reply.many > 1
        limit = known.settings.a_record_limit if asked.rdtype != SRV else 0
        reply.packed = pack(ready, asked.name, suffix, asked.room, known.rng, limit, known.fresh, known.rotation)
        if reply.packed is not None:
            return True
    found = service.tagged(name.tag)
    if not found:
        return _missing(reply)
    reply.many = len(found)
    reply.varied = reply.many > 1
    rotation = known.rotation or service.rotation(name.tag)
    _select(rotation.next(found, len(found), known.rng), service.ttl, asked, known, reply)
    return bool(reply.answer)


def _select(found: Sequence[Candidate], ttl: int, asked: Lookup, known: AnswerContext, reply: Reply) -> None:
    resolve = partial(_resolve, asked, known, reply)
    if asked.rdtype == SRV:
        selection.srv_records(found, ttl, asked, reply, resolve)
    else:
        selection.address_records(found, ttl, asked, reply, resolve, known.settings.a_record_limit)


def _query(name: names.QueryName, asked: Lookup, known: AnswerContext, reply: Reply) -> bool:
    reply.scoped = True
    result = known.views.query(name.name, known.source)
    if result is None or not result.nodes:
        reply.passing = True
        return _missing(reply)
    settings = known.settings
    reply.topics.update(result.topics)
    reply.passing = reply.passing or not result.topics
    reply.varied = True
    reply.many = 0 if result.ordered else len(result.nodes)
    ttl = result.ttl if result.ttl is not None else settings.ttl_of(result.service)
    found = [candidates.digest(one, result.datacenter, settings) for one in result.nodes]
    if known.rotation is not None and not result.ordered:
        found = known.rotation.next(found, len(found), known.rng)
    _select(found, ttl, asked, known, reply)
    return bool(reply.answer)


def _node(name: names.NodeName, asked: Lookup, known: AnswerContext, reply: Reply) -> bool:
    reply.topics.add("nodes")
    node = known.views.node(name.name)[NODES].get(name.name)
    if node is None or known.caller.level("node", node.node) < READ:
        return _missing(reply)
    ttl = known.settings.node_ttl
    if asked.rdtype != TXT:
        reply.answer.extend(_node_addresses(node, asked, known, reply))
    if asked.rdtype in (TXT, ANY) or known.settings.node_meta_txt:
        meta = [record(asked.name, TXT, ttl, text) for text in candidates.texts(node.meta)]
        (reply.answer if asked.rdtype in (TXT, ANY) else reply.additional).extend(meta)
    return True


def _node_addresses(node: Node, asked: Lookup, known: AnswerContext, reply: Reply) -> list[Record]:
    """Return a node's address of the asked family, or the host name it has instead of one."""
    ttl = known.settings.node_ttl
    packed = addresses.pack(addresses.of_node(node, asked.rdtype, known.settings))
    if packed:
        return [address(asked.name, ttl, packed)] if selection.fits(packed, asked.rdtype) else []
    try:
        host = encode_name(node.address)
    except ValueError:
        return []
    return [selection.cname(asked.name, ttl, host), *_resolve(asked, known, reply, host)]


def _address(name: names.AddressName, asked: Lookup, known: AnswerContext, reply: Reply) -> bool:
    found = address(asked.name.lower()[: -len(asked.suffix)] + asked.suffix, known.settings.node_ttl, name.packed)
    (reply.answer if asked.rdtype in (ANY, A if len(name.packed) == 4 else AAAA) else reply.additional).append(found)
    return True


def _resolve(asked: Lookup, known: AnswerContext, reply: Reply, host: bytes) -> Sequence[Record]:
    """Return the records that a host name leads to: our own ones within the zone, others if recursors have given them."""
    labels = selection.labels_of(host)
    zone = zone_of(labels, known.settings)
    if zone is not None and len(labels) > len(zone.labels):
        if asked.depth < 1:
            return ()
        inner = Reply(topics=reply.topics)
        at = len(labels) - len(zone.labels)
        suffix = host[-len(zone.wire) :]
        next_asked = Lookup(host, ANY, labels[:at], suffix, UNLIMITED, asked.brief, asked.depth - 1)
        _look_up(names.parse(labels[:at]), None, next_asked, known, inner)
        reply.varied = reply.varied or inner.varied
        reply.passing = reply.passing or inner.passing
        reply.wanted.extend(inner.wanted)
        return inner.answer
    if not known.settings.recursors:
        return ()
    reply.passing = True
    if known.resolved is not None and host in known.resolved:
        return known.resolved[host]
    reply.wanted.append(host)
    return ()


def _labels_at(wanted: str | None, known: AnswerContext) -> bytes:
    """Return the labels of the first node at an address, else of the first service, without the domain; b"" for none."""
    if wanted is None:
        return b""
    datacenter = known.settings.datacenter
    view = known.views.address(wanted)
    if node := catalog.node_at(view, known.caller, wanted):
        return candidates.node_stem(node.node, datacenter)
    if row := catalog.service_at(view, known.caller, wanted):
        return candidates.stem(f"{row.service.service}.service.{datacenter}")
    return b""


def _reverse(question: Question, known: AnswerContext, reply: Reply) -> Reply:
    """Reverse names: a node with the address, else a service with it, else recursors may know."""
    reply.topics.update(("nodes", "services"))
    settings = known.settings
    target = _labels_at(names.reverse(question.labels), known)
    if question.rdtype == SOA:
        reply.authority.append(_soa(question, known))
    if target:
        reply.answer.append(pointing(question.name, PTR, 0, target + settings.domain.wire))
        return reply
    reply.refused = True
    reply.rcode = NXDOMAIN
    reply.authority.append(_soa(question, known))
    return reply
