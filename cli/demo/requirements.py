"""Find the requirements of the demonstration besides pyconsul: HAProxy, and busybox for containers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

from pyconsul.cli.errors import CliError


def ensure_haproxy(say: Callable[[str], None]) -> None:
    """Install HAProxy if it is missing and that is allowed. Raises CliError with advice."""
    install("haproxy", "haproxy", say)


def install(command: str, package: str, say: Callable[[str], None]) -> None:
    """Install the Debian package of a missing command, if that is allowed. Raises CliError with advice."""
    missing = f"the demonstration needs {command}, which is not installed. As root on Debian: apt-get install {package}"
    if shutil.which(command):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise CliError(missing)
    say(f"installing {package} (apt-get)")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package],
    ):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise CliError(f"{missing}\n{' '.join(argv)} said: {done.stderr.strip()[-400:]}")
