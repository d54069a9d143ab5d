"""HAProxy as the consumer of rendered files: each file is checked before it is put in place, then loaded without a pause.

load ─▶ HAProxy is up ─▶ only servers differ? ─ yes ─▶ runtime API ─ done
        (or started)                          └ no, or it failed ─▶ reload ─ refused ─▶ LoadError

HAProxy outlives this program when that is killed; the next start finds it by its socket and adopts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from signal import Signals

from pyconsul.agent.common.process.child_process import SpawnError
from pyconsul.agent.common.process.supervised_child import Child
from pyconsul.tools.consul.client import RetryPolicy
from pyconsul.tools.template.deploy.contract import LoadError
from pyconsul.tools.template.deploy.file_writer import Draft
from pyconsul.tools.template.haproxy.adopted_process import Adopted
from pyconsul.tools.template.haproxy.config_check import PROGRAM, validate_config
from pyconsul.tools.template.haproxy.loaded_config import Files, LoadedConfig
from pyconsul.tools.template.haproxy.master import LOAD_TIMEOUT_S, POLL_S, Master
from pyconsul.tools.template.haproxy.runtime_api import Runtime, RuntimeRefused
from pyconsul.tools.template.haproxy.servers import NeedsReload
from pyconsul.tools.template.haproxy.state_folder import StateFolder
from pyconsul.tools.template.haproxy.stderr_tail import StderrTail
from pyconsul.tools.template.report.counters import Counters, Event
from pyconsul.tools.template.spec import Spec, configuration_files

log = logging.getLogger("template")

_LABEL = "haproxy"
#: Backoff before an HAProxy that has ended is started again.
_RESTART = RetryPolicy(attempts=0, backoff=1.0, max_backoff=60.0)
#: Backoff between attempts to delete a removed server that still has connections.
_DELETION = RetryPolicy(attempts=0, backoff=1.0, max_backoff=30.0)


class HaproxyConsumer:
    """`specs`: the templates that concern HAProxy; `configuration_files` says which are its configuration, and it is
    reloaded when another one changes. `state_dir`: see `StateFolder`. `keep`: let HAProxy go on after `stop`. `once`: only
    check the files, start nothing. `runtime`: use the runtime API. `conceal`: takes secrets out of HAProxy's output.
    """

    must_survive = True

    def __init__(
        self,
        specs: Sequence[Spec],
        environment: Mapping[str, str],
        rng: random.Random,
        *,
        state_dir: Path,
        kill_signal: Signals,
        kill_timeout: float,
        keep: bool = False,
        splay: float = 0.0,
        once: bool = False,
        runtime: bool = True,
        counters: Counters | None = None,
        conceal: Callable[[str], str] = str,
    ) -> None:
        self._files = configuration_files(specs)
        # The names of their files are not known here, and HAProxy may read them: each change is loaded.
        self._loose = any(spec.for_each for spec in specs)
        self._beside = [spec.destination for spec in specs if spec.destination not in self._files]
        self._environment = dict(environment)
        self._rng = rng
        self._kill_signal = kill_signal
        self._kill_timeout = kill_timeout
        self._splay = splay
        self._once = once
        self._runtime = runtime
        self._counters = counters or Counters()
        self._ready = asyncio.Event()
        self._wanted = asyncio.Event()  # a caller waits for a start
        self._deleting = asyncio.Event()
        self._lock = asyncio.Lock()  # one change of the loaded configuration at a time
        self._starts = 0
        #: The latest HAProxy process; None before the first.
        self.master: Master | None = None
        self._stderr: StderrTail | None = None
        self._state = StateFolder(state_dir, self._files)
        self._keep = keep
        self._conceal = conceal
        self._loading: asyncio.Task[None] | None = None

    def claim(self) -> None:
        """Lock the state folder. Raises SpawnError when another instance manages the same HAProxy."""
        if not self._once:
            self._state.claim()

    async def check(self, drafts: Sequence[Draft]) -> str:
        """Return HAProxy's objection to the new files, together with those that stay; "" without one. Raises SpawnError."""
        fresh = {draft.spec.destination: draft for draft in drafts}
        if not any(file in fresh for file in self._files):
            return ""
        return await validate_config(_existing_paths(self._files, fresh), self._environment)

    def files_ready(self) -> None:
        self._ready.set()

    async def run(self) -> int:
        """Keep HAProxy running without end; with `once` return at once. Raises SpawnError."""
        await self._ready.wait()
        if self._once:
            return 0
        failures = 0
        while True:
            started = asyncio.get_running_loop().time()
            status = await self._serve()
            lasted = asyncio.get_running_loop().time() - started
            failures = 1 if lasted > _RESTART.max_backoff else failures + 1
            delay = _RESTART.delay(failures, self._rng) or 0.0
            log.error(
                "haproxy has ended%s; it is started again in %.3gs", f" with status {status}" * bool(status), delay
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wanted.wait()

    async def _serve(self) -> int:
        """Start or adopt HAProxy, wait for its end, and return its exit status."""
        self.claim()
        self._stderr = self._stderr or self._listen()
        self._stderr.forget()
        self._wanted.clear()
        # Read before HAProxy reads them: a file that is replaced in between is loaded twice rather than never.
        loaded = LoadedConfig(self._read())
        process = self._adopt() or self._new_child(self._stderr)
        self.master = Master(process, Runtime(self._state.socket), loaded, self._stderr)
        if isinstance(process, Child):
            await process.start()
            self._state.remember(loaded.files.digest)
            log.info("haproxy has been started with %s", ", ".join(self._files))
        else:
            if self._state.remembered() != loaded.files.digest:
                loaded.doubt()
            log.info("haproxy runs already and has been adopted: pid %d", process.pid)
            if not loaded.certain:
                self._loading = asyncio.create_task(self._catch_up())
        self._starts += 1
        deleting = asyncio.create_task(self._keep_deleting(self.master))
        try:
            return await process.wait()
        finally:
            deleting.cancel()
            await asyncio.gather(deleting, return_exceptions=True)

    def _listen(self) -> StderrTail:
        try:
            return StderrTail(self._state.stderr, self._conceal)
        except OSError as error:
            raise SpawnError(f"cannot use {self._state.stderr}: {error.strerror}") from error

    def _adopt(self) -> Adopted | None:
        """Take over the HAProxy that an earlier run left running."""
        pid = self._state.master()
        try:
            return Adopted(pid, self._kill_signal, self._kill_timeout) if pid is not None else None
        except (OSError, AttributeError) as error:
            log.warning("haproxy runs already (pid %s), but cannot be adopted: %s", pid, error)
            return None

    async def _catch_up(self) -> None:
        """Load files that changed while no tool was running."""
        try:
            await self.load()
        except LoadError as error:
            log.error("%s", self._conceal(str(error)))

    def _new_child(self, stderr: StderrTail) -> Child:
        files = [word for file in self._files for word in ("-f", file)]
        return Child(
            [PROGRAM, "-W", "-db", "-S", f"{self._state.socket},mode,600", *files],
            self._environment,
            rng=self._rng,
            kill_signal=self._kill_signal,
            kill_timeout=self._kill_timeout,
            outlive=True,
            stderr=stderr.sink,
        )

    def _read(self) -> Files:
        """Return the files as they are; one that cannot be read counts as empty."""
        configuration = {file: _bytes(file).decode("utf-8", "surrogateescape") for file in self._files}
        return Files(configuration, {file: hashlib.sha256(_bytes(file)).digest() for file in self._beside})

    async def load(self) -> None:
        """Let HAProxy load the files that are in place; does nothing before its first start. Raises LoadError."""
        if self.master is None:
            return
        async with self._lock:
            try:
                await self._load()
            except LoadError:
                self.master.loaded.doubt()
                self._state.remember("")
                self._counters.count(Event.RELOAD_FAILED, _LABEL)
                raise

    async def _load(self) -> None:
        master = await self._wait_until_up()
        try:
            await self._apply(master)
        except LoadError:
            if master.running:
                raise
            # It has ended; the files are accepted if the next process starts with them.
            await self._apply(await self._wait_until_up())

    async def _apply(self, master: Master) -> None:
        """Let HAProxy load the files that are in place. Raises LoadError."""
        files = self._read()
        if master.loaded.certain and files == master.loaded.files and not self._loose:
            return
        if self._runtime and not self._loose and await self._try_runtime_update(master, files):
            return
        if self._splay > 0:
            await asyncio.sleep(self._rng.uniform(0, self._splay))
        self._state.remember("")
        await master.reload()
        master.loaded.take(files)
        self._state.remember(files.digest)
        self._counters.count(Event.RELOADED, _LABEL)
        log.info("haproxy has loaded the new configuration")

    async def _wait_until_up(self) -> Master:
        """Wait until HAProxy is up; one that has ended is started at once. Raises LoadError."""
        loop, lives = asyncio.get_running_loop(), self._starts
        latest = loop.time() + LOAD_TIMEOUT_S
        while True:
            master = self.master
            assert master is not None
            if await master.answers():
                return master
            if not master.running and self._starts > lives:
                raise master.error("it has ended")
            if loop.time() > latest:
                raise master.error(f"it was not up within {LOAD_TIMEOUT_S:g}s")
            if not master.running and master.process.pid is not None:
                self._wanted.set()
            await asyncio.sleep(POLL_S)

    async def _try_runtime_update(self, master: Master, files: Files) -> bool:
        """Return whether the change could be made without a reload."""
        loaded = master.loaded
        try:
            if loaded.leaving:
                loaded.keep_leaving(await master.runtime.delete(loaded.leaving))
            update = loaded.update_to(files)
            if update.commands:
                self._state.remember("")
                await master.runtime.carry_out(update.commands)
            loaded.take(files, await master.runtime.delete(update.leaving))
            self._state.remember(files.digest)
        except (NeedsReload, RuntimeRefused) as error:
            log.info("haproxy is reloaded: %s", error)
            return False
        if loaded.leaving:
            self._deleting.set()
        if update.commands:
            self._counters.count(Event.RUNTIME_UPDATED, _LABEL)
            log.info("haproxy has been changed without a reload: %s", update)
        return True

    async def _keep_deleting(self, master: Master) -> None:
        """Delete servers that were removed while they had connections."""
        while True:
            await self._deleting.wait()
            failures = 0
            while master.loaded.leaving:
                failures += 1
                await asyncio.sleep(_DELETION.delay(failures, self._rng) or 0.0)
                async with self._lock:
                    master.loaded.keep_leaving(await master.runtime.delete(master.loaded.leaving))
            self._deleting.clear()

    async def stop(self, *, handover: bool = False) -> None:
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)
        process = self.master.process if self.master is not None else None
        keep = (handover or self._keep) and process is not None and process.running
        if process is not None and not keep:
            await process.stop()
        if keep and not handover:
            log.info("haproxy goes on running: pid %s", process.pid if process is not None else "")
        if isinstance(process, Adopted):
            process.detach()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None
        self._state.release(keep=keep)

    def signal(self, sig: Signals) -> None:
        """Pass a signal on to the master process."""
        if self.master is not None:
            self.master.signal(sig)


def _bytes(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _existing_paths(files: Sequence[str], fresh: Mapping[str, Draft]) -> list[str]:
    """Return the paths of the files: drafts beside their destinations; files that do not exist yet are left out."""
    paths = [fresh[file].path if file in fresh else Path(file) for file in files]
    return [str(path) for path in paths if path.exists()]
