"""`sockaddr`: addresses of network interfaces, chosen by a small pipeline of its own.

    sockaddr "GetPrivateIP"
    sockaddr "GetAllInterfaces | include \\"name\\" \\"^eth\\" | attr \\"address\\""

Source: https://pkg.go.dev/github.com/hashicorp/go-sockaddr/template. The pipeline is a Go template, too. Addresses of
Unix sockets, `math` and the rarer attributes are left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError, TemplateError
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import Slice
from pyconsul.tools.gotemplate.syntax.quote import quote
from pyconsul.tools.gotemplate.template import parse
from pyconsul.tools.gotemplate.text.regex import compile_regex

IP = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_LIST = "sockaddr.IfAddrs"
_RFCS = {
    "1112": ("224.0.0.0/4",),
    "1918": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "3927": ("169.254.0.0/16",),
    "4193": ("fc00::/7",),
    "4291": ("::/128", "::1/128", "fe80::/10", "ff00::/8"),
    "6598": ("100.64.0.0/10",),
    "6890": (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
        "203.0.113.0/24", "240.0.0.0/4", "::1/128", "::/128", "64:ff9b::/96", "::ffff:0:0/96", "100::/64",
        "2001::/23", "2001:db8::/32", "2002::/16", "fc00::/7", "fe80::/10",
    ),
}  # fmt: skip


@struct(frozen=True)
class Interface:
    """One address of a network interface. `flags`: `up`, `loopback`, `broadcast`, `multicast`, `pointtopoint`."""

    name: str
    ip: IP
    flags: frozenset[str] = frozenset()
    is_default: bool = False  # the interface of the default route

    go_type: ClassVar[str] = "sockaddr.IfAddr"
    go_fields: ClassVar[tuple[str, ...]] = ()
    go_pointer: ClassVar[bool] = False

    def __go_string__(self) -> str:
        return f"{self.ip} {self.name}"


Interfaces = list[Interface]

_ATTRIBUTES: Mapping[str, Callable[[Interface], str]] = {
    "address": lambda i: str(i.ip.ip),
    "broadcast": lambda i: str(i.ip.network.broadcast_address),
    "first_usable": lambda i: str(next(iter(i.ip.network.hosts()), i.ip.ip)),
    "flags": lambda i: "|".join(sorted(i.flags, key=_flag_order)),
    "hex": lambda i: f"{int(i.ip.ip):0{i.ip.max_prefixlen // 4}x}",
    "mask_bits": lambda i: str(i.ip.network.prefixlen),
    "name": lambda i: i.name,
    "netmask": lambda i: str(i.ip.network.netmask),
    "network": lambda i: str(i.ip.network),
    "octets": lambda i: " ".join(map(str, i.ip.ip.packed)),
    "port": lambda i: "0",
    "size": lambda i: str(i.ip.network.num_addresses),
    "string": lambda i: str(i.ip),
    "type": lambda i: f"IPv{i.ip.version}",
}


def _flag_order(flag: str) -> tuple[int, str]:
    order = ("up", "broadcast", "loopback", "pointtopoint", "multicast")
    return (order.index(flag) if flag in order else len(order)), flag


def attribute(name: str, chosen: Any) -> str:
    """Return an attribute of an interface, or of the first one of a list."""
    if isinstance(chosen, list):
        if not chosen:
            return ""
        chosen = chosen[0]
    if name not in _ATTRIBUTES or not isinstance(chosen, Interface):
        raise GoError(f"unsupported attribute name {quote(name)}")
    return _ATTRIBUTES[name](chosen)


def meets(interface: Interface, selector: str, wanted: str) -> bool:
    """Return whether an interface is selected: `include "name" "^eth"`."""
    if selector in ("address", "name"):
        return compile_regex(wanted).search(_ATTRIBUTES[selector](interface)) is not None
    if selector in ("flag", "flags"):
        return all(_has_flag(interface, flag) for flag in wanted.lower().split("|"))
    if selector == "network":
        return _inside(interface, (wanted,))
    if selector == "rfc":
        return any(_inside(interface, _RFCS.get(number, ())) for number in wanted.split("|"))
    if selector in ("type", "size", "port"):
        kinds = wanted.split("|")
        return _ATTRIBUTES[selector](interface) in kinds or (selector == "type" and "IP" in kinds)
    raise GoError(f"invalid include/exclude selector: {quote(selector)}")


def _has_flag(interface: Interface, flag: str) -> bool:
    address = interface.ip.ip
    known = {
        "global unicast": not (address.is_multicast or address.is_loopback or address.is_link_local),
        "link-local unicast": address.is_link_local,
        "multicast": address.is_multicast or "multicast" in interface.flags,
        "loopback": address.is_loopback or "loopback" in interface.flags,
        "unspecified": address.is_unspecified,
        "forwardable": not (address.is_loopback or address.is_link_local or address.is_unspecified),
    }
    return known.get(flag, flag in interface.flags)


def _inside(interface: Interface, networks: Sequence[str]) -> bool:
    try:
        parsed = [ipaddress.ip_network(network, strict=False) for network in networks]
    except ValueError as error:
        raise GoError(str(error)) from None
    return any(network.version == interface.ip.version and interface.ip.ip in network for network in parsed)


_SORT_KEYS: Mapping[str, Callable[[Interface], Any]] = {
    "address": lambda i: (i.ip.version, int(i.ip.ip)),
    "default": lambda i: not i.is_default,
    "name": lambda i: i.name,
    "port": lambda i: 0,
    "private": lambda i: not _inside(i, _RFCS["6890"]),
    "size": lambda i: i.ip.network.num_addresses,
    "type": lambda i: i.ip.version,
}


def sort(keys: str, chosen: Interfaces) -> Slice:
    """Return the interfaces in an order: `sort "default,-size"`."""
    ordered = list(chosen)
    for key in reversed([key.strip() for key in keys.split(",")]):
        by = _SORT_KEYS.get(key.lstrip("+-"))
        if by is None:
            raise GoError(f"unknown sort type: {quote(key)}")
        ordered.sort(key=by, reverse=key.startswith("-"))
    return Slice(_LIST, ordered)


def filtered(include: bool, selector: str, wanted: str, chosen: Interfaces) -> Slice:
    """Return the interfaces that are selected, or the others."""
    return Slice(_LIST, [i for i in chosen if meets(i, selector, wanted) is include])


def unique(name: str, chosen: Interfaces) -> Slice:
    """Return one interface for each value of an attribute."""
    return Slice(_LIST, {attribute(name, i): i for i in reversed(chosen)}.values())


def usable(every: Interfaces, private: bool) -> Slice:
    """Return the default interfaces' private or public addresses that others may reach."""
    chosen = [i for i in every if _has_flag(i, "forwardable") and _inside(i, _RFCS["6890"]) is private]
    return sort("default,type,size", [i for i in chosen if i.is_default] or chosen)


