"""What the flags of `pyconsul watch` ask for.

The types of watches: https://developer.hashicorp.com/consul/docs/dynamic-app-config/watches
"""

from __future__ import annotations

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.watch_plan import Plan
from pyconsul.cli.errors import UsageError
from pyconsul.cli.flags.flag import Args, parse, switch

#: type: the flags it needs and those it may have
_FLAGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "key": (("key",), ()),
    "keyprefix": (("prefix",), ()),
    "services": ((), ("filter",)),
    "nodes": ((), ("filter",)),
    "service": (("service",), ("tag", "passingonly", "filter")),
    "checks": ((), ("service", "state", "filter")),
    "event": ((), ("name",)),
}
TYPES = tuple(_FLAGS)
_OPTIONS = ("key", "prefix", "service", "tag", "passingonly", "state", "name", "filter")


def plan(args: Args) -> Plan:
    """The watch that the flags describe. Raises UsageError, saying which flag is missing or too many."""
    kind = args.text("type")
    if not kind:
        raise UsageError(f"Watch type must be specified: -type is one of {', '.join(TYPES)}")
    if kind not in _FLAGS:
        raise UsageError(f"Unsupported watch type: {kind}; use one of {', '.join(TYPES)}")
    needed, possible = _FLAGS[kind]
    for name in needed:
        if not args.text(name):
            raise UsageError(f"A watch of type {kind} needs -{name}")
    extra = [f"-{name}" for name in _OPTIONS if args.text(name) and name not in (*needed, *possible)]
    if extra:
        raise UsageError(f"Invalid parameters for a watch of type {kind}: {', '.join(extra)}")
    query = {"filter": args.text("filter")} if args.text("filter") else {}
    return Plan(kind, _path(kind, args), {**query, **_query(kind, args)})


def _path(kind: str, args: Args) -> str:
    service = quote(args.text("service"), slash=False)
    if kind == "checks":
        if service and args.text("state"):
            raise UsageError("Cannot specify service and state")
        return f"/v1/health/checks/{service}" if service else f"/v1/health/state/{quote(args.text('state') or 'any')}"
    return {
        "key": "/v1/kv/" + quote(args.text("key").removeprefix("/")),
        "keyprefix": "/v1/kv/" + quote(args.text("prefix").removeprefix("/")),
        "services": "/v1/catalog/services",
        "nodes": "/v1/catalog/nodes",
        "service": f"/v1/health/service/{service}",
        "event": "/v1/event/list",
    }[kind]


def _query(kind: str, args: Args) -> dict[str, str]:
    query: dict[str, str] = {}
    if kind == "keyprefix":
        query["recurse"] = ""
    if kind == "event" and args.text("name"):
        query["name"] = args.text("name")
    if args.text("tag"):
        query["tag"] = args.text("tag")
    if args.text("passingonly") and parse((_PASSING,), [f"-passingonly={args.text('passingonly')}"]).switch(
        _PASSING.name
    ):
        query["passing"] = "1"
    return query


_PASSING = switch("passingonly", "")
