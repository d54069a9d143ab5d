"""What `pip install` puts on a machine: the wheel is built from a copy of the project and looked into."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_wheel_holds_man_pages_and_completions(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "*.egg-info", "build", "dist")
    for name in ("agent", "cli", "tools", "man", "completions"):
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for path in (*ROOT.glob("LICENSE*"), *ROOT.glob("README*"), ROOT / "pyproject.toml"):
        shutil.copy(path, copy)
    (copy / "README.md").touch()
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, copy],
        check=True,
        timeout=300,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    wanted = {f"share/man/man{path.suffix[1:]}/{path.name}" for path in (ROOT / "man").iterdir()}
    for pattern, folder in (
        ("*.bash", "bash-completion/completions"),
        ("_*", "zsh/site-functions"),
        ("*.fish", "fish/vendor_completions.d"),
    ):
        wanted |= {f"share/{folder}/{path.name}" for path in (ROOT / "completions").glob(pattern)}
    assert len(wanted) > 50
    assert wanted <= names
