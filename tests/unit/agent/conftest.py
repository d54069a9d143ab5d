"""A real etcd for the tests of engine and leadership."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.etcd import EtcdProcess


@pytest.fixture(scope="session")
def etcd() -> Iterator[EtcdProcess]:
    """One member for all tests of a process."""
    process = EtcdProcess()
    try:
        yield process.start()
    finally:
        process.remove()
