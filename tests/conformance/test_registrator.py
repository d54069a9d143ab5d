"""Replays what registrator made of containers on a real engine (`../shared/conformance/registrator`).

A choice of the cases runs each time; all of them, and the bursts, run with `--slow`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "conformance" / "registrator"
BIN = Path(sys.executable).parent
REPLAYER = FOLDER / "replay_registrator.py"
BRIDGE = Path("/sys/class/net/docker0")
#: The metadata in which ownership is kept.
OWN_META = "registrator-(engine|container|digest)"
QUICK = (
    "tags, template",
    "deregister on-success, exit codes",
    "cleanup, at start",
    "kv",
)
BURST = 20
TIMEOUT_S = 1500


def reason_to_skip() -> str:
    if not REPLAYER.exists():
        return "the recordings (../shared/conformance/registrator) are not here"
    if os.geteuid() != 0:
        return "only root can run dockerd"
    missing = [program for program in ("dockerd", "busybox", "unshare") if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


pytestmark = [pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip()), pytest.mark.timeout(TIMEOUT_S)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: the paths of the engine's sockets must be short."""
    with tempfile.TemporaryDirectory(prefix="r-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(autouse=True)
def no_bridge_is_left() -> Iterator[None]:
    """The engine leaves its bridge behind."""
    was_there = BRIDGE.exists()
    yield
    if not was_there and BRIDGE.exists():
        subprocess.run(["ip", "link", "delete", "docker0"], check=False)


def replayer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay_registrator", REPLAYER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def replay(folder: Path, *arguments: str) -> str:
    """Run the replayer; return what it prints."""
    programs = ["--binary", f"{BIN}/pyconsul registrator", "--consul", f"{BIN}/pyconsul"]
    argv = [sys.executable, str(REPLAYER), *programs, "--no-quirks", "--extra-meta", OWN_META, *arguments]
    environ = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return done.stdout + done.stderr


def failed(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("FAIL")]


def test_a_choice_of_the_recorded_cases(folder: Path) -> None:
    module = replayer()
    text = (FOLDER / "cases.yaml").read_text()
    chosen = [case for case in module.load(text) if case["name"] in QUICK]
    assert {case["name"] for case in chosen} == set(QUICK)
    file = folder / "chosen.yaml"
    file.write_text(module.dump("# chosen", chosen))
    output = replay(folder, str(file))
    assert f"{len(QUICK)} passed, 0 failed" in output, output


@pytest.mark.slow
def test_all_recorded_cases(folder: Path) -> None:
    output = replay(folder, "-v")
    # The ports of the replayer's agents are drawn at random, and may clash with each other.
    lost = [line for line in failed(output) if not re.search(re.escape(line) + r"\n  .*is already that of", output)]
    assert not lost, output
    assert " passed, " in output, output


@pytest.mark.slow
def test_bursts_of_containers(folder: Path) -> None:
    output = replay(folder, "--burst", str(BURST))
    assert output.splitlines() == [f"{BURST} started: {BURST} registered; {BURST} removed: 0 left"] * 3
