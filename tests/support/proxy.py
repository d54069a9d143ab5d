"""A supervised HAProxy, as pyconsul-template runs it, for tests of what it does with its files."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import tempfile
from pathlib import Path

from pyconsul.tools.template.haproxy.consumer import HaproxyConsumer
from pyconsul.tools.template.report.counters import Counters, Event
from pyconsul.tools.template.spec import Spec
from support.ports import free_port

HEAD = """\
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
frontend web
    bind 127.0.0.1:{port}
    default_backend b
backend b
"""


class Proxy:
    """A supervised HAProxy with one backend, `b`."""

    def __init__(self, folder: Path, *, runtime: bool = True) -> None:
        self.port = free_port()
        self.head = HEAD
        self.folder = folder
        self.counters = Counters()
        self._state = tempfile.TemporaryDirectory(prefix="pct-")  # tmp_path is too long for a socket
        self.consumer = HaproxyConsumer(
            [Spec(str(folder / "haproxy.cfg")), Spec(str(folder / "map.txt"))],
            os.environ,
            random.Random(1),
            state_dir=Path(self._state.name),
            kill_signal=signal.SIGTERM,
            kill_timeout=10.0,
            runtime=runtime,
            counters=self.counters,
        )

    def write(self, *servers: str) -> None:
        lines = "".join(f"    server {server}\n" for server in servers)
        (self.folder / "haproxy.cfg").write_text(self.head.format(port=self.port) + lines)

    async def change(self, *servers: str) -> None:
        self.write(*servers)
        await self.consumer.load()

    @property
    def running(self) -> bool:
        return self.consumer.master is not None and self.consumer.master.running

    async def ask(self, command: str) -> str:
        assert self.consumer.master is not None
        return await self.consumer.master.runtime.ask(command)

    async def worker(self) -> int:
        found = re.search(r"# workers\n(\d+)", await self.ask("show proc"))
        assert found
        return int(found[1])

    async def servers(self) -> dict[str, tuple[str, int, bool]]:
        """By name: address and port, weight, whether it is in use."""
        lines = (await self.ask("@1 show servers state b")).splitlines()[1:]
        keys = lines[0].removeprefix("# ").split()
        rows = [dict(zip(keys, line.split(), strict=True)) for line in lines[1:] if line]
        return {
            row["srv_name"]: (
                f"{row['srv_addr']}:{row['srv_port']}",
                int(row["srv_uweight"]),
                not int(row["srv_admin_state"]) & 1,
            )
            for row in rows
        }

    async def names(self) -> set[str]:
        return set(await self.servers())

    def counts(self) -> tuple[int, int, int]:
        """Changes at runtime, reloads, failed reloads."""
        return (
            self.counters.total(Event.RUNTIME_UPDATED),
            self.counters.total(Event.RELOADED),
            self.counters.total(Event.RELOAD_FAILED),
        )

    async def answer(self) -> str:
        """Who answers a new connection; "" for nobody."""
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"hello\n")
            line = await reader.readline()
            writer.close()
            return line.decode().partition(" ")[0]
        return ""
