"""Pools of five agents, and clusters of three servers and two client agents, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.five_machines import Cluster, running
from cluster.machine_agent import FAST
from cluster.server_cluster import ServerCluster, running_servers


@pytest.fixture(scope="package")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("fast"), gossip_lan=FAST) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Cluster:
    """Agents that notice failures within a second, all alive and reachable."""
    running_cluster.network.heal()
    running_cluster.wait_until_all_alive()
    return running_cluster


@pytest.fixture
def steady_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Agents with the default timing, all alive."""
    with running(tmp_path) as cluster:
        cluster.wait_until_all_alive()
        yield cluster


@pytest.fixture(scope="module")
def running_server_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerCluster]:
    with running_servers(tmp_path_factory.mktemp("servers")) as cluster:
        yield cluster


@pytest.fixture
def servers(running_server_cluster: ServerCluster) -> ServerCluster:
    """Three servers and two client agents, without any fault."""
    running_server_cluster.mend()
    return running_server_cluster
