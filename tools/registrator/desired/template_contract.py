"""The contract of the two template languages. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pyconsul.tools.registrator.desired.containers import Container, Port

#: Returns the body of a URL; raises OSError or ValueError.
Fetch = Callable[[str], str]


class TemplateFailed(Exception):
    """A template cannot be parsed or rendered; the text names the flag and says why."""


class Template(Protocol):
    """A parsed template."""

    def render(self, container: Container, port: Port, name: str) -> str:
        """Return the text for a port of a container; `name` is the name by the usual rules. Raises TemplateFailed."""
        ...
