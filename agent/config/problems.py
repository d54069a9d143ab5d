"""Errors and warnings about a configuration: all are collected, then shown, one line each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

UNKNOWN_KEY = ": invalid config key "  # in errors about keys that no setting has


class ConfigError(Exception):
    """A configuration cannot be used; `errors` has a line for each thing that is wrong, and what is allowed.

    `details` help a person to find the place; they are not part of the text that the HTTP API hands on.  by_file: those of the
    errors that are about one file.
    """

    def __init__(
        self, errors: Iterable[str], details: Iterable[str] = (), by_file: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.errors = tuple(errors)
        self.details = tuple(details)
        self._by_file = by_file or {}
        super().__init__("\n".join(self.errors))

    def report(self) -> list[str]:
        """Return the errors, as an agent that does not start prints them: those about a file below Consul's heading.

        The locations of the errors follow the last one.
        """
        grouped = {error for errors in self._by_file.values() for error in errors}
        lines = [line for file, errors in self._by_file.items() for line in _of_file(file, errors)]
        *others, last = [*lines, *(error for error in self.errors if error not in grouped)]
        return [*others, "\n".join([last, *(f"    {detail}" for detail in self.details)])]


def _of_file(file: str, errors: Sequence[str]) -> Iterator[str]:
    unknown = [error for error in errors if UNKNOWN_KEY in error]
    wrong = [error for error in errors if error not in unknown]
    if wrong:
        yield _listed(f"failed to parse {file}: {len(wrong)} error(s) decoding:", file, wrong)
    if unknown:
        count = "1 error" if len(unknown) == 1 else f"{len(unknown)} errors"
        yield _listed(f"failed to parse {file}: {count} occurred:", file, unknown)


def _listed(heading: str, file: str, errors: Iterable[str]) -> str:
    prefix = f"{file}: "
    return "\n".join([heading, *(f"\t* {error.removeprefix(prefix)}" for error in errors)])


class ReloadError(Exception):
    """The settings cannot be reloaded; those in use stay.  The text is for an operator."""


@dataclass(slots=True)
class Problems:
    """Collected while a configuration is read.

    unsupported: keys without effect -> missing feature.   refusals: reasons why an agent does not start with a configuration that
    is valid otherwise.   skipped: files that were not read.
    details: positions of the errors in their files.   by_file: the errors that are about one file.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unsupported: dict[str, str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    by_file: dict[str, list[str]] = field(default_factory=dict)

    def raise_any(self) -> None:
        """Raise ConfigError if there is an error."""
        if self.errors:
            raise ConfigError(dict.fromkeys([*self.errors, *self.skipped]), dict.fromkeys(self.details), self.by_file)

    def all_warnings(self) -> tuple[str, ...]:
        """Return all warnings, with one that names the settings without effect."""
        found = [*self.skipped, *self.warnings]
        if self.unsupported:
            found.append(f"not supported, without effect: {_by_feature(self.unsupported)}")
        return tuple(found)


def _by_feature(unsupported: dict[str, str]) -> str:
    """`a, b (gossip); c (TLS)`: the keys of each missing feature."""
    keys: dict[str, list[str]] = {}
    for key, about in unsupported.items():
        keys.setdefault(about, []).append(key)
    return "; ".join(f"{', '.join(names)} ({about})" for about, names in keys.items())
