"""The screen of the demonstration: services and their health, the last change of haproxy.cfg, reloads, requests."""

from __future__ import annotations

import difflib
import time
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pyconsul.cli.demo.world import World

COLOURS = {"passing": "green", "warning": "yellow", "critical": "red"}
LINES = 14  # of a diff, and of the story, at most
COMMANDS = 5  # see `commands`
NUMBERS = 5  # lines of the numbers beside the table
FRAME = 2  # lines of a panel's frame


class Screen:
    """Draws the present state of the demonstration; keeps the earlier haproxy.cfg to show changes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._config = ""
        self._diff: list[str] = []
        self._renders = 0
        self._started = time.monotonic()
        self.story: list[str] = []

    def tell(self, sentence: str) -> None:
        self.story.append(f"{time.monotonic() - self._started:6.1f} s  {sentence}")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._look()
        width, height = options.max_width, options.height or console.height
        found = self._world.ask("GET", "/v1/health/service/web") or []
        parts = sizes(width, height, len(found))
        story = [line for sentence in self.story for line in wrap(sentence, width - 4, subsequent_indent=" " * 10)]
        yield _panel("what happens", Text("\n".join(story[-parts.story :] or ["starting …"])), parts.story)
        if parts.table and parts.beside:
            yield _beside(self._instances(found), self._counts())
        else:
            if parts.table:
                yield self._instances(found)
            yield self._counts_line()
        if parts.diff:
            yield _panel("last change of haproxy.cfg", self._shown_diff(parts.diff), parts.diff)
        yield self._commands(parts.commands)

    def _look(self) -> None:
        path = self._world.config
        text = path.read_text() if path.exists() else ""
        if text != self._config:
            lines = difflib.unified_diff(self._config.splitlines(), text.splitlines(), lineterm="", n=0)
            self._diff = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
            self._config = text
            self._renders += 1

    def _instances(self, found: Sequence[dict[str, Any]]) -> Table:
        table = Table("service web", "address", "health", "requests", box=SIMPLE_HEAD, show_edge=False)
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

    def _numbers(self) -> list[tuple[str, int]]:
        return [
            ("files rendered", self._renders),
            ("HAProxy reloads", self._world.reloads()),
            ("runtime changes", self._world.runtime_changes()),
            ("requests answered", self._world.traffic.total),
            ("requests failed", len(self._world.traffic.failures)),
        ]

    def _counts(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for name, count in self._numbers():
            table.add_row(name, str(count))
        return table

    def _counts_line(self) -> Text:
        reloads, answered, failed = (self._numbers()[at][1] for at in (1, 3, 4))
        return _line(f"{reloads} reloads, {answered} answers, {failed} failed")

    def _shown_diff(self, lines: int) -> Text:
        text = Text()
        more = len(self._diff) > lines
        for line in self._diff[: lines - more]:
            text.append(line + "\n", "green" if line.startswith("+") else "red")
        if more:
            text.append(f"… {len(self._diff) - lines + 1} more lines")
        return text

    def _commands(self, count: int) -> Text:
        if not count:
            return _line("Ctrl-C ends")
        return _line("\n".join(["Try it, in another terminal; Ctrl-C ends:", *commands(self._world)[:count]]))


class Sizes(NamedTuple):
    """Lines of each part without its frame; whether there is a table, and whether the numbers stand beside it."""

    story: int
    diff: int
    commands: int
    table: bool
    beside: bool


def sizes(width: int, height: int, instances: int) -> Sizes:
    """Share a terminal among the parts: the least important parts are dropped first on a small one."""
    commands_ = COMMANDS if height >= 20 and width >= 60 else 0
    table, beside = height >= 16, width >= 72
    fixed = commands_ + 1 + (max(instances + 2, NUMBERS) if table else 0) + (0 if table and beside else 1)
    left = max(3, height - fixed)
    diff = min(LINES, left // 2 - FRAME) if left >= 12 else 0
    story = left - FRAME - (diff + FRAME if diff else 0)
    return Sizes(max(1, min(LINES, story)), diff, commands_, table, beside)


def _panel(title: str, text: Text, lines: int) -> Panel:
    text.no_wrap, text.overflow = True, "ellipsis"
    return Panel(text, title=title, title_align="left", height=lines + FRAME)


def _beside(left: Table, right: Table) -> Table:
    both = Table.grid(padding=(0, 3))
    both.add_row(left, right)
    return both


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")


def commands(world: World) -> list[str]:
    """Things to try while the demonstration runs."""
    agent = f"127.0.0.1:{world.http}"
    option = "" if world.http == 8500 else f" -http-addr={agent}"
    return [
        f"open http://{agent}/ui/ in a browser",
        f"curl http://127.0.0.1:{world.frontend}/",
        f"curl -X PUT http://{agent}/v1/agent/service/deregister/web-1",
        f"pyconsul catalog services{option}",
        f"pyconsul watch{option} -type service -service web",
        f"dig @127.0.0.1 -p {world.dns} web.service.consul SRV",
    ]
