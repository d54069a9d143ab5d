"""Services as they are defined: defaults, and what is refused in which words."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.config.config import Config, Definition
from pyconsul.agent.health.definition import CheckDefinition, CheckError
from pyconsul.agent.model.service import ServiceAddress, Weights
from pyconsul.agent.sync.definition import (
    DefinitionError,
    ServiceDefinition,
    node_service,
    service_from_config,
    validate,
)
from pyconsul.agent.sync.definition_loader import FileDefinitionError, definitions


def test_defaults() -> None:
    service = node_service("web")
    assert (service.id, service.tags, service.meta, service.weights) == ("web", [], None, Weights(1, 1))
    assert service.tagged_addresses is None


@pytest.mark.parametrize(
    ("address", "tags"),
    [("10.0.0.1", ["lan_ipv4", "wan_ipv4"]), ("fe80::1", ["lan_ipv6", "wan_ipv6"]), ("host.example", []), ("", [])],
)
def test_an_ip_address_is_tagged(address: str, tags: list[str]) -> None:
    service = node_service("web", address=address, port=80)
    assert list(service.tagged_addresses or {}) == tags
    assert all(one == ServiceAddress(address, 80) for one in (service.tagged_addresses or {}).values())


def test_given_tags_of_addresses_stay() -> None:
    own = ServiceAddress("192.168.0.1", 8)
    service = node_service("web", address="10.0.0.1", port=80, tagged_addresses={"lan_ipv4": own, "lan": own})
    assert service.tagged_addresses == {"lan": own, "lan_ipv4": own, "wan_ipv4": ServiceAddress("10.0.0.1", 80)}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": ""}, "Missing service name"),
        ({"address": "0.0.0.0"}, "Invalid service address"),
        ({"address": "::"}, "Invalid service address"),
        ({"weights": Weights(0, 1)}, "Invalid Weights: Passing must be greater than 0"),
        ({"weights": Weights(1, -1)}, "Invalid Weights: Warning must be greater or equal than 0"),
        ({"weights": Weights(1, 65536)}, "Invalid Weights: DNS Weight must be between 0 and 65535"),
        ({"meta": {"a b": "x"}}, "Couldn't load metadata pair ('a b', 'x'): Key contains invalid characters"),
        ({"meta": {"": "x"}}, "Couldn't load metadata pair ('', 'x'): Key cannot be blank"),
        ({"meta": {"k" * 129: "x"}}, "Key is too long (limit: 128 characters)"),
        ({"meta": {"consul-x": "x"}}, "Key prefix 'consul-' is reserved for internal use"),
        ({"meta": {"k": "v" * 513}}, "Value is too long (limit: 512 characters)"),
        ({"meta": {str(n): "" for n in range(65)}}, "Node metadata cannot contain more than 64 key/value pairs"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        validate(ServiceDefinition(node_service(**{"name": "web", **fields})), False)
    assert text in str(caught.value)


def test_a_check_that_is_refused_refuses_the_service() -> None:
    with pytest.raises(CheckError, match="TTL must be > 0"):
        validate(ServiceDefinition(node_service("web"), [CheckDefinition()]), False)


def test_from_a_file() -> None:
    body = {
        "name": "web",
        "tags": ("a", "b"),
        "meta": {"k": "v"},
        "port": 80,
        "weights": {"passing": 5},
        "tagged_addresses": {"lan": {"address": "10.0.0.1", "port": 1}},
        "checks": [{"id": "c", "ttl": "10s"}, {"args": ("true",), "interval": "5s"}],
        "token": "t",
    }
    made = service_from_config(body, "web.json")
    assert made.service.tags == ["a", "b"]
    assert made.service.weights == Weights(5, 0)
    assert [(check.id, check.ttl, check.script_args) for check in made.checks] == [
        ("c", 10 * SECOND_NS, []),
        ("", 0, ["true"]),
    ]
    assert made.token == "t"


NO_WEIGHT = Definition("web.json", {"name": "web", "weights": {"passing": 0}})
NO_TTL = Definition("a.hcl", {"name": "a", "checks": [{"ttl": "0s"}]})
SCRIPT = Definition("c.json", {"name": "c", "args": ("true",), "interval": "1s"})
BAD_TTL = Definition("c.json", {"name": "c", "ttl": "x"})


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"services": (NO_WEIGHT,)}, "web.json: service 'web': Invalid Weights"),
        ({"services": (NO_TTL,)}, "a.hcl: service 'a': Invalid check: TTL"),
        ({"checks": (SCRIPT,)}, "c.json: check 'c': Scripts are disabled"),
        ({"checks": (BAD_TTL,)}, 'c.json: check.ttl: invalid duration: "x"'),
    ],
)
def test_a_file_that_cannot_be_is_named(config: dict[str, Any], text: str) -> None:
    with pytest.raises(FileDefinitionError) as caught:
        definitions(Config(**config))
    assert text in str(caught.value)


def test_local_scripts_are_allowed_to_files() -> None:
    config = Config(checks=(SCRIPT,), enable_local_script_checks=True)
    assert definitions(config).checks[0].script_args == ["true"]
