"""What a template may ask for. A `Lookup` says which HTTP request answers it and what the answer's JSON means. Pure.

Lookups are values: two templates that ask the same share one, whatever syntax they are written in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.structs import struct
from pyconsul.tools.template.feed import decode

STATUSES = ("any", "passing", "warning", "critical", "unknown", "maintenance")

_DC = r"(?:@(?P<dc>[\w.\-]+))?"
_NEAR = r"(?:~(?P<near>[\w.\-]+))?"
_QUERY = r"(?:\?(?P<query>[\w\-=&]+))?"
_SERVICE = re.compile(rf"(?:(?P<tag>[\w=:.\-]+)\.)?(?P<name>[\w\-]+){_QUERY}{_DC}{_NEAR}(?:\|(?P<status>[\w,]+))?")
_NODE = re.compile(rf"(?P<name>[\w.\-]+){_DC}")
_PLACE = re.compile(rf"{_QUERY}{_DC}{_NEAR}")
_KEY = re.compile(rf"/?(?P<name>[^@]+){_DC}")


class BadLookup(ValueError):
    """What was asked for cannot be understood; the text says what is allowed."""


@struct(frozen=True)
class Kind:
    """`poll`: seconds between two requests of an endpoint without blocking queries; None: it has them."""

    path: str
    decode: Callable[[Any], Any]
    params: tuple[tuple[str, str], ...] = ()
    poll: float | None = None


_KINDS: dict[str, Kind] = {
    "service": Kind("/v1/health/service/{}", decode.instances_by_node),
    "service_near": Kind("/v1/health/service/{}", decode.instances),
    "services": Kind("/v1/catalog/services", decode.services),
    "nodes": Kind("/v1/catalog/nodes", decode.nodes_by_name),
    "nodes_near": Kind("/v1/catalog/nodes", decode.nodes),
    "node": Kind("/v1/catalog/node/{}", decode.node),
    "agent": Kind("/v1/agent/self", decode.own_name, poll=60.0),
    "datacenters": Kind("/v1/catalog/datacenters", decode.datacenters, poll=15.0),
    "key": Kind("/v1/kv/{}", decode.pair),
    "keys": Kind("/v1/kv/{}", decode.pairs, params=(("recurse", ""),)),
    "file": Kind("", str, poll=1.0),
}


@struct(frozen=True)
class Lookup:
    """`name`: of the service, node, key, prefix or file; "" where there is none.

    `params`: of the request, besides those of the kind.
    """

    kind: str
    name: str = ""
    params: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """The path of the HTTP request, not yet escaped."""
        return _KINDS[self.kind].path.format(self.name)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the HTTP request."""
        return dict(_KINDS[self.kind].params + self.params)

    @property
    def poll(self) -> float | None:
        """Seconds between two requests; None: it is watched by blocking queries."""
        return _KINDS[self.kind].poll

    @property
    def permission(self) -> str:
        """The permission that reading all of the answer takes, for messages."""
        if self.kind in ("service", "service_near"):
            return f'service:read on "{self.name}", or node:read on its nodes'
        if self.kind in ("key", "keys"):
            return f'key:read on "{self.name}"'
        return "service:read" if self.kind == "services" else "node:read, or service:read on what runs there"

    def decode(self, body: Any) -> Any:
        """Return the answer, as templates see it, from the JSON body; None stands for "not found"."""
        return _KINDS[self.kind].decode(body)

    def __str__(self) -> str:
        more = "".join(f" {key}={value}" for key, value in self.params)
        return f"{self.kind.removesuffix('_near')} {self.name}{more}".strip()


def is_kind(word: str) -> bool:
    """Return whether there are lookups of this kind."""
    return word in _KINDS


def _params(**given: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in given.items() if value)


