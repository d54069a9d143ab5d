"""A HAProxy that is fed with rendered files: each is checked before it takes its place, then loaded without a pause.

HAProxy runs in master-worker mode (https://docs.haproxy.org/2.6/management.html): SIGUSR2 lets the master read the
configuration again; new workers take over the listening sockets, the old ones finish what they have begun. The
master's own socket tells whether that worked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from signal import Signals

from pyconsul.tools.supervise import Child, SpawnError
from pyconsul.tools.template.consumer import RELOAD_RETRY, Mailbox, insist
from pyconsul.tools.template.render import Draft
from pyconsul.tools.template.spec import Spec

log = logging.getLogger("template")

_PROGRAM = "haproxy"
_LONGEST_SOCKET_FOLDER = 80  # characters; HAProxy takes socket paths of 97
#: Seconds: for a check, for a reload, for one answer of the master, between two looks at a reload.
_CHECK_TIMEOUT, _RELOAD_TIMEOUT, _ANSWER_TIMEOUT, _LOOK = 30.0, 30.0, 1.0, 0.05
_MASTER = re.compile(rb"\bmaster\s+(\d+)(?:\s+\[failed:\s*(\d+)\])?")


class HaproxyConsumer:
    """`specs`: all templates; those whose destination is named .cfg, or else the first, are HAProxy's configuration.

    `once`: only check the files, start nothing.
    """

    precious = True

    def __init__(
        self,
        specs: Sequence[Spec],
        environment: Mapping[str, str],
        rng: random.Random,
        *,
        kill_signal: Signals,
        kill_timeout: float,
        splay: float = 0.0,
        once: bool = False,
    ) -> None:
        chosen = [spec.destination for spec in specs if spec.destination.endswith(".cfg")]
        self._files = chosen or [spec.destination for spec in specs[:1]]
        self._environment = dict(environment)
        self._rng = rng
        self._kill_signal = kill_signal
        self._kill_timeout = kill_timeout
        self._splay = splay
        self._once = once
        self._mailbox = Mailbox()
        self._child: Child | None = None
        self._folder: Path | None = None

    async def check(self, drafts: Sequence[Draft]) -> str:
        """HAProxy's own word on the new files, together with those that stay. Raises SpawnError."""
        fresh = {draft.spec.destination: draft for draft in drafts}
        if not any(file in fresh for file in self._files):
            return ""
        status, said = await self._examine(_present(self._files, fresh))
        for draft in drafts:
            said = said.replace(str(draft.path), draft.spec.destination)
        return "" if status == 0 else said or f"{_PROGRAM} -c ended with status {status}"

    async def _examine(self, paths: Sequence[str]) -> tuple[int, str]:
        files = [word for path in paths for word in ("-f", path)]
        try:
            process = await asyncio.create_subprocess_exec(
                *(_PROGRAM, "-c", *files),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as error:
            raise SpawnError(f"cannot run {_PROGRAM}: {error.strerror}: install it, or name a command") from error
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT):
                out, _ = await process.communicate()
        except TimeoutError:
            return 1, f"{_PROGRAM} -c did not end within {_CHECK_TIMEOUT:g}s"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return process.returncode or 0, out.decode(errors="replace").strip()

    def files_ready(self) -> None:
        self._mailbox.ready.set()

    def files_changed(self) -> None:
        if self._child is not None:
            self._mailbox.changed.set()

    async def run(self) -> int:
        """Keep HAProxy running with the newest files, for ever; with `once` it ends at once. Raises SpawnError."""
        await self._mailbox.ready.wait()
        if self._once:
            return 0
        failures = 0
        while True:
            started = asyncio.get_running_loop().time()
            status = await self._serve()
            lasted = asyncio.get_running_loop().time() - started
            failures = 1 if lasted > RELOAD_RETRY.max_backoff else failures + 1
            delay = RELOAD_RETRY.delay(failures, self._rng) or 0.0
            log.error("haproxy has ended with status %d; it is started again in %.3gs", status, delay)
            await self._mailbox.news(delay)

    async def _serve(self) -> int:
        """One life of HAProxy; its exit status."""
        child = self._child = self._new_child()
        await child.start()
        log.info("haproxy has been started with %s", ", ".join(self._files))
        reloading = asyncio.create_task(self._keep_loaded(child))
        try:
            return await child.wait()
        finally:
            reloading.cancel()
            await asyncio.gather(reloading, return_exceptions=True)

    def _new_child(self) -> Child:
        if self._folder is None:
            self._folder = _socket_folder()
        files = [word for file in self._files for word in ("-f", file)]
        return Child(
            [_PROGRAM, "-W", "-db", "-S", f"{self._socket},mode,600", *files],
            self._environment,
            rng=self._rng,
            kill_signal=self._kill_signal,
            kill_timeout=self._kill_timeout,
        )

    @property
    def _socket(self) -> Path:
        assert self._folder is not None
        return self._folder / "master.sock"

    async def _keep_loaded(self, child: Child) -> None:
        # Before the master listens on its socket, the signal would end it.
        await self._until_reloads(0)
        while True:
            await self._mailbox.news()
            if self._splay > 0:
                await asyncio.sleep(self._rng.uniform(0, self._splay))
            await insist(lambda: self._reload(child), self._mailbox, self._rng)

    async def _reload(self, child: Child) -> bool:
        """Whether the newest files are in force now. If not, HAProxy goes on with what it has."""
        before = await self._reloads()
        if child.pid is None or not child.running:
            return True  # The next start reads the newest files anyway.
        os.kill(child.pid, signal.SIGUSR2)  # The master alone: a worker would die of it.
        if before is None:
            return True  # It does not say.
        failures = await self._until_reloads(before[0] + 1)
        log.info("haproxy has %s the new configuration", "refused" if failures else "loaded")
        return failures == 0

    async def _until_reloads(self, count: int) -> int | None:
        """Wait until the master has read its configuration so many times again; how many of the latest times failed,
        None if it has not happened in time."""
        latest = asyncio.get_running_loop().time() + _RELOAD_TIMEOUT
        while asyncio.get_running_loop().time() < latest:
            now = await self._reloads()
            if now is not None and now[0] >= count:
                return now[1]
            await asyncio.sleep(_LOOK)
        return None

    async def _reloads(self) -> tuple[int, int] | None:
        """How often the master has read its configuration again, and how many of the latest times it failed."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(b"show proc\n")
                    answer = b""
                    while (match := _MASTER.search(answer)) is None or b"# workers" not in answer:
                        part = await reader.read(4096)
                        if not part:
                            return None
                        answer += part
                    return int(match[1]), int(match[2] or 0)
                finally:
                    writer.close()
        return None

    async def stop(self) -> None:
        if self._child is not None:
            await self._child.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def signal(self, sig: Signals) -> None:
        """To the master alone."""
        if self._child is not None and self._child.pid is not None and self._child.running:
            os.kill(self._child.pid, sig)


def _present(files: Sequence[str], fresh: Mapping[str, Draft]) -> list[str]:
    """Where the files are: new ones beside their destination; those that are nowhere yet are left out."""
    paths = [fresh[file].path if file in fresh else Path(file) for file in files]
    return [str(path) for path in paths if path.exists()]


def _socket_folder() -> Path:
    """A new folder, its owner's only, whose path leaves room for a socket's name: a unix socket's path is short."""
    folder = tempfile.mkdtemp(prefix="pct-")
    if len(folder) > _LONGEST_SOCKET_FOLDER:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="pct-", dir="/tmp")
    return Path(folder)
