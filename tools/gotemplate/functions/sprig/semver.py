"""Sprig's semantic versions: `semver` and `semverCompare`.

Sources: https://semver.org, https://github.com/Masterminds/semver#checking-version-constraints
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import ClassVar

from pyconsul.agent.common.structs import replace, struct
from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import Uint64

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?")
_PART = r"v?(?:\d+|[xX*])(?:\.(?:\d+|[xX*]))?(?:\.(?:\d+|[xX*]))?(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_HYPHEN = re.compile(rf"({_PART})\s+-\s+({_PART})")
_TERM = re.compile(rf"\s*(=|==|!=|>=|=>|<=|=<|>|<|~>|~|\^|)\s*({_PART})\s*,?")


@struct(frozen=True)
class Version:
    """A semantic version; missing numbers are 0."""

    major: int
    minor: int = 0
    patch: int = 0
    prerelease: str = ""
    metadata: str = ""
    original: str = ""

    go_type: ClassVar[str] = "semver.Version"
    go_fields: ClassVar[tuple[str, ...]] = ()
    go_methods: ClassVar[dict[str, Function]]

    def __go_string__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        text += f"-{self.prerelease}" if self.prerelease else ""
        return text + (f"+{self.metadata}" if self.metadata else "")

    @property
    def rank(self) -> tuple[int, int, int, tuple[tuple[int, int, str], ...]]:
        """Return the key by which versions are ordered; a prerelease comes before its release."""
        parts = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.prerelease.split(".") if part]
        return self.major, self.minor, self.patch, tuple(parts) or ((2, 0, ""),)


def compare(a: Version, b: Version) -> int:
    """-1, 0 or 1."""
    return (a.rank > b.rank) - (a.rank < b.rank)


Version.go_methods = {
    "Compare": function(compare, "semver.Version"),
    "Equal": function(lambda a, b: compare(a, b) == 0, "semver.Version"),
    "GreaterThan": function(lambda a, b: compare(a, b) > 0, "semver.Version"),
    "LessThan": function(lambda a, b: compare(a, b) < 0, "semver.Version"),
    "Major": function(lambda version: Uint64(version.major)),
    "Metadata": function(lambda version: version.metadata),
    "Minor": function(lambda version: Uint64(version.minor)),
    "Original": function(lambda version: version.original),
    "Patch": function(lambda version: Uint64(version.patch)),
    "Prerelease": function(lambda version: version.prerelease),
    "String": function(lambda version: version.__go_string__()),
}


def parse_version(text: str) -> Version:
    """Return a version, with or without `v`, minor and patch. Raises GoError."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise GoError("Invalid Semantic Version" if text else "Version string empty")
    major, minor, patch, prerelease, metadata = match.groups()
    return Version(int(major), int(minor or 0), int(patch or 0), prerelease or "", metadata or "", text)


@struct(frozen=True)
class _Bound:
    """A version in a constraint; `places`: how many of its numbers are given (0: any version)."""

    version: Version
    places: int

    @classmethod
    def parse(cls, text: str) -> _Bound:
        numbers = re.split(r"[-+]", text, maxsplit=1)[0].removeprefix("v").split(".")
        places = next((i for i, number in enumerate(numbers) if number in "xX*"), len(numbers))
        if places < len(numbers):
            text = ".".join(numbers[:places]) or "0"
        return cls(parse_version(text), places)

    def after(self, place: int) -> Version:
        """Return the first version whose number at that place (1: major) is higher."""
        v = self.version
        if place == 1:
            return Version(v.major + 1)
        return Version(v.major, v.minor + 1) if place == 2 else Version(v.major, v.minor, v.patch + 1)


def _within(version: Version, bound: _Bound, place: int) -> bool:
    """Not before the bound and below the next version at that place."""
    return bound.places == 0 or (
        compare(version, bound.version) >= 0 and compare(replace(version, prerelease=""), bound.after(place)) < 0
    )


def _caret(version: Version, bound: _Bound) -> bool:
    given = bound.version.major, bound.version.minor, bound.version.patch
    first = next((i for i, number in enumerate(given[: bound.places], 1) if number), min(bound.places, 3) or 1)
    return _within(version, bound, first)


def _equal(version: Version, bound: _Bound) -> bool:
    if bound.places == 3:
        return compare(version, bound.version) == 0
    return _within(version, bound, bound.places)


def _tilde(version: Version, bound: _Bound) -> bool:
    return _within(version, bound, min(bound.places, 2))


def _above(version: Version, bound: _Bound) -> bool:
    return bound.places > 0 and compare(version, bound.version if bound.places == 3 else bound.after(bound.places)) >= (
        1 if bound.places == 3 else 0
    )


def _at_most(version: Version, bound: _Bound) -> bool:
    return not _above(version, bound)


_CHECKS: Mapping[str, Callable[[Version, _Bound], bool]] = {
    "": _equal,
    "=": _equal,
    "==": _equal,
    "!=": lambda version, bound: not _equal(version, bound),
    ">": _above,
    ">=": lambda version, bound: compare(version, bound.version) >= 0,
    "=>": lambda version, bound: compare(version, bound.version) >= 0,
    "<": lambda version, bound: compare(version, bound.version) < 0,
    "<=": _at_most,
    "=<": _at_most,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}


def semver_compare(constraint: str, text: str) -> bool:
    """Return whether a version meets a constraint like `>=1.2, <2 || ^3.1`."""
    alternatives = [_parse_constraint(part) for part in constraint.split("||")]
    version = parse_version(text)
    return any(all(_meets(version, operator, bound) for operator, bound in terms) for terms in alternatives)


def _meets(version: Version, operator: str, bound: _Bound) -> bool:
    # A prerelease is only wanted by who names one.
    if version.prerelease and not bound.version.prerelease and operator != "!=":
        return False
    return _CHECKS[operator](version, bound)


def _parse_constraint(text: str) -> list[tuple[str, _Bound]]:
    text = _HYPHEN.sub(r">=\1 <=\2", text)
    terms: list[tuple[str, _Bound]] = []
    at = 0
    while text[at:].strip():
        match = _TERM.match(text, at)
        if match is None:
            raise GoError(f"improper constraint: {text}")
        terms.append((match.group(1), _Bound.parse(match.group(2))))
        at = match.end()
    if not terms:
        raise GoError(f"improper constraint: {text}")
    return terms


FUNCTIONS: Mapping[str, Function] = {
    "semver": function(parse_version, "string"),
    "semverCompare": function(semver_compare, "string", "string"),
}
