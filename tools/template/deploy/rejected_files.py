"""Files that a check refused or that could not be loaded, kept beside the ones in use until a new one is accepted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.tools.template.deploy.file_writer import RenderError, draft

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.file_writer import Draft
    from pyconsul.tools.template.deploy.job import FileChange
    from pyconsul.tools.template.deploy.rendering import Rendering

SUFFIX = ".rejected"


class RejectedFiles:
    """At most one file for each destination: the latest. Earlier runs may have left some."""

    def __init__(self) -> None:
        self._suspects: set[Rendering] = set()

    def keep(self, rendering: Rendering, draft: Draft) -> str:
        """Keep the draft's text, with its owner and permissions; returns the name of the file, "" when that fails."""
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

    def keep_promoted(self, change: FileChange) -> None:
        """Keep the new text of a file that is in place and could not be loaded, if an older one will replace it."""
        if change.promoted and change.draft is not None and change.old is not None:
            with contextlib.suppress(RenderError):
                again = draft(change.rendering.spec, change.data)
                self.keep(change.rendering, again)
                again.discard()

    def suspect(self, renderings: Iterable[Rendering]) -> None:
        """Let `tidy` consider the rejected files of these templates."""
        self._suspects.update(renderings)

    def tidy(self) -> None:
        """Remove the rejected files of templates whose current file is in use."""
        for rendering in [one for one in self._suspects if one.done and not one.due and not one.problem]:
            self._suspects.discard(rendering)
            if not rendering.spec.to_stdout:
                with contextlib.suppress(OSError):
                    _path(rendering).unlink(missing_ok=True)


def _path(rendering: Rendering) -> Path:
    """Return the path of the rejected file; when the destination is a link, it is in the folder of the link's target."""
    return Path(os.path.realpath(rendering.spec.destination) + SUFFIX)
