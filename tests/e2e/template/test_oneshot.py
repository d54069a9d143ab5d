"""-once without an event loop does what the watching run does: the same files, outputs and exit statuses."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually

FAST = "from pyconsul.tools.template import main; raise SystemExit(main.main())"
WATCHING = f"from pyconsul.tools.template import one_shot_run; one_shot_run.is_one_shot = lambda plan: False; {FAST}"
FILES = {
    "a.ctmpl": '{{ key "o/a" }} {{ range service "web|any" }}{{ .Name }}:{{ .Port }}{{ end }} '
    '{{ keyOrDefault (key "o/b") "none" }}\n',
    "b.j2": "{{ key('o/a') }} {% for s in services() %}{{ s.name }} "
    "{% for i in service(s.name) %}{{ i.node }}{% endfor %}{% endfor %}\n",
    "services.j2": "{% for s in services() %}{{ s.name }} {% endfor %}",
    "node.ctmpl": "{{ with node }}{{ .Node.Node }}{{ end }}{{ range datacenters }} {{ . }}{{ end }}",
    "file.ctmpl": '{{ file "b.j2" }}',
    "nofile.j2": "{{ file('nowhere') }}",
    "syntax.ctmpl": "{{ if }}",
    "syntax.j2": "{% if %}",
    "unknown.ctmpl": '{{ kee "o/a" }}',
    "wrong.ctmpl": '{{ key "o/a" | parseInt }}',
    "wrong.j2": "{{ nothing }}",
    "missing.ctmpl": '{{ key "o/missing" }}',
    "old": "old text\n",
    "more.hcl": 'template { source = "a.ctmpl" destination = "old" perms = 0600 backup = true }\n'
    'template { contents = "{{ key \\"o/b\\" }}" destination = "sub/dir/b" }\n',
    "nodir.hcl": 'template { source = "a.ctmpl" destination = "sub/a" create_dest_dirs = false }',
    "check.hcl": 'template { source = "a.ctmpl" destination = "old" check = "echo no; exit 3" }',
    "guard.hcl": 'min_instances = 0\ntemplate { source = "b.j2" destination = "old" }',
    "each.hcl": 'template { source = "b.j2" destination = "{{ item.key }}.each" for_each = "ls(\'o\')" }',
    "group.hcl": 'render_group { name = "g" command = "echo group >> ran" }\n'
    'template { source = "a.ctmpl" destination = "a" render_group = "g" }\n'
    'template { source = "b.j2" destination = "b" render_group = "g" }',
}
CASES = {
    "files": "-template a.ctmpl:a -template b.j2:b -template node.ctmpl:n",
    "stdout": "-template a.ctmpl:-",
    "dry": "-dry -template a.ctmpl:a -template b.j2:old",
    "diff": "-diff -template a.ctmpl:old",
    "dry diff": "-dry -diff -template a.ctmpl:old",
    "parse only": "-parse-only -template a.ctmpl:a",
    "file": "-template file.ctmpl:a",
    "no such file": "-template nofile.j2:a",
    "perms, backup, folders": "-config more.hcl",
    "no folder": "-config nodir.hcl",
    "command": "-template a.ctmpl:a:echo${IFS}ran>>ran -template b.j2:b",
    "failing command": "-template a.ctmpl:a:false -template b.j2:b",
    "no command for what stays": "-template file.ctmpl:b.j2:echo>>ran",
    "refusing check": "-config check.hcl",
    "guard": "-config guard.hcl",
    "for each": "-config each.hcl",
    "group": "-config group.hcl",
    "syntax": "-template syntax.ctmpl:a -template a.ctmpl:b",
    "syntax of Jinja2": "-template syntax.j2:a",
    "unknown function": "-template unknown.ctmpl:a",
    "secret in an error": "-template a.ctmpl:b -template wrong.ctmpl:a",
    "undefined": "-template wrong.j2:a",
    "no agent": "-consul-addr 127.0.0.1:1 -consul-retry-attempts 1 -consul-retry-backoff 10ms -template missing.ctmpl:a",
    "signal that cannot be caught": "-kill-signal SIGKILL -template a.ctmpl:a",
}
_TIME = re.compile(r"^\d{4}-\S+ ", re.MULTILINE)
_JITTER = re.compile(r"again in \S+?s\b")


class Ended:
    """What a run has left: its exit status, its outputs without times, its files with their permissions."""

    def __init__(self, folder: Path, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = _JITTER.sub("again", _TIME.sub("", err))
        self.files = {
            str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


class Pair:
    """The same command line twice, in folders of their own: as it is, and with the watching run from the start."""

    def __init__(self, folder: Path, address: str, words: list[str], **environ: str) -> None:
        self.folders = [folder / "fast", folder / "watching"]
        self.runs = []
        for place, code in zip(self.folders, (FAST, WATCHING), strict=True):
            place.mkdir(parents=True)
            for name, text in FILES.items():
                (place / name).write_text(text)
            self.runs.append(
                subprocess.Popen(
                    [sys.executable, "-c", code, "-once", *words],
                    cwd=place,
                    env={"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": address, **environ},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )

    def ended(self) -> Ended:
        """How both have ended, which is the same."""
        fast, watching = (
            Ended(folder, run.returncode, out, err)
            for folder, run in zip(self.folders, self.runs, strict=True)
            for out, err in [run.communicate(timeout=PATIENCE)]
        )
        assert vars(fast) == vars(watching)
        return fast


Start = Callable[..., Pair]


@pytest.fixture
def start(agent: Any, tmp_path: Path) -> Any:
    agent.put("o/a", "hunter2")
    agent.put("o/b", "b")
    agent.register(Name="web", Port=80)
    pairs: list[Pair] = []

    def begin(words: str, address: str = agent.address, name: str = "", **environ: str) -> Pair:
        pairs.append(Pair(tmp_path / name, address, words.split(), **environ))
        return pairs[-1]

    yield begin
    for pair in pairs:
        for run in pair.runs:
            run.kill()
            run.communicate()


@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
def test_both_runs_do_the_same(start: Start, words: str) -> None:
    ended = start(words).ended()
    assert "hunter2" not in ended.err
    assert "Traceback" not in ended.err


def test_acls_refuse_and_filter(special_agent: Any, start: Start) -> None:
    agent = special_agent(
        "root-token", acl={"enabled": True, "default_policy": "deny", "tokens": {"initial_management": "root-token"}}
    )
    words = "-consul-retry-attempts 1 -consul-retry-backoff 10ms -template services.j2:s"
    assert "403" in start(words, agent.address, "refused", CONSUL_HTTP_TOKEN="wrong").ended().err
    agent.register(Name="web", Port=80)
    token = json.loads(agent.request("PUT", "/v1/acl/token", b"{}"))["SecretID"]
    filtered = start(words, agent.address, "filtered", CONSUL_HTTP_TOKEN=token).ended()
    assert (filtered.status, filtered.err.count("has left out")) == (0, 1)


def test_a_missing_key_is_waited_for(agent: Any, start: Start) -> None:
    pair = start("-template a.ctmpl:a -template missing.ctmpl:m")
    eventually(lambda: all((folder / "a").exists() for folder in pair.folders))
    agent.put("o/missing", "there")
    ended = pair.ended()
    assert (ended.status, ended.files["m"][0]) == (0, b"there")
    agent.request("DELETE", "/v1/kv/o/missing")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_that_waits(start: Start, sig: int) -> None:
    pair = start("-template a.ctmpl:a -template missing.ctmpl:m")
    eventually(lambda: all((folder / "a").exists() for folder in pair.folders))
    for run in pair.runs:
        run.send_signal(sig)
    ended = pair.ended()
    assert ended.status == 12
    assert ended.err.endswith("Cleaning up...\n")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_whose_agent_is_silent(start: Start, sig: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pair = start("-template a.ctmpl:a", f"127.0.0.1:{silent.getsockname()[1]}")
        connections = [silent.accept()[0] for _ in pair.runs]
        for connection in connections:
            connection.recv(1)
        for run in pair.runs:
            run.send_signal(sig)
        assert pair.ended().status == 12
        for connection in connections:
            connection.close()


def test_the_configuration_is_read_again_while_a_run_waits(start: Start) -> None:
    pair = start("-template a.ctmpl:a -template missing.ctmpl:m")
    eventually(lambda: all((folder / "a").exists() for folder in pair.folders))
    for folder, run in zip(pair.folders, pair.runs, strict=True):
        (folder / "missing.ctmpl").write_text("nothing is missing")
        run.send_signal(signal.SIGHUP)
    ended = pair.ended()
    assert (ended.status, ended.files["m"][0]) == (0, b"nothing is missing")
    assert "Reloading configuration..." in ended.err


LOADED = f"""
import sys
try:
    {FAST}
except SystemExit as end:
    print(end.code, *(name for name in {{heavy}} if name in sys.modules))
"""
HEAVY = (
    "asyncio",
    "httpx",
    "rich",
    "click",
    "msgspec",
    "ssl",
    "yaml",
    "hcl2",
    "difflib",
    "subprocess",
    "tempfile",
    "shutil",
)
GO_ONLY = ("jinja2", "dataclasses", "inspect", "random", "hashlib")


@pytest.mark.parametrize(("words", "heavy"), [("a.ctmpl:a", (*HEAVY, *GO_ONLY)), ("b.j2:b", HEAVY[:9])])
def test_a_one_shot_run_loads_little(
    start: Start, agent: Any, tmp_path: Path, words: str, heavy: tuple[str, ...]
) -> None:
    for name in ("a.ctmpl", "b.j2"):
        (tmp_path / name).write_text(FILES[name])
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(heavy=heavy), "-once", "-consul-addr", agent.address, "-template", words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
