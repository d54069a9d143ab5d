"""The screen of the demonstration: what happens, the machines, and what the clients were told."""

from __future__ import annotations

import time
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pyconsul.cli.cluster_demo.world import World

COLOURS = {"runs": "green", "cut off": "yellow", "off": "red"}
FRAME = 2  # lines of a panel's frame
REFRESH_S = 0.5  # between two questions to the agents


class Screen:
    """Draws the present state of the demonstration."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._started = time.monotonic()
        self._leader, self._asked = "", 0.0
        self.story: list[str] = []

    def tell(self, sentence: str) -> None:
        """Add a sentence to the story."""
        self.story.append(f"{time.monotonic() - self._started:6.1f} s  {sentence}")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._look()
        width, height = options.max_width, options.height or console.height
        table, commands = self._machines(), commands_of(self._world) if width >= 80 and height >= 24 else []
        lines = max(3, height - FRAME - (len(self._world.agents) + 2) - 2 - len(commands))
        story = [line for sentence in self.story for line in wrap(sentence, width - 4, subsequent_indent=" " * 10)]
        yield Panel(
            Text("\n".join(story[-lines:] or ["starting …"]), no_wrap=True, overflow="ellipsis"),
            title="what happens",
            title_align="left",
            height=lines + FRAME,
        )
        yield table
        yield _line(self._counts())
        yield _line("\n".join(["Ctrl-C ends" + (". Try it, in another terminal:" if commands else ""), *commands]))

    def _look(self) -> None:
        if time.monotonic() - self._asked > REFRESH_S:
            leader = self._world.leader()
            self._leader = leader.name if leader is not None else ""
            self._asked = time.monotonic()

    def _machines(self) -> Table:
        table = Table("machine", "address", "agent", "state", "requests", box=SIMPLE_HEAD, show_edge=False)
        for name, agent in self._world.agents.items():
            role = "client" if agent in self._world.clients else "leader" if name == self._leader else "server"
            answers = self._world.visitor.answers[f"web-{name}"] if role == "client" else ""
            state = Text(agent.state, COLOURS[agent.state])
            table.add_row(name, agent.machine.address, role, state, str(answers))
        return table

    def _counts(self) -> str:
        writer, visitor = self._world.writer, self._world.visitor
        parts = [
            f"writes: {len(writer.acknowledged)} acknowledged, {self._world.lost_writes} lost",
            f"longest pause {writer.longest_pause:.1f} s",
        ]
        if self._world.has_haproxy:
            parts.append(f"requests: {visitor.total} answered, {len(visitor.failures)} failed")
        return "; ".join(parts)


def commands_of(world: World) -> list[str]:
    """Return commands that work while the demonstration runs."""
    http = f"-http-addr=unix://{world.clients[0].http}"
    commands = [f"pyconsul members {http}", f"pyconsul operator raft list-peers {http}"]
    if world.has_haproxy:
        commands.append(f"curl --unix-socket {world.frontend} http://web/")
    return commands


def _line(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")
