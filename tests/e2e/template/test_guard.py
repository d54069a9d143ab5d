"""Guards of a real run: services lose instances, and the file keeps them until they are back."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from support.eventually import PATIENCE, eventually
from support.ports import free_ports

PORTS = "{% for s in service(name) %}{{ s.port }} {% endfor %}"
GO = '{{ range service "NAME" }}{{ .Port }} {{ end }}{{ keyOrDefault "NAME/note" "-" }}'
JINJA = PORTS + "{{ key_or_default(name ~ '/note', '-') }}"


class Web:
    """A service of one test's own; its instances have ports as their names."""

    def __init__(self, agent: Any, name: str) -> None:
        self.agent, self.name = agent, name

    def add(self, *ports: int) -> None:
        for port in ports:
            self.agent.register(ID=f"{self.name}-{port}", Name=self.name, Port=port)

    def remove(self, *ports: int) -> None:
        for port in ports:
            self.agent.deregister(f"{self.name}-{port}")

    def note(self, text: str) -> None:
        self.agent.put(f"{self.name}/note", text)

    def text(self, syntax: str) -> str:
        return GO.replace("NAME", self.name) if syntax == "go" else "{% set name = '" + self.name + "' %}" + JINJA


@pytest.fixture
def web(agent: Any, request: pytest.FixtureRequest) -> Web:
    return Web(agent, request.node.name.replace("_", "-").replace("[", "-").replace("]", ""))


@pytest.mark.parametrize("syntax", ["go", "jinja2"])
def test_too_few_instances_are_not_shown(agent: Any, web: Web, template: Any, syntax: str) -> None:
    web.add(1, 2, 3)
    source = "in.ctmpl" if syntax == "go" else "in.j2"
    tool = template(
        agent, "-template", f"{source}:out", "-min-instances", "2", **{source.replace(".", "_"): web.text(syntax)}
    )
    tool.shows("out", "1 2 3 -")
    web.remove(3)
    tool.shows("out", "1 2 -")
    web.remove(1, 2)
    eventually(lambda: tool.said(f"guard: service {web.name} has"))
    web.note("a")
    tool.shows("out", "1 2 a")
    web.add(4, 5)
    tool.shows("out", "4 5 a")
    assert tool.said(f"guard: service {web.name} has recovered: 2 instances")


def test_the_start_waits_for_enough(agent: Any, web: Web, template: Any) -> None:
    web.add(1)
    tool = template(agent, "-template", "in.j2:out", "-min-instances=2", in_j2=web.text("jinja2"))
    eventually(lambda: tool.said(f"guard: service {web.name} has 1 instance (minimum 2); waiting for more"))
    assert tool.text("out") is None
    web.add(2)
    tool.shows("out", "1 2 -")
    assert "does not exist" not in tool.stderr


CONFIG = """
template {
  source = "in.j2"
  destination = "out"
  max_drop = 1
}
guard {
  service = "NAME"
  max_drop = "50%"
}
"""


def test_a_drop_is_held_over_another_reading_of_the_configuration(
    agent: Any, web: Web, template: Any, tmp_path: Path
) -> None:
    web.add(1, 2, 3, 4)
    tool = template(agent, "-config", "c.hcl", in_j2=web.text("jinja2"), c_hcl=CONFIG.replace("NAME", web.name))
    tool.shows("out", "1 2 3 4 -")
    web.remove(4)
    tool.shows("out", "1 2 3 -")
    web.remove(3)
    tool.shows("out", "1 2 -")
    web.remove(2)
    eventually(lambda: tool.said("has 1 of 4 instances (max_drop 50%); keeping the last 2 instances"))
    (tmp_path / "in.j2").write_text(web.text("jinja2") + "!")
    tool.process.send_signal(signal.SIGHUP)
    tool.shows("out", "1 2 -!")
    web.add(5)
    tool.shows("out", "1 5 -!")


LOOPS = {
    "go": '{{ range services }}{{ if contains "NAME" .Name }}{{ .Name }}:{{ range service .Name }} {{ .Port }}{{ end }}\n'
    '{{ end }}{{ end }}{{ keyOrDefault "NAME/note" "-" }}',
    "jinja2": "{% for s in services() if 'NAME' in s.name %}{{ s.name }}:"
    "{% for i in service(s.name) %} {{ i.port }}{% endfor %}\n{% endfor %}{{ key_or_default('NAME/note', '-') }}",
}


class Status:
    """The status pages of a tool."""

    def __init__(self) -> None:
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"

    def ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"http://{self.address}{path}", method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def held(self) -> list[str]:
        return [line for template in self.ask("GET", "/explain")["templates"] for line in template["held"]]


@pytest.fixture
def status() -> Status:
    return Status()


@pytest.mark.parametrize("syntax", ["go", "jinja2"])
def test_a_service_that_leaves_the_catalog_whole(
    agent: Any, web: Web, template: Any, status: Status, syntax: str
) -> None:
    other = Web(agent, f"{web.name}-z")
    web.add(1)
    other.add(3)
    flags = ("-template", "in:out", "-syntax", syntax, "-min-instances=1", "-http-addr-status", status.address)
    tool = template(agent, *flags, **{"in": LOOPS[syntax].replace("NAME", web.name)})
    both = f"{web.name}: 1\n{other.name}: 3\n"
    tool.shows("out", both + "-")
    web.remove(1)
    eventually(lambda: len(status.held()) == 2, "its name and its instances are held")
    web.note("a")
    tool.shows("out", both + "a")
    assert f"guard: listed service {web.name} has no instances; keeping it in the list" in status.held()
    web.add(4)
    tool.shows("out", f"{web.name}: 4\n{other.name}: 3\n" + "a")
    eventually(lambda: status.held() == [])
    web.remove(4)
    eventually(lambda: len(status.held()) == 2)
    assert status.ask("PUT", f"/release?service={web.name}")["released"] == 2
    tool.shows("out", f"{other.name}: 3\na")
    assert status.held() == []


EACH = """
template {
  source = "in.j2"
  destination = "sites/{{ item.name }}.conf"
  for_each = "services()|selectattr('name', 'in', ['NAME', 'NAME-z'])|list"
  prune = true
  max_drop = "50%"
}
"""


def test_the_file_of_a_service_that_leaves_the_catalog_stays(
    agent: Any, web: Web, template: Any, status: Status, tmp_path: Path
) -> None:
    other = Web(agent, f"{web.name}-z")
    web.add(1)
    other.add(3)
    item = "{% for i in service(item.name) %}{{ i.port }} {% endfor %}"
    flags = ("-config", "c.hcl", "-http-addr-status", status.address)
    tool = template(agent, *flags, in_j2=item, c_hcl=EACH.replace("NAME", web.name))
    mine, others = f"sites/{web.name}.conf", f"sites/{other.name}.conf"
    tool.shows(mine, "1 ")
    tool.shows(others, "3 ")
    web.remove(1)
    eventually(lambda: len(status.held()) == 2)
    other.add(4)
    tool.shows(others, "3 4 ")
    assert tool.text(mine) == "1 "
    (tmp_path / "in.j2").write_text(item + "!")
    tool.process.send_signal(signal.SIGHUP)
    tool.shows(others, "3 4 !")
    tool.shows(mine, "1 !")
    assert len(status.held()) == 2
    status.ask("PUT", f"/release?service={web.name}")
    tool.shows(mine, None)
    other.add(5)
    tool.shows(others, "3 4 5 !")
    assert sorted(os.listdir(tmp_path / "sites")) == [".pyconsul-template.json", f"{other.name}.conf"]
