"""The demonstration fits any terminal."""

from __future__ import annotations

import pytest

from pyconsul.cli.demo.screen import FRAME, NUMBERS, sizes


@pytest.mark.parametrize("width", [20, 40, 60, 72, 80, 120, 300])
@pytest.mark.parametrize("height", range(10, 70))
@pytest.mark.parametrize("instances", [0, 3, 4])
def test_all_parts_fit(width: int, height: int, instances: int) -> None:
    parts = sizes(width, height, instances)
    beside = parts.table and parts.beside
    table = max(instances + 2, NUMBERS if beside else 0) if parts.table else 0
    lines = parts.story + FRAME + (parts.diff + FRAME if parts.diff else 0) + table + (not beside) + parts.commands + 1
    assert lines <= height
    assert parts.story >= 1


def test_a_usual_terminal_shows_everything() -> None:
    parts = sizes(80, 24, 4)
    assert parts.table
    assert parts.beside
    assert parts.commands == 5
    assert min(parts.story, parts.diff) >= 4
