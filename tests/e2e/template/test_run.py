"""pyconsul-template as a program, with a real agent: rendering, outages, reloads, signals, children."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually


@pytest.mark.single_server("counts the servers", mode="follower")
def test_an_outage_is_ridden_out(own_agent: Any, template: Any) -> None:
    own_agent.put("a", "one")
    own_agent.put("b", "x")
    tool = template(
        own_agent,
        "-template",
        "in.j2:out",
        "-consul-retry-max-backoff",
        "200ms",
        in_j2="{{ key('a') }} {{ key('b') }} {% for s in services() %}{{ service(s.name)|length }}{% endfor %}",
    )
    tool.shows("out", "one x 1")
    own_agent.stop()
    eventually(lambda: tool.said("lost Consul at"))
    assert tool.text("out") == "one x 1"
    own_agent.start()
    eventually(lambda: tool.said("answers again"))
    assert tool.text("out") == "one x 1"  # The keys are gone: their last values stay.
    own_agent.put("a", "two")
    tool.shows("out", "two x 1")
    assert tool.stderr.count("lost Consul") == 1
    assert tool.stderr.count("answers again") == 1


def test_no_agent_at_first(own_agent: Any, template: Any) -> None:
    own_agent.stop()
    tool = template(own_agent, "-template", "in.j2:out", "-consul-retry-max-backoff=200ms", in_j2="{{ key('a') }}")
    eventually(lambda: tool.said("cannot reach Consul at"))
    assert tool.text("out") is None
    own_agent.start()
    own_agent.put("a", "here")
    tool.shows("out", "here")


def test_only_changed_files_are_written(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("w/a", "1")
    agent.put("w/b", "1")
    tool = template(
        agent,
        *("-template", "a.j2:a.out", "-template", "b.j2:b.out"),
        a_j2="{{ key('w/a') }}",
        b_j2="{{ key('w/b') }}",
    )
    tool.shows("a.out", "1")
    tool.shows("b.out", "1")
    before = (tmp_path / "a.out").stat().st_ino
    agent.put("w/b", "2")
    tool.shows("b.out", "2")
    assert (tmp_path / "a.out").stat().st_ino == before


def test_a_bad_reload_changes_nothing(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("r/a", "1")
    config = 'template { source = "in.j2" destination = "out" }\n'
    tool = template(agent, "-config", "c.hcl", c_hcl=config, in_j2="one {{ key('r/a') }}")
    tool.shows("out", "one 1")
    for name, text, words in (
        ("in.j2", "{% if %}", "in.j2:1:"),
        ("c.hcl", config + "nonsense = 1\n", "unknown key 'nonsense'"),
    ):
        (tmp_path / name).write_text(text)
        tool.process.send_signal(signal.SIGHUP)
        eventually(lambda words=words: tool.said(words))
    agent.put("r/a", "2")
    tool.shows("out", "one 2")
    (tmp_path / "c.hcl").write_text(config)
    (tmp_path / "in.j2").write_text("two {{ key('r/a') }}")
    tool.process.send_signal(signal.SIGHUP)
    tool.shows("out", "two 2")


def test_the_child_survives_a_reload(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("c/a", "1")
    child = "trap 'echo hup >> log' HUP; echo start >> log; while :; do sleep 0.05; done"
    tool = template(
        agent,
        *("-template", "in.j2:out", "-exec", child, "-exec-reload"),
        in_j2="one {{ key('c/a') }}",
    )
    tool.shows("log", "start\n")
    (tmp_path / "in.j2").write_text("two {{ key('c/a') }}")
    tool.process.send_signal(signal.SIGHUP)
    tool.shows("out", "two 1")
    tool.shows("log", "start\nhup\n")
    assert tool.end(signal.SIGTERM) == 12


def test_a_reload_that_fails_is_tried_again_and_ends_nothing(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("f/a", "1")
    tool = template(
        agent,
        *("-template", "in.j2:out", "-exec-reload", "echo try >> log; test -e fine && cat out >> done"),
        in_j2="{{ key('f/a') }}\n",
    )
    tool.shows("out", "1\n")
    eventually(lambda: tool.said("the reload failed"))
    (tmp_path / "fine").touch()
    tool.shows("done", "1\n")
    agent.put("f/a", "2")
    tool.shows("done", "1\n2\n")


def test_awaited_lookups_are_logged(agent: Any, template: Any) -> None:
    tool = template(agent, "-template", "in.j2:out", in_j2="{{ key('no/such') }}")
    eventually(lambda: tool.said("in.j2: waiting for missing keys: key no/such"))
    assert tool.text("out") is None


def test_values_are_kept_byte_by_byte(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.request("PUT", "/v1/kv/bytes", b"\xff\x00\r\n\xc5\xbe")
    (tmp_path / "in.ctmpl").write_text('{{ key "bytes" }}')
    flags = ("-once", "-template", "in.ctmpl:go.out", "-template", "in.j2:out")
    tool = template(agent, *flags, in_j2="{{ key('bytes') }}")
    assert tool.process.wait(30) == 0, tool.stderr
    for name in ("out", "go.out"):
        assert (tmp_path / name).read_bytes() == b"\xff\x00\r\n\xc5\xbe"


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_the_ends(agent: Any, template: Any, sig: int) -> None:
    tool = template(agent, "-template", "in.j2:out", "-pid-file", "pid", in_j2="x")
    tool.shows("out", "x")
    assert tool.text("pid") == f"{tool.process.pid}\n"
    assert tool.end(sig) == 12
    assert tool.text("pid") is None


def test_senseless_settings_are_reported_at_once(agent: Any, template: Any) -> None:
    tool = template(agent)
    assert tool.process.wait(PATIENCE) == 13
    assert "nothing to render: give -template" in tool.stderr
    tool = template(agent, "-template", "a.j2:out", "-template", "b.j2:./out", a_j2="a", b_j2="b")
    assert tool.process.wait(PATIENCE) == 14
    assert "templates a.j2 and b.j2 have the same destination ./out" in tool.stderr


def test_a_failed_command_is_one_line_with_once(agent: Any, template: Any) -> None:
    tool = template(agent, "-once", "-template", "a.j2:out:exit 3", a_j2="a")
    assert tool.process.wait(PATIENCE) == 14
    assert tool.stderr == "pyconsul-template: command 'exit 3' failed with status 3\n"
