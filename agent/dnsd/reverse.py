"""Who has an address: the other direction of the catalog, for reverse names."""

from __future__ import annotations

from pyconsul.agent.dnsd import addresses, candidates
from pyconsul.agent.dnsd.candidates import Sight
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import NODES, SERVICES


def labels_at(wanted: str | None, view: View, datacenter: str, sight: Sight) -> bytes:
    """The labels of the first node at an address, else of the first service, without the domain; b"" for nobody."""
    if wanted is None:
        return b""
    at = [node.node for node in view[NODES] if _same(node.address, wanted) and sight.node(node.node)]
    if at:
        return candidates.node_stem(min(at), datacenter)
    rows = [row for row in view[SERVICES] if row.service.address == wanted and sight.service(row.service.service)]
    rows = [row for row in rows if sight.node(row.node)]
    if not rows:
        return b""
    return candidates.stem(f"{min(rows, key=SERVICES.key).service.service}.service.{datacenter}")


def _same(text: str, wanted: str) -> bool:
    """Whether an address, in any way of writing it, is the wanted one."""
    if text == wanted:
        return True
    return ":" in text and ":" in wanted and addresses.pack(text) == addresses.pack(wanted)
