"""Which registrations are refused for their control characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.control_characters import (
    MAX_VALUES,
    fault_of_check,
    fault_of_fields,
    fault_of_node,
    fault_of_service,
)
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import ServiceAddress
from pyconsul.agent.sync.definition import node_service

NODE = Node("", "n1", "10.0.0.1", "dc1", {"lan": "10.0.0.1"}, {"rack": "r 1"}, 0, 0)
SERVICE = node_service("wéb ☃", id="web-1", tags=["a b", "c"], address="web.example", meta={"k": "v"})
CHECK = HealthCheck("n1", "c", "check", "passing", "two\nlines", "two\nlines", "", "", [], "", "", "", {}, 0, 0)
CONTROLS = ["\x00", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029"]


def test_plain_rows_pass() -> None:
    assert fault_of_node(NODE) == fault_of_service(SERVICE) == fault_of_check(CHECK) == ""


@pytest.mark.parametrize("control", CONTROLS)
def test_each_control_character(control: str) -> None:
    assert fault_of_node(replace(NODE, node=f"ab{control}")) == (
        f"Node: control character U+{ord(control):04X} at position 2 is not allowed "
        "(the setting allow_control_characters permits it)"
    )


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("id", "\n", "Service.ID"),
        ("service", "\n", "Service.Service"),
        ("address", "\n", "Service.Address"),
        ("socket_path", "\n", "Service.SocketPath"),
        ("tags", ["a", "\n"], "Service.Tags[1]"),
        ("meta", {"a": "\n"}, "Service.Meta[a]"),
        ("meta", {"\n": "a"}, "Service.Meta key"),
        ("tagged_addresses", {"lan": ServiceAddress("\n", 1)}, "Service.TaggedAddresses[lan]"),
    ],
)
def test_fields_of_services(field: str, value: object, where: str) -> None:
    assert fault_of_service(replace(SERVICE, **{field: value})).startswith(f"{where}: control character U+000A")


@pytest.mark.parametrize(("field", "where"), [("check_id", "Check.CheckID"), ("name", "Check.Name")])
def test_fields_of_checks(field: str, where: str) -> None:
    assert fault_of_check(replace(CHECK, **{field: "\n"})).startswith(f"{where}: control character U+000A")


def test_definitions_of_checks() -> None:
    found = fault_of_check(replace(CHECK, definition={"Body": "two\nlines", "Header": {"A": ["b", "\r"]}}))
    assert found.startswith("Check.Definition[Header][A][1]: control character U+000D at position 0")


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("around", ["", "\\", '"', "\\\\", "é"])
def test_texts_of_structures(control: str, around: str) -> None:
    nested = {"a": [{"b": f"{around}{control}{around}"}]}
    assert fault_of_fields(nested, "Proxy").startswith(f"Proxy[a][0][b]: control character U+{ord(control):04X}")
    assert fault_of_fields({f"{control}": ""}).startswith(" key: control character")
    assert not fault_of_fields({"Notes": nested, "b": f"{around}n{around}u000a"})


def test_numbers_that_no_encoder_takes_and_deep_structures() -> None:
    assert not fault_of_fields({"a": 10**30})
    deep: object = "\n"
    for _ in range(5000):
        deep = [deep]
    assert "control character" in fault_of_fields(deep)
    assert "more than 100000 values" in fault_of_fields(["\n", *[{"a": "b"}] * MAX_VALUES])


@given(st.text(max_size=20))
def test_a_name_that_passes_is_one_line(name: str) -> None:
    if not fault_of_service(replace(SERVICE, service=name)):
        assert len(name.splitlines()) <= 1


@given(st.lists(st.text(st.sampled_from([*CONTROLS, "\\", '"', "n", "u", "é", "\xa0", "\ufffd", "☃"]), max_size=6)))
def test_a_search_over_the_whole_value_agrees_with_a_search_of_each_text(texts: list[str]) -> None:
    has_control = any(control in text for text in texts for control in CONTROLS)
    assert bool(fault_of_fields(texts)) == has_control
