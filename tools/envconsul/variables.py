"""Convert keys and services to environment variables: names, precedence, and invalid ones. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyconsul.tools.envconsul.unsafe_names import Verdict, judge

_INVALID = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True)
class Variable:
    """A variable before its name has its final form; `origin` says where it comes from, for warnings."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class Naming:
    """Changes to every name. `allowed`, `strict`: as for `safety.judge`."""

    sanitize: bool = False
    upcase: bool = False
    allowed: tuple[str, ...] = ()
    strict: bool = False

    def apply(self, name: str) -> str:
        if self.sanitize:
            name = sanitize(name)
        return name.upper() if self.upcase else name

    def refuses(self, name: str, origin: str, warn: Callable[[str], None]) -> bool:
        """Return whether the variable is left out because it changes how programs start; `warn` is called."""
        verdict = judge(name, self.allowed, strict=self.strict)
        if verdict is Verdict.REFUSED:
            warn(
                f"{origin}: refused the variable {name}, which changes how programs start (allow it: -allow-name {name})"
            )
        elif verdict is Verdict.REPORTED:
            warn(f"{origin}: the variable {name} changes how programs start (allow it: -allow-name {name})")
        return verdict is Verdict.REFUSED


def sanitize(name: str) -> str:
    """Replace everything but ASCII letters, digits and underscores by an underscore."""
    return _INVALID.sub("_", name)


def _encodable(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:  # JSON can write half of a surrogate pair
        return False
    return True


def environment(groups: Iterable[Iterable[Variable]], naming: Naming, warn: Callable[[str], None]) -> dict[str, str]:
    """Return the variables of all prefixes and services, later groups winning over earlier ones.

    `warn` is called for names that two keys of one group come to share (a later group is meant to win) and about
    what the system cannot hold: names with "=" or NUL, values with NUL; and about names that change how programs start.
    Values are never part of a warning.
    """
    result: dict[str, str] = {}
    for group in groups:
        origins: dict[str, str] = {}
        for variable in group:
            name = naming.apply(variable.name)
            if (
                not name.strip()
                or "=" in name
                or "\0" in name + variable.value
                or not _encodable(name + variable.value)
            ):
                warn(f"{variable.origin} is left out: its name or value cannot be that of a variable")
                continue
            if naming.refuses(name, variable.origin, warn):
                continue
            if name in origins and origins[name] != variable.origin:
                warn(f"{variable.origin} and {origins[name]} both give the variable {name}; the former wins")
            origins[name] = variable.origin
            result[name] = variable.value
    return result
