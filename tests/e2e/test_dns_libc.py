"""The C library's own resolver, with the agent as the machine's name server: what every program that is not told anything uses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agent_process import AgentProcess

PATIENCE = 20
ADDRESS = "127.0.0.53"
LOOK_UP = """
import json, socket, sys
name, family = sys.argv[1], getattr(socket, sys.argv[2])
try:
    print(json.dumps(sorted({entry[4][0] for entry in socket.getaddrinfo(name, 80, family, socket.SOCK_STREAM)})))
except socket.gaierror as error:
    print(json.dumps(error.errno == socket.EAI_NONAME or error.errno == getattr(socket, "EAI_NODATA", None)))
"""
BACKWARDS = "import socket, sys; print(socket.gethostbyaddr(sys.argv[1])[0])"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    """An agent that listens for DNS where a resolv.conf can say: on port 53."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can listen on port 53 and give a program a resolv.conf of its own")
    process = AgentProcess(tmp_path_factory.mktemp("libc"), addresses={"dns": ADDRESS})
    config = json.loads(process.config_file.read_text())
    config["ports"]["dns"] = 53
    process.config_file.write_text(json.dumps(config))
    try:
        process.start()
    except RuntimeError as error:
        if "port 53: the port is taken" in str(error):
            pytest.skip(f"port 53 of {ADDRESS} is taken")
        raise
    try:
        for number in range(1, 41):
            service = {"Service": "web", "Port": 8000 + number}
            process.put(
                "/v1/catalog/register", {"Node": f"node-{number}", "Address": f"10.0.0.{number}", "Service": service}
            )
        process.put("/v1/catalog/register", {"Node": "six", "Address": "2001:db8::6"})
        yield process
    finally:
        process.stop()


@pytest.fixture
def resolv_conf(agent: AgentProcess, tmp_path: Path) -> Path:
    file = tmp_path / "resolv.conf"
    file.write_text(f"nameserver {ADDRESS}\noptions timeout:3 attempts:2\nsearch service.consul node.consul\n")
    return file


def run(resolv_conf: Path, *words: str) -> str:
    """What a program prints that finds this resolv.conf in /etc."""
    inside = 'mount --bind "$0" "$(readlink -f /etc/resolv.conf)" && exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", inside, str(resolv_conf), *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"a resolv.conf of its own cannot be given to a program here: {done.stderr.strip()}")
    return done.stdout.strip()


def python(resolv_conf: Path, name: str, family: str = "AF_UNSPEC") -> str:
    return run(resolv_conf, sys.executable, "-c", LOOK_UP, name, family)


def test_getaddrinfo_finds_nodes_of_both_families(resolv_conf: Path) -> None:
    assert python(resolv_conf, "node-7.node.consul") == '["10.0.0.7"]'
    assert python(resolv_conf, "six.node.consul") == '["2001:db8::6"]'
    assert python(resolv_conf, "six.node.consul", "AF_INET6") == '["2001:db8::6"]'


def test_getaddrinfo_follows_tc_to_tcp(resolv_conf: Path) -> None:
    """Forty addresses do not fit 512 bytes."""
    assert python(resolv_conf, "web.service.consul").count("10.0.0.") >= 3


def test_getaddrinfo_searches(resolv_conf: Path) -> None:
    assert python(resolv_conf, "node-9") == '["10.0.0.9"]'


def test_getaddrinfo_learns_that_there_is_nothing(resolv_conf: Path) -> None:
    assert python(resolv_conf, "nothing.service.consul") == "true"
    assert python(resolv_conf, "node-7.node.consul", "AF_INET6") == "true"


def test_gethostbyaddr_finds_names_backwards(resolv_conf: Path) -> None:
    assert run(resolv_conf, sys.executable, "-c", BACKWARDS, "10.0.0.7") == "node-7.node.dc1.consul"


@pytest.mark.skipif(
    shutil.which("host") is None or shutil.which("dig") is None, reason="dig and host are not installed"
)
def test_dig_and_host_as_they_come(resolv_conf: Path) -> None:
    assert run(resolv_conf, "dig", "+short", "node-3.node.consul") == "10.0.0.3"
    assert "node-3.node.consul has address 10.0.0.3" in run(resolv_conf, "host", "node-3.node.consul")
    found = run(resolv_conf, "dig", "+short", "+tcp", "web.service.consul", "SRV").splitlines()
    assert len(found) == 40
