"""Settings that come from the host: its name and addresses, address templates such as `{{ GetPrivateIP }}`, and the node ID."""

from __future__ import annotations

import fcntl
import hashlib
import ipaddress
import os
import re
import socket
import struct
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.problems import ConfigError

NODE_ID_FILE = "node-id"
#: Files that name the machine, in the order in which Consul reads them: the first needs root, the last changes at each boot.
_HOST_IDS = ("sys/class/dmi/id/product_uuid", "etc/machine-id", "proc/sys/kernel/random/boot_id")


def with_node_id(config: Config) -> Config:
    """The configuration with its `node_id` set; with a data folder, the ID is the same at the next start.

    Raises ConfigError when the file cannot be used.
    """
    if config.dev_mode or not config.data_dir:
        return msgspec.structs.replace(config, node_id=config.node_id or _new_node_id(config))
    path = Path(config.data_dir) / NODE_ID_FILE
    try:
        kept = path.read_text().strip().lower() if path.exists() else ""
        if kept and not config.node_id and validators.node_id(kept):
            raise ConfigError([f"{path}: {kept!r:.60} is not a node ID; allowed: {validators.node_id(kept)}"])
        node_id = config.node_id or kept or _new_node_id(config)
        if node_id != kept:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(node_id)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"data_dir: {data_folder_fault(path, error)}"]) from error
    return msgspec.structs.replace(config, node_id=node_id)


def _new_node_id(config: Config) -> str:
    return str(uuid.uuid4()) if config.disable_host_node_id else host_node_id() or str(uuid.uuid4())


def host_node_id(root: Path = Path("/")) -> str:
    """Return the node ID that Consul derives from the host: a hash of the UUID of the machine; empty if that has none."""
    for name in _HOST_IDS:
        try:
            found = uuid.UUID((root / name).read_text().strip())
        except (OSError, ValueError):
            continue
        digest = hashlib.sha512(str(found).encode()).hexdigest()
        return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
    return ""


def data_folder_fault(path: Path, error: OSError | UnicodeDecodeError) -> str:
    """Why a file of the data folder cannot be used, and what to change."""
    folder = path.parent
    if isinstance(error, UnicodeDecodeError):
        return f"{path} is not UTF-8 text; remove it to get a new node ID"
    if isinstance(error, PermissionError):
        return (
            f"{folder} is not writable by UID {os.geteuid()}, which the agent runs as; make that user its owner, or choose "
            "another folder with -data-dir"
        )
    if (above := next((one for one in (folder, *folder.parents) if one.exists()), folder)) and not above.is_dir():
        return f"{above} is a file, not a folder; choose a folder with -data-dir"
    return f"cannot write {path}: {error.strerror or error}"


# A documentation address (RFC 5737, RFC 3849): a datagram socket "connected" to it sends nothing, but chooses a source address.
_FAR_AWAY = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def host_name() -> str:
    """The host's name, as Consul takes it for the node's."""
    return socket.gethostname()


def interface_address(name: str) -> str:
    """The IPv4 address of a network interface (`eth0`); raises OSError when it has none."""
    # SIOCGIFADDR of netdevice(7): the name goes in, a sockaddr_in comes back at byte 16, its address 4 bytes later.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))
    return socket.inet_ntoa(answer[20:24])


def outward_address(family: socket.AddressFamily = socket.AF_INET) -> str:
    """The address other hosts reach this one at; without a default route that of an interface, or the loopback address."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((_FAR_AWAY[family], 9))
            return str(sock.getsockname()[0])
    except OSError:
        return next(_interface_addresses(), "127.0.0.1") if family == socket.AF_INET else "::1"


def _interface_addresses() -> Iterator[str]:
    """Yield the IPv4 addresses of the interfaces apart from loopback ones."""
    for _, name in socket.if_nameindex():
        with suppress(OSError):
            address = interface_address(name)
            if not ipaddress.ip_address(address).is_loopback:
                yield address


ALLOWED = 'the templates {{ GetPrivateIP }}, {{ GetPublicIP }} and {{ GetInterfaceIP "NAME" }}'
_TEMPLATE = re.compile(r"\{\{\s*(\w+)(?:\s+[\"`]([^\"`]+)[\"`])?\s*\}\}")


def fill_address_template(text: str) -> str:
    """The text with addresses in place of templates; raises ValueError, whose text says what is allowed."""
    filled = _TEMPLATE.sub(_address, text)
    if "{{" in filled:
        raise ValueError(ALLOWED)
    return filled


def _address(match: re.Match[str]) -> str:
    function, argument = match[1], match[2]
    if function == "GetInterfaceIP" and argument:
        try:
            return interface_address(argument)
        except OSError:
            raise ValueError(f"a network interface with an IPv4 address; {argument!r} is none") from None
    if function in ("GetPrivateIP", "GetPublicIP") and not argument:
        address = outward_address()
        if ipaddress.ip_address(address).is_private == (function == "GetPrivateIP"):
            return address
        kind = "private" if function == "GetPrivateIP" else "public"
        raise ValueError(f"a host with a {kind} address; this one has {address}")
    raise ValueError(ALLOWED)
