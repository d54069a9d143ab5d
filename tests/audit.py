"""Compare dependencies with the known holes in `advisories.txt`.

    python tests/audit.py

Checks the lower bound of each dependency in pyproject.toml, and each version pinned in requirements.txt. Prints every
version that a hole is known in, and exits with 1 if there is one.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TESTS = Path(__file__).resolve().parent
LOWER = frozenset((">=", "==", "~="))


def advisories(text: str) -> list[tuple[str, Version, str]]:
    """Return the package, the first version without the hole, and the identifier of each line."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [(canonicalize_name(name), Version(fixed), hole) for name, fixed, hole in filter(None, lines)]


def lower_bounds(pyproject: str) -> Iterable[tuple[str, Version | None]]:
    """Each declared dependency with its lower bound; None where it has none."""
    document = tomllib.loads(pyproject)
    project = document["project"]
    declared = [*project["dependencies"], *document["build-system"]["requires"]]
    for extra in project.get("optional-dependencies", {}).values():
        declared += extra
    for requirement in map(Requirement, declared):
        bounds = [Version(part.version) for part in requirement.specifier if part.operator in LOWER]
        yield canonicalize_name(requirement.name), max(bounds, default=None)


def pins(requirements: str) -> Iterable[tuple[str, Version]]:
    """Each pinned package with its version."""
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", requirements, re.M):
        yield canonicalize_name(name), Version(version)


def findings(pyproject: str, requirements: str, known: str) -> list[str]:
    """Return one line for each version with a known hole."""
    holes = advisories(known)
    affected = {package for package, _, _ in holes}
    found = [
        f"pyproject.toml: {name} needs a lower bound, older versions have known holes"
        for name, bound in lower_bounds(pyproject)
        if bound is None and name in affected
    ]
    for place, versions in (
        ("pyproject.toml: lower bound", lower_bounds(pyproject)),
        ("requirements.txt:", pins(requirements)),
    ):
        for name, version in versions:
            if version is not None:
                found += [
                    f"{place} {name} {version}: {hole}, fixed in {fixed}"
                    for package, fixed, hole in holes
                    if package == name and version < fixed
                ]
    return found


def main() -> int:
    found = findings(
        (TESTS.parent / "pyproject.toml").read_text(),
        (TESTS / "requirements.txt").read_text(),
        (TESTS / "advisories.txt").read_text(),
    )
    print("\n".join(found) or "no dependency has a known hole")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
