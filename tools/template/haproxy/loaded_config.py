"""The configuration that HAProxy has loaded: the files as it read them, with the changes made at run time. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pyconsul.tools.template.haproxy.config import Server, Unreadable, parse
from pyconsul.tools.template.haproxy.difference import Update, difference
from pyconsul.tools.template.haproxy.servers import NeedsReload


@dataclass(frozen=True)
class Files:
    """`configuration`: the texts by path, in HAProxy's order. `beside`: of all other rendered files, which it may read,
    too, digests by path."""

    configuration: Mapping[str, str]
    beside: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """The same for the same files, in another process, too."""
        parts = [*self.configuration.items(), *((path, digest.hex()) for path, digest in self.beside.items())]
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass
class LoadedConfig:
    """The loaded files. `leaving`: servers, by key, that HAProxy still knows though the files no longer name them.
    `certain`: whether the loaded configuration is known; after a failure it is not."""

    files: Files
    leaving: dict[str, Server] = field(default_factory=dict)
    certain: bool = True

    def update_to(self, files: Files) -> Update:
        """Return the commands that bring HAProxy to other files without a reload. Raises NeedsReload."""
        if not self.certain:
            raise NeedsReload("the latest change has failed")
        for path, digest in files.beside.items():
            if self.files.beside.get(path) != digest:
                raise NeedsReload(f"{path} has changed")
        if self.files.configuration == files.configuration:
            return Update(leaving=dict(self.leaving))
        try:
            old, new = (parse(one.configuration.values()) for one in (self.files, files))
        except Unreadable as error:
            raise NeedsReload(str(error)) from error
        return difference(old, new, self.leaving)

    def doubt(self) -> None:
        """Note that the loaded configuration is not known: a change has failed."""
        self.certain = False

    def keep_leaving(self, leaving: Mapping[str, Server]) -> None:
        """Note which of the removed servers HAProxy still knows."""
        self.leaving = dict(leaving)

    def take(self, files: Files, leaving: Mapping[str, Server] | None = None) -> None:
        """Note that these files are loaded; without `leaving` they were read by a reload."""
        self.files = files
        self.leaving = dict(leaving or {})
        self.certain = True