def _match(pattern: re.Pattern[str], text: str, what: str, form: str) -> dict[str, str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise BadLookup(f"invalid {what} {text!r}: use {form}")
    return {name: value for name, value in match.groupdict().items() if value is not None}


def _extra(query: str | None) -> tuple[tuple[str, str], ...]:
    """Parse `ns=…&peer=…` of the short form."""
    parts = (part.partition("=") for part in (query or "").split("&") if part)
    return tuple((name, value) for name, _, value in parts)


def statuses_of(text: str) -> tuple[str, ...]:
    """Parse `passing,warning` to a tuple; the default is passing alone. Raises BadLookup."""
    words = tuple(word.strip() for word in text.split(",") if word.strip()) or ("passing",)
    if bad := next((word for word in words if word not in STATUSES), None):
        raise BadLookup(f"invalid status {bad!r}: use {', '.join(STATUSES)}")
    if "any" in words and len(words) > 1:
        raise BadLookup(f"invalid status {text!r}: any stands alone")
    return words


# A loop over services asks for the same ones in each evaluation.
@functools.lru_cache(maxsize=16_384)
def service(
    text: str, *, tag: str = "", dc: str = "", near: str = "", status: str = ""
) -> tuple[Lookup, tuple[str, ...]]:
    """Parse `[tag.]name[?query][@dc][~near][|status,…]`, or a name and keywords; returns the wanted statuses, too.

    Whoever wants passing instances alone lets Consul choose them; all others share one lookup.
    """
    parts = _match(_SERVICE, text, "service", "[tag.]name[@datacenter][~near][|status,…]")
    wanted = statuses_of(status or parts.get("status", ""))
    near = near or parts.get("near", "")
    params = _params(
        tag=tag or parts.get("tag"),
        dc=dc or parts.get("dc"),
        near=near,
        passing="1" if wanted == ("passing",) else "",
    )
    kind = "service_near" if near else "service"
    return Lookup(kind, parts["name"], params + _extra(parts.get("query"))), wanted


def _place(text: str, what: str, dc: str, near: str) -> tuple[tuple[tuple[str, str], ...], bool]:
    parts = _match(_PLACE, text, what, "[@datacenter][~near]")
    near = near or parts.get("near", "")
    return _params(dc=dc or parts.get("dc"), near=near) + _extra(parts.get("query")), bool(near)


def services(text: str = "", *, dc: str = "") -> Lookup:
    """Parse `[@dc]`."""
    return Lookup("services", "", _place(text, "datacenter", dc, "")[0])


def nodes(text: str = "", *, dc: str = "", near: str = "") -> Lookup:
    """Parse `[@dc][~near]`."""
    params, is_near = _place(text, "place", dc, near)
    return Lookup("nodes_near" if is_near else "nodes", "", params)


def node(text: str, *, dc: str = "") -> Lookup:
    """Parse `name[@dc]`."""
    parts = _match(_NODE, text, "node", "name[@datacenter]")
    return Lookup("node", parts["name"], _params(dc=dc or parts.get("dc")))


def own_node() -> Lookup:
    """Return the name of the agent's own node."""
    return Lookup("agent")


def datacenters() -> Lookup:
    """Return the names of all datacenters."""
    return Lookup("datacenters")


def key(text: str, *, dc: str = "") -> Lookup:
    """Parse `path[@dc]`; a leading slash does not count."""
    parts = _match(_KEY, text, "key", "path[@datacenter]")
    return Lookup("key", parts["name"], _params(dc=dc or parts.get("dc")))


def keys(text: str, *, dc: str = "", folder: bool = False) -> Lookup:
    """Parse `prefix[@dc]`; `folder`: only keys below `prefix/`, not `prefix2`."""
    if not text.lstrip("/"):
        return Lookup("keys", "", _params(dc=dc))
    parts = _match(_KEY, text, "prefix", "path[@datacenter]")
    name = parts["name"].rstrip("/") + "/" if folder else parts["name"]
    return Lookup("keys", name, _params(dc=dc or parts.get("dc")))


def file(path: str) -> Lookup:
    """Return a file's text."""
    return Lookup("file", path)
