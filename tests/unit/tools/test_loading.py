"""What is loaded when: a tool that has nothing to ask Consul does not wait for the HTTP client."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

PROGRAM = """
import sys
from pyconsul.tools.{tool}.main import main
status = main(sys.argv[1:])
print(*(name for name in ("httpx", "httpcore", "rich") if name in sys.modules), file=sys.stderr)
sys.exit(status)
"""
FILES = {
    "in.j2": "{{ key('a') }}",
    "data.yaml": "keys: {a: one}",
    "one.test.yaml": "template: in.j2\nfixture: data.yaml\nexpect: one",
}


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("envconsul", "-h"),
        ("envconsul", "-version"),
        ("template", "-h"),
        ("template", "-version"),
        ("template", "-parse-only -template in.j2:out"),
        ("template", "-data data.yaml -dry -template in.j2:out"),
        ("template", "test one.test.yaml"),
        ("template", "test -h"),
    ],
)
def test_the_http_client_is_not_loaded_in_vain(tmp_path: Path, tool: str, words: str) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-c", PROGRAM.format(tool=tool), *words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "\n")


ONE_SHOT = """
import sys
from pyconsul.tools.template.main import main
status = main(sys.argv[1:])
heavy = ("asyncio", "dataclasses", "jinja2.ext", "logging", "socket", "ssl", "subprocess", "traceback", "yaml")
print(*(name for name in heavy if name in sys.modules), file=sys.stderr)
sys.exit(status)
"""


def answer_one_key(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        body = b'[{"Key":"a","Value":"b25l","Flags":0,"CreateIndex":7,"ModifyIndex":7,"LockIndex":0}]'
        head = f"HTTP/1.1 200 OK\r\nX-Consul-Index: 7\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)


@pytest.mark.parametrize("template", ["{{ key('a') }}", '{{ key "a" }}'], ids=["jinja2", "go"])
def test_a_one_shot_run_loads_little(tmp_path: Path, template: str) -> None:
    source = "in.ctmpl" if '"' in template else "in.j2"
    (tmp_path / source).write_text(template)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer_one_key, args=(listener,), daemon=True)
        server.start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        words = ["-consul-addr", address, "-once", "-template", f"{source}:out"]
        command = [sys.executable, "-c", ONE_SHOT, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        server.join(60)
    assert (done.returncode, done.stderr) == (0, "\n")
    assert (tmp_path / "out").read_text() == "one"
