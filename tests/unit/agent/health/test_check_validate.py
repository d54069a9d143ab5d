"""Which checks an agent takes, and what kind they are."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.health.definition import CheckDefinition, CheckError, check_type, output_limit, seconds_between
from pyconsul.agent.health.validate import NO_LOCAL_SCRIPTS, NO_SCRIPTS, validate

S = SECOND_NS
NO_INTERVAL = "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"ttl": S}, "ttl"),
        ({"http": "x", "interval": S}, "http"),
        ({"tcp": "x", "interval": S}, "tcp"),
        ({"udp": "x", "interval": S}, "udp"),
        ({"grpc": "x", "interval": S}, "grpc"),
        ({"h2ping": "x", "interval": S}, "h2ping"),
        ({"os_service": "x", "interval": S}, "os_service"),
        ({"script_args": ["x"], "interval": S}, "script"),
        ({"script_args": ["x"], "docker_container_id": "c", "interval": S}, "docker"),
        ({"alias_service": "x"}, "alias"),
        ({"alias_node": "x", "interval": S}, "alias"),
    ],
)
def test_kinds(fields: dict[str, Any], kind: str) -> None:
    definition = CheckDefinition(name="x", **fields)
    validate(definition, True)
    assert check_type(definition) == kind


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"ttl": -S}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"interval": S}, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"http": "x"}, NO_INTERVAL),
        ({"tcp": "x", "interval": 0}, NO_INTERVAL),
        ({"script_args": ["x"]}, NO_INTERVAL),
        ({"ttl": S, "http": "x", "interval": S}, "Invalid check: Interval and TTL cannot both be specified"),
        ({"alias_service": "x", "ttl": S}, "Invalid check: TTL must be not be set for Alias checks"),
        ({"alias_service": "x", "http": "x", "interval": S}, "Invalid check: Interval cannot be set for Alias checks"),
        ({"ttl": S, "output_max_size": -1}, "Invalid check: MaxOutputMaxSize must be positive"),
        (
            {"ttl": S, "failures_before_warning": 5, "failures_before_critical": 2},
            "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
        ),
        ({"ttl": S, "status": "fine"}, "Bad check status"),
        ({"ttl": S, "name": ""}, "Missing check name"),
    ],
)
def test_refusals(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(CheckError) as caught:
        validate(CheckDefinition(**({"name": "x"} | fields)), True)
    assert (caught.value.text, caught.value.status) == (text, 400)


def test_checks_of_a_service_need_no_name() -> None:
    validate(CheckDefinition(ttl=S), True, of_service=True)
    with pytest.raises(CheckError, match="Status for checks must 'passing', 'warning', 'critical'"):
        validate(CheckDefinition(ttl=S, status="fine"), True, of_service=True)


@pytest.mark.parametrize(("from_file", "text"), [(False, NO_SCRIPTS), (True, NO_LOCAL_SCRIPTS)])
def test_scripts_have_to_be_enabled(from_file: bool, text: str) -> None:
    definition = CheckDefinition(name="x", script_args=["true"], interval=S)
    with pytest.raises(CheckError) as caught:
        validate(definition, False, from_file=from_file)
    assert (caught.value.text, caught.value.status) == (text, 500)


def test_intervals_below_a_second_are_a_second() -> None:
    assert seconds_between(CheckDefinition(interval=S // 100)) == 1
    assert seconds_between(CheckDefinition(interval=3 * S // 2)) == 1.5


def test_a_definition_only_lowers_the_output_limit() -> None:
    assert output_limit(CheckDefinition()) == 4096
    assert output_limit(CheckDefinition(output_max_size=10)) == 10
    assert output_limit(CheckDefinition(output_max_size=10_000)) == 4096
    assert output_limit(CheckDefinition(), 100) == 100
