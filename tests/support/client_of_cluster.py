"""Stand-in for `pyconsul` that turns one agent into two: a server on ports of its own, and what was asked for as its client.

    client_of_cluster.py client|follower agent -dev -config-file agent.json …

An agent with `-dev` or a single server becomes a client agent (or a server that does not lead) with the same ports, settings and
services, beside a server of the same datacenter. All else is handed to `pyconsul` unchanged. Recordings are replayed so:
`replay.py --binary "python tests/support/client_of_cluster.py client"`.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ["PYTEST_XDIST_WORKER"] = "gw15"  # its ports are free
sys.path.insert(0, str(Path(__file__).parents[1]))
from support.ports import free_ports

PYCONSUL = [sys.executable, "-m", "pyconsul.cli.main"]
CHILD = ["setpriv", "--pdeathsig", "KILL", *PYCONSUL]  # ends with this program, even when that is killed
FAST = {"gossip_interval": "100ms", "probe_interval": "500ms", "probe_timeout": "400ms", "suspicion_mult": 4}
DEV = {"ui_config": {"enabled": True}, "connect": {"enabled": True}}  # what `-dev` sets
START_S = 50
STOP_S = 3
OWN = (  # settings of an agent that its server does not share
    "services", "service", "checks", "check", "watches", "node_name", "node_id", "node_meta", "addresses", "bind_addr",
    "client_addr", "ports", "data_dir", "retry_join", "unix_sockets", "pid_file", "advertise_addr", "log_file", "telemetry",
    "http_config", "enable_script_checks", "enable_local_script_checks",
)  # fmt: skip
AUTOPILOT = {"server_stabilization_time": "200ms"}


def main() -> int:
    """Run the program; the exit status is the asked agent's."""
    mode, *words = sys.argv[1:]
    files = [Path(words[i + 1]) for i, word in enumerate(words) if word.lstrip("-") == "config-file"]
    if words[:1] != ["agent"] or not files:
        os.execv(sys.executable, [*PYCONSUL, *words])
    settings: dict[str, Any] = json.loads(files[0].read_text())
    is_dev = "-dev" in words
    is_alone = settings.get("server") and (settings.get("bootstrap") or settings.get("bootstrap_expect") == 1)
    if not (is_dev or is_alone):
        os.execv(sys.executable, [*PYCONSUL, *words])
    folder = files[0].parent / "pair"
    folder.mkdir(exist_ok=True)
    is_restart = (folder / "server-data").exists()
    server, lan_port = _server(
        {**DEV, **settings} if is_dev else settings, folder, waits=mode == "client" or not is_restart
    )
    try:
        return _agent(mode, is_dev, [word for word in words if word != "-dev"], settings, lan_port, folder, server)
    finally:
        server.terminate()
        try:
            server.wait(STOP_S)
        except subprocess.TimeoutExpired:  # it tries to finish its last write, for which it needs the other server
            server.kill()
            server.wait()


def _server(settings: dict[str, Any], folder: Path, *, waits: bool) -> tuple[subprocess.Popen[bytes], int]:
    """Start the server; returns it with its port for gossip.  waits: until it leads, which a server of two cannot do alone."""
    http_port, lan_port, rpc_port = free_ports(3)
    shared = {name: value for name, value in settings.items() if name not in OWN}
    ports = {"http": http_port, "serf_lan": lan_port, "server": rpc_port, "dns": -1, "serf_wan": -1, "grpc": -1}
    shared |= {
        "node_name": "the-server", "bind_addr": "127.0.0.1", "ports": ports, "data_dir": str(folder / "server-data"),
        "server": True, "bootstrap": True, "bootstrap_expect": 0, "gossip_lan": FAST, "autopilot": AUTOPILOT,
        "pid_file": str(folder / "server.pid"),
    }  # fmt: skip
    config = folder / "server.json"
    config.write_text(json.dumps(shared))
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen([*CHILD, "agent", "-config-file", str(config)], stdout=log, stderr=log)
    deadline = time.monotonic() + START_S
    while (
        waits
        and time.monotonic() < deadline
        and process.poll() is None
        and len(_get(http_port, "/v1/status/leader")) < 4
    ):
        time.sleep(0.05)
    return process, lan_port


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


def _agent(
    mode: str,
    is_dev: bool,
    words: list[str],
    settings: dict[str, Any],
    lan_port: int,
    folder: Path,
    server: subprocess.Popen[bytes],
) -> int:
    """Run the asked agent until it ends; its exit status."""
    defaults: dict[str, Any] = {"bind_addr": "127.0.0.1", "retry_interval": "1s", "gossip_lan": FAST}
    if is_dev:
        defaults |= {**DEV, "log_level": "debug", "enable_debug": True}
    forced: dict[str, Any] = {"server": mode == "follower", "bootstrap": False, "bootstrap_expect": 0}
    forced |= {"retry_join": [f"127.0.0.1:{lan_port}"]}
    if mode == "follower":
        forced |= {"autopilot": AUTOPILOT}
    forced |= {"leave_on_terminate": settings.get("leave_on_terminate", False)}
    if "data_dir" not in settings:
        forced["data_dir"] = str(folder / "data")
    before, after = folder / "a.json", folder / "z.json"
    before.write_text(json.dumps(defaults))
    after.write_text(json.dumps(forced))
    argv = [*CHILD, "agent", "-config-file", str(before), *words[1:], "-config-file", str(after)]
    process = subprocess.Popen(argv)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: process.send_signal(number))
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
