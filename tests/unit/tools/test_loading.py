"""What is loaded when: a tool that has nothing to ask Consul does not wait for the HTTP client."""

from __future__ import annotations

import subprocess
import sys
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
