"""Find the requirements of the demonstration besides pyconsul: HAProxy."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

from pyconsul.cli.errors import CliError

MISSING = "the demonstration needs HAProxy, which is not installed. As root on Debian: apt-get install haproxy"


def ensure_haproxy(say: Callable[[str], None]) -> None:
    """Install HAProxy if it is missing and that is allowed. Raises CliError with advice."""
    if shutil.which("haproxy"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise CliError(MISSING)
    say("installing haproxy (apt-get)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "haproxy"],
    ):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CliError(f"{MISSING}\n{' '.join(argv)} said: {done.stderr.strip()[-400:]}")
