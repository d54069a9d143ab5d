"""What no prepared query may be, in the words that its writer is told."""

from __future__ import annotations

import pytest

from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.httpapi.handlers.query.definitions import _problem
from pyconsul.agent.model.query import PreparedQuery


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"{}", "Must be bound to a session"),
        (b'{"Name": "x"}', "Must provide a Service name to query"),
        (b'{"Session": "s", "Service": {"Service": "web"}}', None),
        (b'{"Template": {"Type": "name_prefix_match"}, "Service": {"Service": "web"}}', None),
        (b'{"Name": "x", "Token": "<hidden>", "Service": {"Service": "web"}}', "Bad Token '<hidden>'"),
        (b'{"Name": "x", "Service": {"Service": "web", "Failover": {"NearestN": -1}}}', "Bad NearestN '-1'"),
        (
            b'{"Name": "x", "Service": {"Service": "web", "Failover": {"NearestN": 1, "Targets": [{"Peer": "p"}]}}}',
            "Targets cannot be populated",
        ),
        (b'{"Name": "x", "Service": {"Service": "web", "NodeMeta": {"": "v"}}}', "Key cannot be blank"),
        (b'{"Name": "x", "Service": {"Service": "web", "NodeMeta": {"a.b": "v"}}}', "Key contains invalid characters"),
        (b'{"Name": "x", "Service": {"Service": "web", "NodeMeta": {"consul-x": "v"}}}', None),
        (b'{"Name": "x", "Service": {"Service": "web"}, "DNS": {"TTL": "5"}}', 'time: missing unit in duration "5"'),
        (b'{"Name": "x", "Service": {"Service": "web"}, "DNS": {"TTL": "-1s"}}', "DNS TTL '-1000000000', must be >=0"),
        (b'{"Name": "x", "Service": {"Service": "web"}, "DNS": {"TTL": "0s"}}', None),
    ],
)
def test_problems(body: bytes, problem: str | None) -> None:
    found = _problem(decode(body, PreparedQuery))
    assert found is None if problem is None else problem in (found or "")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"Name": 5}', "json: cannot unmarshal number into Go struct field PreparedQuery.Name of type string"),
        (
            b'{"Service": {"Tags": "one"}}',
            "json: cannot unmarshal string into Go struct field ServiceQuery.Service.Tags of type []string",
        ),
        (b'{"Nonsense": 1}', 'json: unknown field "Nonsense"'),
        (b"[]", "json: cannot unmarshal array into Go value of type structs.PreparedQuery"),
    ],
)
def test_bodies_that_cannot_be_read(body: bytes, text: str) -> None:
    with pytest.raises(HTTPError) as caught:
        decode(body, PreparedQuery)
    assert (caught.value.status, caught.value.text) == (400, f"Request decode failed: {text}")


def test_keys_have_no_case_and_those_of_the_mesh_are_ignored() -> None:
    body = (
        b'{"name": "x", "SERVICE": {"service": "web", "ignorecheckids": ["m"], "SamenessGroup": "g", "Connect": true}}'
    )
    query = decode(body, PreparedQuery)
    assert (query.name, query.service.service, query.service.ignore_check_ids) == ("x", "web", ["m"])
    assert query.service.connect
