"""Services and checks in files: their keys, in Consul's snake_case and the spellings it tolerates, made into one form.

Only names and types are looked at here; the agent decodes what is left (https://developer.hashicorp.com/consul/docs/services/configuration).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.suggest import did_you_mean
from pyconsul.agent.config import coerce
from pyconsul.agent.config.config import Definition
from pyconsul.agent.config.problems import UNKNOWN_KEY, Problems
from pyconsul.agent.config.table import Kind

Read = Callable[[Any], Any]


def _kind(kind: Kind) -> Read:
    return lambda value: coerce.typed(kind, value)


def _list(value: Any) -> list[str]:
    return list(coerce.typed(Kind.LIST, value))


def _duration(value: Any) -> str:
    coerce.parse_seconds(value)
    assert isinstance(value, str)
    return value


def _header(value: Any) -> dict[str, list[str]]:
    """A map of lists of texts, as HTTP headers are; a block of HCL is a list of one map."""
    maps = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in maps):
        raise ValueError('a map of lists of texts, such as {"X-Name": ["value"]}')
    return {key: _list(item) for one in maps for key, item in one.items()}


_TEXT, _INT, _BOOL, _MAP = map(_kind, (Kind.STRING, Kind.INT, Kind.BOOL, Kind.MAP))

CHECK: dict[str, Read] = {
    **dict.fromkeys(("id", "name", "notes", "service_id", "token", "status"), _TEXT),
    **dict.fromkeys(("http", "method", "body", "tcp", "udp", "grpc", "h2ping", "os_service"), _TEXT),
    **dict.fromkeys(("docker_container_id", "shell", "tls_server_name", "alias_node", "alias_service"), _TEXT),
    **dict.fromkeys(("interval", "timeout", "ttl", "deregister_critical_service_after"), _duration),
    **dict.fromkeys(("disable_redirects", "tcp_use_tls", "grpc_use_tls", "h2ping_use_tls", "tls_skip_verify"), _BOOL),
    **dict.fromkeys(("success_before_passing", "failures_before_warning", "failures_before_critical"), _INT),
    **dict.fromkeys(("namespace", "partition"), _TEXT),
    "args": _list,
    "header": _header,
    "output_max_size": _INT,
}
SERVICE: dict[str, Read] = {
    **dict.fromkeys(("id", "name", "address", "socket_path", "token"), _TEXT),
    **dict.fromkeys(("namespace", "partition"), _TEXT),
    "tags": _list,
    "meta": _MAP,
    "port": _INT,
    "enable_tag_override": _BOOL,
}
WEIGHTS: dict[str, Read] = {"passing": _INT, "warning": _INT}
ADDRESS: dict[str, Read] = {"address": _TEXT, "port": _INT}
#: Keys of a service that belong to the service mesh.
MESH = ("connect", "kind", "locality", "proxy")
#: What the agent asks again and again; a check needs one of these, or a ttl, or an alias.
POLLED = ("args", "http", "tcp", "udp", "grpc", "h2ping", "os_service", "docker_container_id")
_OTHER_NAMES = {"scriptargs": "args"}


def services(value: Any, source: str, where: str, problems: Problems) -> list[Definition]:
    """The services of a `service` or `services` key; `where` is that key."""
    return [
        Definition(source, _service(item, source, at, problems)) for item, at in _items(value, source, where, problems)
    ]


def checks(value: Any, source: str, where: str, problems: Problems) -> list[Definition]:
    """The checks of a `check` or `checks` key."""
    return [
        Definition(source, _check(item, source, at, problems)) for item, at in _items(value, source, where, problems)
    ]


def _items(value: Any, source: str, where: str, problems: Problems) -> list[tuple[dict[str, Any], str]]:
    """Each map and the key it stands at: one map counts as a list of one."""
    many = isinstance(value, list) and len(value) > 1
    found = []
    for position, item in enumerate(value if isinstance(value, list) else [value]):
        at = f"{where}[{position}]" if many else where
        if isinstance(item, dict):
            found.append((item, at))
        else:
            problems.errors.append(f"{source}: {at}: a definition must be an object")
    return found


def _service(data: dict[str, Any], source: str, where: str, problems: Problems) -> dict[str, Any]:
    own: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    special = {"check", "checks", "weights", "tagged_addresses", *MESH}
    for key, value in data.items():
        name = _name(key, {*SERVICE, *special})
        (nested if name in special else own)[name or key] = value
    body = _fields(own, SERVICE, source, where, problems, also=special)
    # Consul's order: those of the list first.
    for key in ("checks", "check"):
        if nested.get(key) is not None:
            found += [
                _check(item, source, at, problems)
                for item, at in _items(nested[key], source, f"{where}.{key}", problems)
            ]
    if found:
        body["checks"] = found
    for item, at in _items(nested.get("weights") or [], source, f"{where}.weights", problems):
        body["weights"] = _fields(item, WEIGHTS, source, at, problems)
    if nested.get("tagged_addresses"):
        body["tagged_addresses"] = _addresses(nested["tagged_addresses"], source, f"{where}.tagged_addresses", problems)
    for key in MESH:
        if nested.get(key):
            problems.unsupported[f"{where}.{key}"] = "the service mesh"
    return body


def _check(data: dict[str, Any], source: str, where: str, problems: Problems) -> dict[str, Any]:
    body = _fields(data, CHECK, source, where, problems)
    if rule := _broken_rule(body):
        problems.errors.append(f"{source}: {where}: {rule}")
    return body


def _broken_rule(body: dict[str, Any]) -> str:
    """Which rule a check breaks, or an empty text; those of values the agent knows better."""
    polled = next((key for key in POLLED if body.get(key)), "")
    alias = body.get("alias_node") or body.get("alias_service")
    interval = _seconds(body, "interval")
    if _seconds(body, "ttl") > 0:
        return "a check with a ttl can have neither interval nor alias" if interval > 0 or alias else ""
    if alias:
        return "a check with an alias can have no interval" if interval > 0 else ""
    if not polled:
        return f"a check needs one of ttl, alias_node, alias_service, {', '.join(POLLED)}"
    return "" if interval > 0 else f"a check with {polled} needs an interval above 0"


def _seconds(body: dict[str, Any], key: str) -> float:
    return coerce.parse_seconds(body[key]) if key in body else 0.0


def _addresses(value: Any, source: str, where: str, problems: Problems) -> dict[str, Any]:
    return {
        tag: _fields(address, ADDRESS, source, at, problems)
        for item, _ in _items(value, source, where, problems)
        for tag, inner in item.items()
        for address, at in _items(inner, source, f"{where}.{tag}", problems)
    }


def _fields(
    data: dict[str, Any],
    known: dict[str, Read],
    source: str,
    where: str,
    problems: Problems,
    also: set[str] | frozenset[str] = frozenset(),
) -> dict[str, Any]:
    body = {}
    for key, value in data.items():
        name = _name(key, known)
        if name is None:
            hint = did_you_mean(key.lower(), [*known, *also]) or _label_hint(key, value)
            problems.errors.append(f"{source}{UNKNOWN_KEY}{where}.{key}{hint}")
        elif value is not None:
            try:
                body[name] = known[name](value)
            except ValueError as error:
                place, wrong = (error.place, error.value) if isinstance(error, coerce.ItemError) else ("", value)
                text = "(hidden)" if name == "token" else repr(wrong)[:100]
                problems.errors.append(f"{source}: {where}.{key}{place}: {text} is not allowed; allowed: {error}")
    return body


def _label_hint(key: str, value: Any) -> str:
    """`service "web" { … }` is how Terraform names things; Consul's blocks have no labels."""
    if isinstance(value, dict) or (isinstance(value, list) and value and all(isinstance(item, dict) for item in value)):
        return f'; a block has no label here, write name = "{key}" inside of it'
    return ""


def _name(key: str, known: dict[str, Read] | set[str]) -> str | None:
    """The known name that a key means: `ServiceID`, `serviceid` and `service_id` are one."""
    if key in known:
        return key
    flat = key.replace("_", "").lower()
    flat = _OTHER_NAMES.get(flat, flat)
    return next((name for name in known if name.replace("_", "") == flat), None)


def watches(value: Any, source: str, problems: Problems) -> tuple[dict[str, Any], ...]:
    """The watches of one file as they are written; the agent's start parses them, as in Consul."""
    found = maps_of(value, source, "watches", problems)
    return tuple({key: _unwrapped(entry) for key, entry in item.items()} for item in found)


def maps_of(value: Any, source: str, key: str, problems: Problems) -> list[dict[str, Any]]:
    """The maps at a key: an HCL block is a list of them."""
    maps = value if isinstance(value, list) else [value]
    if all(isinstance(item, dict) for item in maps):
        return maps
    problems.errors.append(f"{source}: {key}: the value is not an object; allowed: an object")
    return []


def _unwrapped(value: Any) -> Any:
    """A block's only map."""
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) else value
