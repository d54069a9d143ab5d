"""The checks of `pyconsul doctor` on the servers of a datacenter: who votes, how many may fail, what autopilot keeps.  Pure.

`state` is the response of `/v1/operator/autopilot/state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyconsul.cli.doctor.diagnosis import OK, WARNING, Finding
from pyconsul.cli.errors import printable

_SHOW = "See `pyconsul operator autopilot state`."


def quorum(state: dict[str, Any]) -> Iterator[Finding]:
    """Judge the servers of a datacenter."""
    servers: list[dict[str, Any]] = list((state.get("Servers") or {}).values())
    voters = len(state.get("Voters") or ())
    ill = sorted(printable(one["Name"]) for one in servers if not one["Healthy"])
    waiting = sorted(printable(one["Name"]) for one in servers if one["Status"] == "non-voter")
    if ill:
        yield Finding(
            "servers", WARNING, f"{len(ill)} of {len(servers)} servers are unhealthy: {', '.join(ill)}", _SHOW
        )
    if waiting:
        advice = (
            "A server gets its vote once it was alive for server_stabilization_time (10s) and has caught up. If it takes"
            " longer, its log and that of the leader say why."
        )
        yield Finding("servers", WARNING, f"without a vote yet: {', '.join(waiting)}", advice)
    yield _margin(voters, int(state.get("FailureTolerance") or 0))
    for proposal in state.get("Proposals") or ():
        advice = "If it does not come back: `pyconsul operator raft remove-peer -id=ID`."
        yield Finding("servers", WARNING, printable(str(proposal)), advice)


def _margin(voters: int, tolerance: int) -> Finding:
    """Judge how many servers may fail until nothing can be written."""
    if voters == 1:
        return Finding("quorum", OK, "there is one server: without it nothing is answered")
    text = f"{voters} servers vote, {tolerance} of them may fail"
    if tolerance == 0:
        number = voters + 1 if voters % 2 == 0 else voters
        advice = f"Any further failure stops writes: have {number} healthy servers."
        return Finding("quorum", WARNING, text, advice)
    if voters % 2 == 0:
        return Finding(
            "quorum", WARNING, text, f"{voters - 1} servers can lose as many: an even number only costs writes."
        )
    return Finding("quorum", OK, text)


def etcd(settings: dict[str, Any], program: str | None, servers: int) -> Finding | None:
    """Check that a server can run etcd.  settings: `DebugConfig`; program: the path of etcd on this machine, if it is there."""
    if not settings.get("Server") or settings.get("DevMode") or (settings.get("Etcd") or {}).get("Endpoints"):
        return None
    if program:
        return Finding("etcd", OK, f"is installed: {program}")
    advice = "Debian: `apt-get install etcd-server`; or name an existing one in etcd { endpoints = [...] }."
    if servers > 1 or settings.get("BootstrapExpect") or settings.get("RetryJoin"):
        return Finding("etcd", WARNING, "cannot be found on PATH, and servers keep their common state in it", advice)
    return Finding("etcd", OK, "is not installed; only a second server would need it")
