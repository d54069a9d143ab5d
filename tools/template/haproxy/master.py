"""One life of HAProxy's master process: up, reloaded, ended.

HAProxy runs in master-worker mode (https://docs.haproxy.org/2.6/management.html): SIGUSR2 lets the master read the
configuration again; new workers take over the listening sockets, the old ones finish what they have begun. The
master's own socket tells whether that worked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from signal import Signals

from pyconsul.tools.template.deploy.contract import LoadError
from pyconsul.tools.template.haproxy.adopted_process import Process
from pyconsul.tools.template.haproxy.loaded_config import LoadedConfig
from pyconsul.tools.template.haproxy.runtime_api import Runtime
from pyconsul.tools.template.haproxy.stderr_tail import StderrTail

#: Time for a start or a reload; interval between two checks of it.
LOAD_TIMEOUT_S, POLL_S = 30.0, 0.05


class Master:
    """The master process of a running HAProxy. `loaded`: the configuration that it starts with. `stderr`: its output."""

    def __init__(self, process: Process, runtime: Runtime, loaded: LoadedConfig, stderr: StderrTail) -> None:
        self.process = process
        self.runtime = runtime
        self.loaded = loaded
        self._stderr = stderr

    @property
    def running(self) -> bool:
        return self.process.running

    async def answers(self) -> bool:
        """Return whether it listens already; before that, the signal for a reload would end it."""
        return self.running and await self.runtime.reloads() is not None

    async def reload(self) -> None:
        """Let it read its files. Raises LoadError, with its own words, when it refuses them or does not say in time."""
        self._stderr.forget()
        before = await self.runtime.reloads()
        if before is None or not self.running:
            raise self.error("it does not answer on its master's socket")
        self.signal(signal.SIGUSR2)
        loop = asyncio.get_running_loop()
        latest = loop.time() + LOAD_TIMEOUT_S
        while loop.time() < latest:
            if not self.running:
                raise self.error("it has ended")
            now = await self.runtime.reloads()
            if now is not None and now[0] > before[0]:
                if now[1]:
                    raise self.error("it does not say why")
                return
            await asyncio.sleep(POLL_S)
        raise self.error(f"it was not done within {LOAD_TIMEOUT_S:g}s")

    def error(self, otherwise: str) -> LoadError:
        """Return the error of a failed load: HAProxy's own output, or a general text."""
        return LoadError(f"haproxy has not loaded its configuration: {self._stderr.reason() or otherwise}")

    def signal(self, sig: Signals) -> None:
        """To the master alone: a worker would die of SIGUSR2."""
        if self.process.pid is not None and self.running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, sig)
