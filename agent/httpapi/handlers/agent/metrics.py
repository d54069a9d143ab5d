"""/v1/agent/metrics: numbers about the agent, as JSON or for Prometheus.

https://developer.hashicorp.com/consul/api-docs/agent#view-metrics
"""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, Answer, json_answer
from pyconsul.agent.httpapi.core.router import Local, Route
from pyconsul.agent.model.check import STATES
from pyconsul.agent.state.schemas import CHECKS, KV, NODES, SERVICES, SESSIONS

PAGE = resource.getpagesize()  # bytes
TEXT_FORMAT = b"text/plain; version=0.0.4; charset=utf-8"  # Prometheus' text format
INTERVAL = 10  # seconds; JSON's time stamp is that of an interval's begin


def show_metrics(context: Context, request: Request) -> Answer:
    """Return the current numbers."""
    gauges = _gauges(context)
    if request.params.get("format") == "prometheus":
        if context.config.telemetry.prometheus_retention_time < 1:
            return Answer(200, b"", JSON)  # as Consul: nothing is kept for Prometheus
        return _prometheus(gauges)
    now = datetime.now(UTC)
    begin = now.replace(second=now.second // INTERVAL * INTERVAL, microsecond=0)
    return json_answer(
        {
            "Timestamp": begin.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
            "Gauges": [{"Name": name, "Value": value, "Labels": {}} for name, value in sorted(gauges.items())],
            "Points": [],
            "Counters": [],
            "Samples": [],
        }
    )


def _gauges(context: Context) -> dict[str, float]:
    view, local = context.view, context.agent.local
    prefix, sync = context.config.telemetry.metrics_prefix, context.agent.syncer.status()
    counted: dict[str, float] = {
        "state.nodes": len(view[NODES]),
        "state.services": len(list(view[SERVICES].values_of("name"))),
        "state.service_instances": len(view[SERVICES]),
        "state.kv_entries": len(view[KV]),
        "session.active": len(view[SESSIONS]),
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
    for status in STATES:
        counted[f"state.checks.{status}"] = len(view[CHECKS].by("status", status))
    return {f"{prefix}.{name}": value for name, value in counted.items()}


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round(usage.ru_utime + usage.ru_stime, 3)


def _prometheus(gauges: dict[str, float]) -> Answer:
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()
    for name, value in gauges.items():
        made: Any = Gauge(name.replace(".", "_").replace("-", "_"), name, registry=registry)
        made.set(value)
    return Answer(200, generate_latest(registry), ((b"Content-Type", TEXT_FORMAT),))


ROUTES = (Route("/v1/agent/metrics", {"GET": Local(show_metrics, "agent:read")}),)
