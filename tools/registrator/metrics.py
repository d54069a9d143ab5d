"""The numbers of a run for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from pyconsul.tools.registrator.connections import Link
    from pyconsul.tools.registrator.reconciler import Reconciler

_PREFIX = "pyconsul_registrator_"


def metrics(reconciler: Reconciler, links: tuple[Link, ...], accept: str = "") -> tuple[bytes, str]:
    """Return the page and its content type."""
    registry = CollectorRegistry()
    registry.register(_Numbers(reconciler, links))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Numbers(Collector):
    def __init__(self, reconciler: Reconciler, links: tuple[Link, ...]) -> None:
        self._reconciler = reconciler
        self._links = links

    def collect(self) -> Iterable[Metric]:
        run, counts = self._reconciler, self._reconciler.counts
        yield _gauge("containers", "Containers that are looked at", len(run.containers))
        yield _gauge("services", "Services that are registered", len(run.plan.wanted))
        yield _gauge("refused", "Services that the agent refuses", len(run.problems))
        yield _gauge("last_look_timestamp_seconds", "Time of the last comparison", counts.last_look)
        yield _counter("looks", "Comparisons of containers and services", counts.looks)
        yield _counter("failures", "Comparisons that engine or agent did not answer", counts.failures)
        yield _counter("events", "Events of the engine", counts.events)
        writes = CounterMetricFamily(f"{_PREFIX}writes", "Writes to the agent", labels=["kind"])
        for kind in sorted({"register", "deregister", *counts.writes}):
            writes.add_metric([kind], counts.writes[kind])
        yield writes
        up = GaugeMetricFamily(f"{_PREFIX}up", "Whether engine and agent are connected", labels=["connection"])
        outages = CounterMetricFamily(f"{_PREFIX}outages", "Connections that ended", labels=["connection"])
        for link in self._links:
            up.add_metric([link.name], int(link.up))
            outages.add_metric([link.name], link.outages)
        yield from (up, outages)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)
