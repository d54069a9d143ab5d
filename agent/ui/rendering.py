"""Renders templates: the Jinja environment, the variables and filters that all templates have, and regions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2

from pyconsul.agent.ui import shown
from pyconsul.agent.ui.browser import PLACEHOLDER
from pyconsul.agent.ui.contract import Page
from pyconsul.agent.ui.live.regions import Regions, Rendering, version_of
from pyconsul.agent.ui.visit import Visit

HERE = Path(__file__).parent
STATIC = HERE / "static"
CONTENT_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


class Renderer:
    """Renders pages."""

    def __init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(shown.FILTERS)
        self._environment = environment

    @cached_property
    def assets(self) -> Mapping[str, tuple[bytes, bytes]]:
        """Return the style sheet and scripts: type and text by name."""
        return {
            path.name: (CONTENT_TYPES[path.suffix], path.read_bytes())
            for path in sorted(STATIC.iterdir())
            if path.suffix in CONTENT_TYPES
        }

    @cached_property
    def version(self) -> str:
        """Return what stands for the contents of all assets."""
        digest = hashlib.blake2b(digest_size=6)
        for name, (_, text) in self.assets.items():
            digest.update(name.encode() + text)
        return digest.hexdigest()

    def render(self, page: Page, visit: Visit, frame: Mapping[str, Any]) -> Rendering:
        """Render a page.  frame: the variables of the frame around all pages."""
        began = time.perf_counter()
        regions = Regions()
        html = self._environment.get_template(page.template).render(
            {
                "live": regions,
                "visit": visit,
                "to": visit.links.to,
                "to_key": visit.links.key,
                "now": visit.now,
                "lacks": visit.lacks,
                "page": page,
                "address": visit.request.target.decode("latin-1"),
                "form_token": PLACEHOLDER.decode(),
                "assets": lambda name: visit.links.static(self.version, name),
                **frame,
                **page.data,
            }
        )
        version = version_of(page.template, regions.found)
        return Rendering(
            html=html.replace("@version@", version, 1).encode("utf-8", "replace"),
            title=page.title,
            template=page.template,
            regions=regions.found,
            version=version,
            status=page.status,
            topics=tuple(visit.topics),
            prefixes=tuple(visit.prefixes),
            refresh_s=page.refresh_s,
            took_s=time.perf_counter() - began,
        )
