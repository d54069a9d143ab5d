"""Check, promote, reload, roll back; groups; one file for each item; streams and files that are written in place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually

BIN = Path(sys.executable).parent


def run(agent: Any, folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The tool with -once, to its end."""
    return subprocess.run(
        [str(BIN / "pyconsul-template"), "-once", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": agent.address},
        input=stdin,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_file_that_its_check_refuses_is_not_promoted(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("check/a", "good")
    config = """template {
      source = "in.j2"
      destination = "out"
      check = "grep -q good {{ path }} || { echo $(cat {{ path }}) is not good; exit 3; }"
      command = "echo ran >> log"
    }
    template { source = "other.j2" destination = "other" }"""
    tool = template(
        agent, "-config", "c.hcl", c_hcl=config, in_j2="{{ key('check/a') }}", other_j2="{{ key('check/a') }}"
    )
    tool.shows("out", "good")
    tool.shows("log", "ran\n")
    agent.put("check/a", "bad")
    tool.shows("other", "bad")
    eventually(lambda: tool.said("ended with status 3: **** is not ****"))
    assert tool.text("out") == "good"
    eventually(lambda: not [name for name in os.listdir(tmp_path) if name.startswith(".out")], "the draft stays")
    agent.put("check/a", "good again")
    tool.shows("out", "good again")
    tool.shows("log", "ran\nran\n")


def test_a_check_may_run_the_new_file_itself(agent: Any, tmp_path: Path) -> None:
    (tmp_path / "c.hcl").write_text("""template {
      contents = "#!/bin/sh\\ntest -e fine"
      destination = "out.sh"
      perms = 0755
      check = "{{ path }}"
    }""")
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert "the check '{{ path }}' ended with status 1" in ended.stderr
    (tmp_path / "fine").touch()
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert ended.returncode == 0, ended.stderr
    assert sorted(os.listdir(tmp_path)) == ["c.hcl", "fine", "out.sh"]


def test_the_draft_of_a_tool_that_was_killed_is_removed_and_no_other(agent: Any, template: Any, tmp_path: Path) -> None:
    check = "touch checking; while [ ! -e go ]; do sleep 0.02; done"
    config = f'template {{ contents = "long"\n destination = "out"\n check = "{check}" }}'
    slow = template(agent, "-config", "c.hcl", c_hcl=config)
    eventually((tmp_path / "checking").exists)
    (draft,) = tmp_path.glob(".out*")
    assert run(agent, tmp_path, "-template=-:out", stdin="1").returncode == 0
    assert (draft.read_text(), (tmp_path / "out").read_text()) == ("long", "1")
    slow.process.kill()
    slow.process.wait()
    (tmp_path / "go").touch()  # What it has started ends by itself.
    assert draft.exists()
    ended = run(agent, tmp_path, "-template=-:out", "-log-level=info", stdin="2")
    assert f"{draft.name} has been removed: a run that was killed has left it" in ended.stderr
    assert list(tmp_path.glob(".*")) == []


def test_after_a_failed_reload_the_last_good_file_returns(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("back/a", "1")
    command = "cat out >> seen; ! grep -q 2 out || test -e fine"
    tool = template(
        agent,
        *("-template", f"in.j2:out:{command}", "-template", "other.j2:other", "-consul-retry-max-backoff=100ms"),
        in_j2="{{ key('back/a') }}\n",
        other_j2="{{ key('back/a') }}\n",
    )
    tool.shows("out", "1\n")
    tool.shows("seen", "1\n")
    agent.put("back/a", "2")
    tool.shows("other", "2\n")
    eventually(lambda: tool.said("restored the last good out"))
    eventually(lambda: (tool.text("seen") or "").startswith("1\n2\n1\n"))  # It was loaded again, too.
    assert tool.text("out") == "1\n"
    (tmp_path / "fine").touch()
    tool.shows("out", "2\n")  # Tried again by itself.
    agent.put("back/a", "3")
    tool.shows("out", "3\n")


def test_the_command_of_a_go_template_ends_the_program_unless_it_may_roll_back(agent: Any, tmp_path: Path) -> None:
    (tmp_path / "in.ctmpl").write_text("new")
    (tmp_path / "out").write_text("old")
    ended = run(agent, tmp_path, "-template", "in.ctmpl:out:false")
    assert ended.returncode == 14
    assert (tmp_path / "out").read_text() == "new"
    (tmp_path / "out").write_text("old")
    ended = run(agent, tmp_path, "-rollback", "-template", "in.ctmpl:out:false")
    assert ended.returncode == 14
    assert (tmp_path / "out").read_text() == "old"


def test_a_group_is_promoted_as_one(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("group/a", "1")
    agent.put("group/b", "1")
    config = """
    template { source = "a.j2" destination = "a" render_group = "pair" }
    template { source = "b.j2" destination = "b" render_group = "pair" }
    render_group {
      name = "pair"
      check = "cat {{ paths }} | tr -d '\\n' | grep -Eq '^(.)\\\\1$'"
      command = "cat a b >> log"
      wait = "50ms:1s"
    }"""
    tool = template(
        agent, "-config", "c.hcl", c_hcl=config, a_j2="{{ key('group/a') }}\n", b_j2="{{ key('group/b') }}\n"
    )
    tool.shows("log", "1\n1\n")
    agent.put("group/a", "2")
    eventually(lambda: tool.said("the check"))
    assert (tool.text("a"), tool.text("b")) == ("1\n", "1\n")
    agent.put("group/b", "2")
    tool.shows("b", "2\n")
    tool.shows("a", "2\n")
    tool.shows("log", "1\n1\n2\n2\n")


def test_a_group_needs_a_name_and_templates(agent: Any, tmp_path: Path) -> None:
    (tmp_path / "c.hcl").write_text('render_group { name = "x" }')
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert ended.returncode != 0
    assert "no template belongs to the group 'x'" in ended.stderr


def test_one_file_for_each_item_and_none_for_those_that_are_gone(agent: Any, template: Any, tmp_path: Path) -> None:
    for name in ("api", "web"):
        agent.put(f"sites/{name}", f"{name}.example")
    config = """template {
      source = "site.j2"
      destination = "sites/{{ item.key }}.conf"
      for_each = "ls('sites')"
      prune = true
      command = "ls sites >> log"
    }"""
    tool = template(agent, "-config", "c.hcl", c_hcl=config, site_j2="server {{ item.value }};\n")
    tool.shows("sites/api.conf", "server api.example;\n")
    tool.shows("sites/web.conf", "server web.example;\n")
    (tmp_path / "sites" / "own.conf").write_text("not ours")
    before = (tmp_path / "sites" / "api.conf").stat().st_ino
    agent.put("sites/web", "www.example")
    agent.put("sites/blog", "blog.example")
    tool.shows("sites/web.conf", "server www.example;\n")
    tool.shows("sites/blog.conf", "server blog.example;\n")
    assert (tmp_path / "sites" / "api.conf").stat().st_ino == before
    agent.request("DELETE", "/v1/kv/sites/web")
    tool.shows("sites/web.conf", None)
    eventually(lambda: (tool.text("log") or "").endswith("api.conf\nblog.conf\nown.conf\n"))
    assert tool.end() == 12
    agent.request("DELETE", "/v1/kv/sites/blog")  # Nobody looks: the next run knows which files were made.
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (tmp_path / "sites").glob("*.conf")) == ["api.conf", "own.conf"]
    agent.request("DELETE", "/v1/kv/sites/api")  # An empty list is an accident.
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert "for_each gives nothing: its 1 file(s) stay" in ended.stderr
    assert (tmp_path / "sites" / "api.conf").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('for_each = "services()"\n destination = "out"', "the destination needs"),
        ('for_each = "services("\n destination = "{{ item.name }}"', "for_each 'services('"),
        ('for_each = "1"\n destination = "{{ item }}"', "for_each gives no list"),
        ('destination = "out"\n prune = true', "prune is for templates with for_each"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(agent: Any, tmp_path: Path, settings: str, words: str) -> None:
    (tmp_path / "c.hcl").write_text(f'template {{\n contents = "x"\n syntax = "jinja2"\n {settings}\n }}')
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert ended.returncode != 0
    assert words in ended.stderr


def test_for_each_in_a_go_template(agent: Any, tmp_path: Path) -> None:
    agent.put("gosites/one", "1")
    (tmp_path / "in.ctmpl").write_text("{{ (item).Key }}={{ (item).Value }}")
    (tmp_path / "c.hcl").write_text(
        'template { source = "in.ctmpl"\n destination = "{{ item.key }}.conf"\n for_each = "ls(\'gosites\')" }'
    )
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert (tmp_path / "one.conf").read_text() == "one=1", ended.stderr


def test_stdin_and_stdout(agent: Any, tmp_path: Path) -> None:
    agent.put("stream/a", "x")
    ended = run(agent, tmp_path, "-template=-:-", "-log-level=debug", stdin="{{ key('stream/a') }}!\n")
    assert (ended.returncode, ended.stdout) == (0, "x!\n"), ended.stderr
    ended = run(agent, tmp_path, "-template=-:-", "-syntax=go", stdin='{{ key "stream/a" }}?\n')
    assert (ended.returncode, ended.stdout) == (0, "x?\n"), ended.stderr


def test_a_file_written_in_place_keeps_its_inode(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("place/a", "long text")
    (tmp_path / "out").write_text("before")
    before = (tmp_path / "out").stat().st_ino
    config = 'template { source = "in.j2"\n destination = "out"\n in_place = true }'
    tool = template(agent, "-config", "c.hcl", c_hcl=config, in_j2="{{ key('place/a') }}")
    tool.shows("out", "long text")
    agent.put("place/a", "x")
    tool.shows("out", "x")
    assert (tmp_path / "out").stat().st_ino == before
    # The draft is removed after the file has its text.
    eventually(lambda: sorted(os.listdir(tmp_path)) == ["c.hcl", "in.j2", "out", "stderr"])


def test_the_difference_is_shown_without_values(agent: Any, template: Any, tmp_path: Path) -> None:
    agent.put("diff/secret", "hunter2-hunter2")
    agent.put("diff/port", "8080")
    source = "port {{ key('diff/port') }}\npassword {{ key('diff/secret') }}\nend\n"
    tool = template(agent, "-template", "in.j2:out", "-diff", in_j2=source)
    tool.shows("out", "port 8080\npassword hunter2-hunter2\nend\n")
    agent.put("diff/secret", "swordfish-swordfish")
    tool.shows("out", "port 8080\npassword swordfish-swordfish\nend\n")
    eventually(lambda: tool.said("-password ****\n+password ****\n end\n"))
    assert "hunter2" not in tool.stderr
    assert "swordfish" not in tool.stderr
    assert tool.end(signal.SIGTERM) == 12
    (tmp_path / "in.j2").write_text("new line\n" + source)
    agent.put("diff/secret", "third-secret")  # What the file has now is nobody's secret any more, but one still.
    ended = run(agent, tmp_path, "-template", "in.j2:out", "-diff", "-dry")
    assert "+new line\n" in ended.stdout
    assert "-****\n" in ended.stdout
    assert "swordfish" not in ended.stdout + ended.stderr
    assert "third" not in ended.stdout + ended.stderr
    assert "new line" not in (tmp_path / "out").read_text()


def test_missing_lookups_are_named(agent: Any, template: Any) -> None:
    tool = template(agent, "-template", "in.j2:out", "-missing-after=100ms", in_j2="{{ key('no/a') }}{{ key('no/b') }}")
    eventually(lambda: tool.said("s, for key no/a, key no/b"))


def test_changes_are_logged(agent: Any, template: Any) -> None:
    agent.register(Name="told", ID="told-1", Address="10.0.0.1", Port=80)
    source = "{% for s in service('told') %}{{ s.port }} {% endfor %}"
    tool = template(agent, "-template", "in.j2:out", "-log-level=info", in_j2=source)
    tool.shows("out", "80 ")
    agent.register(Name="told", ID="told-2", Address="10.0.0.3", Port=8080)
    tool.shows("out", "80 8080 ")
    eventually(lambda: tool.said("out: service told: +10.0.0.3:8080"))
    agent.deregister("told-2")
    tool.shows("out", "80 ")
    eventually(lambda: tool.said("out: service told: -10.0.0.3:8080"))


def test_json_log(agent: Any, template: Any) -> None:
    tool = template(agent, "-template", "in.j2:out", "-log-format=json", "-log-level=info", in_j2="x")
    tool.shows("out", "x")
    eventually(lambda: tool.said("out has been written"))
    assert all(json.loads(line)["@level"] for line in tool.stderr.splitlines())


def test_a_bad_item_is_skipped_and_named_and_harms_no_other(agent: Any, tmp_path: Path) -> None:
    (tmp_path / "c.hcl").write_text(
        """template { contents = "x"
 syntax = "jinja2"
 destination = "conf/{{ item }}"
 for_each = "['good', '../evil', 'good', 'a\\nb', 'better']" }"""
    )
    ended = run(agent, tmp_path, "-config", "c.hcl")
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in (tmp_path / "conf").iterdir()) == ["better", "good"]
    for words in (
        "'../evil': the destination evil is outside of conf",
        "'good': an item before it has",
        "control char",
    ):
        assert words in ended.stderr
    assert ended.stderr.count("skipped item") == 3


def test_an_alias_bomb_is_refused_and_a_long_rendering_gives_way_to_sigterm(agent: Any, template: Any) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    agent.put("bomb", bomb)
    tool = template(agent, "-once", "-template", "in.j2:out", in_j2="{{ key('bomb') | parse_yaml | to_json }}")
    assert tool.process.wait(PATIENCE) == 14
    assert "its aliases stand for more than 100,000 values" in tool.stderr
    endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    tool = template(agent, "-template", "in.j2:out", in_j2=endless, environ={"X": "1"})
    eventually(lambda: _cpu_seconds(tool.process.pid) > 1, "it does not work")
    assert tool.end(signal.SIGTERM) == 12


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")
