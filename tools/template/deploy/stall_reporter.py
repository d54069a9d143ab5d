"""Log, once, the missing lookups of templates that have waited too long. Pure but for the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.rendering import Rendering

log = logging.getLogger("template")

#: Maximum number of lookups in one line.
_MAX_NAMED = 20


class StallReporter:
    """`limit_s`: wait after which a template is logged; 0 never logs. `now`: seconds of any clock."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: dict[Rendering, float] = {}
        self._reported: set[Rendering] = set()

    def check(self, renderings: Iterable[Rendering], now: float) -> None:
        """Note which templates wait, and log those that have waited too long."""
        waiting = {rendering for rendering in renderings if rendering.missing}
        self._since = {rendering: self._since.get(rendering, now) for rendering in waiting}
        self._reported &= waiting
        for rendering, since in self._since.items():
            if self._limit_s and now >= since + self._limit_s and rendering not in self._reported:
                self._reported.add(rendering)
                _log_stall(rendering, now - since)

    @property
    def deadline(self) -> float | None:
        """When to check again at the latest; None: not before a change."""
        unreported = [since for rendering, since in self._since.items() if rendering not in self._reported]
        return min(unreported) + self._limit_s if unreported and self._limit_s else None


def _log_stall(rendering: Rendering, seconds: float) -> None:
    names = sorted(map(str, rendering.missing))
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    shown = ", ".join(names[:_MAX_NAMED])
    log.warning("%s: still waits, after %.0fs, for %s%s", rendering.spec.name, seconds, shown, more)
