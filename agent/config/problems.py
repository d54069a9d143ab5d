"""Errors and warnings about a configuration: all are collected, then shown, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_ALONE = (
    "this version of pyconsul has no clustering. It joins no other agent, is a server of its own, and has a catalog of "
    "its own; so has every other machine with these settings"
)


class ConfigError(Exception):
    """A configuration cannot be used; `errors` has a line for each thing that is wrong, and what is allowed.

    `details` help a person to find the place; they are not part of the text that the HTTP API hands on.
    """

    def __init__(self, errors: Iterable[str], details: Iterable[str] = ()) -> None:
        self.errors = tuple(errors)
        self.details = tuple(details)
        super().__init__("\n".join(self.errors))


class ReloadError(Exception):
    """The settings cannot be reloaded; those in use stay.  The text is for an operator."""


@dataclass(slots=True)
class Problems:
    """Gathers while a configuration is read.

    `lacking` maps keys that are accepted without effect to the missing feature, `alone` lists those that ask for other
    agents, `refusals` says why an agent does not start with a configuration that is valid otherwise.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)
    alone: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    # Files that were left out: worth knowing when something is missing.
    skipped: list[str] = field(default_factory=list)

    def raise_any(self) -> None:
        """Raises ConfigError when there is an error."""
        if self.errors:
            raise ConfigError(dict.fromkeys([*self.errors, *self.skipped]))

    def all_warnings(self) -> tuple[str, ...]:
        """The warnings; what has no effect is one of them."""
        found = [*self.skipped, *self.warnings]
        if self.alone:
            found.append(f"THIS AGENT RUNS ALONE: {_ALONE}. Without effect: {', '.join(dict.fromkeys(self.alone))}")
        if self.lacking:
            found.append(f"not supported, without effect: {_by_feature(self.lacking)}")
        return tuple(found)


def _by_feature(lacking: dict[str, str]) -> str:
    """`a, b (gossip); c (TLS)`: the keys of each missing feature."""
    keys: dict[str, list[str]] = {}
    for key, about in lacking.items():
        keys.setdefault(about, []).append(key)
    return "; ".join(f"{', '.join(names)} ({about})" for about, names in keys.items())
