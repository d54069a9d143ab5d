"""Files that a check has refused, kept beside the ones that stay in use until a good one is in force."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.file_writer import Draft
    from pyconsul.tools.template.deploy.rendering import Rendering

SUFFIX = ".rejected"


class RejectedFiles:
    """At most one for each destination: the latest. An earlier run may have left some."""

    def __init__(self) -> None:
        self._suspects: set[Rendering] = set()

    def keep(self, rendering: Rendering, draft: Draft) -> str:
        """Keep what the draft holds, with its owner and permissions; the name of the file, "" when that is impossible."""
        self._suspects.add(rendering)
        path = _path(rendering)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            os.link(draft.path, beside)
            os.replace(beside, path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            return ""
        return rendering.spec.destination + SUFFIX

    def suspect(self, renderings: Iterable[Rendering]) -> None:
        """These have been dealt with: `tidy` looks whether they are well."""
        self._suspects.update(renderings)

    def tidy(self) -> None:
        """Remove what is kept of those whose files are in force."""
        for rendering in [one for one in self._suspects if one.done and not one.due and not one.problem]:
            self._suspects.discard(rendering)
            if not rendering.spec.to_stdout:
                with contextlib.suppress(OSError):
                    _path(rendering).unlink(missing_ok=True)


def _path(rendering: Rendering) -> Path:
    """In the folder of the file itself, if the destination is a link."""
    return Path(os.path.realpath(rendering.spec.destination) + SUFFIX)
