"""Errors and warnings about a configuration: all are collected, then shown, one line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

_OWN_DATA = (
    "this version of pyconsul does not support clusters of servers and client agents. Agents know each other by gossip "
    "(members, events, gossip keys), but each has its own keys and its own catalog"
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
    """Collected while a configuration is read.

    unsupported: keys without effect -> missing feature.   clustering: settings that ask for shared data.   refusals: reasons why an
    agent does not start with a configuration that is valid otherwise.   skipped: files that were not read.
    details: positions of the errors in their files.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unsupported: dict[str, str] = field(default_factory=dict)
    clustering: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)

    def raise_any(self) -> None:
        """Raise ConfigError if there is an error."""
        if self.errors:
            raise ConfigError(dict.fromkeys([*self.errors, *self.skipped]), dict.fromkeys(self.details))

    def all_warnings(self) -> tuple[str, ...]:
        """Return all warnings, with one that names the settings without effect."""
        found = [*self.skipped, *self.warnings]
        if self.clustering:
            settings = ", ".join(dict.fromkeys(self.clustering))
            found.append(f"THIS AGENT SHARES NO DATA: {_OWN_DATA}. Settings that ask for more: {settings}")
        if self.unsupported:
            found.append(f"not supported, without effect: {_by_feature(self.unsupported)}")
        return tuple(found)


def _by_feature(unsupported: dict[str, str]) -> str:
    """`a, b (gossip); c (TLS)`: the keys of each missing feature."""
    keys: dict[str, list[str]] = {}
    for key, about in unsupported.items():
        keys.setdefault(about, []).append(key)
    return "; ".join(f"{', '.join(names)} ({about})" for about, names in keys.items())