def _join(attribute_name: str, separator: str, chosen: Interfaces) -> str:
    return separator.join(attribute(attribute_name, i) for i in chosen)


def _functions(every: Interfaces) -> dict[str, Function]:
    def of_name(name: str) -> Slice:
        return filtered(True, "name", name, [i for i in every if _has_flag(i, "forwardable")])

    def addresses(chosen: Interfaces) -> str:
        return _join("address", " ", chosen)

    return {
        "GetAllInterfaces": function(lambda: sort("default,type,size", every)),
        "GetDefaultInterfaces": function(lambda: Slice(_LIST, [i for i in every if i.is_default])),
        "GetInterfaceIP": function(lambda name: attribute("address", of_name(name)), "string"),
        "GetInterfaceIPs": function(lambda name: addresses(of_name(name)), "string"),
        "GetPrivateIP": function(lambda: attribute("address", usable(every, private=True))),
        "GetPrivateIPs": function(lambda: addresses(usable(every, private=True))),
        "GetPrivateInterfaces": function(lambda: usable(every, private=True)),
        "GetPublicIP": function(lambda: attribute("address", usable(every, private=False))),
        "GetPublicIPs": function(lambda: addresses(usable(every, private=False))),
        "GetPublicInterfaces": function(lambda: usable(every, private=False)),
        "attr": function(attribute, "string", "interface {}"),
        "exclude": function(lambda s, wanted, chosen: filtered(False, s, wanted, chosen), "string", "string", _LIST),
        "include": function(lambda s, wanted, chosen: filtered(True, s, wanted, chosen), "string", "string", _LIST),
        "join": function(_join, "string", "string", _LIST),
        "limit": function(lambda count, chosen: Slice(_LIST, chosen[: max(count, 0)]), "int", _LIST),
        "offset": function(lambda count, chosen: Slice(_LIST, chosen[count:]), "int", _LIST),
        "sort": function(sort, "string", _LIST),
        "unique": function(unique, "string", _LIST),
    }


def sockaddr(pipeline: str, interfaces: Callable[[], Sequence[Interface]]) -> str:
    """Return the result of a pipeline over the interfaces. Raises GoError."""
    functions = _functions(list(interfaces()))
    try:
        return parse("sockaddr.Parse", f"{{{{ {pipeline} }}}}", functions=functions).execute(None, functions)
    except TemplateError as error:
        raise GoError(f"unable to parse template {quote(pipeline)}: {error}") from None
