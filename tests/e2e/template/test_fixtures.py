"""Rendering without Consul: -data, -record, and template tests as a program."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.eventually import eventually

TOOL = str(Path(sys.executable).parent / "pyconsul-template")
FIXTURE = """\
services:
  web: ["10.0.0.1:8080", {address: 10.0.0.2, port: 8081, status: critical}]
keys:
  app/name: demo
"""
JINJA = '{{ key("app/name") }}:{% for s in service("web") %} {{ s.address }}:{{ s.port }}{% endfor %}\n'
GO = '{{ key "app/name" }}:{{ range service "web" }} {{ .Address }}:{{ .Port }}{{ end }}\n'


def run(folder: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": "127.0.0.1:1"}  # Nobody is there.
    return subprocess.run(
        [TOOL, *words], cwd=folder, env=environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )


def test_both_syntaxes_render_from_a_fixture(tmp_path: Path) -> None:
    for name, text in (("f.yaml", FIXTURE), ("in.j2", JINJA), ("in.ctmpl", GO)):
        (tmp_path / name).write_text(text)
    ended = run(tmp_path, "-data", "f.yaml", "-template", "in.j2:a", "-template", "in.ctmpl:b")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() == "demo: 10.0.0.1:8080\n"
    ended = run(tmp_path, "-data", "f.yaml", "-template=-:-", stdin=JINJA)
    assert (ended.returncode, ended.stdout) == (0, "demo: 10.0.0.1:8080\n")


def test_missing_data_of_a_fixture_ends_the_run_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(FIXTURE)
    ended = run(tmp_path, "-data", "f.yaml", "-template=-:-", stdin='{{ key("app/nane") }}')
    assert ended.returncode == 14
    assert "it has no key 'app/nane'; did you mean 'app/name'?" in ended.stderr
    (tmp_path / "f.yaml").write_text("services:\n  web: [{adress: 10.0.0.1}]\n")
    ended = run(tmp_path, "-data", "f.yaml", "-template=-:-", stdin="x")
    assert ended.returncode != 0
    assert "f.yaml:2: services.web[0].adress" in ended.stderr


def test_a_recording_renders_the_same_bytes(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.register(Name="recorded", ID="r-1", Address="10.0.0.1", Port=80, Tags=["a"], Meta={"k": "v"})
    agent.put("recorded/key", "a value\nwith two lines")
    source = (
        '{{ key("recorded/key") }}{% for s in service("recorded") %}{{ s.id }} {{ s.tags }} {{ s.service_meta }}'
        '{% endfor %}{% for p in tree("recorded") %}{{ p.key }}{% endfor %}{{ env("PATH") }}{{ key_exists("no") }}'
    )
    tool = template(agent, "-template", "in.j2:out", "-record", "made.yaml", in_j2=source)
    eventually(lambda: tool.text("out") and tool.text("made.yaml"))
    recorded = tmp_path / "made.yaml"
    assert stat.S_IMODE(recorded.stat().st_mode) == 0o600
    assert tool.end() == 12
    ended = run(tmp_path, "-data", "made.yaml", "-template", "in.j2:again")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "again").read_bytes() == (tmp_path / "out").read_bytes()


def test_template_tests_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "in.j2").write_text(JINJA)
    (tmp_path / "f.yaml").write_text(FIXTURE)
    test = tmp_path / "a.test.yaml"
    test.write_text('template: in.j2\nfixture: f.yaml\nexpect: "demo: 10.0.0.1:8080\\n"\n')
    assert run(tmp_path, "test", ".").returncode == 0
    test.write_text('template: in.j2\nfixture: f.yaml\nexpect: "demo:\\n"\n')
    ended = run(tmp_path, "test", ".")
    assert ended.returncode == 1
    assert "    -demo:\n    +demo: 10.0.0.1:8080\n" in ended.stdout
    assert "<failure" in run(tmp_path, "test", "-format=junit", ".").stdout
    test.unlink()
    assert run(tmp_path, "test", ".").returncode == 2
