"""The demonstration of a cluster fits any terminal, and shows what the clients were told."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from pyconsul.cli.cluster_demo.screen import Screen
from pyconsul.cli.cluster_demo.world import World


def world() -> World:
    """Return what the screen reads of five machines, of which one is off and one cut off."""
    states = {"s1": "runs", "s2": "off", "s3": "cut off", "c1": "runs", "c2": "runs"}
    agents = {
        name: SimpleNamespace(
            name=name,
            state=state,
            machine=SimpleNamespace(address=f"10.0.0.{number}"),
            http=Path(f"/tmp/{name}/http.sock"),
        )
        for number, (name, state) in enumerate(states.items(), 1)
    }
    made = SimpleNamespace(
        agents=agents,
        clients=[agents["c1"], agents["c2"]],
        leader=lambda: agents["s1"],
        has_haproxy=True,
        frontend=Path("/tmp/haproxy.sock"),
        lost_writes=0,
        writer=SimpleNamespace(acknowledged={"a", "b"}, longest_pause=1.25),
        visitor=SimpleNamespace(answers=Counter({"web-c1": 5}), total=5, failures=["x"]),
    )
    return cast(World, made)


def drawn(width: int, height: int, sentences: int = 12) -> list[str]:
    screen = Screen(world())
    for number in range(sentences):
        screen.tell(
            f"sentence {number}, which is so long that it needs more than one line on a terminal of usual width, or two"
        )
    output = io.StringIO()
    Console(file=output, width=width, height=height, force_terminal=False).print(screen, end="")
    return output.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120, 300])
@pytest.mark.parametrize("height", [16, 24, 40, 70])
def test_everything_fits(width: int, height: int) -> None:
    lines = drawn(width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_machines_and_counts_are_shown() -> None:
    text = "\n".join(drawn(120, 40))
    for row in (
        r"s1 10.0.0.1 leader runs",
        "s2 10.0.0.2 server off",
        "s3 10.0.0.3 server cut off",
        "c1 10.0.0.4 client runs 5",
    ):
        assert row in " ".join(text.split())
    assert "writes: 2 acknowledged, 0 lost; longest pause 1.2 s; requests: 5 answered, 1 failed" in text
    assert "sentence 11" in text
    assert "pyconsul members -http-addr=unix:///tmp/c1/http.sock" in text
