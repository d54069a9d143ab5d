"""Options of pyconsul-template for rendering from a fixture, and for recording one."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.options.settings import TEXT

DATA = Option(
    "data",
    TEXT,
    "Render from this fixture (YAML: services, nodes, keys, files, env), without Consul; implies -once. Data that the "
    "fixture does not have is not found; a template that requires it is an error. Commands run as with -once; -dry "
    "runs none",
    "",
    flags=("fixture", "data"),
)
RECORD = Option(
    "record",
    TEXT,
    "Save the data of the templates to this file after each change, as a fixture for -fixture. It holds the values of "
    "keys, files and variables that templates read, secrets included: only its owner may read it (0600)",
    "",
    flags=("record",),
)
FIXTURE_OPTIONS: tuple[Option[Any], ...] = (
    DATA,
    RECORD,
)
