"""What Go's `sdk/testutil` does with a program named `consul`: it writes a configuration file, starts it, and waits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.agent_process import PROGRAM, STOPPED
from support.ports import free_ports

NODE_ID = "4f2b6a4e-3d3a-4b8c-9c1d-2f5f2b6a7c01"
START = 20  # seconds


class TestServer:
    """One server, as the package starts it."""

    __test__ = False

    def __init__(self, folder: Path) -> None:
        names = ("dns", "http", "https", "serf_lan", "serf_wan", "server", "grpc", "grpc_tls")
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.folder = folder
        program = folder / "bin" / "consul"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
        program.chmod(0o755)
        self.config = folder / "config.json"
        self.config.write_text(json.dumps({
            "node_name": f"node-{NODE_ID}", "node_id": NODE_ID, "version": "1.21.4", "bootstrap": True,
            "performance": {"raft_multiplier": 1},
            "server": True, "data_dir": str(folder / "data"), "segments": None, "disable_update_check": True,
            "log_level": "debug", "bind_addr": "127.0.0.1", "addresses": {}, "ports": self.ports, "acl": {"tokens": {}},
            "connect": {"enabled": True, "ca_config": {"cluster_id": "11111111-2222-3333-4444-555555555555"}},
            "skip_leave_on_interrupt": True, "peering": {"enabled": True},
        }))  # fmt: skip

    def start(self) -> None:
        environ = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        log = (self.folder / "log").open("ab")
        argv = ["consul", "agent", "-config-file", str(self.config)]
        self.process = subprocess.Popen(argv, env=environ, stdout=log, stderr=log)
        log.close()

    def wait_for(self, path: str) -> tuple[dict[str, str], Any]:
        """Return the first answer with status 200."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['http']}{path}") as answer:
                    return dict(answer.headers), json.load(answer)
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(START)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    made = TestServer(tmp_path_factory.mktemp("sdk"))
    made.start()
    yield made
    if made.process.poll() is None:
        made.process.kill()


def test_the_server_counts_as_ready_and_keeps_its_root(server: TestServer) -> None:
    assert server.wait_for("/v1/status/leader")[1]
    headers, nodes = server.wait_for("/v1/catalog/nodes")
    assert (headers["X-Consul-KnownLeader"], nodes[0]["ID"]) == ("true", NODE_ID)
    assert int(headers["X-Consul-Index"]) >= 2
    headers, roots = server.wait_for("/v1/agent/connect/ca/roots")
    assert int(headers["X-Consul-Index"]) >= 1
    assert [root["ID"] for root in roots["Roots"]] == [roots["ActiveRootID"]]
    assert roots["Roots"][0]["RootCert"].startswith("-----BEGIN CERTIFICATE-----")
    assert roots["TrustDomain"].endswith(".consul")
    assert server.wait_for("/v1/connect/ca/roots")[1] == roots
    assert server.stop() == STOPPED
    server.start()
    assert server.wait_for("/v1/agent/connect/ca/roots")[1] == roots
    assert server.stop() == STOPPED
