"""What the demonstration shows: services and their health, the last change of haproxy.cfg, reloads, requests."""

from __future__ import annotations

import difflib
import time

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pyconsul.cli.demo.world import World

COLOURS = {"passing": "green", "warning": "yellow", "critical": "red"}
LINES = 14  # of a diff, and of the story


class Screen:
    """Draws the world as it is now; remembers what it has seen of haproxy.cfg."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._config = ""
        self._diff: list[str] = []
        self._renders = 0
        self._started = time.monotonic()
        self.story: list[str] = []

    def tell(self, sentence: str) -> None:
        self.story.append(f"{time.monotonic() - self._started:6.1f} s  {sentence}")

    def __rich__(self) -> RenderableType:
        self._look()
        return Group(
            Panel("\n".join(self.story[-LINES:]) or "starting …", title="what happens", title_align="left"),
            Columns([self._instances(), self._counts()], padding=(0, 3)),
            Panel(self._shown_diff(), title="last change of haproxy.cfg", title_align="left"),
            self._commands(),
        )

    def _look(self) -> None:
        path = self._world.config
        text = path.read_text() if path.exists() else ""
        if text != self._config:
            lines = difflib.unified_diff(self._config.splitlines(), text.splitlines(), lineterm="", n=0)
            self._diff = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
            self._config = text
            self._renders += 1

    def _instances(self) -> Table:
        table = Table("instance", "address", "health", "requests", title="service web")
        found = self._world.ask("GET", "/v1/health/service/web") or []
        for one in found:
            service, checks = one["Service"], one["Checks"]
            worst = next(
                (state for state in ("critical", "warning") if any(c["Status"] == state for c in checks)), "passing"
            )
            count = self._world.traffic.answers[service["ID"]]
            table.add_row(
                service["ID"], f"{service['Address']}:{service['Port']}", Text(worst, COLOURS[worst]), str(count)
            )
        return table

    def _counts(self) -> Table:
        log = self._world.tool_log
        reloads = log.read_text(errors="replace").count("Reloading HAProxy") if log.exists() else 0
        table = Table(show_header=False, title="so far")
        table.add_row("files rendered", str(self._renders))
        table.add_row("HAProxy reloads", str(reloads))
        table.add_row("requests answered", str(self._world.traffic.total))
        table.add_row("requests failed", Text(str(len(self._world.traffic.failures)), "bold"))
        return table

    def _shown_diff(self) -> Text:
        text = Text()
        for line in self._diff[:LINES]:
            text.append(line + "\n", "green" if line.startswith("+") else "red")
        if len(self._diff) > LINES:
            text.append(f"… {len(self._diff) - LINES} more lines")
        return text

    def _commands(self) -> Panel:
        return Panel(
            "\n".join(commands(self._world)), title="try it, in another terminal (Ctrl-C ends)", title_align="left"
        )


def commands(world: World) -> list[str]:
    """Commands that work while the demonstration runs."""
    agent = f"127.0.0.1:{world.http}"
    option = "" if world.http == 8500 else f" -http-addr={agent}"
    return [
        f"curl http://127.0.0.1:{world.frontend}/",
        f"curl -X PUT http://{agent}/v1/agent/service/deregister/web-1",
        f"pyconsul catalog services{option}",
        f"pyconsul watch{option} -type service -service web",
        f"dig @127.0.0.1 -p {world.dns} web.service.consul SRV",
    ]
