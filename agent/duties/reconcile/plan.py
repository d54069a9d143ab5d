"""The plan of the reconciliation: members and catalog → operations on the catalog.  Pure.

| member | node in the catalog | operation |
| --- | --- | --- |
| alive | missing, another address, not passing | register it with a passing `serfHealth`, a server with the service `consul` |
| alive | of another agent that had this name | remove that node, then register |
| alive | of this ID under another name | register: the node gets the new name |
| alive, but its name or ID belongs to another living member | any | none; a conflict is reported |
| leaving | any | none |
| failed | of this agent | critical `serfHealth` |
| left, erased | of this agent | remove it |
| unknown | an agent's node | critical `serfHealth` after a grace period, removed after the reconnect timeout |

Rules besides:
  1. The node of this server is not touched: anti-entropy registers it.
  2. An agent's node has `serfHealth` and a node ID.  A node without them, registered by hand, is not touched; one without an ID
     becomes that of the agent which joins under its name, as in Consul.
  3. A node with the ID of an agent that left or was erased is removed: it is a registration that arrived
     late.  Consul leaves such a node in the catalog.
  4. Metadata and tagged addresses of a known node stay, but a tagged address that equaled the old address follows a new one.
  5. Members that are neither servers nor clients of this datacenter, or have no node ID (before Consul 0.8), are ignored.

Source: Consul's behavior (PROTOCOL, section 10.7); rules 2 to 4 and the grace period are own choices.  Consul removes unknown nodes
at once, so that a server that starts before the others forgets their sessions and locks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec.structs import replace

from pyconsul.agent.duties.reconcile.operations import Conflict, Deregister, MarkFailed, Operation, Register
from pyconsul.agent.gossip.consul.tags import build_version, is_client, server_of
from pyconsul.agent.model.check import CRITICAL, PASSING, SERF_CHECK
from pyconsul.agent.model.control_characters import fault_of_texts
from pyconsul.agent.model.member import Member, MemberStatus
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService, Weights
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, NODES, SERVICES
from pyconsul.agent.sync.node_registration import CONSUL, VERSION_KEY

UNKNOWN_GRACE_S = (
    55.0  # until an unknown agent's node is critical, a little less than the period; it may be about to rejoin
)


class Pool:
    """The members of one datacenter's pool as the plan needs them: by name and by node ID, names without case."""

    def __init__(
        self, members: Iterable[Member], *, datacenter: str, local: str, departed: Collection[str] = ()
    ) -> None:
        """`local`: name of this server.  `departed`: IDs of agents that were erased, or whose name another agent took."""
        self.datacenter, self.local = datacenter, local.lower()
        self.by_name: dict[str, list[Member]] = {}
        self.alive_by_id: dict[str, list[Member]] = {}
        present: set[str] = set()
        left = set(departed)
        for member in members:
            name, node_id = member.name.lower(), id_of(member)
            if not (is_client(member) or server_of(member)) or member.tags.get("dc") != datacenter or not node_id:
                continue
            self.by_name.setdefault(name, []).append(member)
            has_left = member.status is MemberStatus.LEFT and name != self.local
            (left if has_left else present).add(node_id)
            if member.status is MemberStatus.ALIVE:
                self.alive_by_id.setdefault(node_id, []).append(member)
        self.known_ids = present | left
        #: IDs of agents that are in the pool no more.
        self.gone_ids = left - present


def id_of(member: Member) -> str:
    """Return the node ID of a member; "" if it has none."""
    return member.tags.get("id", "").lower()


def plan(
    pool: Pool,
    view: View,
    *,
    names: Collection[str] | None = None,
    unknown_for_s: Mapping[str, float] | None = None,
    remove_unknown_after_s: float = 72 * 3600.0,
) -> Iterator[Operation]:
    """Yield the operations that bring the catalog into line with the pool.

    Apply each to `view` before asking for the next one, which may depend on it; without that, the first one is certain.
    names: of members and nodes to look at (lower case); None: all.
    unknown_for_s: for how long the nodes of `unknown_agents` are unknown, by their names.
    """
    yield from _late_registrations(pool, view)
    selected = pool.by_name.keys() if names is None else pool.by_name.keys() & set(names)
    members = [member for name in sorted(selected - {pool.local}) for member in pool.by_name[name]]
    for member in members:  # first: others may take the names of these
        if member.status is MemberStatus.FAILED:
            yield from _of_failed(pool, view, member)
    for member in members:
        if member.status is MemberStatus.ALIVE:
            yield from _of_alive(pool, view, member)
    for name, seconds in sorted((unknown_for_s or {}).items()):
        if (names is None or name in names) and _is_unknown(pool, view, name):
            yield from _of_unknown(view, name, seconds, remove_unknown_after_s)


def unknown_agents(pool: Pool, view: View) -> list[str]:
    """Return the names (lower case) of agents' nodes whose agents the pool does not know."""
    return sorted(name for node in view[NODES] if _is_unknown(pool, view, name := node.node.lower()))


def _is_unknown(pool: Pool, view: View, name: str) -> bool:
    node = view[NODES].get(name)
    if node is None or not node.id or name == pool.local or name in pool.by_name:
        return False
    return node.id.lower() not in pool.known_ids and bool(_serf_status(view, name))


def _of_failed(pool: Pool, view: View, member: Member) -> Iterator[Operation]:
    node = view[NODES].get(member.name.lower())
    if node is None or node.id.lower() != id_of(member) or id_of(member) in pool.alive_by_id:
        return
    if _serf_status(view, node.node) != CRITICAL:
        yield MarkFailed(node.node, "failed")


