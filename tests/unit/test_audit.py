"""The comparison of dependencies with known holes."""

from __future__ import annotations

from pathlib import Path

from audit import findings

PYPROJECT = """
[build-system]
requires = ["setuptools>=80"]
[project]
dependencies = ["a>=1.2", "b", "Some_Name>=2.0,<3"]
[project.optional-dependencies]
test = ["c>=1"]
"""
KNOWN = """
# a comment
a           1.2   HOLE-1
a           1.3   HOLE-2
b           0.1   HOLE-3
some-name   2.1   HOLE-4
c           1.0   HOLE-5
transitive  7     HOLE-6
"""


def test_lower_bounds_and_pins_below_a_fix_are_found() -> None:
    assert findings(PYPROJECT, "transitive==6.9 \\\n    --hash=sha256:00\na==1.3\n", KNOWN) == [
        "pyproject.toml: b needs a lower bound, older versions have known holes",
        "pyproject.toml: lower bound a 1.2: HOLE-2, fixed in 1.3",
        "pyproject.toml: lower bound some-name 2.0: HOLE-4, fixed in 2.1",
        "requirements.txt: transitive 6.9: HOLE-6, fixed in 7",
    ]


def test_every_pinned_package_has_a_hash() -> None:
    lines = (Path(__file__).parents[1] / "requirements.txt").read_text().splitlines()
    pinned = [number for number, line in enumerate(lines) if "==" in line]
    assert len(pinned) > 30
    assert all("--hash=sha256:" in lines[number + 1] for number in pinned)
