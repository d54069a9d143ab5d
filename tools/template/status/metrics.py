"""The numbers of a run for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/

Events are counters, `pyconsul_template_<event>_total`; states are gauges.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from pyconsul.tools.template.feed.share_id import Sharing
from pyconsul.tools.template.report.counters import Counters, Event
from pyconsul.tools.template.report.run_report import RunReport, State, TemplateReport

_PREFIX = "pyconsul_template_"
#: The label of an event, and its description. Files without events have a count of 0.
_EVENTS: dict[Event, tuple[str, str]] = {
    Event.RENDERED: ("destination", "Files that got a new text"),
    Event.TEMPLATE_ERROR: ("destination", "Templates that could not be evaluated"),
    Event.REFUSED: ("destination", "New texts that a check refused"),
    Event.RELOADED: ("program", "Reloads after files had changed"),
    Event.RELOAD_FAILED: ("program", "Reloads that failed"),
    Event.ROLLED_BACK: ("destination", "Files that got their last good text back"),
    Event.RUNTIME_UPDATED: ("program", "Changes that were put into force without a reload"),
    Event.HELD: ("service", "Answers that a guard began to hold"),
}


def metrics(report: RunReport, counters: Counters, accept: str = "") -> tuple[bytes, str]:
    """Return the page and its content type: OpenMetrics for clients that accept it, else Prometheus' text."""
    registry = CollectorRegistry()
    registry.register(_Numbers(report, counters))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Numbers(Collector):
    def __init__(self, report: RunReport, counters: Counters) -> None:
        self._report = report
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        yield from _counters(self._report, self._counters)
        yield from _of_run(self._report)
        yield from _of_templates(self._report.templates)


def _counters(report: RunReport, counters: Counters) -> Iterator[Metric]:
    counts: dict[Event, Counter[str]] = {event: Counter() for event in Event}
    for event, label, count in counters:
        counts[event][_program(label) if _EVENTS[event][0] == "program" else label] += count
    for event, (label_name, text) in _EVENTS.items():
        family = CounterMetricFamily(_PREFIX + event.value, text, labels=[label_name])
        known = {_file(template) for template in report.templates} if label_name == "destination" else set()
        for label in sorted(known | set(counts[event])):
            family.add_metric([label], counts[event][label])
        yield family


def _program(command: str) -> str:
    """Return a command without its arguments, which may hold a password."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return PurePath(words[0]).name if words else ""


def _file(template: TemplateReport) -> str:
    return template.destination or template.name


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _of_run(report: RunReport) -> Iterator[Metric]:
    yield _gauge("ready", "Whether every template has its file", float(report.ready))
    yield _gauge("consul_up", "Whether Consul answers", float(report.reachable))
    yield _gauge("lookups", "Questions to Consul that are watched", report.lookups)
    yield _gauge("uptime_seconds", "Time since the start", report.uptime)
    if report.data_age is not None:
        yield _gauge("data_age_seconds", "Time since Consul confirmed the oldest data in use", report.data_age)
    states = Counter(template.state for template in report.templates)
    family = GaugeMetricFamily(_PREFIX + "templates", "Templates by state", labels=["state"])
    for state in State:
        family.add_metric([state.value], states[state])
    yield family


def _of_templates(templates: Iterable[TemplateReport]) -> Iterator[Metric]:
    """Return the metrics of templates; of several with one destination the last counts."""
    by_file = {_file(template): template for template in templates}
    rendered = GaugeMetricFamily(
        _PREFIX + "last_render_timestamp_seconds", "When the file got its text, since 1970", labels=["destination"]
    )
    trouble = GaugeMetricFamily(
        _PREFIX + "template_trouble", "Whether the file is not what its template says now", labels=["destination"]
    )
    missing = GaugeMetricFamily(
        _PREFIX + "template_missing_lookups", "What the template waits for", labels=["destination"]
    )
    held = GaugeMetricFamily(_PREFIX + "template_held", "What its guards hold", labels=["destination"])
    for file, template in sorted(by_file.items()):
        if template.rendered is not None:
            rendered.add_metric([file], template.rendered)
        trouble.add_metric([file], float(template.state in (State.PENDING, State.FAILED)))
        missing.add_metric([file], len(template.missing))
        held.add_metric([file], len(template.held))
    yield from (rendered, trouble, missing, held)
    yield from _of_sharing({file: one.dedup for file, one in sorted(by_file.items()) if one.dedup is not None})


def _of_sharing(sharing_of: Mapping[str, Sharing]) -> Iterator[Metric]:
    dedup = GaugeMetricFamily(
        _PREFIX + "template_dedup",
        "Whether the instance has this role among those that share the answers",
        labels=["destination", "role"],
    )
    silence = GaugeMetricFamily(
        _PREFIX + "dedup_leader_silence_seconds",
        "Time since the last sign of life of the leader that the instance follows",
        labels=["destination"],
    )
    silent = GaugeMetricFamily(
        _PREFIX + "dedup_leader_silent", "Whether that leader has been silent for too long", labels=["destination"]
    )
    age = GaugeMetricFamily(
        _PREFIX + "dedup_data_age_seconds", "Time since the shared data was known to be right", labels=["destination"]
    )
    for file, sharing in sharing_of.items():
        dedup.add_metric([file, sharing.role], 1.0)
        silent.add_metric([file], float(sharing.silent))
        if sharing.silence is not None:
            silence.add_metric([file], sharing.silence)
        if sharing.data_age is not None:
            age.add_metric([file], sharing.data_age)
    yield from (dedup, silence, silent, age)
