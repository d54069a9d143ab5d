"""Checks of a service: those that SERVICE_CHECK_ settings describe, as Consul's API takes them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.common.go.durations import parse_go_duration_ns
from pyconsul.tools.registrator.desired.containers import SHORT_ID
from pyconsul.tools.registrator.desired.metadata import CHECK_KINDS, CHECK_OPTIONS, Metadata, text_of

Check = dict[str, Any]
DEFAULT_INTERVAL = "10s"
STATUSES = ("passing", "warning", "critical")
_ALLOWED = "use a number with a unit, as 10s or 1m30s"


@dataclass(frozen=True, slots=True)
class Target:
    """The subject of a check: the address and the container."""

    address: str
    port: int
    container_id: str
    inside: int

    @property
    def authority(self) -> str:
        """Return `address:port`, with brackets around IPv6."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Described:
    """The check that the settings describe, None without one.

    `written`: with the values as they are; `mended`: with malformed ones replaced by defaults, else the same.
    """

    written: Check | None
    mended: Check | None
    warnings: tuple[str, ...] = ()


def described_check(metadata: Metadata, target: Target) -> Described:
    """Return the check of a service: one, the first kind that is set."""
    kind = next((kind for kind in CHECK_KINDS if text_of(metadata, kind)), None)
    if kind is None:
        sources = sorted(metadata[key].source for key in CHECK_OPTIONS if text_of(metadata, key))
        allowed = ", ".join(f"SERVICE_{one.upper()}" for one in CHECK_KINDS)
        lonely = tuple(f"{source}: no effect without one of {allowed}" for source in sources)
        return Described(None, None, lonely)
    check = _MADE[kind](metadata, target)
    if kind == "check_ttl":
        settings = {"TTL": text_of(metadata, kind)}
        sources_of = {"TTL": kind}
    else:
        settings = {"Interval": text_of(metadata, "check_interval") or DEFAULT_INTERVAL}
        sources_of = {"Interval": "check_interval"}
        if kind != "check_cmd" and (timeout := text_of(metadata, "check_timeout")):
            settings["Timeout"], sources_of["Timeout"] = timeout, "check_timeout"
    if status := text_of(metadata, "check_initial_status"):
        settings["Status"], sources_of["Status"] = status, "check_initial_status"
    if after := text_of(metadata, "check_deregister_after"):
        settings["DeregisterCriticalServiceAfter"] = after
        sources_of["DeregisterCriticalServiceAfter"] = "check_deregister_after"
    return _verified(metadata, {**check, **settings}, sources_of)


def _verified(metadata: Metadata, check: Check, sources: dict[str, str]) -> Described:
    """Compare the values with what Consul takes."""
    mended, warnings = dict(check), []
    for name, key in sources.items():
        problem = _status_problem(check[name]) if name == "Status" else _duration_problem(check[name])
        if not problem:
            continue
        instead = _DEFAULTS.get(name)
        action = f"{instead} is used" if instead else "it is left out"
        warnings.append(f"{metadata[key].source}={check[name]}: {problem}; {action}")
        if instead:
            mended[name] = instead
        else:
            del mended[name]
    return Described(check, mended, tuple(warnings))


_DEFAULTS = {"Interval": DEFAULT_INTERVAL, "TTL": "30s"}


def _duration_problem(text: str) -> str:
    try:
        return "" if parse_go_duration_ns(text) > 0 else f"not a positive duration: {_ALLOWED}"
    except ValueError:
        return f"not a duration: {_ALLOWED}"


def _status_problem(text: str) -> str:
    return "" if text in STATUSES else f"unknown status: use {', '.join(STATUSES)}"


def _web(scheme: str) -> Callable[[Metadata, Target], Check]:
    def make(metadata: Metadata, target: Target) -> Check:
        check = {"HTTP": f"{scheme}://{target.authority}{text_of(metadata, f'check_{scheme}')}"}
        if method := text_of(metadata, f"check_{scheme}_method"):
            check["Method"] = method
        return check

    return make


def _command(metadata: Metadata, target: Target) -> Check:
    text = text_of(metadata, "check_cmd")
    return {"ScriptArgs": ["check-cmd", target.container_id[:SHORT_ID], str(target.inside), text]}


def _script(metadata: Metadata, target: Target) -> Check:
    """Return a check with a shell line: registrator's own, one argument, could run no program with arguments."""
    line = text_of(metadata, "check_script")
    line = line.replace("$SERVICE_IP", target.address).replace("$SERVICE_PORT", str(target.port))
    return {"ScriptArgs": ["/bin/sh", "-c", line]}


def _grpc(metadata: Metadata, target: Target) -> Check:
    check: Check = {"GRPC": target.authority}
    if text_of(metadata, "check_grpc_use_tls"):
        check["GRPCUseTLS"] = True
        if text_of(metadata, "check_tls_skip_verify"):
            check["TLSSkipVerify"] = True
    return check


_MADE: dict[str, Callable[[Metadata, Target], Check]] = {
    "check_http": _web("http"),
    "check_https": _web("https"),
    "check_cmd": _command,
    "check_script": _script,
    "check_ttl": lambda metadata, target: {},
    "check_tcp": lambda metadata, target: {"TCP": target.authority},
    "check_grpc": _grpc,
}
