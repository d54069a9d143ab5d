"""Writing a rendered text to its destination: whole or not at all, and only when it differs.

A new text goes to a temporary file in the same folder, is flushed to disk, and then takes the old one's place; so
readers of the destination see the old text or the new one, whatever happens meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.common.files.atomic_file import DraftFile, sync_folder
from pyconsul.agent.common.reasons import reason
from pyconsul.agent.common.structs import struct

if TYPE_CHECKING:
    from pyconsul.tools.template.spec import Spec

#: Permissions of a new file.
_MODE = 0o644


class RenderError(Exception):
    """A file cannot be written; the text names it."""


@struct(frozen=True)
class Draft:
    """A new text on disk, beside the destination that it will replace."""

    spec: Spec
    file: DraftFile

    @property
    def path(self) -> Path:
        """The draft's path until it replaces the old file."""
        return self.file.path

    @property
    def target(self) -> Path:
        """The file that is replaced: what the destination links to, if it is a link."""
        return Path(os.path.realpath(self.spec.destination))

    def promote(self) -> None:
        """Replace the old file. Raises RenderError."""
        try:
            if self.spec.backup and self.target.is_file():
                import shutil

                shutil.copy2(self.target, self.spec.destination + ".bak")
            if self.spec.in_place and self.target.is_file():
                self._overwrite()
            else:
                self._replace()
        except OSError as error:
            raise RenderError(f"cannot write {self.spec.destination}: {reason(error)}") from error
        finally:
            self.discard()

    def _replace(self) -> None:
        try:
            self.file.replace(self.target)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EXDEV):
                raise
            self._overwrite()  # the destination is a mount point, which cannot be replaced

    def _overwrite(self) -> None:
        """Write into the old file itself, so that programs that have it mounted or open see the new text."""
        data = self.path.read_bytes()
        with open(self.target, "r+b") as file:
            file.write(data)
            file.truncate()
            if self.spec.perms is not None:
                os.fchmod(file.fileno(), self.spec.perms)
            if self.spec.user is not None or self.spec.group is not None:
                os.fchown(file.fileno(), _user_id(self.spec.user), _group_id(self.spec.group))
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove it, unless it is in place."""
        self.file.discard()


def to_bytes(text: str) -> bytes:
    """Encode a text for its file; surrogate escapes become the bytes that they stand for."""
    return text.encode("utf-8", "surrogateescape")


def is_current(spec: Spec, data: bytes) -> bool:
    """Return whether the destination is as it should be: it holds these bytes already, or it is absent."""
    if spec.to_stdout:
        return False
    if spec.absent:
        return not os.path.lexists(spec.destination)
    try:
        path = Path(spec.destination)
        return path.stat().st_size == len(data) and path.is_file() and path.read_bytes() == data
    except OSError:
        return False


def read_bytes(spec: Spec) -> bytes | None:
    """Return the bytes of the destination; None when it does not exist or cannot be read."""
    try:
        return Path(spec.destination).read_bytes()
    except OSError:
        return None


def exists(spec: Spec) -> bool:
    """Return whether the destination is a file that can be read."""
    return read_bytes(spec) is not None


def is_special(spec: Spec) -> bool:
    """Return whether the destination is stdout, a device, pipe or socket, which is written to, not replaced."""
    path = Path(spec.destination)
    return spec.to_stdout or (path.exists() and not path.is_file() and not path.is_dir())


def write_special(spec: Spec, data: bytes) -> None:
    """Write to stdout, a device or pipe. Raises RenderError."""
    name = "standard output" if spec.to_stdout else spec.destination
    try:
        if spec.to_stdout:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            return
        with open(spec.destination, "wb") as target:
            target.write(data)
    except OSError as error:
        raise RenderError(f"cannot write {name}: {reason(error)}") from error


def remove(spec: Spec) -> None:
    """Remove the destination. Raises RenderError."""
    try:
        os.unlink(spec.destination)
        sync_folder(Path(spec.destination).parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RenderError(f"cannot remove {spec.destination}: {error.strerror}") from error


def draft(spec: Spec, data: bytes) -> Draft:
    """Write the bytes beside the destination, with the owner and the permissions that it has or that are asked for.

    Raises RenderError.
    """
    target = Path(os.path.realpath(spec.destination))
    try:
        if spec.create_dest_dirs:
            target.parent.mkdir(parents=True, exist_ok=True)
        file = _make_beside(target, anywhere=spec.in_place)
    except OSError as error:
        raise RenderError(f"cannot write {spec.destination}: {reason(error)}") from error
    try:
        file.fill([data], lambda handle: _dress(handle, spec, target))
    except (OSError, LookupError) as error:
        file.discard()
        raise RenderError(f"cannot write {spec.destination}: {reason(error)}") from error
    return Draft(spec, file)


def _make_beside(target: Path, *, anywhere: bool) -> DraftFile:
    """Return a new file in the target's folder; `anywhere`: or, if that cannot be written to, in the one for such files."""
    try:
        return DraftFile(target.parent, target.name)
    except OSError:
        if not anywhere or not target.is_file():
            raise
        import tempfile

        return DraftFile(Path(tempfile.gettempdir()), target.name)


def _dress(handle: int, spec: Spec, target: Path) -> None:
    """Owner, then permissions: a change of owner takes set-user bits away."""
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    mode = _MODE if old is None else stat.S_IMODE(old.st_mode)
    if old is not None:
        with contextlib.suppress(PermissionError):  # only root may change the owner
            os.fchown(handle, old.st_uid, old.st_gid)
    if spec.user is not None or spec.group is not None:
        os.fchown(handle, _user_id(spec.user), _group_id(spec.group))
    os.fchmod(handle, mode if spec.perms is None else spec.perms)


def _user_id(name: str | None) -> int:
    if name is None or name == "":
        return -1
    if name.isdigit():
        return int(name)
    import pwd

    return pwd.getpwnam(name).pw_uid


def _group_id(name: str | None) -> int:
    if name is None or name == "":
        return -1
    if name.isdigit():
        return int(name)
    import grp

    return grp.getgrnam(name).gr_gid
