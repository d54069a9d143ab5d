"""New texts on their way into their files: drafts, promotion, and the way back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.common.structs import struct
from pyconsul.tools.template.deploy.file_writer import (
    Draft,
    RenderError,
    draft,
    is_current,
    is_special,
    read_bytes,
    remove,
    write_special,
)

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.rendering import Rendering
    from pyconsul.tools.template.deploy.unit import Unit
    from pyconsul.tools.template.spec import Command

log = logging.getLogger("template")


@struct(frozen=False, eq=False)
class Change:
    """One file. `old`: the bytes that it had before; None: there was no such file, or it is a device. `draft`: None for
    a device, and for a file that is removed."""

    rendering: Rendering
    data: bytes
    old: bytes | None = None
    draft: Draft | None = None
    promoted: bool = False

    def prepare(self) -> None:
        """Write the draft. Raises RenderError."""
        spec = self.rendering.spec
        if not is_special(spec):
            self.old = read_bytes(spec)
            self.draft = None if spec.absent else draft(spec, self.data)

    def promote(self) -> None:
        """Put the new text in place. Raises RenderError."""
        if self.draft is not None:
            self.draft.promote()
        elif self.rendering.spec.absent:
            remove(self.rendering.spec)
        else:
            write_special(self.rendering.spec, self.data)
        self.promoted = True

    def restore(self) -> bool:
        """Put the old text back, if there was one and the new one is in place; whether it was. Raises RenderError."""
        if not self.promoted or self.old is None:
            return False
        draft(self.rendering.spec, self.old).promote()
        self.promoted = False
        return True


class Job:
    """The files of one unit that differ from what is on disk (or that are still to be loaded)."""

    def __init__(self, unit: Unit, changes: Sequence[Change]) -> None:
        self.unit = unit
        self.changes = list(changes)

    @property
    def renderings(self) -> list[Rendering]:
        """The templates whose files change."""
        return [change.rendering for change in self.changes]

    @property
    def drafts(self) -> list[Draft]:
        """What is not yet in place."""
        return [change.draft for change in self.changes if change.draft is not None and not change.promoted]

    @property
    def commands(self) -> list[Command]:
        """What is to run after the promotion, in order."""
        own = [rendering.spec.command for rendering in self.renderings]
        return [command for command in own if command is not None] + self.unit.commands

    def paths(self) -> list[Path]:
        """Of all files of the unit: the new ones where they are now, the others at their destinations."""
        fresh = {change.rendering: change.draft.path for change in self.changes if change.draft is not None}
        return [fresh.get(one, Path(one.spec.destination)) for one in self.unit.renderings]

    def prepare(self) -> None:
        """Write all drafts. Raises RenderError."""
        for change in self.changes:
            change.prepare()

    def promote(self) -> None:
        """Put all texts in place; when one cannot be, none is. Raises RenderError."""
        try:
            for change in self.changes:
                change.promote()
        except RenderError:
            self.restore()
            raise

    def restore(self) -> list[Rendering]:
        """Put the old texts back; the templates whose new text stays in place, since there was none before."""
        staying = []
        for change in self.changes:
            try:
                if not change.restore() and change.promoted:
                    staying.append(change.rendering)
            except RenderError as error:
                log.error("%s has its new text still: %s", change.rendering.spec.destination, error)
                staying.append(change.rendering)
        return staying

    def discard(self) -> None:
        """Remove drafts that were not promoted."""
        for left in self.drafts:
            left.discard()


def job_of(unit: Unit) -> Job | None:
    """What has to be written for a unit; None when all its files are as they should be, which is noted."""
    changes = []
    for rendering in unit.renderings:
        if not rendering.due:
            continue
        data = rendering.data
        if is_current(rendering.spec, data) and rendering not in unit.owed:
            rendering.written()
        else:
            changes.append(Change(rendering, data))
    if not changes:
        unit.succeed()
        return None
    return Job(unit, changes)
