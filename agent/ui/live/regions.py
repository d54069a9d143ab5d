"""Regions of a rendered page: the parts that change while it is looked at, and what differs between two renderings.

A template marks a region, and in it rows with names:

    {% call live.region("list") %} … {% call live.row(service.name) %} … {% endcall %} … {% endcall %}

A region whose frame stays the same is sent as the order of its rows and those rows that differ.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

TIME_TEXT = re.compile(
    r"(<time[^>]*>)[^<]*(</time>)"
)  # relative times change by themselves: scripts keep them up to date


@dataclass(frozen=True, slots=True)
class Region:
    """The inside of a region: its frame, without the rows, and its rows by name, in order."""

    frame: str
    rows: dict[str, str]
    html: str


@dataclass(slots=True)
class Regions:
    """Collects the regions of one rendering; the variable `live` of templates."""

    found: dict[str, Region] = field(default_factory=dict)
    _mark: str = field(default_factory=lambda: secrets.token_hex(8))
    _rows: list[tuple[str, str]] = field(default_factory=list)

    def region(self, name: str, caller: Callable[[], str], tag: str = "div", **attributes: object) -> Markup:
        """Render a region, an element with the ID `name`."""
        self._rows = []
        body, rows = str(caller()), self._rows
        self._rows = []
        pattern = re.compile(f"<{self._mark}-([0-9]+)>")
        html = pattern.sub(lambda found: rows[int(found[1])][1], body)
        self.found[name] = Region(pattern.sub("", body), dict(rows), html)
        more = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
        return Markup(f'<{tag} id="{escape(name)}" data-live{more}>{html}</{tag}>')

    def row(self, name: str, caller: Callable[[], str], tag: str = "tr", **attributes: object) -> Markup:
        """Render a row of the region around it; all rows of a region stand next to each other."""
        more = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
        html = f'<{tag} data-row="{escape(name)}"{more}>{caller()}</{tag}>'
        self._rows.append((name, html))
        return Markup(f"<{self._mark}-{len(self._rows) - 1}>")


ERROR = "error.html"  # template of the pages of errors


@dataclass(frozen=True, slots=True)
class Rendering:
    """A rendered page.

    html: with placeholders for what differs between browsers.   version: of its regions.   took_s: seconds.
    topics, prefixes, refresh_s: when it is to be rendered again.   lasting: False for an error, which is not kept.
    """

    html: bytes
    title: str
    template: str
    regions: dict[str, Region]
    version: str
    status: int = 200
    topics: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    refresh_s: float = 0.0
    took_s: float = 0.0

    @property
    def is_error(self) -> bool:
        """Return whether it shows an error instead of the page."""
        return self.template == ERROR


def without_times(html: str) -> str:
    """Return a text without its relative times, which are not a difference."""
    return TIME_TEXT.sub(r"\1\2", html)


def version_of(template: str, regions: dict[str, Region]) -> str:
    """Return what stands for the contents of all regions."""
    digest = hashlib.blake2b(template.encode(), digest_size=8)
    for name, region in regions.items():
        digest.update(f"\0{name}\0{without_times(region.html)}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def difference(old: Rendering | None, new: Rendering) -> dict[str, Any]:
    """Return what a browser with `old` needs to show `new`: for each region all of it, or the order of its rows and what differs.

    old: None for a browser that has another version; it gets every region.
    """
    changed: dict[str, Any] = {}
    for name, region in new.regions.items():
        before = old.regions.get(name) if old is not None else None
        if before is None or without_times(before.frame) != without_times(region.frame) or not region.rows:
            if before is None or without_times(before.html) != without_times(region.html):
                changed[name] = {"html": region.html}
            continue
        rows = {
            key: html
            for key, html in region.rows.items()
            if key not in before.rows or without_times(before.rows[key]) != without_times(html)
        }
        if rows or list(before.rows) != list(region.rows):
            changed[name] = {"order": list(region.rows), "rows": rows}
    return changed
