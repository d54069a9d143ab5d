"""Registrations in the catalog: which rows bodies become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.httpapi.handlers.catalog.registration import (
    CheckInput,
    Registration,
    ServiceInput,
    health_check,
    node_service,
)
from pyconsul.agent.httpapi.handlers.session import SessionInput
from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.service import Weights

FIELD = "HealthCheckDefinition.Check.Definition"


def check(**body: Any) -> HealthCheck:
    return health_check(decode(json.dumps(body).encode(), CheckInput), "n1")


def refused(body: Any, kind: Any = Registration) -> str:
    with pytest.raises(HTTPError) as caught:
        decode(json.dumps(body).encode(), kind)
    return caught.value.text


def test_a_definition_as_the_go_client_sends_it() -> None:
    definition = {
        "HTTP": "http://x", "Header": None, "Method": "", "Body": "", "TLSServerName": "", "TLSSkipVerify": False, "TCP": "",
        "TCPUseTLS": False, "UDP": "", "GRPC": "", "OSService": "", "GRPCUseTLS": False, "Interval": "90s", "Timeout": "0s",
        "DeregisterCriticalServiceAfter": "0s",
    }  # fmt: skip
    row = check(Name="web", Definition=definition)
    assert row.definition == {"Interval": "1m30s", "HTTP": "http://x"}
    assert row.type == "http"


def test_a_definition_in_lower_case_with_unknown_keys_and_nulls() -> None:
    row = check(
        Name="web",
        Definition={"tcp": "x:1", "interval": 1_500_000_000, "Surprise": {}, "ttl": None, "Header": {"a": None}},
    )
    assert row.definition == {"Interval": "1.5s", "Header": {"a": []}, "TCP": "x:1"}
    assert row.type == "tcp"
    assert check(Name="web", Definition=None).definition == {}
    assert check(Name="web", Definition={"TTL": "5s"}).definition == {"TTL": 5_000_000_000}


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        ({"Interval": "bad"}, 'time: invalid duration "bad"'),
        ({"Timeout": 1e300}, "json: cannot unmarshal number 1e+300 into Go value of type time.Duration"),
        (
            {"OutputMaxSize": 10**25},
            f"json: cannot unmarshal number {10**25} into Go struct field {FIELD}.OutputMaxSize of type int",
        ),
        (
            {"HTTP": 5},
            f"json: cannot unmarshal number into Go struct field {FIELD}.HTTP of type string",
        ),
    ],
)
def test_bad_definitions(definition: Any, text: str) -> None:
    assert refused({"Check": {"Definition": definition}}) == f"Request decode failed: {text}"


def test_enterprise_fields_are_refused() -> None:
    prefix = "Request decode failed: json: unknown field"
    assert refused({"Namespace": "a"}) == f'{prefix} "Namespace" - Namespaces are a Consul Enterprise feature'
    assert (
        refused({"Service": {"Partition": "a"}}) == f'{prefix} "Partition" - Partitions are a Consul Enterprise feature'
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, Weights(1, 1)),
        ({"Passing": 0, "Warning": 0}, Weights(1, 1)),  # what Go's client sends for none
        ({"Passing": 5}, Weights(5, 0)),
        ({"Passing": 5, "Warning": None}, Weights(5, 0)),
        ({"Passing": -1, "Warning": 3}, Weights(1, 1)),
        ({"Passing": 70_000, "Warning": 3}, Weights(1, 1)),
    ],
)
def test_weights(given: Any, kept: Weights) -> None:
    assert node_service(decode(json.dumps({"Service": "s", "Weights": given}).encode(), ServiceInput)).weights == kept


@pytest.mark.parametrize(
    ("body", "checks"),
    [
        ({}, ["serfHealth"]),
        ({"Checks": None}, []),
        ({"Checks": []}, []),
        ({"checks": ["a"]}, ["a"]),
        ({"NodeChecks": None}, None),
        ({"NodeChecks": [], "Checks": ["a"]}, []),
        ({"NodeChecks": ["b", None]}, ["b", ""]),
    ],
)
def test_the_checks_of_sessions(body: Any, checks: list[str] | None) -> None:
    assert decode(json.dumps(body).encode(), SessionInput).named_node_checks() == checks


@pytest.mark.parametrize(
    ("text", "delay_s"), [("null", 15), ("5", 5), ("2000000000", 2), ('"1m"', 60), ("0", 0), ('"500ms"', 0.5)]
)
def test_lock_delays(text: str, delay_s: float) -> None:
    assert decode(b'{"LockDelay": %s}' % text.encode(), SessionInput).lock_delay == delay_s * 1_000_000_000


@pytest.mark.parametrize("text", ["1e300", "1e400", "true", "[]", '"soon"', "9" * 30])
def test_bad_lock_delays(text: str) -> None:
    with pytest.raises(HTTPError):
        decode(b'{"LockDelay": %s}' % text.encode(), SessionInput)
