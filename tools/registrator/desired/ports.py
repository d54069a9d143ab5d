"""The ports of a container that become services, and the addresses at which they are reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyconsul.tools.registrator.desired.containers import Binding, Container, Network, Port

_BRIDGE = "bridge"
_EVERYWHERE = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class AddressRules:
    """Rules for the choice of addresses. `host_ipv4`, `host_ipv6`: of the registrator's host name, empty when it has none."""

    ip: str = ""
    internal: bool = False
    ip_label: str = ""
    network: str = ""
    prefer_ipv6: bool = False
    host_ipv4: str = ""
    host_ipv6: str = ""

    @property
    def inside(self) -> bool:
        """Return whether services get the container's own address and port."""
        return self.internal or bool(self.network)

    def host_address(self, ipv6: bool = False) -> str:
        """Return the address of a port that is published on all addresses."""
        both = (self.host_ipv6, self.host_ipv4) if ipv6 or self.prefer_ipv6 else (self.host_ipv4, self.host_ipv6)
        return self.ip or both[0] or both[1]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port and one address at which it is reached. `further`: it is not the port's first."""

    inside: Port
    address: str
    port: int
    further: bool = False


class Unreachable(Exception):
    """A container has no port, or no address, that could be registered; the text says why."""


def candidates(container: Container, rules: AddressRules) -> dict[Port, tuple[Binding, ...]]:
    """Return the ports that become services, in order, with their bindings on the host.

    Raises Unreachable when there are none.
    """
    ports: dict[Port, tuple[Binding, ...]] = {port: (Binding("", port.number),) for port in container.exposed}
    if not container.is_on_host_network:
        ports.update(container.published)
    if not ports:
        raise Unreachable("it exposes no port (EXPOSE, --expose or -p)")
    if not rules.inside:
        ports = {port: bindings for port, bindings in ports.items() if bindings}
        if not ports:
            raise Unreachable("none of its ports is published (-p or -P); -internal registers ports inside")
    return dict(sorted(ports.items()))


def endpoints(container: Container, rules: AddressRules, others: Mapping[str, Container]) -> tuple[Endpoint, ...]:
    """Return where the ports of a container are reached. `others`: containers by ID and by name.

    Raises Unreachable.
    """
    ports = candidates(container, rules)
    if rules.inside:
        address = _labelled(container, rules) or _inside_address(container, rules, others)
        return tuple(Endpoint(port, address, port.number) for port in ports)
    found: list[Endpoint] = []
    for port, bindings in ports.items():
        reached = dict.fromkeys(
            (_published_address(container, binding, rules, others), binding.port)
            for binding in _merged(bindings, rules)
        )
        found += (Endpoint(port, *where, further=place > 0) for place, where in enumerate(reached))
    return tuple(found)


def _merged(bindings: tuple[Binding, ...], rules: AddressRules) -> list[Binding]:
    """Return the bindings without the twins of another address family.

    The engine publishes a port on all addresses twice, for IPv4 and IPv6; random ports of the two may differ.
    """
    families = {one.ip for one in bindings}
    if "::" not in families or not families & {"", "0.0.0.0"}:
        return list(bindings)
    dropped = ("", "0.0.0.0") if rules.prefer_ipv6 or ":" in rules.ip else ("::",)
    return [one for one in bindings if one.ip not in dropped]


def _labelled(container: Container, rules: AddressRules) -> str:
    """Return the address in the label of -useIpFromLabel, without a prefix length."""
    text = container.labels.get(rules.ip_label, "") if rules.ip_label else ""
    return text.rpartition("/")[0] or text


def _published_address(
    container: Container, binding: Binding, rules: AddressRules, others: Mapping[str, Container]
) -> str:
    if container.shares_network:
        return _owner_address(container, rules, others)
    if address := _labelled(container, rules) or rules.ip:
        return address
    if binding.ip not in _EVERYWHERE:
        return binding.ip
    if address := rules.host_address(ipv6=binding.ip == "::"):
        return address
    raise Unreachable("the host's name has no address, which a port published on all addresses needs: set -ip")


def _owner_address(container: Container, rules: AddressRules, others: Mapping[str, Container]) -> str:
    """Return the address of the container whose network is shared."""
    owner, seen = container, {container.id}
    while owner.shares_network:
        found = others.get(owner.network_owner)
        if found is None or found.id in seen:
            raise Unreachable(f"it shares the network of container {owner.network_owner}, which does not run")
        owner = found
        seen.add(owner.id)
    return _inside_address(owner, rules, others)


def _inside_address(container: Container, rules: AddressRules, others: Mapping[str, Container]) -> str:
    if container.shares_network:
        return _owner_address(container, rules, others)
    if container.is_on_host_network:
        if address := rules.host_address():
            return address
        raise Unreachable("it uses the host's network, and the host's name has no address: set -ip")
    if rules.network:
        return _address_in(container, rules)
    order = (_BRIDGE, container.network_mode, *sorted(container.networks))
    for name in order:
        if address := _of(container.networks.get(name, Network()), rules):
            return address
    raise Unreachable("it has no address in any network")


def _address_in(container: Container, rules: AddressRules) -> str:
    """Return the address in the network of -network; Compose puts the project's name before the network's."""
    for name in (rules.network, f"{container.project}_{rules.network}"):
        if address := _of(container.networks.get(name, Network()), rules):
            return address
    there = ", ".join(sorted(container.networks)) or "none"
    raise Unreachable(f"it has no address in the network {rules.network} of -network (its networks: {there})")


def _of(network: Network, rules: AddressRules) -> str:
    first, second = (network.ipv6, network.ipv4) if rules.prefer_ipv6 else (network.ipv4, network.ipv6)
    return first or second
