"""A catalog to ask about, and a way to ask."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import dns.message
import dns.rdatatype

from pyconsul.agent.dnsd.responder import Responder
from pyconsul.agent.dnsd.settings import Settings
from pyconsul.agent.dnsd.views import ExecuteQuery, WholeState
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, ServiceAddress, Weights
from pyconsul.agent.state.catalog import checks, nodes, services
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

NOW = 1_700_000_000.0


class Catalog:
    """A store with short ways to write to it."""

    def __init__(self) -> None:
        self.store = Store()

    def _do(self, operation: Callable[[WriteTxn], None]) -> None:
        txn = WriteTxn(self.store)
        txn.begin(self.store.index + 1, NOW)
        operation(txn)
        self.store.install(txn.finish())

    def node(
        self, name: str, address: str, meta: Mapping[str, str] | None = None, tagged: Mapping[str, str] | None = None
    ) -> None:
        row = Node("", name, address, "dc1", dict(tagged) if tagged else None, dict(meta) if meta else None, 0, 0)
        self._do(lambda txn: nodes.ensure_node(txn, row))

    def service(
        self,
        node: str,
        name: str,
        port: int = 80,
        *,
        id: str = "",
        address: str = "",
        tags: tuple[str, ...] = (),
        weights: Weights | None = None,
        tagged: Mapping[str, ServiceAddress] | None = None,
    ) -> None:
        row = NodeService(
            id=id or name,
            service=name,
            tags=list(tags),
            address=address,
            meta=None,
            weights=weights or Weights(),
            enable_tag_override=False,
            create_index=0,
            modify_index=0,
            tagged_addresses=dict(tagged) if tagged else None,
            port=port,
        )
        self._do(lambda txn: services.ensure_service(txn, node, row))

    def check(self, node: str, status: str, service: str = "", id: str = "c") -> None:
        row = HealthCheck(node, id, id, status, "", "", service, "", None, "", "", "", {}, 0, 0)
        self._do(lambda txn: checks.ensure_check(txn, row))

    def remove_node(self, name: str) -> None:
        self._do(lambda txn: nodes.delete_node(txn, name))

    def remove_service(self, node: str, id: str) -> None:
        self._do(lambda txn: services.delete_service(txn, node, id))

    def many(self, count: int, name: str = "web", *, tags: tuple[str, ...] = ()) -> None:
        """A service on so many nodes."""
        for number in range(1, count + 1):
            self.node(f"n{number:03d}", f"10.0.{number // 250}.{number % 250}")
            self.service(f"n{number:03d}", name, tags=tags)

    def responder(
        self, settings: Settings | None = None, *, execute_query: ExecuteQuery | None = None, **more: Any
    ) -> Responder:
        """Return an answering machine with a clock that stands still."""
        return Responder(
            WholeState(self.store, execute_query),
            self.store.watches,
            settings or Settings(),
            **{"rng": random.Random(7), "clock": lambda: NOW, **more},
        )


def ask(
    responder: Responder, name: str, rdtype: str = "A", *, udp: bool = True, edns: int = 0, **more: Any
) -> dns.message.Message:
    """Ask, and read the answer strictly."""
    query = dns.message.make_query(name, rdtype, use_edns=0 if edns else False, payload=edns, **more)
    packet = query.to_wire()
    found = responder.respond(packet, udp, "192.0.2.1")
    assert isinstance(found, bytes)
    wire = packet[:2] + found
    assert not udp or len(wire) <= (edns or 512)
    answer = dns.message.from_wire(wire)
    assert query.is_response(answer)
    return answer


def lines(section: Any) -> list[str]:
    """Return a section's records as text, sorted."""
    return sorted(f"{r.name} {r.ttl} {dns.rdatatype.to_text(r.rdtype)} {item}" for r in section for item in r)
