"""Services as keys."""

from __future__ import annotations

from dataclasses import replace

from support.containers import ENGINE, RULES, container

from pyconsul.tools.registrator.desired.diff import diff
from pyconsul.tools.registrator.desired.kv import (
    Delete,
    Pair,
    Put,
    engine_flags,
    keys_of_container,
    kv_diff,
    read_pairs,
)

FLAGS = engine_flags(ENGINE)
KEY = "a/b/app/box:web:80"


def test_keys() -> None:
    services = diff([container(ports=["0.0.0.0:8080:80"])], {}, RULES).wanted.values()
    assert kv_diff("a/b", services, {}, FLAGS) == [Put(KEY, "10.0.0.1:8080")]
    there = {KEY: Pair("10.0.0.1:8080", FLAGS)}
    assert kv_diff("a/b", services, there, FLAGS) == []
    assert kv_diff("a/b", services, {KEY: Pair("10.0.0.1:1", FLAGS)}, FLAGS) == [Put(KEY, "10.0.0.1:8080")]
    assert kv_diff("a/b", services, there, FLAGS, session="s") == [Put(KEY, "10.0.0.1:8080")]
    assert kv_diff("a/b", [], there, FLAGS) == [Delete(KEY)]
    assert kv_diff("a/b", [], there, FLAGS, keep={KEY}) == []


def test_keys_of_others_stay() -> None:
    there = {"a/b/x": Pair("1", 0), "a/b/y": Pair("1", engine_flags("OTHER"))}
    assert kv_diff("a/b", [], there, FLAGS) == []


def test_ipv6_stands_in_brackets() -> None:
    labels = {"lan": "fd00::7"}
    rules = replace(RULES, addresses=replace(RULES.addresses, ip_label="lan"))
    services = diff([container(ports=["0.0.0.0:8080:80"], labels=labels)], {}, rules).wanted.values()
    assert kv_diff("", services, {}, FLAGS) == [Put("app/box:web:80", "[fd00::7]:8080")]


def test_pairs_are_read() -> None:
    answer = [{"Key": "a", "Value": "MTA=", "Flags": 7, "Session": "s"}, {"Key": "b", "Value": None, "Flags": 0}]
    assert read_pairs(answer) == {"a": Pair("10", 7, "s"), "b": Pair("", 0)}
    assert read_pairs(None) == {}


def test_keys_of_a_container() -> None:
    keys = ["a/app/box:web:80", "a/app/box:web2:80", "a/x/own"]
    assert keys_of_container(keys, "box", "web") == {"a/app/box:web:80"}
