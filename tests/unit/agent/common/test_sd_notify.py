"""Messages to systemd, on real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pyconsul.agent.common.process.sd_notify import Notifier


class Systemd:
    """What systemd does: a socket that messages come to."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(30)

    def heard(self) -> str:
        return self.socket.recv(4096).decode()

    def heard_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return True


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    abstract = f"@pyconsul-test-{os.getpid()}-{time.monotonic_ns()}"
    listening = Systemd(abstract if request.param == "abstract" else str(tmp_path / "notify"))
    yield listening
    listening.socket.close()


def test_the_life_of_a_program(systemd: Systemd) -> None:
    notifier = Notifier(systemd.address)
    assert notifier
    notifier.ready()
    assert systemd.heard() == "READY=1"
    before = time.monotonic_ns() // 1000
    notifier.reloading()
    first, second = systemd.heard().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    notifier.stopping()
    assert systemd.heard() == "STOPPING=1"


def test_a_status_is_one_line_and_not_repeated(systemd: Systemd) -> None:
    notifier = Notifier(systemd.address)
    notifier.status("1 of 3 waiting:\nservice web")
    assert systemd.heard() == "STATUS=1 of 3 waiting: service web"
    notifier.status("1 of 3 waiting: service web")
    notifier.status("x" * 10_000)
    assert systemd.heard() == "STATUS=" + "x" * 500
    assert systemd.heard_nothing()


def test_variables_are_taken_so_that_children_do_not_have_them(systemd: Systemd) -> None:
    environ = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "20", "WATCHDOG_PID": str(os.getpid()), "PATH": "/"}
    notifier = Notifier.take(environ)
    assert environ == {"PATH": "/"}
    notifier.ready()
    assert systemd.heard() == "READY=1"


async def test_signs_of_life(systemd: Systemd) -> None:
    notifier = Notifier.take({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "20"})
    task = asyncio.create_task(notifier.heartbeat())
    for _ in range(3):
        assert await asyncio.to_thread(systemd.heard) == "WATCHDOG=1"
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": "20"},
        {"NOTIFY_SOCKET": "@x"},
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "nonsense"},
        {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "20", "WATCHDOG_PID": "1"},
    ],
)
async def test_no_signs_of_life_where_none_are_expected(variables: dict[str, str]) -> None:
    await Notifier.take(variables).heartbeat()


def test_without_systemd_nothing_happens() -> None:
    notifier = Notifier.take({})
    assert not notifier
    notifier.ready()
    notifier.status("text")


@pytest.mark.parametrize("address", ["/nowhere/notify", "relative", "/a\0b", "/" + "x" * 200])
def test_a_deaf_systemd_ends_nothing(address: str, caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier(address)
    notifier.ready()
    notifier.stopping()
    assert len(caplog.records) == 1


def test_a_systemd_that_hangs_does_not_stop_us(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyconsul.agent.common.process.sd_notify._SEND_TIMEOUT_S", 0.001)
    notifier = Notifier(systemd.address)
    for _ in range(2000):  # more than a socket holds
        notifier.ready()
    assert systemd.heard() == "READY=1"
