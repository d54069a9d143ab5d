"""The main job: an agent, web servers, a template, a real HAProxy, and traffic that never stops."""

from __future__ import annotations

import http.client
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.eventually import eventually
from support.ports import free_port
from support.traffic import Traffic

pytestmark = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")

TEMPLATE = """\
global
    maxconn 200
defaults
    mode http
    retries 3
    option redispatch
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend http
    bind 127.0.0.1:@port@
{% for s in services() if s.name != "consul" %}
    acl host_{{ s.name }} hdr_beg(host) -i {{ s.name }}.
    use_backend {{ s.name }}_backend if host_{{ s.name }}
{% endfor %}
{% for s in services() if s.name != "consul" %}
backend {{ s.name }}_backend
    balance roundrobin
{% for i in service(s.name) %}
    server {{ i.node }}-{{ i.port }} {{ i.address }}:{{ i.port }}
{% endfor %}
{% endfor %}
"""


@pytest.fixture
def traffic() -> Iterator[Callable[[int], Traffic]]:
    running: list[Traffic] = []

    def start(port: int) -> Traffic:
        running.append(Traffic(port))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def _reaches(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/", headers={"Host": "web.example"})
        return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.fixture
def port() -> int:
    return free_port()


def test_no_request_fails_while_backends_come_and_go(
    own_agent: Any, template: Any, web_server: Any, traffic: Any, port: int, tmp_path: Path
) -> None:
    one, two, three = (web_server(name) for name in ("one", "two", "three"))
    check = {"HTTP": f"http://127.0.0.1:{two.port}/health", "Interval": "200ms", "Status": "passing"}
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=one.port)
    own_agent.register(Name="web", ID="two", Address="127.0.0.1", Port=two.port, Check=check)
    source = TEMPLATE.replace("@port@", str(port))
    tool = template(own_agent, "-template", "haproxy.j2:haproxy.cfg", "-exec-reload", haproxy_j2=source)
    eventually(lambda: _reaches(port), "HAProxy does not serve")
    requests = traffic(port)
    eventually(lambda: {"one", "two"} <= set(requests.latest), "not all servers are used")

    own_agent.register(Name="web", ID="three", Address="127.0.0.1", Port=three.port)
    eventually(lambda: "three" in requests.latest, "the new server is not used")
    two.healthy = False
    eventually(lambda: f":{two.port}" not in (tool.text("haproxy.cfg") or ""), "the unhealthy server is still there")
    own_agent.deregister("one")
    eventually(lambda: set(requests.latest) == {"three"}, "a server is used that is gone")
    assert tool.stderr.count("New worker") == 1, "servers alone need no reload"

    good = tool.text("haproxy.cfg")
    for broken, words in (
        (source + "\nnonsense here\n", "unknown keyword 'nonsense'"),
        (source + "\n{% if %}\n", "haproxy.j2:"),
        (source + "\n{{ nothing }}\n", "'nothing' is undefined"),
    ):
        (tmp_path / "haproxy.j2").write_text(broken)
        tool.process.send_signal(signal.SIGHUP)
        eventually(lambda words=words: tool.said(words), f"the tool does not say {words!r}")
        assert tool.text("haproxy.cfg") == good
    assert not list(tmp_path.glob(".haproxy.cfg.*"))

    (tmp_path / "haproxy.j2").write_text("# mended\n" + source)
    tool.process.send_signal(signal.SIGHUP)
    eventually(lambda: tool.text("haproxy.cfg") == "# mended\n" + (good or ""), "the mended template is not rendered")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=one.port)
    eventually(lambda: "one" in requests.latest, "the server does not come back")
    (tmp_path / "haproxy.j2").write_text(source.replace("retries 3", "retries 4"))
    tool.process.send_signal(signal.SIGHUP)
    eventually(lambda: tool.stderr.count("New worker") == 2, "another change is not loaded")
    requests.stop()
    assert requests.failures == []
    assert tool.end() == 12
    assert not _reaches(port)


