"""How each template is doing and why: as values for JSON, and as a text for people. Pure.

Nothing here holds a value out of the KV store: reports name lookups, destinations and what has changed, and the texts
of errors have passed `disclosure`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyconsul.tools.template.status.summary_line import duration, status_line

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.share_id import Sharing
    from pyconsul.tools.template.report.run_report import RunReport, TemplateReport

_USER = re.compile(r"//[^/@\s]*@")


def explain(report: RunReport) -> dict[str, Any]:
    """Return the whole report for JSON: times in seconds, `rendered` as RFC 3339."""
    return {
        "status": status_line(report),
        "ready": report.ready,
        "consul": consul_of(report),
        "lookups": report.lookups,
        "uptime": round(report.uptime, 1),
        "templates": [_explained(template) for template in report.templates],
    }


def consul_of(report: RunReport) -> dict[str, Any]:
    """Return the address without a user's name and password; whether it answers; how old the data are."""
    address = _USER.sub("//", report.consul)
    return {"address": address, "reachable": report.reachable, "data_age": _rounded(report.data_age)}


def _explained(template: TemplateReport) -> dict[str, Any]:
    return {
        "name": template.name,
        "destination": template.destination,
        "group": template.group,
        "state": template.state.value,
        "missing": list(template.missing),
        "trouble": template.problem,
        "retry_in": None if template.retry_in is None else round(max(0.0, template.retry_in), 1),
        "held": list(template.held),
        "dedup": None if template.dedup is None else _shared(template.dedup),
        "rendered": None if template.rendered is None else _moment(template.rendered),
        "changes": list(template.changes),
    }


def _shared(sharing: Sharing) -> dict[str, Any]:
    return {
        "role": sharing.role,
        "text": sharing.text,
        "leader": sharing.leader or None,
        "leader_silence": _rounded(sharing.silence),
        "leader_silent": sharing.silent,
        "data_age": _rounded(sharing.data_age),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _sharing_lines(sharing: Sharing) -> Iterable[str]:
    yield sharing.text
    if sharing.silence is not None:
        last = f"last sign of life {duration(sharing.silence)} ago"
        yield f"leader silent: {last}" if sharing.silent else last
    if sharing.data_age is not None:
        yield f"shared data {duration(sharing.data_age)} old"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def explain_text(report: RunReport) -> str:
    """Return the report for people, a paragraph for each template; problems come first in each."""
    consul = consul_of(report)
    reach = "answers" if report.reachable else "does not answer"
    lines = [
        status_line(report),
        f"Consul {consul['address']} {reach}; {report.lookups} lookups; running for {duration(report.uptime)}",
    ]
    for template in report.templates:
        lines += ["", *_paragraph(template)]
    return "".join(f"{line}\n" for line in lines)


def _paragraph(template: TemplateReport) -> Iterable[str]:
    name = f"{template.name} → {template.destination}" if template.destination else template.name
    yield f"{name}{f' (group {template.group})' if template.group else ''}: {template.state.value}"
    yield from _listed("missing", template.missing)
    yield from _listed("trouble", template.problem.splitlines())
    if template.retry_in is not None:
        yield f"  tried again in {duration(template.retry_in)}"
    yield from _listed("held", template.held)
    yield from _listed("dedup", _sharing_lines(template.dedup) if template.dedup is not None else [])
    if template.rendered is not None:
        yield f"  rendered {_moment(template.rendered)}"
    yield from _listed("changed", template.changes)


def _listed(title: str, entries: Iterable[str]) -> Iterable[str]:
    """Return the first entry beside the title, the others below it."""
    for index, entry in enumerate(entries):
        yield f"  {title + ':' if index == 0 else '':<9} {entry}"
