"""The machines of `pyconsul cluster demo`: off, cut off, and gone without a trace, whatever ends the demonstration."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.eventually import eventually

from pyconsul.cli.cluster_demo.janitor import Janitor, output
from pyconsul.cli.cluster_demo.machines import Addresses, Machine, Namespaces, Network
from pyconsul.cli.errors import CliError

OWNER = """
import subprocess, sys, time
from pyconsul.cli.cluster_demo.janitor import Janitor
from pyconsul.cli.cluster_demo.machines import make_network
with Janitor() as janitor:
    janitor.note("folder", sys.argv[1])
    machine = make_network(1, janitor).machines[0]
    program = "import subprocess, sys; subprocess.run(['sleep', sys.argv[1]])"
    argv = [*machine.launcher, sys.executable, "-c", program, "12345.678"]
    process = subprocess.Popen(argv, start_new_session=True)
    janitor.note("process", process.pid)
    print("ready", flush=True)
    time.sleep(60)
"""


def is_running(text: str) -> bool:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text in path.read_bytes().replace(b"\0", b" ").decode():
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_everything_is_removed_whatever_ends_the_owner(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    (folder / "file").write_text("x")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == b"ready\n"
    eventually(lambda: is_running("sleep 12345.678"))
    owner.send_signal(number)
    owner.communicate()
    eventually(lambda: not is_running("12345.678"))
    eventually(lambda: not folder.exists())
    eventually(lambda: f"pyconsul-demo-{owner.pid}" not in output("ip", "netns", "list"))


@pytest.fixture(params=["namespaces", "addresses"])
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Two machines of each kind."""
    with Janitor() as janitor:
        if request.param == "addresses":
            yield Addresses(2)
            return
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("network namespaces need root, and Debian's iproute2")
        try:
            made = Namespaces(2, janitor)
        except CliError as error:
            pytest.skip(str(error))
        yield made


ECHO = (
    "import socket, sys\ns = socket.create_server((sys.argv[1], 21399))\nwhile True: s.accept()[0].sendall(b'hello')\n"
)
ASK = "import socket, sys\ns = socket.create_connection((sys.argv[1], 21399), 0.5)\ns.settimeout(0.5)\nassert s.recv(9)"


def start_echo(machine: Machine) -> subprocess.Popen[bytes]:
    argv = [*machine.launcher, sys.executable, "-c", ECHO, machine.address]
    process = subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)
    machine.started(process.pid)
    return process


def test_a_machine_is_cut_off_mended_and_powered_off(network: Network) -> None:
    first, second = network.machines

    def answers() -> bool:
        argv = [*second.launcher, sys.executable, "-c", ASK, first.address]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    process = start_echo(first)
    eventually(answers)
    first.cut()
    assert first.is_cut
    assert not answers()
    assert process.poll() is None
    first.mend()
    eventually(answers)
    first.power_off()
    assert process.wait(10) == -signal.SIGKILL
    assert not answers()
    first.power_on()
    again = start_echo(first)
    eventually(answers)
    first.power_off()
    again.wait(10)


def test_the_clean_up_ends_soon(tmp_path: Path) -> None:
    began = time.monotonic()
    with Janitor() as janitor:
        janitor.note("folder", tmp_path / "absent")
        janitor.note("process", 1 << 22)  # nobody has that number
    assert time.monotonic() - began < 10
