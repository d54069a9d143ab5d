"""Defaults that depend on other settings or on the host."""

from __future__ import annotations

import socket
from typing import Any

from pyconsul.agent.config import host
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import Problems
from pyconsul.agent.config.table import GATHERED, ROOT, SETTINGS, Kind, Section, Values, put

_ANY = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}


def resolve(values: Values, problems: Problems) -> Values:
    """The merged values with what was not given worked out; the argument is not changed."""
    result = dict(values)
    defaults = Config()
    result["datacenter"] = result.get("datacenter", defaults.datacenter).lower()
    result["primary_datacenter"] = result.get("primary_datacenter", "").lower() or result["datacenter"]
    result["node_name"] = result.get("node_name") or host.host_name()
    result["node_id"] = result.get("node_id", "").lower()
    # Without `server` and without other agents to join, an agent is a single server.
    server = result.setdefault("server", not result.get("retry_join"))
    result.setdefault("leave_on_terminate", not server)
    result.setdefault("skip_leave_on_interrupt", server)
    result["log_level"] = _LEVELS.get(result.get("log_level", "info").lower(), result.get("log_level", "info").lower())
    _resolve_addresses(result)
    _resolve_bootstrap(result, problems)
    if "tls" in result:
        result["tls"] = _resolve_tls(result["tls"])
    return result


def build(values: Values, section: Section = ROOT) -> Any:
    """The frozen `Config` (or section) of resolved values."""
    parts = {
        name: build(value, entry) if isinstance(entry := section.entries.get(name), Section) else value
        for name, value in values.items()
    }
    return section.type(**parts)


def _resolve_addresses(values: Values) -> None:
    bind = values.get("bind_addr", "").strip("[]") or Config().bind_addr
    values["bind_addr"] = bind
    advertise = values.get("advertise_addr", "").strip("[]")
    if not advertise:
        family = _ANY.get(bind)
        advertise = bind if family is None else host.outward_address(family)
    values["advertise_addr"] = advertise
    values["advertise_addr_wan"] = values.get("advertise_addr_wan", "").strip("[]") or advertise
    for key in ("serf_lan", "serf_wan"):
        values[key] = values.get(key) or bind
    kind = "ipv6" if ":" in advertise else "ipv4"
    for key in ("advertise_addr", "advertise_addr_wan"):
        values[f"{key}_{kind}"] = values.get(f"{key}_{kind}") or values[key]


def _resolve_bootstrap(values: Values, problems: Problems) -> None:
    """One expected server is a server on its own, as Consul has it."""
    if values.get("bootstrap_expect") == 1:
        problems.warnings.append("BootstrapExpect is set to 1; this is the same as Bootstrap mode.")
        values["bootstrap"], values["bootstrap_expect"] = values.get("server", False), 0


def _resolve_tls(tls: Values) -> Values:
    """Apply `tls.defaults` to each protocol that does not override it."""
    defaults = tls.get("defaults", {})
    return {
        "defaults": defaults,
        **{name: {**defaults, **tls.get(name, {})} for name in ("https", "internal_rpc", "grpc")},
    }


_LEVELS = {"warning": "warn", "err": "error"}


def merged(*sources: Values) -> Values:
    """The sources in order, later ones over earlier ones; none of them is changed."""
    result: Values = {}
    for source in sources:
        _merge(ROOT, result, source)
    return result


def dev_values() -> Values:
    """Return the values that -dev sets before files and flags are read."""
    values: Values = {}
    for row in SETTINGS:
        if row.note.dev is not None:
            put(values, row.key, row.note.dev)
    return values


def _merge(section: Section, target: Values, source: Values) -> None:
    for name, value in source.items():
        entry = section.entries[name]
        if isinstance(entry, Section):
            _merge(entry, target.setdefault(name, {}), value)
        elif name not in target or entry.kind not in GATHERED:
            target[name] = value
        elif entry.kind in (Kind.MAP, Kind.DURATION_MAP):
            target[name] = {**target[name], **value}
        else:
            target[name] = (*target[name], *value)