def test_an_invalid_first_file_is_refused_and_the_tool_waits_for_a_better_one(
    own_agent: Any, template: Any, web_server: Any, port: int
) -> None:
    server = web_server("one")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=server.port)
    source = TEMPLATE.replace("@port@", str(port)) + '{{ key_or_default("extra", "nonsense here") }}\n'
    tool = template(own_agent, "-template", "haproxy.j2:haproxy.cfg", "-exec-reload", haproxy_j2=source)
    eventually(lambda: tool.said("unknown keyword 'nonsense'"), "HAProxy's message is missing")
    assert (
        "the new haproxy.cfg is refused and kept as haproxy.cfg.rejected: parsing [haproxy.cfg.rejected:" in tool.stderr
    )
    assert tool.text("haproxy.cfg") is None
    assert "nonsense here" in (tool.text("haproxy.cfg.rejected") or "")
    own_agent.put("extra", "# fine")
    eventually(lambda: _reaches(port), "HAProxy does not serve")


def test_once_only_checks(own_agent: Any, template: Any, tmp_path: Path, port: int) -> None:
    source = TEMPLATE.replace("@port@", str(port))
    tool = template(own_agent, "-once", "-template", "h.j2:haproxy.cfg", "-exec-reload", h_j2=source)
    assert tool.process.wait(30) == 0
    assert tool.text("haproxy.cfg")
    (tmp_path / "haproxy.cfg").unlink()
    tool = template(own_agent, "-once", "-exec-reload", "-template", "h.j2:haproxy.cfg", h_j2="nonsense here\n")
    assert tool.process.wait(30) == 14
    assert "unknown keyword 'nonsense'" in tool.stderr
    assert tool.text("haproxy.cfg") is None


def test_a_refusal_is_logged_once_and_its_file_kept_until_a_good_one_is_in_force(
    own_agent: Any, template: Any, web_server: Any, port: int
) -> None:
    server = web_server("one")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=server.port)
    source = TEMPLATE.replace("@port@", str(port)) + '{{ key_or_default("extra", "# fine") }}\n'
    arguments = ("-template", "haproxy.j2:haproxy.cfg", "-exec-reload", "-diff", "-log-level", "debug")
    tool = template(own_agent, *arguments, haproxy_j2=source)
    eventually(lambda: _reaches(port), "HAProxy does not serve")
    own_agent.put("extra", "nonsense here")
    eventually(lambda: tool.said("[DEBUG] template: the new haproxy.cfg is refused"), "it is not tried again")
    assert tool.stderr.count("[ERR] template: the new haproxy.cfg is refused") == 1
    assert tool.stderr.count("+nonsense here") + tool.stderr.count("+****") == 1
    assert "haproxy version" not in tool.stderr
    assert tool.text("haproxy.cfg.rejected") is not None
    own_agent.put("extra", "# fine")
    eventually(lambda: tool.text("haproxy.cfg.rejected") is None, "the refused file stays")
    assert "nonsense" not in (tool.text("haproxy.cfg") or "")


def test_a_field_with_blanks_is_no_line_of_haproxy(own_agent: Any, template: Any, web_server: Any, port: int) -> None:
    one, two = web_server("one"), web_server("two")
    own_agent.register(Name="web", ID="one", Address="127.0.0.1", Port=one.port, Meta={"options": "check"})
    source = TEMPLATE.replace("@port@", str(port)).replace(
        ":{{ i.port }}", ":{{ i.port }} {{ i.service_meta.options }}"
    )
    tool = template(own_agent, "-template", "haproxy.j2:haproxy.cfg", "-exec-reload", haproxy_j2=source)
    eventually(lambda: _reaches(port), "HAProxy does not serve")
    before = tool.text("haproxy.cfg")
    own_agent.register(Name="web", ID="two", Address="127.0.0.1", Port=two.port, Meta={"options": "check inter 9s"})
    eventually(
        lambda: tool.said("service web, instance two on node n1: the field ServiceMeta.options is 'check inter 9s'")
    )
    assert tool.said("haproxy.j2:20:")
    assert tool.text("haproxy.cfg") == before
    own_agent.register(Name="web", ID="two", Address="127.0.0.1", Port=two.port, Meta={"options": "check"})
    eventually(lambda: f":{two.port} check" in (tool.text("haproxy.cfg") or ""), "the mended service is not rendered")
