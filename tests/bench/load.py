"""Runs the load generators (wrk, dnsperf) and the servers they are pointed at."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS = 3


@contextlib.contextmanager
def reference_http(port: int, size: int) -> Iterator[str]:
    """A bare uvicorn application that answers `size` bytes; its URL."""
    with _server([sys.executable, str(HERE / "reference_http.py"), str(port), str(size)], port):
        yield f"http://127.0.0.1:{port}/"


@contextlib.contextmanager
def reference_udp(port: int, answer: bytes) -> Iterator[None]:
    """A bare uvloop UDP echo of an answer."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(answer)
        file.flush()
        with _server([sys.executable, str(HERE / "reference_udp.py"), str(port), file.name], None):
            time.sleep(0.5)
            yield


@contextlib.contextmanager
def reference_tcp(port: int) -> Iterator[None]:
    """A bare uvloop TCP echo."""
    with _server([sys.executable, str(HERE / "reference_tcp.py"), str(port)], port):
        yield


@contextlib.contextmanager
def _server(argv: list[str], port: int | None) -> Iterator[None]:
    process = subprocess.Popen(argv)
    try:
        deadline = time.monotonic() + 15
        while port is not None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def wrk(url: str, connections: int = 32, script: str = "", seconds: int = SECONDS) -> float:
    """Requests a second; a run with an answer that is not 2xx is an error."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script)
        lua.flush()
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *(["-s", lua.name] if script else []), url]
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in out:
        raise RuntimeError(out)
    found = re.search(r"Requests/sec:\s+([\d.]+)", out)
    assert found is not None, out
    return float(found[1])


def dnsperf(port: int, questions: list[str], seconds: int = SECONDS, once: bool = False) -> float:
    """Questions answered a second; a lost one is an error.  `once`: each question is asked one time, however long it takes."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(questions) + "\n")
        file.flush()
        argv = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", file.name, "-e", "-b", "4096"]
        argv += ["-n", "1"] if once else ["-l", str(seconds)]
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    if not re.search(r"Queries lost:\s+0 ", out):
        raise RuntimeError(out)
    found = re.search(r"Queries per second:\s+([\d.]+)", out)
    assert found is not None, out
    return float(found[1])
