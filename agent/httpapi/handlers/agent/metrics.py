"""/v1/agent/metrics: numbers about the agent, as JSON or for Prometheus.

https://developer.hashicorp.com/consul/api-docs/agent#view-metrics
"""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyconsul.agent.dnsd.views import PartHolder
from pyconsul.agent.gossip.consul.tags import is_client, server_of
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, Response, json_response
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.model.check import STATES
from pyconsul.agent.model.member import MemberStatus
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.schemas import CHECKS, KV, NODES, SERVICES, SESSIONS

PAGE = resource.getpagesize()  # bytes
TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"  # Prometheus' text format
INTERVAL = 10  # seconds; JSON's time stamp is that of an interval's begin


def show_metrics(context: Context, request: Request) -> Response:
    """Return the current numbers."""
    gauges, counters = _gauges(context), _counters(context)
    if request.params.get("format") == "prometheus":
        if context.config.telemetry.prometheus_retention_time < 1:
            return Response(200, b"", JSON)  # as Consul: nothing is kept for Prometheus
        return _prometheus(gauges, counters)
    now = datetime.now(UTC)
    begin = now.replace(second=now.second // INTERVAL * INTERVAL, microsecond=0)
    return json_response(
        {
            "Timestamp": begin.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
            "Gauges": [{"Name": name, "Value": value, "Labels": {}} for name, value in sorted(gauges.items())],
            "Points": [],
            "Counters": [_counter(name, count) for name, count in sorted(counters.items())],
            "Samples": [],
        }
    )


def _gauges(context: Context) -> dict[str, float]:
    local = context.agent.local
    prefix, sync = context.config.telemetry.metrics_prefix, context.agent.syncer.status()
    counted: dict[str, float] = {
        "agent.services": len(local.services),
        "agent.checks": len(local.checks),
        "sync.behind_seconds": round(sync.behind_s, 3),
        "sync.failures": sync.failures,
        "sync.restarts": sync.restarts,
        "runtime.resident_bytes": _resident(),
        "runtime.cpu_seconds": _cpu_seconds(),
    }
    if context.loop_lag is not None:
        counted["runtime.loop_lag_ms"] = round(context.loop_lag.last_s * 1000, 3)
        counted["runtime.loop_lag_max_ms"] = round(context.loop_lag.max_s * 1000, 3)
    if context.cluster is not None:
        counted |= context.cluster.figures()
    counted |= _pool_gauges(context)
    counted |= _state_gauges(context.view) if context.held_parts is None else _dns_gauges(context.held_parts)
    return {f"{prefix}.{name}": value for name, value in counted.items()}


def _state_gauges(view: View) -> dict[str, float]:
    """Return the sizes of the state of a server."""
    return {
        "state.nodes": len(view[NODES]),
        "state.services": len(list(view[SERVICES].values_of("name"))),
        "state.service_instances": len(view[SERVICES]),
        "state.kv_entries": len(view[KV]),
        "session.active": len(view[SESSIONS]),
        **{f"state.checks.{status}": len(view[CHECKS].by("status", status)) for status in STATES},
    }


def _dns_gauges(held: PartHolder) -> dict[str, float]:
    """Return what a client agent holds of the catalog for DNS, and the age of its oldest rows."""
    status = held.status()
    return {
        "dns.held.parts": status.parts,
        "dns.held.rows": status.rows,
        "dns.held.oldest_age_seconds": round(status.oldest_age_s, 3),
    }


def _pool_gauges(context: Context) -> dict[str, float]:
    """Return the sizes of the LAN pool, the health score of this agent (0: good) and what waits to be gossiped."""
    alive = [member for member in context.lan.members() if member.status is MemberStatus.ALIVE]
    stats = context.lan.stats()
    return {
        "members.clients": sum(map(is_client, alive)),
        "members.servers": sum(server_of(member) is not None for member in alive),
        "memberlist.health.score": int(stats.get("health_score", 0)),
        "serf.queue.Event": int(stats.get("event_queue", 0)),
        "serf.queue.Intent": int(stats.get("intent_queue", 0)),
        "serf.queue.Query": int(stats.get("query_queue", 0)),
    }


def _counters(context: Context) -> dict[str, int]:
    """Return the events of the LAN pool, and a client agent's requests to servers, since the start."""
    prefix = context.config.telemetry.metrics_prefix
    counts = {**context.pool_counters.counts, **context.request_counts}
    return {f"{prefix}.{name}": count for name, count in counts.items()}


def _counter(name: str, count: int) -> dict[str, Any]:
    return {"Name": name, "Count": count, "Sum": count, "Labels": {}}


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round(usage.ru_utime + usage.ru_stime, 3)


def _prometheus(gauges: dict[str, float], counters: dict[str, int]) -> Response:
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    for name, value in gauges.items():
        made: Any = Gauge(_series(name), name, registry=registry)
        made.set(value)
    # The library gives counters names that end in `_total`; Consul's do not.
    lines = [
        f"# HELP {_series(name)} {name}\n# TYPE {_series(name)} counter\n{_series(name)} {count}\n"
        for name, count in counters.items()
    ]
    return Response(200, generate_latest(registry) + "".join(lines).encode(), ((b"Content-Type", TEXT_FORMAT),))


def _series(name: str) -> str:
    return name.replace(".", "_").replace("-", "_")


ROUTES = (Route("/v1/agent/metrics", {"GET": Local(show_metrics, "agent:read")}),)
