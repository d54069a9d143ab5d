"""Reading check definitions: which spellings are taken, and what is said of the others."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.decode import decode_check, decode_config_check, decode_service_check
from pyconsul.agent.health.definition import CheckDefinition, CheckError


def test_all_fields() -> None:
    body = {
        "ID": "web", "Name": "web alive", "Notes": "n", "ServiceID": "w", "Status": "passing", "HTTP": "http://x/",
        "Header": {"X-One": ["a", "b"]}, "Method": "PUT", "Body": "{}", "DisableRedirects": True, "TLSServerName": "s",
        "TLSSkipVerify": True, "Interval": "10s", "Timeout": 1_500_000_000, "SuccessBeforePassing": 1,
        "FailuresBeforeWarning": 2, "FailuresBeforeCritical": 3, "DeregisterCriticalServiceAfter": "1m", "OutputMaxSize": 9,
    }  # fmt: skip
    assert decode_check(body) == CheckDefinition(
        id="web", name="web alive", notes="n", service_id="w", status="passing", http="http://x/",
        header={"X-One": ["a", "b"]}, method="PUT", body="{}", disable_redirects=True, tls_server_name="s",
        tls_skip_verify=True, interval=10 * SECOND_NS, timeout=3 * SECOND_NS // 2, success_before_passing=1,
        failures_before_warning=2, failures_before_critical=3, deregister_critical_service_after=60 * SECOND_NS,
        output_max_size=9,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ({"id": "x"}, "id", "x"),
        ({"hTtP": "x"}, "http", "x"),
        ({"Args": ["a"]}, "script_args", ["a"]),
        ({"ScriptArgs": ["a"]}, "script_args", ["a"]),
        ({"script_args": ["a"]}, "script_args", ["a"]),
        ({"tls_skip_verify": True}, "tls_skip_verify", True),
        ({"disable_redirects": True}, "disable_redirects", True),
        ({"service_id": "x"}, "service_id", "x"),
        ({"docker_container_id": "x"}, "docker_container_id", "x"),
        ({"GRPCUseTLS": True}, "grpc_use_tls", True),
        ({"TCPUseTLS": True}, "tcp_use_tls", True),
        ({"OSService": "x"}, "os_service", "x"),
        ({"H2PING": "x"}, "h2ping_use_tls", True),
        ({"H2PING": "x", "H2PingUseTLS": False}, "h2ping_use_tls", False),
        ({"deregister_critical_service_after": "2s"}, "deregister_critical_service_after", 2 * SECOND_NS),
        ({"Interval": "1h0m0.5s"}, "interval", 3600 * SECOND_NS + SECOND_NS // 2),
        ({"Interval": True}, "interval", 0),
        ({"Name": None}, "name", ""),
        ({"Token": "t"}, "token", "t"),
    ],
)
def test_spellings_of_a_separate_check(body: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(decode_check(body), field) == value


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"CheckID": "x"}, 'json: unknown field "CheckID"'),
        ({"check_id": "x"}, 'json: unknown field "check_id"'),
        ({"output_max_size": 1}, 'json: unknown field "output_max_size"'),
        ({"Script": "true"}, 'json: unknown field "Script"'),
        ({"Interval": "never"}, 'time: invalid duration "never"'),
        ({"Interval": "10"}, 'time: missing unit in duration "10"'),
        ({"Interval": "10x"}, 'time: unknown unit "x" in duration "10x"'),
        ({"Interval": "1.2.3s"}, 'time: invalid duration "1.2.3s"'),
        ({"TTL": ""}, 'time: invalid duration ""'),
        ({"Name": 1}, "json: cannot unmarshal number into Go struct field .Alias.Name of type string"),
        ({"ID": []}, "json: cannot unmarshal array into Go struct field .Alias.ID of type types.CheckID"),
        (
            {"TLSSkipVerify": "yes"},
            "json: cannot unmarshal string into Go struct field .Alias.TLSSkipVerify of type bool",
        ),
        (
            {"OutputMaxSize": 1.5},
            "json: cannot unmarshal number 1.5 into Go struct field .Alias.OutputMaxSize of type int",
        ),
        ({"args": "x"}, "json: cannot unmarshal string into Go struct field .args of type []string"),
        ({"ScriptArgs": [1]}, "json: cannot unmarshal number into Go struct field .Alias.ScriptArgs of type string"),
        ({"Header": {"A": "x"}}, "json: cannot unmarshal string into Go struct field .Alias.Header of type []string"),
        (
            {"Header": "x"},
            "json: cannot unmarshal string into Go struct field .Alias.Header of type map[string][]string",
        ),
    ],
)
def test_refused_by_the_api(body: dict[str, Any], text: str) -> None:
    with pytest.raises(CheckError) as caught:
        decode_check(body)
    assert caught.value.text == text
    assert caught.value.status == 400


def test_a_check_within_a_service() -> None:
    found = decode_service_check({"CheckID": "x", "TTL": "1s", "ServiceID": "ignored", "ProxyHTTP": "ignored"})
    assert found == CheckDefinition(id="x", ttl=SECOND_NS)
    for key in ("ID", "check_id", "Token", "disable_redirects"):
        with pytest.raises(CheckError, match="unknown field"):
            decode_service_check({key: "x"})


def test_a_check_in_a_configuration_file() -> None:
    table = {
        "id": "x", "args": ["true"], "interval": "10s", "output_max_size": 7, "header": [{"X": ["a"], "Y": "b"}],
        "success_before_passing": 2, "Notes": "n", "service_id": None,
    }  # fmt: skip
    assert decode_config_check(table) == CheckDefinition(
        id="x", script_args=["true"], interval=10 * SECOND_NS, output_max_size=7, header={"X": ["a"], "Y": ["b"]},
        success_before_passing=2, notes="n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"colour": "red"}, "invalid config key check.colour"),
        ({"interval": "soon"}, 'check.interval: invalid duration: "soon": time: invalid duration "soon"'),
        ({"interval": 10}, 'check.interval: must be a duration such as "10s"'),
        ({"name": 10}, "check.name: must be of type string"),
        ({"args": "true"}, "check.args: must be a list of strings"),
        ({"header": "x"}, "check.header: must map header names to lists of values"),
    ],
)
def test_refused_in_a_configuration_file(table: dict[str, Any], text: str) -> None:
    with pytest.raises(CheckError) as caught:
        decode_config_check(table)
    assert caught.value.text == text


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from(
    ["ID", "HTTP", "Header", "Args", "TTL", "Interval", "OutputMaxSize", "TLSSkipVerify", "CheckID", "x"]
)


@settings(deadline=None)
@given(st.dictionaries(keys, json_values))
def test_any_json_object_gives_a_definition_or_a_check_error(body: dict[str, Any]) -> None:
    for decode in (decode_check, decode_service_check, decode_config_check):
        with contextlib.suppress(CheckError):
            assert isinstance(decode(body), CheckDefinition)
