"""New texts on their way into their files: drafts, promotion, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.common.structs import struct
from pyconsul.tools.template.deploy.file_writer import (
    Draft,
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


@struct(frozen=False, eq=False)
class FileChange:
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
        """Restore the old text, if there was one and the new one is in place; returns whether it was. Raises RenderError."""
        if not self.promoted or self.old is None:
            return False
        draft(self.rendering.spec, self.old).promote()
        self.promoted = False
        return True


class Job:
    """The files of one unit that differ from what is on disk (or that are still to be loaded). `survives`: whether a failed
    command leads back to the last good files, rather than to the end of the program."""

    def __init__(self, unit: Unit, changes: Sequence[FileChange], *, survives: bool = True) -> None:
        self.unit = unit
        self.changes = list(changes)
        self.survives = survives

    @property
    def renderings(self) -> list[Rendering]:
        """The templates whose files change."""
        return [change.rendering for change in self.changes]

    @property
    def drafts(self) -> list[Draft]:
        """The drafts that are not in place."""
        return [change.draft for change in self.changes if change.draft is not None and not change.promoted]

    @property
    def commands(self) -> list[Command]:
        """The commands that run after the promotion, in order."""
        own = [rendering.spec.command for rendering in self.renderings]
        return [command for command in own if command is not None] + self.unit.commands

    def paths(self) -> list[Path]:
        """Return the paths of all files of the unit: drafts where they are, other files at their destinations."""
        fresh = {change.rendering: change.draft.path for change in self.changes if change.draft is not None}
        return [fresh.get(one, Path(one.spec.destination)) for one in self.unit.renderings]

    def discard(self) -> None:
        """Remove drafts that were not promoted."""
        for left in self.drafts:
            left.discard()


def pending_changes(unit: Unit) -> list[FileChange]:
    """Return the files of a unit that are to be written: those that differ from disk, or could not be loaded. Reads files
    and changes nothing."""
    changes = [FileChange(rendering, rendering.data) for rendering in unit.renderings if rendering.due]
    return [
        change
        for change in changes
        if change.rendering in unit.written_but_not_loaded or not is_current(change.rendering.spec, change.data)
    ]


def mark_current(unit: Unit, changes: Sequence[FileChange]) -> None:
    """Note that all files of a unit but these are as they should be."""
    changing = {change.rendering for change in changes}
    for rendering in unit.renderings:
        if rendering.due and rendering not in changing:
            rendering.mark_written()
    if not changes:
        unit.succeed()
