"""Control characters in the names, IDs, tags, addresses and metadata of the catalog.

A line break in a tag can become a line of a rendered configuration file, so registrations with one are refused unless the
setting `allow_control_characters` permits them.  Outputs and notes of checks may have several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # C0, DEL, C1, and Unicode's line and paragraph separators


def fault_of_texts(texts: Iterable[tuple[str, str]]) -> str:
    """Which of the texts, given as (field, text), has a control character first; empty when none has."""
    for field, text in texts:
        if found := _CONTROL.search(text):
            return (
                f"{field}: control character U+{ord(found[0]):04X} at position {found.start()} is not allowed "
                "(the setting allow_control_characters permits it)"
            )
    return ""


def fault_of_node(node: Node) -> str:
    """Why a node is refused; empty when it is not."""
    addresses = _map("TaggedAddresses", node.tagged_addresses)
    return fault_of_texts((("Node", node.node), ("Address", node.address), *addresses, *_map("NodeMeta", node.meta)))


def fault_of_service(service: NodeService) -> str:
    """Why an instance is refused; empty when it is not."""
    # A body can hold very many tags: one search over all of them finds that there is nothing to look for.
    suspicious = service.tags if _CONTROL.search("".join(service.tags)) else ()
    tags = ((f"Service.Tags[{position}]", tag) for position, tag in enumerate(suspicious))
    addresses = {tag: one.address for tag, one in (service.tagged_addresses or {}).items()}
    return fault_of_texts(
        (
            ("Service.ID", service.id),
            ("Service.Service", service.service),
            ("Service.Address", service.address),
            ("Service.SocketPath", service.socket_path),
            *tags,
            *_map("Service.TaggedAddresses", addresses),
            *_map("Service.Meta", service.meta),
        )
    )


def fault_of_check(check: HealthCheck) -> str:
    """Why a check is refused; empty when it is not."""
    return fault_of_names(check.check_id, check.name) or fault_of_texts(
        (("Check.Node", check.node), ("Check.ServiceID", check.service_id), ("Check.Type", check.type))
    )


def fault_of_names(check_id: str, name: str) -> str:
    """Why the ID or the name of a check is refused; empty when they are not."""
    return fault_of_texts((("Check.CheckID", check_id), ("Check.Name", name)))


def _map(field: str, pairs: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    for key, value in (pairs or {}).items():
        yield f"{field} key", key
        yield f"{field}[{key}]", value
