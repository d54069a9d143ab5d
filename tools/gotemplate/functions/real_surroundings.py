"""The real surroundings of templates: files, programs, the clock, network interfaces (of Linux)."""

from __future__ import annotations

import fcntl
import grp
import ipaddress
import os
import pwd
import socket
import struct
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.sockaddr import IP, Interface, sockaddr
from pyconsul.tools.gotemplate.functions.surroundings import FileWrite, Surroundings
from pyconsul.tools.gotemplate.runtime.values import to_text
from pyconsul.tools.gotemplate.syntax.quote import quote

PLUGIN_TIMEOUT = 30  # seconds
_SIOCGIFADDR, _SIOCGIFFLAGS, _SIOCGIFNETMASK = 0x8915, 0x8913, 0x891B
_FLAGS = {0x1: "up", 0x2: "broadcast", 0x8: "loopback", 0x10: "pointtopoint", 0x1000: "multicast"}


def real_surroundings() -> Surroundings:
    """Return everything that a template may reach on this machine."""
    return Surroundings(
        lambda: datetime.now(UTC), write_file, run_plugin, lambda pipeline: sockaddr(pipeline, interfaces)
    )


def write_file(job: FileWrite) -> None:
    """Write or extend a file; its folder is made. Raises OSError, GoError for an unknown user or group."""
    path = Path(job.path)
    if not job.append:
        path.parent.mkdir(parents=True, exist_ok=True)
    uid, gid = _user_id(job.user), _group_id(job.group)
    mode = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if job.append else os.O_TRUNC)
    with open(os.open(path, mode, job.permissions), "wb") as file:
        file.write(job.content)
        if uid >= 0 or gid >= 0:
            os.fchown(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), job.permissions)


def _user_id(name: str) -> int:
    if not name:
        return -1
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        if name.isdigit():
            return int(name)
        raise GoError(f"user: unknown user {name}") from None


def _group_id(name: str) -> int:
    if not name:
        return -1
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if name.isdigit():
            return int(name)
        raise GoError(f"group: unknown group {name}") from None


def run_plugin(program: str, arguments: Sequence[str]) -> str:
    """Run a program and return its output. Raises GoError when it fails or takes too long."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, timeout=PLUGIN_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise GoError(f"exec {quote(program)}: did not finish in {PLUGIN_TIMEOUT}s") from None
    except OSError as error:
        raise GoError(f"exec {quote(program)}: {error.strerror}") from None
    if done.returncode:
        # What it printed may be secret; its complaint is meant to be read.
        complaint = to_text(done.stderr).strip()
        raise GoError(f"exec {quote(program)}: exit status {done.returncode}\n\nstderr:\n\n{complaint}")
    return to_text(done.stdout)


def interfaces() -> list[Interface]:
    """Return the addresses of this machine's network interfaces."""
    found: list[Interface] = []
    default = _default_interface()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _, name in socket.if_nameindex():
            flags = _flags(control, name)
            addresses: list[IP] = [*_ipv4(control, name), *_ipv6(name)]
            for address in addresses:
                found.append(Interface(name, address, flags, name == default))
    return found


def _ask(control: socket.socket, request: int, name: str) -> bytes:
    return fcntl.ioctl(control.fileno(), request, struct.pack("256s", name.encode()[:15]))


def _flags(control: socket.socket, name: str) -> frozenset[str]:
    try:
        (bits,) = struct.unpack_from("H", _ask(control, _SIOCGIFFLAGS, name), 16)
    except OSError:
        return frozenset()
    return frozenset(flag for bit, flag in _FLAGS.items() if bits & bit)


def _ipv4(control: socket.socket, name: str) -> list[ipaddress.IPv4Interface]:
    try:
        address, mask = (
            socket.inet_ntoa(_ask(control, request, name)[20:24]) for request in (_SIOCGIFADDR, _SIOCGIFNETMASK)
        )
    except OSError:  # it has none
        return []
    return [ipaddress.IPv4Interface(f"{address}/{mask}")]


def _ipv6(name: str) -> list[ipaddress.IPv6Interface]:
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [
        ipaddress.IPv6Interface((int(row[0], 16), int(row[2], 16))) for row in rows if len(row) > 5 and row[5] == name
    ]


def _default_interface() -> str:
    """Return the interface of the default route, or ""."""
    try:
        rows = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    except OSError:
        return ""
    return next((row[0] for row in rows if len(row) > 7 and row[1] == "00000000" and row[7] == "00000000"), "")
