"""The options of pyconsul-template that render out of a fixture, and make one."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.options.settings import TEXT

DATA = Option(
    "data",
    TEXT,
    "Render out of this fixture (YAML: services, nodes, keys, files, env), without any Consul; implies -once. What "
    "the fixture does not have is not found, and a template that cannot do without it is an error. Commands run as "
    "they do with -once; -dry runs none",
    "",
    flags=("data",),
)
RECORD = Option(
    "record",
    TEXT,
    "Save what templates are rendered from to this file, as a fixture for -data, at each change. It holds the "
    "values of keys, files and variables that templates read, secrets, too: only its owner may read it (0600)",
    "",
    flags=("record",),
)
FIXTURE_OPTIONS: tuple[Option[Any], ...] = (
    DATA,
    RECORD,
)
