"""Services, checks and watches as files define them."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.config import definitions
from pyconsul.agent.config.decode import decode
from pyconsul.agent.config.problems import Problems
from pyconsul.agent.config.readers.hclfile import parse_hcl


def decoded(data: dict[str, Any]) -> tuple[dict[str, Any], Problems]:
    problems = Problems()
    return decode(data, "f.json", problems), problems


def services(data: dict[str, Any]) -> list[dict[str, Any]]:
    values, problems = decoded(data)
    assert problems.errors == []
    return [one.body for one in values["services"]]


def test_every_form_of_a_definition() -> None:
    web, db = {"name": "web"}, {"name": "db"}
    assert services({"service": web}) == [web]
    assert services({"services": [web, db]}) == [web, db]
    assert services({"services": web}) == [web]
    assert services({"services": [web], "service": db}) == [web, db]
    assert services(parse_hcl('service {\n name = "web"\n}\nservice {\n name = "db"\n}')) == [web, db]
    assert services(parse_hcl('services = [{\n name = "web"\n}]')) == [web]


def test_checks_within_a_service_are_one_list() -> None:
    one, two = {"ttl": "1s"}, {"http": "http://x", "interval": "10s"}
    assert services({"service": {"name": "a", "check": one}}) == [{"name": "a", "checks": [one]}]
    assert services({"service": {"name": "a", "check": one, "checks": [two]}}) == [{"name": "a", "checks": [two, one]}]
    text = 'service {\n name = "a"\n check {\n ttl = "1s"\n }\n check {\n http = "http://x"\n interval = "10s"\n }\n}'
    assert services(parse_hcl(text)) == [{"name": "a", "checks": [one, two]}]


def test_blocks_of_hcl_and_objects_of_json_are_the_same() -> None:
    text = """
    service {
      name = "a"
      tags = ["x"]
      meta { version = "1", "x-y" = "z" }
      weights { passing = 5 warning = 1 }
      tagged_addresses { lan { address = "10.0.0.1" port = 80 } }
      check { http = "http://x" interval = "1s" header { "X-A" = ["1", "2"] } }
    }
    """
    assert services(parse_hcl(text)) == [
        {
            "name": "a",
            "tags": ["x"],
            "meta": {"version": "1", "x-y": "z"},
            "weights": {"passing": 5, "warning": 1},
            "tagged_addresses": {"lan": {"address": "10.0.0.1", "port": 80}},
            "checks": [{"http": "http://x", "interval": "1s", "header": {"X-A": ["1", "2"]}}],
        }
    ]


def test_other_spellings_of_keys() -> None:
    body = {"ID": "a1", "Name": "a", "EnableTagOverride": True, "Check": {"ScriptArgs": ["x"], "Interval": "1s"}}
    assert services({"Service": body}) == [
        {"id": "a1", "name": "a", "enable_tag_override": True, "checks": [{"args": ["x"], "interval": "1s"}]}
    ]
    check = {"ServiceID": "a", "DeregisterCriticalServiceAfter": "1m", "tlsskipverify": True, "ttl": "1s"}
    values, problems = decoded({"check": check})
    assert problems.errors == []
    expected = {"service_id": "a", "deregister_critical_service_after": "1m", "tls_skip_verify": True, "ttl": "1s"}
    assert values["checks"][0].body == expected
    assert values["checks"][0].source == "f.json"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"service": {"name": "a", "colour": "red"}}, "f.json: invalid config key service.colour"),
        (
            {"service": {"name": "a", "meta": {"b": 1}}},
            "f.json: service.meta.b: 1 is not allowed; allowed: a text in quotes",
        ),
        (
            {"service": {"name": "a", "tags": ["t", 2]}},
            "f.json: service.tags[1]: 2 is not allowed; allowed: a text in quotes",
        ),
        ({"service": {"name": "a", "prot": 1}}, "f.json: invalid config key service.prot; did you mean port?"),
        (
            {"services": [{"name": "a"}, {"name": 1}]},
            "f.json: services[1].name: 1 is not allowed; allowed: a text in quotes",
        ),
        (
            {"service": {"name": "a", "port": "80"}},
            "f.json: service.port: '80' is not allowed; allowed: a whole number",
        ),
        (
            {"service": {"name": "a", "check": {"name": "x"}}},
            "f.json: service.check: a check needs one of ttl, alias_node",
        ),
        ({"check": {"http": "x"}}, "f.json: check: a check with http needs an interval above 0"),
        ({"check": {"http": "x", "ttl": "1s", "interval": "1s"}}, "f.json: check: a check with a ttl can have neither"),
        ({"check": {"alias_node": "x", "interval": "1s"}}, "f.json: check: a check with an alias can have no interval"),
        ({"check": {"ttl": 5}}, "f.json: check.ttl: 5 is not allowed; allowed: a number with a unit"),
        ({"check": {"http": "x", "intervall": "1s"}}, "invalid config key check.intervall; did you mean interval?"),
        ({"checks": "x"}, "f.json: checks: a definition must be an object"),
        ({"check": {"http": "x", "header": {"a": "b"}}}, "f.json: check.header"),
    ],
)
def test_mistakes_are_told_with_their_place(data: dict[str, Any], text: str) -> None:
    _, problems = decoded(data)
    assert any(text in line for line in problems.errors), problems.errors


def test_a_definitions_token_is_never_shown() -> None:
    values, problems = decoded({"services": [{"name": "a", "token": "secret-1"}, {"name": "b", "token": 87654321}]})
    assert not any("87654321" in line for line in problems.errors)
    assert "secret-1" not in repr(values["services"])


def test_the_service_mesh_is_lacking() -> None:
    _, problems = decoded({"service": {"name": "a", "connect": {"sidecar_service": {}}}})
    assert problems.errors == []
    assert problems.unsupported == {"service.connect": "the service mesh"}


def test_watches_are_kept_as_they_are() -> None:
    text = 'watches = [{ type = "key", key = "a", args = ["x"] }]\n'
    values, problems = decoded(parse_hcl(text))
    assert problems.errors == []
    assert values["watches"] == ({"type": "key", "key": "a", "args": ["x"]},)
    block = 'watches {\n type = "services"\n http_handler_config {\n path = "http://x"\n }\n}'
    assert decoded(parse_hcl(block))[0]["watches"] == (
        {"type": "services", "http_handler_config": {"path": "http://x"}},
    )


def test_each_key_of_a_check_is_known_by_its_name() -> None:
    assert {"args", "http", "ttl", "h2ping_use_tls", "success_before_passing", "os_service"} <= set(definitions.CHECK)
