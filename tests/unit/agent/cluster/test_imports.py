"""gRPC costs memory and time: only servers with an etcd load it."""

from __future__ import annotations

import subprocess
import sys


def test_a_single_server_does_without_grpc() -> None:
    program = "import sys, pyconsul.agent.runtime.modes.server; sys.exit('grpc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
