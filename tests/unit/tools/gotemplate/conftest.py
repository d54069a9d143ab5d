"""Rendering with consul-template's helper functions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pyconsul.tools.gotemplate.functions.helpers import Helpers
from pyconsul.tools.gotemplate.functions.surroundings import FileWrite, Surroundings
from pyconsul.tools.gotemplate.template import parse

Render = Callable[..., str]


@pytest.fixture
def written() -> list[FileWrite]:
    """The files that templates have written."""
    return []


@pytest.fixture
def render(written: list[FileWrite]) -> Render:
    """`render(template, dot)`: with a fixed clock, one environment variable and a program that echoes."""
    helpers = Helpers(
        {"NAME": "value", "EMPTY": ""},
        lambda: Surroundings(
            now=lambda: datetime(2024, 2, 9, 15, 4, 5, tzinfo=UTC),
            write_file=written.append,
            run_plugin=lambda program, arguments: f" {program}({','.join(arguments)})\n",
        ),
    )

    def run(template: str, dot: Any = None, **options: Any) -> str:
        parsed = parse("t", template, functions=helpers.names, **options)
        return parsed.execute(dot, helpers.functions())

    return run
