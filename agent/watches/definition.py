"""A watch of a configuration file: its query and its handler. Pure; the errors are Consul's.

https://developer.hashicorp.com/consul/docs/dynamic-app-config/watches
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.agent.common.watch_plan import Plan

#: type: its own parameters
_PARAMETERS: dict[str, tuple[str, ...]] = {
    "key": ("key",),
    "keyprefix": ("prefix",),
    "services": ("filter",),
    "nodes": ("filter",),
    "service": ("service", "tag", "passingonly", "filter"),
    "checks": ("service", "state", "filter"),
    "event": ("name",),
}
_COMMON = frozenset(
    ("type", "datacenter", "token", "stale", "handler_type", "handler", "args", "http_handler_config")
)  # fmt: skip
#: Types of the service mesh, which Consul does not allow in files either, or which pyconsul lacks.
_MESH = ("connect_roots", "connect_leaf", "connect_proxy_config", "agent_service")
_TIMEOUT_S = 10.0


class WatchError(Exception):
    """A watch cannot be; the text is Consul's."""


@dataclass(frozen=True, slots=True)
class Script:
    """Runs a program without a shell; the data is on its standard input."""

    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """Sends an HTTP request whose body is the data."""

    url: str
    method: str = "POST"
    header: tuple[tuple[str, str], ...] = ()
    timeout_s: float = _TIMEOUT_S
    tls_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """One watch. The path, the query (without an index) and the token say what to ask the agent."""

    kind: str
    path: str
    query: tuple[tuple[str, str], ...]
    token: str
    handler: Script | Request

    def plan(self) -> Plan:
        """Return a new plan: nothing was seen yet."""
        return Plan(self.kind, self.path, dict(self.query))

    def __repr__(self) -> str:
        """Tokens and headers stay out of tracebacks and logs."""
        return f"Definition({self.kind} {self.path})"


def definition(params: Mapping[str, Any]) -> Definition:
    """Return the watch that a file describes. Raises WatchError."""
    kind = str(params.get("type") or "")
    handler_type = params.get("handler_type", "script")
    if handler_type not in ("http", "script"):
        raise WatchError(f"Handler type '{handler_type}' not recognized")
    if kind in _MESH:
        raise WatchError(f"Watch type {kind} is not allowed in agent config")
    try:
        request = _request(params) if handler_type == "http" else None
        path, query = _target(kind, params)
    except ValueError as error:
        raise WatchError(f"Failed to parse watch ({_shown(kind, params)}): {error}") from None
    return Definition(kind, path, tuple(query.items()), str(params.get("token") or ""), _handler(params, request))


def _handler(params: Mapping[str, Any], request: Request | None) -> Script | Request:
    given = [name for name in ("handler", "args") if name in params]
    if len(given) + (request is not None) > 1:
        raise WatchError("Only one watch handler allowed")
    if request is not None:
        return request
    if not given:
        raise WatchError("Must define a watch handler")
    if "handler" in params:
        if not isinstance(params["handler"], str):
            raise WatchError("Watch handler must be a string")
        return Script(("/bin/sh", "-c", params["handler"]))
    args = [params["args"]] if isinstance(params["args"], str) else params["args"]
    if not isinstance(args, list) or not all(isinstance(item, str) for item in args):
        raise WatchError("Watch args must be a list of strings")
    return Script(tuple(args))


def _request(params: Mapping[str, Any]) -> Request:
    """Raises ValueError."""
    settings = params.get("http_handler_config")
    if not isinstance(settings, dict):
        raise ValueError("Handler type 'http' requires 'http_handler_config' to be set")
    failed = "Failed to parse 'http_handler_config': "
    if not settings.get("path"):
        raise ValueError(f"{failed}Requires 'path' to be set")
    header = settings.get("header") or {}
    header = header[0] if isinstance(header, list) and len(header) == 1 else header
    if not isinstance(header, dict):
        raise ValueError(f"{failed}'header' must be a map of lists of texts")
    try:
        timeout = parse_go_duration_s(settings["timeout"]) if settings.get("timeout") else _TIMEOUT_S
    except (ValueError, TypeError, AttributeError):
        raise ValueError(f"{failed}'timeout' must be a duration such as \"10s\"") from None
    fields = tuple(
        (name, str(text)) for name, texts in header.items() for text in (texts if isinstance(texts, list) else [texts])
    )
    method = str(settings.get("method") or "POST").upper()
    return Request(str(settings["path"]), method, fields, timeout, settings.get("tls_skip_verify") is True)


def _target(kind: str, params: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the path and the query of a watch. Raises ValueError."""
    if not kind:
        raise ValueError("Watch type must be specified")
    if kind not in _PARAMETERS:
        raise ValueError(f"Unsupported watch type: {kind}")
    texts = {name: str(params[name]) for name in _PARAMETERS[kind] if params.get(name) not in (None, "")}
    path = _path(kind, texts)
    if extra := [name for name in params if name not in _COMMON and name not in _PARAMETERS[kind]]:
        raise ValueError(f"Invalid parameters: [{' '.join(sorted(extra))}]")
    query: dict[str, str] = {name: texts[name] for name in ("filter", "name") if name in texts}
    query |= {"dc": str(params["datacenter"])} if params.get("datacenter") else {}
    if kind == "keyprefix":
        query["recurse"] = ""
    tag = params.get("tag") if kind == "service" else None
    if tag:
        query["tag"] = str(tag[0] if isinstance(tag, list) else tag)
    if kind == "service" and params.get("passingonly") in (True, "true"):
        query["passing"] = "1"
    return path, query


def _path(kind: str, texts: Mapping[str, str]) -> str:
    for name, words in (("key", "key"), ("keyprefix", "prefix"), ("service", "service")):
        if kind == name and words not in texts:
            raise ValueError(f"Must specify a single {words} to watch")
    if kind == "checks":
        if "service" in texts and "state" in texts:
            raise ValueError("Cannot specify service and state")
        if "service" in texts:
            return f"/v1/health/checks/{quote(texts['service'], '')}"
        return f"/v1/health/state/{quote(texts.get('state', 'any'), '')}"
    return {
        "key": "/v1/kv/" + quote(texts.get("key", "").removeprefix("/")),
        "keyprefix": "/v1/kv/" + quote(texts.get("prefix", "").removeprefix("/")),
        "services": "/v1/catalog/services",
        "nodes": "/v1/catalog/nodes",
        "service": f"/v1/health/service/{quote(texts.get('service', ''), '')}",
        "event": "/v1/event/list",
    }[kind]


def _shown(kind: str, params: Mapping[str, Any]) -> str:
    """Return the parameters that Consul has not read yet, as Go prints a map; without secrets."""
    looked_at = {"token", "datacenter", "http_handler_config"}
    if kind:
        looked_at |= {"type", "handler_type", *_PARAMETERS.get(kind, ())}
    if kind in _PARAMETERS and not params.keys() <= _COMMON | set(_PARAMETERS[kind]):
        looked_at |= {"args", "handler"}
    left = {"handler_type": "script", **params}
    inside = ", ".join(f"{json.dumps(name)}:{_go(left[name])}" for name in sorted(left.keys() - looked_at))
    return f"map[string]interface {{}}{{{inside}}}"


def _go(value: Any) -> str:
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_go, value))}}}"
    return json.dumps(value)
