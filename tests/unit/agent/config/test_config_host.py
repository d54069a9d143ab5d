"""Settings taken from the host: its node ID and its addresses."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from pyconsul.agent.config import host

MACHINE = "0123456789abcdef0123456789abcdef"


def machine(root: Path, **files: str) -> Path:
    """Return a root folder with some of the files that name the machine."""
    names = {
        "product": "sys/class/dmi/id/product_uuid",
        "machine": "etc/machine-id",
        "boot": "proc/sys/kernel/random/boot_id",
    }
    for name, text in files.items():
        path = root / names[name]
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return root


def test_the_node_id_of_a_host_is_a_hash_of_its_uuid(tmp_path: Path) -> None:
    digest = hashlib.sha512(b"01234567-89ab-cdef-0123-456789abcdef").hexdigest()
    found = host.host_node_id(machine(tmp_path, machine=MACHINE + "\n"))
    assert found.replace("-", "") == digest[:32]
    assert [len(part) for part in found.split("-")] == [8, 4, 4, 4, 12]


def test_the_first_file_with_a_uuid_counts(tmp_path: Path) -> None:
    product = "5F0E6F6C-3D3A-4B8C-9C1D-2F5F2B6A7C01"
    first = host.host_node_id(machine(tmp_path / "a", product=product, machine=MACHINE))
    assert first == host.host_node_id(machine(tmp_path / "b", product=product.lower()))
    assert first != host.host_node_id(machine(tmp_path / "c", product="Not Settable", machine=MACHINE))


def test_a_host_without_a_uuid_has_no_node_id(tmp_path: Path) -> None:
    assert host.host_node_id(tmp_path) == ""


def test_a_host_without_a_default_route_has_the_address_of_an_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> socket.socket:
        raise OSError

    addresses = {"lo": "127.0.0.1", "eth0": "10.1.1.1"}
    monkeypatch.setattr(host.socket, "socket", unreachable)
    monkeypatch.setattr(host.socket, "if_nameindex", lambda: [(1, "lo"), (2, "down"), (3, "eth0")])

    def address_of(name: str) -> str:
        if name not in addresses:
            raise OSError
        return addresses[name]

    monkeypatch.setattr(host, "interface_address", address_of)
    assert host.outward_address() == "10.1.1.1"
    del addresses["eth0"]
    assert host.outward_address() == "127.0.0.1"