def _of_alive(pool: Pool, view: View, member: Member) -> Iterator[Operation]:
    if fault := fault_of_texts((("its name", member.name), ("its node ID", id_of(member)))):
        yield Conflict(member.name, fault)
        return
    rival = _stronger_rival(pool, view, member)
    if rival is not None:
        what = "name" if rival.name.lower() == member.name.lower() else f"node ID {id_of(member)}"
        yield Conflict(member.name, f"its {what} belongs to the living member {rival.name} ({rival.address})")
        return
    node = view[NODES].get(member.name.lower())
    same_id = _node_of_id(view, member)
    if same_id is not None and same_id.node.lower() == pool.local:
        yield Conflict(member.name, f"its node ID {id_of(member)} belongs to this server")
        return
    if node is not None and not node.id and same_id is not None:
        yield Conflict(
            member.name, f"its name belongs to node {node.node} ({node.address}), which was registered by hand"
        )
        return
    takes_name = node is not None and _is_of_another(node, member)
    if node is not None and takes_name and not _serf_status(view, node.node):
        yield Conflict(
            member.name, f"its name belongs to node {node.id} ({node.address}), which was registered by hand"
        )
        return
    wanted = _node(pool, view, member, None if takes_name else node)
    service = _server_service(member)
    if takes_name or node is None or not _is_registered(view, node, wanted, service):
        yield Register(wanted, service, takes_name)


def _stronger_rival(pool: Pool, view: View, member: Member) -> Member | None:
    """Return another living member with the same name or ID that has the better claim: this server, then who is registered."""

    def claim(one: Member) -> tuple[bool, bool, str]:
        node = view[NODES].get(one.name.lower())
        is_registered = node is not None and node.id.lower() == id_of(one) and node.node == one.name
        return one.name.lower() != pool.local, not is_registered, one.name

    same_name = [one for one in pool.by_name[member.name.lower()] if one.status is MemberStatus.ALIVE]
    rivals = [*same_name, *pool.alive_by_id[id_of(member)]]
    if all(one is member for one in rivals):
        return None
    strongest = min(rivals, key=claim)
    return None if strongest is member else strongest


def _is_of_another(node: Node, member: Member) -> bool:
    """Return whether a node with the name of a member has the ID of another agent."""
    return bool(node.id) and node.id.lower() != id_of(member)


def _node_of_id(view: View, member: Member) -> Node | None:
    """Return the node with the ID of a member."""
    return next(iter(view[NODES].by("id", id_of(member))), None)


def _node(pool: Pool, view: View, member: Member, node: Node | None) -> Node:
    """Return the node of a living member; `node`: the one that it has now."""
    node = node or _node_of_id(view, member)
    if node is None:
        version = build_version(member.tags.get("build", ""))
        meta = {VERSION_KEY: ".".join(map(str, version))} if version else {}
        return Node(member.tags["id"], member.name, member.address, pool.datacenter, None, meta, 0, 0)
    if _is_same_address(node.address, member.address):  # IPv6 may be written in another way
        return replace(node, id=member.tags["id"], node=member.name)
    tagged = node.tagged_addresses
    if tagged:
        tagged = {tag: member.address if value == node.address else value for tag, value in tagged.items()}
    return replace(node, id=member.tags["id"], node=member.name, address=member.address, tagged_addresses=tagged)


def _is_same_address(one: str, other: str) -> bool:
    try:
        return one == other or ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False


def _is_registered(view: View, node: Node, wanted: Node, service: NodeService | None) -> bool:
    if node != wanted or _serf_status(view, node.node) != PASSING:
        return False
    if service is None:
        return True
    row = view[SERVICES].get((node.node.lower(), CONSUL))
    return row is not None and replace(row.service, create_index=0, modify_index=0) == service


def _server_service(member: Member) -> NodeService | None:
    """Return the service `consul` of a server."""
    server, tags = server_of(member), member.tags
    if server is None:
        return None
    version = build_version(server.build)
    meta = {
        "non_voter": str(tags.get("nonvoter") == "1").lower(),
        "raft_version": tags.get("raft_vsn", "0"),
        "read_replica": str(tags.get("read_replica") == "1").lower(),
        "serf_protocol_current": str(member.protocol_current),
        "serf_protocol_max": str(member.protocol_max),
        "serf_protocol_min": str(member.protocol_min),
        "version": ".".join(map(str, version)) if version else "",
    }
    for name in ("grpc_port", "grpc_tls_port"):
        if name in tags:
            meta[name] = tags[name]
    return NodeService(
        id=CONSUL,
        service=CONSUL,
        tags=[],
        address="",
        meta=meta,
        weights=Weights(),
        enable_tag_override=False,
        create_index=0,
        modify_index=0,
        port=server.port,
    )


def _late_registrations(pool: Pool, view: View) -> Iterator[Deregister]:
    for node_id in sorted(pool.gone_ids):
        for node in view[NODES].by("id", node_id):
            if node.node.lower() != pool.local:
                yield Deregister(node.node, "left")


def _of_unknown(view: View, name: str, unknown_s: float, remove_after_s: float) -> Iterator[Operation]:
    if unknown_s >= remove_after_s:
        yield Deregister(name, f"no member for {unknown_s:.0f} s")
    elif unknown_s >= UNKNOWN_GRACE_S and _serf_status(view, name) != CRITICAL:
        yield MarkFailed(name, f"no member for {unknown_s:.0f} s")


def _serf_status(view: View, node: str) -> str:
    """Return the status of a node's `serfHealth`; "" if it has none."""
    check = view[CHECKS].get((node.lower(), SERF_CHECK))
    return check.status if check is not None else ""
