"""The line that an agent logs when it has started: mode, node, and where it listens and keeps its data."""

from __future__ import annotations

from pathlib import Path

from pyconsul.agent.cluster.etcd.contract import FOLDER
from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.cluster import Mode
from pyconsul.agent.runtime.data.data_folder import SERVER

_OFF = "off"


def summary(config: Config) -> dict[str, str]:
    """Fields of the log message, in order."""
    return {
        "mode": _mode(config).value,
        "node": config.node_name,
        "dc": config.datacenter,
        "http": _listeners(config.addresses.http or config.client_addr, config.ports.http),
        "dns": _listeners(config.addresses.dns or config.client_addr, config.ports.dns),
        "gossip": _listeners(config.serf_lan, config.ports.serf_lan),
        "data": "memory" if config.dev_mode else config.data_dir,
    }


def _mode(config: Config) -> Mode:
    """Return the mode that the settings ask for, unless a single server has grown into a cluster."""
    if config.mode is Mode.SINGLE_SERVER and (Path(config.data_dir) / SERVER / "cluster" / FOLDER).is_dir():
        return Mode.CLUSTER_SERVER
    return config.mode


def _listeners(addresses: str, port: int) -> str:
    """Addresses with the port, separated by commas; IPv6 in brackets."""
    if port <= 0:
        return _OFF
    return ",".join(_listener(address.strip("[]"), port) for address in addresses.split()) or _OFF


def _listener(address: str, port: int) -> str:
    if address.startswith("unix://"):
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
