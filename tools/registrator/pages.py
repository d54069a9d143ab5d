"""The status pages of a run.

GET /health    200 while this program works; `degraded` names what it waits for
GET /metrics   for Prometheus
GET /explain   each container: its services, or why it has none; ?container=NAME; JSON, or text with ?format=text
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pyconsul.tools.pages.contract import Call, Page, json_page
from pyconsul.tools.registrator.desired.metadata import one_line

if TYPE_CHECKING:
    from pyconsul.tools.registrator.connections import Link
    from pyconsul.tools.registrator.reconciler import Reconciler


class RegistratorPages:
    """The pages of a run, from its reconciler and its connections."""

    def __init__(self, reconciler: Reconciler, links: tuple[Link, ...]) -> None:
        self._reconciler = reconciler
        self._links = links
        self._pages: dict[str, Callable[[Call], Page]] = {
            "/": self._index,
            "/health": self._health,
            "/metrics": self._metrics,
            "/explain": self._explain,
        }

    def answer(self, call: Call) -> Page:
        page = self._pages.get(call.path.rstrip("/") or "/")
        if page is None:
            return Page(404, f"no such page; there are {', '.join(self._pages)}\n".encode())
        if call.method not in ("GET", "HEAD"):
            return Page(405, f"{call.path} takes GET\n".encode(), allow="GET")
        return page(call)

    def _index(self, call: Call) -> Page:
        services = len(self._reconciler.plan.wanted)
        line = f"pyconsul registrator: {len(self._reconciler.containers)} containers, {services} services"
        return Page(200, f"{line}\n\n/health\n/metrics\n/explain\n".encode())

    def _health(self, call: Call) -> Page:
        reconciler = self._reconciler
        degraded = [f"{link.name} is away: {link.trouble}" for link in self._links if link.trouble]
        if reconciler.trouble:
            degraded.append(reconciler.trouble)
        degraded += [f"{service}: {text}" for service, text in sorted(reconciler.problems.items())]
        state = "degraded" if degraded else "ok"
        body = {"status": state, "degraded": degraded, "engine": reconciler.rules.engine}
        return json_page(200, {**body, "services": len(reconciler.plan.wanted)})

    def _metrics(self, call: Call) -> Page:
        from pyconsul.tools.registrator.metrics import metrics  # the library takes its time to load

        body, content_type = metrics(self._reconciler, self._links, call.accept)
        return Page(200, body, content_type)

    def _explain(self, call: Call) -> Page:
        wanted = call.query.get("container", "")
        found = [one for one in explain(self._reconciler) if wanted in ("", one["container"], one["id"])]
        if wanted and not found:
            there = ", ".join(sorted(one.name for one in self._reconciler.containers.values())) or "none"
            text = f"no container {wanted!r} runs, so none of its services is registered; running: {there}"
            return json_page(404, {"error": text})
        text_wanted = "text/" in call.accept and "json" not in call.accept
        if call.query.get("format", "text" if text_wanted else "json") == "text":
            return Page(200, "".join(f"{one_line(line)}\n" for line in _lines(found)).encode())
        return json_page(200, found)


def explain(reconciler: Reconciler) -> list[dict[str, Any]]:
    """Return what became of each container."""
    wanted = reconciler.plan.wanted  # as the agent accepts them
    return [
        {
            "container": container.name,
            "id": container.id,
            "state": container.state.value,
            "services": [
                {
                    "id": service.id,
                    "name": service.name,
                    "address": service.body["Address"],
                    "port": service.body["Port"],
                    "registered": service.id not in reconciler.problems,
                    "problem": reconciler.problem_of(service.id),
                }
                for service in (wanted.get(one.id, one) for one in (outcome.services if outcome else ()))
            ],
            "not_registered": list(outcome.reasons) if outcome else ["it has not been looked at yet"],
            "warnings": list(outcome.warnings) if outcome else [],
        }
        for container in sorted(reconciler.containers.values(), key=lambda one: one.name)
        for outcome in (reconciler.plan.outcomes.get(container.id),)
    ]


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    for one in found:
        yield f"{one['container']} ({one['id'][:12]}): {one['state']}"
        for service in one["services"]:
            state = "registered" if service["registered"] else "not registered as wanted"
            yield f"  {state}: {service['name']} at {service['address']}:{service['port']}, ID {service['id']}"
            if service["problem"]:
                yield f"    problem: {service['problem']}"
        yield from (f"  not registered: {reason}" for reason in one["not_registered"])
        yield from (f"  warning: {warning}" for warning in one["warnings"])
