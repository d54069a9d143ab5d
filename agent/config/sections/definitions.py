"""Services and checks as files define them, and the origin of a configuration."""

from typing import Any

import msgspec


class Definition(msgspec.Struct, frozen=True):
    """One service or check as a file defines it: Consul's snake_case keys, values not yet decoded.

    A service's `check` and `checks` are one list below `checks`.  `source` is the file's path, for messages.
    """

    source: str
    body: dict[str, Any]

    def __repr__(self) -> str:
        """Tokens stay out of tracebacks and logs."""
        return f"Definition({self.source}: {self.body.get('name') or self.body.get('id') or 'unnamed'})"


class Origin(msgspec.Struct, frozen=True):
    """The arguments and the files that a configuration was read from, in the order they were read.

    sources: of each key that is given; see `config.readers.sources`.
    """

    argv: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    sources: dict[str, str] = {}

    def __repr__(self) -> str:
        """Flags may hold secrets."""
        return f"Origin({len(self.argv)} arguments, files: {', '.join(self.files) or 'none'})"
