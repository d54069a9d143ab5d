"""The status pages: which page a request gets, from a report. No IO.

GET /health    200 as long as this program works: an outage of Consul is no reason to end it
GET /ready     200 once every template has its file, 503 before; `degraded` is as in /health, and changes no status
GET /metrics   for Prometheus
GET /explain   each template's state and why; JSON, or text for who accepts text or says ?format=text
PUT /release   ?service=web[&template=…]: ends what guards hold
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyconsul.tools.pages.contract import HTML, Call, Page, json_page
from pyconsul.tools.template.report.run_report import RunReport, State, TemplateReport
from pyconsul.tools.template.status.explain import consul_of, explain, explain_text
from pyconsul.tools.template.status.summary_line import silent_leaders, status_line

if TYPE_CHECKING:
    from pyconsul.tools.template.report.counters import Counters

#: Releases the holds of a service: for one destination, or "" for all. Returns their number.
Release = Callable[[str, str], int]


class Pages:
    """`report`, `counters`: the state of the run."""

    def __init__(self, report: Callable[[], RunReport], counters: Counters, release: Release) -> None:
        self._report = report
        self._counters = counters
        self._release = release
        self._pages: dict[str, tuple[str, Callable[[Call], Page]]] = {
            "/": ("GET", self._index),
            "/health": ("GET", self._health),
            "/ready": ("GET", self._ready),
            "/metrics": ("GET", self._metrics),
            "/explain": ("GET", self._explain),
            "/release": ("PUT", self._released),
        }

    def answer(self, call: Call) -> Page:
        """Return the page for a request."""
        method, page = self._pages.get(call.path.rstrip("/") or "/", ("", None))
        if page is None:
            return Page(404, f"no such page; there are {', '.join(self._pages)}\n".encode())
        if call.method != method and (call.method, method) != ("HEAD", "GET"):
            return Page(405, f"{call.path} takes {method}\n".encode(), allow=method)
        return page(call)

    def _index(self, call: Call) -> Page:
        line = status_line(self._report())
        shown = {
            path: "" if method == "GET" else f" ({method} ?service=…)" for path, (method, _) in self._pages.items()
        }
        del shown["/"]
        if "text/html" not in call.accept:
            listed = "".join(f"{path}{more}\n" for path, more in shown.items())
            return Page(200, f"pyconsul-template: {line}\n\n{listed}".encode())
        links = "".join(f'<li><a href="{path}">{path}</a>{html.escape(more)}' for path, more in shown.items())
        title = "<!doctype html><title>pyconsul-template</title><h1>pyconsul-template</h1>"
        return Page(200, f"{title}<p>{html.escape(line)}<ul>{links}</ul>\n".encode(), HTML)

    def _health(self, call: Call) -> Page:
        report = self._report()
        degraded = list(_degraded(report))
        return json_page(
            200,
            {
                "status": "degraded" if degraded else "ok",
                "degraded": degraded,
                "consul": consul_of(report),
                "uptime": round(report.uptime, 1),
            },
        )

    def _ready(self, call: Call) -> Page:
        report = self._report()
        waiting = [
            {
                "template": template.name,
                "destination": template.destination,
                "state": template.state.value,
                "missing": list(template.missing),
                "trouble": template.problem,
            }
            for template in report.templates
            if template.rendered is None and template.state is not State.CURRENT
        ]
        body = {"ready": report.ready, "waiting": [] if report.ready else waiting, "degraded": list(_degraded(report))}
        return json_page(200 if report.ready else 503, body)

    def _metrics(self, call: Call) -> Page:
        from pyconsul.tools.template.status.metrics import metrics  # the library takes its time to load

        body, content_type = metrics(self._report(), self._counters, call.accept)
        return Page(200, body, content_type)

    def _explain(self, call: Call) -> Page:
        form = call.query.get("format") or _form(call.accept)
        if form == "text":
            return Page(200, explain_text(self._report()).encode("utf-8", "replace"))
        if form != "json":
            return json_page(400, {"error": f"unknown format {form!r}: use json or text"})
        return json_page(200, explain(self._report()))

    def _released(self, call: Call) -> Page:
        if "origin" in call.headers:
            return json_page(403, {"error": "pages of other sites may not do this: use curl -X PUT"})
        service, wanted = call.query.get("service", ""), call.query.get("template", "")
        if not service:
            return json_page(
                400, {"error": "say which service: /release?service=web, for one template alone &template=…"}
            )
        templates = self._report().templates
        destination = _destination(templates, wanted)
        if destination is None:
            names = ", ".join(template.destination or template.name for template in templates)
            return json_page(404, {"error": f"no template {wanted!r}; there are {names}"})
        released = self._release(service, destination)
        if not released:
            return json_page(404, {"error": f"no guard holds service {service}", "released": 0})
        return json_page(200, {"released": released})


def _form(accept: str) -> str:
    """Return the wanted form: text for browsers and for `text/…`, JSON for programs, which send nothing or `*/*`."""
    return "text" if "text/" in accept and "json" not in accept else "json"


def _destination(templates: tuple[TemplateReport, ...], wanted: str) -> str | None:
    """Return the destination of the template with this name, source or destination; "" for all, or None."""
    if not wanted:
        return ""
    names = ((template.destination, template.name) for template in templates)
    return next((destination for destination, name in names if wanted in (destination, name)), None)


def _degraded(report: RunReport) -> list[str]:
    """Return the problems, a line each."""
    lines = [] if report.reachable else ["Consul does not answer; the last data stay in use"]
    lines += [f"{line}; its data stay in use" for line in silent_leaders(report)]
    for template in report.templates:
        name = template.destination or template.name
        if template.state in (State.FAILED, State.PENDING):
            lines.append(f"{name}: {template.state.value}: {template.problem}")
        elif template.state is State.WAITING:
            lines.append(f"{name}: waiting: {', '.join(template.missing)}")
        lines += [f"{name}: held: {line}" for line in template.held]
    return lines
