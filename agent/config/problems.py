"""What is wrong with a configuration: all of it is gathered, then shown, one line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


class ConfigError(Exception):
    """A configuration cannot be used; `errors` has a line for each thing that is wrong, and what is allowed."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


@dataclass(slots=True)
class Problems:
    """Gathers while a configuration is read; `lacking` has the keys that are accepted without effect."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)
    # Files that were left out: worth knowing when something is missing.
    skipped: list[str] = field(default_factory=list)

    def raise_any(self) -> None:
        """Raises ConfigError when there is an error."""
        if self.errors:
            raise ConfigError(dict.fromkeys([*self.errors, *self.skipped]))

    def all_warnings(self) -> tuple[str, ...]:
        """The warnings; what has no effect is one of them."""
        if not self.lacking:
            return (*self.skipped, *self.warnings)
        listed = ", ".join(f"{key} ({about})" for key, about in self.lacking.items())
        return (*self.skipped, *self.warnings, f"without effect, because pyconsul has no such feature: {listed}")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` for the known name that is most like this one, or an empty text."""
    close = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""
