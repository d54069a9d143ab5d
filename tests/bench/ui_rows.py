"""The web interface with 1,000 services: in a real browser, and with 200 viewers.

Consul 1.21.4's own pages for scale: its first list appeared after 4 s on such a machine.
"""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import quote

import jinja2
from playwright.sync_api import Page
from support.agent_process import AgentProcess, running_agent
from support.browser import chromium, window

from bench.rows import Row, row
from bench.scale import megabytes

SERVICES, VIEWERS, ROUNDS = 1000, 200, 10
SHOWN = 200  # rows of a page
ON_SCREEN_AIM_MS = 300.0
PATH = "/ui/dc1/services"
PAINT = """() => new Promise((done) => new PerformanceObserver((list) =>
    list.getEntriesByName("first-contentful-paint").forEach((entry) => done(entry.startTime))
).observe({ type: "paint", buffered: true }))"""
BARE = """<table>{% for row in rows %}<tr><td>{{ row.Name }}</td><td>{{ row.InstanceCount }}</td>
<td>{% for tag in row.Tags or () %}<span>{{ tag }}</span>{% endfor %}</td><td>{{ row.ChecksCritical }}</td></tr>{% endfor %}
</table>"""


def ui() -> Iterator[Row]:
    """Measure the list of services."""
    with running_agent(ui_config={"enabled": True}, limits={"http_max_conns_per_client": 0}) as agent:
        for number in range(SERVICES):
            service = {
                "ID": f"s{number}",
                "Service": f"service-{number:04}",
                "Port": 80,
                "Tags": ["v1", f"t{number % 7}"],
            }
            check = {"CheckID": f"c{number}", "Name": "alive", "ServiceID": f"s{number}", "Status": _status(number)}
            node = {"Node": f"node-{number % 50}", "Address": f"10.0.0.{number % 50}"}
            agent.put("/v1/catalog/register", {**node, "Service": service, "Check": check})
        yield from _in_a_browser(agent)
        yield _crowd(agent)


def _status(number: int) -> str:
    return "critical" if number % 50 == 0 else "passing"


def _in_a_browser(agent: AgentProcess) -> Iterator[Row]:
    with chromium() as browser, window(browser) as opened:
        page = opened.open(f"http://{agent.address}{PATH}")
        paints = []
        for _ in range(ROUNDS):
            page.reload(wait_until="load")
            paints.append(page.evaluate(PAINT))
        yield row("UI: first paint, 1,000 services", statistics.median(paints), _bare_ms(agent), "ms", 0)
        changes = [_until_shown(agent, page, number) for number in range(ROUNDS)]
        yield row("UI: change → on screen (aim)", statistics.median(changes), ON_SCREEN_AIM_MS, "ms", 0)


def _bare_ms(agent: AgentProcess) -> float:
    """Return how long Jinja2 takes for a bare table of the same rows."""
    rows = agent.get("/v1/internal/ui/services")[:SHOWN]
    template = jinja2.Environment(autoescape=True).from_string(BARE)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        template.render(rows=rows)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _until_shown(agent: AgentProcess, page: Page, number: int) -> float:
    """Return the milliseconds from a registration to its row on the screen."""
    name = f"aaa-{number}"
    began = time.perf_counter()
    check = {"CheckID": name, "Name": "alive", "ServiceID": name, "Status": "critical"}
    body = {"Node": "node-0", "Address": "10.0.0.0", "Service": {"ID": name, "Service": name}, "Check": check}
    agent.put("/v1/catalog/register", body)
    page.wait_for_selector(f"[data-row='{name}']")
    took_ms = (time.perf_counter() - began) * 1000
    page.wait_for_timeout(300)
    return took_ms


def _crowd(agent: AgentProcess) -> Row:
    """Return the memory of the agent with many viewers after a change, compared with that before they came."""
    before = megabytes(agent)
    target = f"/ui/live?page={quote(PATH)}&seen="
    with ExitStack() as stack:
        for _ in range(VIEWERS):
            viewer = socket.create_connection(("127.0.0.1", agent.http_port), 10)
            stack.callback(viewer.close)
            viewer.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            received = b""
            while b"event: page" not in received:
                received += viewer.recv(1 << 20)
        agent.put("/v1/agent/service/register", {"Name": "for-all"})
        time.sleep(1)
        return row("UI: memory with 200 viewers", megabytes(agent), before, "MB", 0)
