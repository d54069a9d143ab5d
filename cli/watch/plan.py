"""Turn the flags of `pyconsul watch` into a plan.

The types of watches: https://developer.hashicorp.com/consul/docs/dynamic-app-config/watches
"""

from __future__ import annotations

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import Args, InvalidValue, Option, text
from pyconsul.agent.common.watch_plan import Plan
from pyconsul.cli.errors import UsageError

KEY = text("key", "The key; for -type=key.")
PREFIX = text("prefix", "The prefix; for -type=keyprefix.")
SERVICE = text("service", "The service; for -type=service and checks.")
TAG = text("tag", "Only instances with this tag; for -type=service.")
PASSING_ONLY = text("passingonly", "true: only instances whose checks all pass; for -type=service.")
STATE = text("state", "Only checks in this state; for -type=checks.")
NAME = text("name", "Only events of this name; for -type=event.")
FILTER = text("filter", "A filter expression; for services, nodes, service and checks.")
_PARAMETERS = (KEY, PREFIX, SERVICE, TAG, PASSING_ONLY, STATE, NAME, FILTER)

_Flags = tuple[Option[str], ...]
#: For each type, the flags it needs and those it may have.
_FLAGS: dict[str, tuple[_Flags, _Flags]] = {
    "key": ((KEY,), ()),
    "keyprefix": ((PREFIX,), ()),
    "services": ((), (FILTER,)),
    "nodes": ((), (FILTER,)),
    "service": ((SERVICE,), (TAG, PASSING_ONLY, FILTER)),
    "checks": ((), (SERVICE, STATE, FILTER)),
    "event": ((), (NAME,)),
}
TYPES = tuple(_FLAGS)
TYPE = text("type", f"What to watch: {', '.join(TYPES)}.", metavar="type")
WATCH_FLAGS = (TYPE, *_PARAMETERS)


def plan(args: Args) -> Plan:
    """Return the watch that the flags describe. Raises UsageError, saying which flag is missing or too many."""
    kind = args[TYPE]
    if not kind:
        raise UsageError(f"Watch type must be specified: -type is one of {', '.join(TYPES)}")
    if kind not in _FLAGS:
        raise UsageError(f"Unsupported watch type: {kind}; use one of {', '.join(TYPES)}")
    needed, possible = _FLAGS[kind]
    for option in needed:
        if not args[option]:
            raise UsageError(f"A watch of type {kind} needs -{option.name}")
    extra = [f"-{option.name}" for option in _PARAMETERS if args[option] and option not in (*needed, *possible)]
    if extra:
        raise UsageError(f"Invalid parameters for a watch of type {kind}: {', '.join(extra)}")
    query = {"filter": args[FILTER]} if args[FILTER] else {}
    return Plan(kind, _path(kind, args), {**query, **_query(kind, args)})


def _path(kind: str, args: Args) -> str:
    service = quote(args[SERVICE], slash=False)
    if kind == "checks":
        if service and args[STATE]:
            raise UsageError("Cannot specify service and state")
        return f"/v1/health/checks/{service}" if service else f"/v1/health/state/{quote(args[STATE] or 'any')}"
    return {
        "key": "/v1/kv/" + quote(args[KEY].removeprefix("/")),
        "keyprefix": "/v1/kv/" + quote(args[PREFIX].removeprefix("/")),
        "services": "/v1/catalog/services",
        "nodes": "/v1/catalog/nodes",
        "service": f"/v1/health/service/{service}",
        "event": "/v1/event/list",
    }[kind]


def _query(kind: str, args: Args) -> dict[str, str]:
    query: dict[str, str] = {}
    if kind == "keyprefix":
        query["recurse"] = ""
    if kind == "event" and args[NAME]:
        query["name"] = args[NAME]
    if args[TAG]:
        query["tag"] = args[TAG]
    if args[PASSING_ONLY] and _is_true(args[PASSING_ONLY]):
        query["passing"] = "1"
    return query


def _is_true(written: str) -> bool:
    try:
        return parse_go_bool(written)
    except ValueError as error:
        raise UsageError(str(InvalidValue(PASSING_ONLY.name, written, str(error)))) from None
