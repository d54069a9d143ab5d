"""One instance: its checks with their whole output, its addresses, tags and metadata, and actions on it."""

from __future__ import annotations

from dataclasses import dataclass

from pyconsul.agent.model.catalog import CheckServiceNode
from pyconsul.agent.state import topics
from pyconsul.agent.ui.contract import Missing, Page, PageRoute
from pyconsul.agent.ui.pages.services.heartbeats import REFRESH_S, heartbeats, of_service
from pyconsul.agent.ui.pages.services.instance_actions import ACTIONS
from pyconsul.agent.ui.pages.services.instance_rows import address_of, check_rows
from pyconsul.agent.ui.pages.services.owners import AGENT, Target, key_of, owners
from pyconsul.agent.ui.pages.services.service import instances_of
from pyconsul.agent.ui.shown import counts, worst
from pyconsul.agent.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an instance.  label: what it is for.   mark: where it comes from, "" for the instance itself."""

    label: str
    text: str
    mark: str = ""


async def show(visit: Visit) -> Page:
    """Show an instance: its checks, or its metadata (`…/metadata`)."""
    one = _instance(visit)
    service, node = one.service, one.node.node
    target = Target(node, service.id, service.service)
    owner = (await owners(visit, [target], kept=True))[target]
    version = visit.view.last_index(topics.of_service(service.service))
    beats = await heartbeats(visit, [node], of_service(service.service), version)
    checks = check_rows(visit, one.checks, beats)
    states = [row.state for row in checks]
    address, from_node = address_of(one)
    return Page(
        "instance.html",
        service.id,
        "services",
        {
            "one": one,
            "name": service.service,
            "key": key_of(node, service.id),
            "state": worst(states),
            "numbers": counts(states),
            "checks": checks,
            "endpoint": address,
            "from_node": from_node,
            "addresses": _addresses(one),
            "tab": "metadata" if visit.request.path.endswith("/metadata") else "checks",
            "in_maintenance": any(row.state == "maintenance" and not row.of_node for row in checks),
            "owner": owner,
            "is_held": owner.kind == AGENT,
            "silent": beats.silent.get(node, ""),
            "lacking": visit.lacks("service:write", service.service),
        },
        refresh_s=REFRESH_S,
    )


def _instance(visit: Visit) -> CheckServiceNode:
    node, service_id = visit.names["node"], visit.names["id"]
    for one in instances_of(visit):
        if one.node.node.lower() == node.lower() and one.service.id == service_id:
            return one
    raise Missing(
        f'"{service_id}" on "{node}" is not registered',
        "",
        f"It may have been deregistered. The other instances: {visit.links.to('services', visit.names['name'], 'instances')}",
    )


def _addresses(one: CheckServiceNode) -> list[Address]:
    """Return all addresses of an instance and its node."""
    found = []
    for label, tagged in sorted((one.service.tagged_addresses or {}).items()):
        found.append(Address(label, f"{tagged.address}:{tagged.port}"))
    found.append(Address("node", one.node.address, "of the node"))
    for label, text in sorted((one.node.tagged_addresses or {}).items()):
        if text != one.node.address:
            found.append(Address(label, text, "of the node"))
    return found


#: The actions of an instance: its form says which one it is about, as in the list.
PAGES = tuple(
    PageRoute("services/{name}/instances/{node}/{id}" + end, show, ACTIONS)
    for end in ("", "/health-checks", "/metadata", "/upstreams", "/exposed-paths", "/addresses")
)
