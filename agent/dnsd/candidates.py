"""Digests instances for answers: addresses, weights and texts in their form on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.dnsd import addresses
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.wire.candidate import Candidate, Endpoint
from pyconsul.agent.dnsd.wire.layout import AAAA, ANY, MAX_NAME, A, encode_labels, encode_name, srv_place, text_data
from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.model.check import CRITICAL, WARNING, HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService
from pyconsul.agent.reads import health
from pyconsul.agent.state.contract import View


def of_service(view: View, name: str, settings: Settings, caller: Authorizer) -> tuple[Candidate, ...]:
    """Return the instances of a service that answers may name, by node and ID."""
    found = health.serving_instances(view, caller, name, settings.only_passing)
    return tuple(digest(one, settings.datacenter, settings) for one in found)


def digest(one: CheckServiceNode, datacenter: str, settings: Settings) -> Candidate:
    """Digest an instance of a datacenter."""
    node, service = one.node, one.service
    named = node_stem(node.node, datacenter)
    rdtypes = (A, AAAA, ANY) if node.tagged_addresses or service.tagged_addresses else (ANY,)
    by_rdtype = [_endpoint(node, service, named, datacenter, rdtype, settings) for rdtype in rdtypes]
    port = addresses.port_of(service, datacenter, settings)
    return Candidate(
        key=(node.node, addresses.of_service(service, datacenter, ANY, settings), port),
        tags=frozenset(tag.lower() for tag in service.tags),
        place=srv_place(_weight(service, one.checks), port),
        named=named,
        texts=texts(node.meta) if settings.node_meta_txt else (),
        a=by_rdtype[0],
        aaaa=by_rdtype[1 % len(by_rdtype)],
        any=by_rdtype[-1],
    )


def node_stem(node: str, datacenter: str) -> bytes:
    """Return the labels of a node's own name, without the domain."""
    return stem(f"{node}.node.{datacenter}")


def stem(text: str) -> bytes:
    """Return the labels of a name that continues in the domain; b"" when DNS cannot have it."""
    return _stem(text) if len(text) <= MAX_NAME else b""


@lru_cache(maxsize=1 << 16)
def _stem(text: str) -> bytes:
    try:
        return encode_labels(text)
    except ValueError:
        return b""


def _address_stem(packed: bytes, datacenter: str) -> bytes:
    return stem(f"{packed.hex()}.addr.{datacenter}")


def _endpoint(
    node: Node, service: NodeService, named: bytes, datacenter: str, rdtype: int, settings: Settings
) -> Endpoint | None:
    own = addresses.of_service(service, datacenter, rdtype, settings)
    other = addresses.of_node(node, rdtype, settings)
    if own and (packed := addresses.pack(own)):
        return Endpoint(packed, _address_stem(packed, datacenter))
    nearby = addresses.pack(other)
    # A node is known by its name, but only while the name leads to the same address.
    near_stem = (named if other == node.address else b"") or _address_stem(nearby, datacenter)
    if not own and nearby:
        return Endpoint(nearby, near_stem)
    try:
        return Endpoint(b"", b"", encode_name(own or other), nearby, near_stem) if own or other else None
    except ValueError:
        return None


def _weight(service: NodeService, checks: Iterable[HealthCheck]) -> int:
    """Return the SRV weight: by the worst state of the checks that are the node's or this service's."""
    states = {check.status for check in checks if check.service_name in ("", service.service)}
    if CRITICAL in states:
        return 0
    return service.weights.warning if WARNING in states else service.weights.passing


def texts(meta: Mapping[str, str] | None) -> tuple[bytes, ...]:
    """TXT data of a node's meta data (RFC 1464, `key=value`); a key that starts with `rfc1035-` gives its value alone."""
    if not meta:
        return ()
    return tuple(
        text_data(value if key.lower().startswith("rfc1035-") else _rfc1464(key, value))
        for key, value in sorted(meta.items())
    )


def _rfc1464(key: str, value: str) -> str:
    """Return a pair as RFC 1464 quotes it: backquotes, equals signs in the key, and blanks at its ends."""
    quoted = key.replace("`", "``").replace("=", "`=")
    stripped = quoted.strip(" ")
    before = len(quoted) - len(quoted.lstrip(" "))
    after = len(quoted) - before - len(stripped)
    return "` " * before + stripped + "` " * after + "=" + value.replace("`", "``")
