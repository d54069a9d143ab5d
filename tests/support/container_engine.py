"""A container engine of its own (`dockerd`), for as long as a test needs it: no network, nothing outside its folder.

It runs with its own process and mount namespaces, so that ending it ends everything it started and unmounts everything
it mounted.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START = 20  # seconds an engine gets to answer
PATIENCE = 30.0  # seconds for one request
IMAGE = "small:1"
CONTROL_GROUPS = Path("/sys/fs/cgroup")
PROGRAMS = ("dockerd", "containerd", "runc", "unshare")
# What the engine keeps outside the folders it is given goes to memory, and away with its mount namespace.
START_SCRIPT = 'for d in /run /opt; do [ ! -d $d ] || mount -t tmpfs none $d || exit; done; exec dockerd "$@"'


class NoEngine(Exception):
    """An engine cannot run here; the text says why."""


class ContainerEngine:
    """A running engine with one image: a busybox, with all its programs in /bin."""

    def __init__(self, folder: Path, bridge: str = "none") -> None:
        """`bridge`: the name of a network bridge of the host, for containers with published ports."""
        self.folder = folder
        self.bridge = bridge
        self.process: subprocess.Popen[bytes] | None = None
        self.socket = folder / "s"
        self.host = f"unix://{self.socket}"

    def start(self) -> None:
        """Start it; its containers are those of earlier.  Raises NoEngine."""
        (self.folder / "pid").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "run", ignore_errors=True)  # as at the start of a machine
        self.process = _started(self)
        _wait(self, self.process)

    def kill(self) -> None:
        """End it with everything that it runs, as a power cut would."""
        if self.process is not None:
            _end(self, self.process)
            self.process = None

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of one request; a body that is not bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
        connection = http.client.HTTPConnection("engine", timeout=PATIENCE)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(PATIENCE)
            connection.sock.connect(str(self.socket))
            connection.request(method, path, data, {"Content-Type": kind})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def done(self, method: str, path: str, body: Any = None) -> bytes:
        """Return the body of a request that succeeds."""
        status, data = self.request(method, path, body)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {data[:300]!r}")
        return data

    def run(self, name: str, shared: Path | None = None) -> None:
        """Start a container that sleeps, without a network; `shared` is a folder that it sees as /shared."""
        host = {"NetworkMode": "none", "Init": False, "Binds": [f"{shared}:/shared:ro"] if shared else []}
        body = {"Image": IMAGE, "Cmd": ["/bin/sleep", "100000"], "StopSignal": "SIGKILL", "HostConfig": host}
        self.done("POST", f"/containers/create?name={name}", body)
        self.done("POST", f"/containers/{name}/start")

    def remove(self, name: str) -> None:
        """End a container, and forget it."""
        self.done("DELETE", f"/containers/{name}?force=1")

    def clear(self) -> None:
        """End and forget all containers."""
        for container in json.loads(self.done("GET", "/containers/json?all=1")):
            self.remove(container["Id"])


@contextlib.contextmanager
def running_engine(*, bridged: bool = False) -> Iterator[ContainerEngine]:
    """An engine for as long as the block runs.  Raises NoEngine."""
    if os.geteuid() != 0:
        raise NoEngine("only root can run dockerd")
    if missing := [program for program in (*PROGRAMS, "busybox") if shutil.which(program) is None]:
        raise NoEngine(f"not installed: {', '.join(missing)}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="engine-")))
        engine = ContainerEngine(folder, stack.enter_context(_bridge()) if bridged else "none")
        stack.callback(engine.kill)
        engine.start()
        _make_image(engine)
        yield engine
        engine.clear()


@contextlib.contextmanager
def _bridge() -> Iterator[str]:
    """A bridge while the block runs.  Raises NoEngine."""
    if shutil.which("ip") is None:
        raise NoEngine("not installed: ip")
    number = random.randrange(16, 250)
    name = f"pctest{number}"
    for command in (
        f"link add {name} type bridge",
        f"address add 172.28.{number}.1/24 dev {name}",
        f"link set {name} up",
    ):
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        if done.returncode:
            subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)
            raise NoEngine(f"no bridge can be made here: {done.stderr.strip()}")
    try:
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], capture_output=True, check=False)


def _started(engine: ContainerEngine) -> subprocess.Popen[bytes]:
    folder = engine.folder
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    options = [
        "--cgroup-parent",
        f"/{folder.name}",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        f"--bridge={engine.bridge}",
        "--storage-driver=vfs",
        "--host",
        engine.host,
    ]
    places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/run", "--pidfile", f"{folder}/pid"]
    with (folder / "log").open("wb") as log:
        command = [*namespaces, "sh", "-c", START_SCRIPT, "dockerd", *options, *places]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _end(engine: ContainerEngine, process: subprocess.Popen[bytes]) -> None:
    """End the engine: its namespaces end with it, and what is in them."""
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)  # `unshare` then ends by itself
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    for group in (path for pattern in ("", "*/") for path in CONTROL_GROUPS.glob(pattern + engine.folder.name)):
        _remove_group(group, deadline)


def _remove_group(group: Path, deadline: float) -> None:
    """Remove a control group and those of containers in it; the kernel takes a moment to end their processes."""
    while group.exists():
        try:
            for inner in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                inner.rmdir()
            group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _wait(engine: ContainerEngine, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if engine.request("GET", "/_ping")[0] == 200:
                return
        time.sleep(0.05)
    last = (engine.folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
    raise NoEngine(f"dockerd does not come up here: {' '.join(last)}")


def _make_image(engine: ContainerEngine) -> None:
    program = shutil.which("busybox")
    if program is None:
        raise NoEngine("not installed: busybox")
    names = subprocess.run([program, "--list"], capture_output=True, text=True, check=True, timeout=PATIENCE)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(os.path.realpath(program), "bin/busybox")
        for name in names.stdout.split():
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            if name != "busybox":
                tar.addfile(link)
    image, _, tag = IMAGE.partition(":")
    engine.done("POST", f"/images/create?fromSrc=-&repo={image}&tag={tag}", packed.getvalue())
