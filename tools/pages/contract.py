"""Requests for status pages, and the pages. No IO."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qs

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True)
class Call:
    """A request: names of headers in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def accept(self) -> str:
        """The accepted types."""
        return self.headers.get("accept", "")


@dataclass(frozen=True)
class Page:
    """An answer. `allow`: the methods that would have been right, for status 405."""

    status: int
    body: bytes
    content_type: str = TEXT
    allow: str = ""


def query_of(text: str) -> dict[str, str]:
    """Return the parameters of a query string; the last one of a name counts."""
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}


def json_page(status: int, value: Any) -> Page:
    """Return a page in JSON."""
    return Page(status, (json.dumps(value, indent=2) + "\n").encode(), JSON)


class PageSource(Protocol):
    """Answers requests for pages."""

    def answer(self, call: Call) -> Page:
        """Return the page for a request."""
        ...
