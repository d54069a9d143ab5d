"""What has changed between two answers, in words."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.lookups import Lookup
from pyconsul.tools.template.report.data_changes import UNKNOWN, all_changes, changes

WEB = Lookup("service", "web", (("passing", "1"),))


def entry(address: str = "10.0.0.3", port: int = 8080, **more: Any) -> dict[str, Any]:
    identity = more.pop("id", f"web-{address}")
    status = more.pop("status", "passing")
    node = {"Node": more.pop("node", "n1"), "Address": "10.9.9.9", "Meta": more.pop("node_meta", {})}
    check = {"Node": "n1", "CheckID": "c", "Status": status, "Output": more.pop("output", "")}
    return {
        "Node": node,
        "Service": {"ID": identity, "Service": "web", "Address": address, "Port": port, **more},
        "Checks": [check],
    }


def of_service(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    return changes(WEB, WEB.decode(old), WEB.decode(new))


def pair(path: str, value: str, **more: Any) -> dict[str, Any]:
    return {"Key": path, "Value": base64.b64encode(value.encode()).decode(), **more}


def test_instances_come_and_go() -> None:
    lines = of_service([entry("10.0.0.3")], [entry("10.0.0.4"), entry("fd00::1")])
    assert lines == ["service web: -10.0.0.3:8080", "service web: +10.0.0.4:8080", "service web: +[fd00::1]:8080"]


def test_the_node_s_address_is_the_default() -> None:
    assert of_service([], [entry("", 80)]) == ["service web: +10.9.9.9:80"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ({}, {"status": "critical"}, "passing → critical"),
        ({"Tags": ["blue", "x"]}, {"Tags": ["x", "canary"]}, "tags +canary -blue"),
        ({"Meta": {"a": "1", "b": "2"}}, {"Meta": {"b": "3", "c": "4"}}, "meta +c -a ~b"),
        ({"Weights": {"Passing": 1, "Warning": 1}}, {"Weights": {"Passing": 9, "Warning": 1}}, "weights 1/1 → 9/1"),
        ({"id": "alloc-1"}, {"id": "alloc-2"}, "ID alloc-1 → alloc-2"),
        ({}, {"output": "took 3s"}, "checks"),
        ({}, {"node_meta": {"rack": "2"}}, "node meta"),
        ({"id": "a"}, {"id": "a", "port": 81}, "→ 10.0.0.3:81"),
        ({}, {"status": "warning", "Tags": ["t"]}, "passing → warning, tags +t"),
    ],
)
def test_changes_of_an_instance(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    assert of_service([entry(**old)], [entry(**new)]) == [f"service web: 10.0.0.3:8080 {words}"]


def test_another_order_is_a_change_without_words() -> None:
    near = Lookup("service_near", "web", (("near", "_agent"), ("dc", "dc2")))
    one, two = entry("10.0.0.3"), entry("10.0.0.4")
    assert changes(near, near.decode([one, two]), near.decode([two, one])) == ["service web@dc2~_agent: changed"]


def test_many_lines_are_counted() -> None:
    lines = of_service([], [entry(f"10.0.0.{i}") for i in range(57)])
    assert len(lines) == 21
    assert lines[-1] == "service web: … and 37 more"


@pytest.mark.parametrize(
    ("lookup", "body", "line"),
    [
        (WEB, [entry(), entry("10.0.0.4")], "service web: 2 instances"),
        (Lookup("service", "web", (("tag", "blue"),)), [entry()], "service blue.web: 1 instance"),
        (lookups.services(), {"a": [], "b": []}, "services: 2 services"),
        (lookups.nodes(), [], "nodes: 0 nodes"),
        (lookups.node("n1"), None, "node n1: not found"),
        (lookups.key("app/db"), [pair("app/db", "x")], "key app/db: found"),
        (lookups.keys("app/"), None, "keys app/: 0 keys"),
        (lookups.datacenters(), ["dc1", "dc2"], "datacenters: dc1, dc2"),
        (lookups.own_node(), {"Config": {"NodeName": "n1"}}, "agent: n1"),
    ],
)
def test_the_first_answer(lookup: Lookup, body: Any, line: str) -> None:
    assert changes(lookup, UNKNOWN, lookup.decode(body)) == [line]


def test_services() -> None:
    lookup = lookups.services("@dc2")
    old, new = lookup.decode({"old": [], "web": ["a"]}), lookup.decode({"api": [], "web": ["b"]})
    assert changes(lookup, old, new) == ["services @dc2: +api -old", "services @dc2: web tags +b -a"]


def test_nodes() -> None:
    lookup = lookups.nodes()
    old = lookup.decode([{"Node": "n1", "Address": "10.0.0.1"}, {"Node": "n2", "Address": "10.0.0.2"}])
    new = lookup.decode([{"Node": "n1", "Address": "10.0.0.9", "Meta": {"r": "1"}}, {"Node": "n3"}])
    assert changes(lookup, old, new) == ["nodes: +n3 -n2", "nodes: n1 10.0.0.1 → 10.0.0.9, meta +r"]


def test_a_node_and_its_services() -> None:
    lookup = lookups.node("n1")

    def answer(*services: dict[str, Any], address: str = "10.0.0.1") -> Any:
        found = {service["ID"]: service for service in services}
        return lookup.decode({"Node": {"Node": "n1", "Address": address}, "Services": found})

    web = {"ID": "web", "Service": "web", "Port": 80}
    api = {"ID": "api", "Service": "api", "Port": 81, "Address": "10.1.1.1"}
    assert changes(lookup, None, answer()) == ["node n1: created"]
    assert changes(lookup, answer(), None) == ["node n1: deleted"]
    assert changes(lookup, answer(web), answer(api)) == ["node n1: -web 10.0.0.1:80", "node n1: +api 10.1.1.1:81"]
    assert changes(lookup, answer(web), answer({**web, "Tags": ["x"]})) == ["node n1: web 10.0.0.1:80 tags +x"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (None, [pair("app/db", "secret")], "created"),
        ([pair("app/db", "secret")], None, "deleted"),
        ([pair("app/db", "secret")], [pair("app/db", "other")], "changed"),
        ([pair("app/db", "secret")], [pair("app/db", "secret", ModifyIndex=9)], "written again with the same value"),
        ([pair("app/db", "secret")], [pair("app/db", "secret", Session="s", LockIndex=1)], "locked"),
        ([pair("app/db", "secret")], [pair("app/db", "secret", Flags=1)], "flags changed"),
    ],
)
def test_a_key_without_its_value(old: Any, new: Any, words: str) -> None:
    lookup = lookups.key("app/db")
    assert changes(lookup, lookup.decode(old), lookup.decode(new)) == [f"key app/db: {words}"]


def test_keys_without_their_values() -> None:
    lookup = lookups.keys("app/")
    old = lookup.decode([pair("app/b", "secret"), pair("app/c", "secret"), pair("app/d/e", "1")])
    new = lookup.decode([pair("app/a", "secret"), pair("app/c", "secret2"), pair("app/d/e", "1")])
    assert changes(lookup, old, new) == ["keys app/: +a -b ~c"]
    assert changes(lookup, old, None) == ["keys app/: -b -c -d/e"]


def test_a_file() -> None:
    lookup = lookups.file("/etc/motd")
    assert changes(lookup, "a", "b") == ["file /etc/motd: changed"]
    assert changes(lookup, "a", "a") == []


def test_a_name_cannot_break_the_line() -> None:
    old, new = [entry()], [entry(Tags=["x\n2026-01-01 [INFO] all is well\x1b[2J"])]
    (line,) = of_service(old, new)
    assert line.isprintable()


def test_all_lookups_of_a_template() -> None:
    key, file = lookups.key("a"), lookups.file("f")
    old = {WEB: WEB.decode([entry()]), file: "x"}
    new = {WEB: WEB.decode([]), key: key.decode([pair("a", "v")])}
    assert all_changes(old, new) == ("file f: no longer asked for", "key a: found", "service web: -10.0.0.3:8080")
    assert all_changes(new, new) == ()


addresses = st.lists(st.sampled_from([f"10.0.0.{i}" for i in range(6)]), unique=True)


@given(addresses, addresses, st.sampled_from(["passing", "critical"]))
def test_there_are_words_exactly_for_differences(old: list[str], new: list[str], status: str) -> None:
    before, after = WEB.decode([entry(a) for a in old]), WEB.decode([entry(a, status=status) for a in new])
    assert bool(changes(WEB, before, after)) == (before != after)
