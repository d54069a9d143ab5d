"""What a service's registration may look like."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.codec.go_values import DecodeError
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.httpapi.handlers.agent.bodies import ServiceBody, service_definition
from pyconsul.agent.model.service import ServiceAddress, Weights
from pyconsul.agent.sync.definition import ServiceDefinition


def made(body: Any) -> ServiceDefinition:
    return service_definition(decode(json.dumps(body).encode(), ServiceBody), "caller")


def refused(body: Any) -> str:
    with pytest.raises((DecodeError, HTTPError)) as caught:
        made(body)
    return str(caught.value).removeprefix("Request decode failed: ")


def test_snake_case_where_consul_takes_it() -> None:
    body = {
        "name": "s", "id": "s-1", "enable_tag_override": True, "weights": {"passing": 3},
        "tagged_addresses": {"lan": {"address": "10.0.0.1", "port": 1}}, "check": {"ttl": "90s"},
    }  # fmt: skip
    definition = made(body)
    assert definition.service.enable_tag_override
    assert definition.service.weights == Weights(3, 0)
    assert definition.service.tagged_addresses == {"lan": ServiceAddress("10.0.0.1", 1)}
    assert [check.ttl for check in definition.checks] == [90 * SECOND_NS]
    assert definition.token == "caller"


def test_one_check_comes_before_the_list_and_an_empty_one_is_none() -> None:
    body = {"Name": "s", "Checks": [{"TTL": "1s"}], "Check": {"TTL": "2s"}, "Token": "own"}
    assert [check.ttl // SECOND_NS for check in made(body).checks] == [2, 1]
    assert made(body).token == "own"
    assert made({"Name": "s", "Check": {}}).checks == []
    assert made({"Name": "s", "Check": None, "Checks": None}).checks == []


def test_fields_of_the_mesh_are_ignored() -> None:
    assert made({"Name": "s", "Connect": {"Native": True}, "Kind": "", "Proxy": None}).service.service == "s"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"service": {"name": "web"}}, 'json: unknown field "service"'),
        ({"Check": {"check_id": "x"}}, 'json: unknown field "check_id"'),
        ({"Port": "eighty"}, "json: cannot unmarshal string into Go struct field .Alias.Port of type int"),
        ({"Checks": {}}, "json: cannot unmarshal object into Go struct field .Alias.Checks of type structs.CheckTypes"),
        ({"Check": []}, "json: cannot unmarshal array into Go struct field .Alias.Check of type structs.CheckType"),
        ({"Check": {"TTL": "soon"}}, 'time: invalid duration "soon"'),
        (
            {"Check": {"HTTP": 1}},
            "json: cannot unmarshal number into Go struct field .Alias.Check.Alias.HTTP of type string",
        ),
    ],
)
def test_texts_of_errors(body: dict[str, Any], text: str) -> None:
    assert refused(body) == text
