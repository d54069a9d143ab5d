"""Processes as the kernel shows them: children by their command line, and the TCP ports on which one listens."""

from __future__ import annotations

import os
from pathlib import Path

_LISTEN = "0A"  # the state in /proc/net/tcp


def children(text: str) -> list[int]:
    """Return the process IDs of the children of this process with a text in their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, IndexError):
            continue
        if parent == str(os.getpid()) and text in line:
            found.append(int(folder.name))
    return found


def listening_ports(pid: int) -> set[int]:
    """Return the TCP ports on which a process listens."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(os.readlink(link))
        except OSError:
            continue
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in held:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
