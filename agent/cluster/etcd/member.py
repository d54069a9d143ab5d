"""The etcd member of a server: a child process without a port.

Its folder, inside the data dir, has mode 0700 and holds its data and the sockets `client:1` (for this agent) and `NODE-ID:1` (its
own, and one of the relay for each other member).  etcd knows members as `unix://NODE-ID:1`, never by an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from pyconsul.agent.cluster.etcd.contract import DATA
from pyconsul.agent.cluster.etcd.log_lines import LogLines
from pyconsul.agent.common.process.child_process import describe_end, preparation
from pyconsul.agent.engine.contract import EngineError, Limits

PACKAGE = "etcd-server"  # Debian's name of the package
#: What one transaction may hold; the options of the member allow a little more.
LIMITS = Limits(rows=5000, size_bytes=8 << 20, takes_larger=True)
_SPARE_ROWS, _SPARE_BYTES = 100, 1 << 20
STOP_S = 2.0  # that it gets to end: without a quorum it would wait for its requests; killing it loses nothing
FIRST_RESTART_S, MAX_RESTART_S = 0.1, 5.0  # waits before a member that has ended is started again
REMOVED = "permanently removed from the cluster"  # in the last message of a member that its cluster has removed
LASTED_S = 30.0  # a member that ran for longer begins with the first wait again

log = logging.getLogger("agent.etcd")


class MemberSettings(msgspec.Struct, frozen=True):
    """Timers in milliseconds, sizes in bytes; see etcd's options of the same names."""

    heartbeat_interval_ms: int = 100
    election_timeout_ms: int = 1000
    quota_backend_bytes: int = 8 << 30
    compaction_revisions: int = 10_000  # that are kept for those who follow


DEFAULTS = MemberSettings()


def find_program() -> str:
    """Return the path of etcd.  Raises EngineError, which says how to get it."""
    program = shutil.which("etcd")
    if program is None:
        raise EngineError(
            f"cannot find the program etcd on PATH: install it (Debian: apt-get install {PACKAGE}),"
            " or set etcd { endpoints = [...] } to use an existing cluster"
        )
    return program


class EtcdMember:
    """One member, started again whenever it ends by itself."""

    def __init__(self, folder: Path, node_id: str, cluster_id: str, settings: MemberSettings = DEFAULTS) -> None:
        self.folder, self.node_id = folder, node_id
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._cluster_id, self._settings = cluster_id, settings
        self._running: asyncio.Task[None] | None = None
        self.is_removed = (
            False  # etcd has ended since its cluster has removed it; it cannot be started again with its data
        )

    @property
    def endpoint(self) -> str:
        """The address for clients in this process. Its path is short, since that of a socket has at most 107 bytes."""
        return f"unix:/proc/self/fd/{self._opened}/client:1"

    @property
    def has_data(self) -> bool:
        """Return whether it was part of a cluster before."""
        return (self.folder / DATA / "member").is_dir()

    async def start(self, members: Iterable[str], *more: str) -> None:
        """Start it, and keep it running.  members: node IDs of the members to begin with, this one included.

        more: further options of etcd.
        One that is alone founds a cluster; otherwise it joins the one that has added it.  A member with data ignores them.
        Raises EngineError.
        """
        program = find_program()
        argv = [program, *self._options(sorted(members)), *more]
        process = await self._spawn(argv)
        self._running = asyncio.get_running_loop().create_task(self._keep_running(argv, process))

    async def stop(self) -> None:
        """End it for good, and wait for that."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        os.close(self._opened)

    def _options(self, members: list[str]) -> list[str]:
        settings, own = self._settings, _url(self.node_id)
        options = {
            "name": self.node_id,
            "data-dir": DATA,
            "listen-client-urls": "unix://client:1",
            "advertise-client-urls": "unix://client:1",
            "listen-peer-urls": own,
            "initial-advertise-peer-urls": own,
            "initial-cluster": ",".join(f"{member}={_url(member)}" for member in members),
            "initial-cluster-token": self._cluster_id,
            "initial-cluster-state": "new" if members == [self.node_id] else "existing",
            "strict-reconfig-check": "false",
            "max-txn-ops": str(LIMITS.rows + _SPARE_ROWS),
            "max-request-bytes": str(LIMITS.size_bytes + _SPARE_BYTES),
            "quota-backend-bytes": str(settings.quota_backend_bytes),
            "auto-compaction-mode": "revision",
            "auto-compaction-retention": str(settings.compaction_revisions),
            "heartbeat-interval": str(settings.heartbeat_interval_ms),
            "election-timeout": str(settings.election_timeout_ms),
            "logger": "zap",
            "log-level": "warn",
        }
        return [f"--{name}={value}" for name, value in options.items()]

    async def _spawn(self, argv: list[str]) -> asyncio.subprocess.Process:
        for name in ("client:1", f"{self.node_id}:1"):  # etcd does not always remove those of a killed one
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.folder / name)
        try:
            return await asyncio.create_subprocess_exec(
                *argv, cwd=self.folder, env=_environment(os.environ), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
                preexec_fn=preparation((), signal.SIGKILL, None, foreground=False),  # it ends with the agent
            )  # fmt: skip
        except OSError as error:
            raise EngineError(f"cannot start {argv[0]}: {error}") from error

    async def _keep_running(self, argv: list[str], process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        wait_s, started = FIRST_RESTART_S, loop.time()
        lines = LogLines(loop.time)
        try:
            while True:
                self.is_removed = await _log_of(process, lines)
                ended = describe_end(await process.wait())
                if self.is_removed:
                    log.warning("etcd %s: this server was removed from its cluster", ended)
                    return
                level, text = lines.ended(ended)
                log.log(level, "%s", text)
                wait_s = FIRST_RESTART_S if loop.time() - started > LASTED_S else min(2 * wait_s, MAX_RESTART_S)
                await asyncio.sleep(wait_s)
                started = loop.time()
                process = await self._spawn(argv)
        finally:
            await _end(process)


async def _log_of(process: asyncio.subprocess.Process, lines: LogLines) -> bool:
    """Write the output of a process into the log until it ends; return whether it has reported that it was removed as a member."""
    assert process.stderr is not None
    is_removed = False
    async for line in process.stderr:
        level, text = lines.parse(line)
        is_removed = is_removed or REMOVED in text
        log.log(level, "%s", text)
    return is_removed


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        log.warning("etcd did not end within %gs and is killed", STOP_S)
        process.kill()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that etcd reads as options."""
    return {name: value for name, value in environ.items() if not name.startswith("ETCD_")}


def _url(node_id: str) -> str:
    return f"unix://{node_id}:1"
