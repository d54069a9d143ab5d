"""`pyconsul demo`: the main job, with everything real: agent, web servers, HAProxy, pyconsul-template."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PYCONSUL = str(Path(sys.executable).with_name("pyconsul"))
PATIENCE = 60  # seconds

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")


def leftovers(folder: str) -> list[str]:
    """Return the processes that still have something to do with a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if folder in line:
            found.append(line)
    return found


def test_the_tour_ends_well_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [PYCONSUL, "demo", "--once"], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web-2 fails its check: gone from HAProxy" in done.stdout
    assert "web-4 is registered: it serves" in done.stdout
    assert "a broken template is refused with HAProxy's own message, and traffic goes on\n" in done.stdout
    assert "HAProxy reloads after" in done.stdout
    counts = re.search(r"reloads of HAProxy: (\d+); changes without a reload: (\d+)", done.stdout)
    assert counts is not None
    assert int(counts[1]) >= 1  # of the mended template
    assert int(counts[1]) + int(counts[2]) >= 3  # web-2 goes, web-4 comes, web-2 returns
    answered = re.search(r"(\d+) requests answered, 0 failed", done.stdout)
    assert answered is not None, done.stdout
    assert int(answered[1]) > 20
    assert leftovers(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["ctrl-c", "terminal closed"])
def test_an_end_on_a_terminal_leaves_nothing_behind(tmp_path: Path, end: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:  # pragma: no cover
        os.environ.update(TMPDIR=str(tmp_path), TERM="xterm-256color", COLUMNS="120", LINES="40")
        os.execv(PYCONSUL, [PYCONSUL, "demo"])
    shown, ended = "", 0
    deadline = time.monotonic() + PATIENCE
    try:
        while "HAProxy to all three" not in shown and time.monotonic() < deadline:
            shown += os.read(terminal, 65536).decode(errors="replace")
        assert "requests go through HAProxy to all three" in shown, shown[-12000:]
        assert "last change of haproxy.cfg" in shown
        if end == "ctrl-c":
            os.write(terminal, b"\x03")
        else:
            os.close(terminal)
        while not ended and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                os.read(terminal, 65536)
            ended, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)
    finally:
        if not ended:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    assert ended == pid
    if end == "ctrl-c":
        assert os.waitstatus_to_exitcode(status) == 0
    assert leftovers(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []
