"""Limits on the requests of all callers together."""

from __future__ import annotations

import pytest

from pyconsul.agent.config.sections.http import RequestLimits
from pyconsul.agent.httpapi.core.admission import RequestRates, request_rates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def rates(clock: Clock, **settings: object) -> RequestRates:
    made = request_rates(RequestLimits(**{"mode": "enforcing", **settings}), clock)  # type: ignore[arg-type]
    assert made is not None
    return made


def status(found: RequestRates, method: str, pattern: str = "/v1/kv/") -> int:
    refused = found.refusal(method, pattern)
    return refused.status if refused else 200


def test_a_burst_passes_then_the_rate_holds() -> None:
    clock = Clock()
    found = rates(clock, read_rate=2, write_rate=1)
    assert [status(found, "GET") for _ in range(22)] == [200] * 20 + [429] * 2
    assert [status(found, "PUT") for _ in range(11)] == [200] * 10 + [503]
    clock.now += 1
    assert [status(found, "GET") for _ in range(3)] == [200, 200, 429]
    assert [status(found, "DELETE") for _ in range(2)] == [200, 503]
    clock.now += 1000
    assert [status(found, "GET") for _ in range(21)] == [200] * 20 + [429]


def test_reads_and_writes_are_counted_apart_and_the_agents_own_endpoints_not_at_all() -> None:
    found = rates(Clock(), write_rate=0)
    assert {status(found, "GET") for _ in range(100)} == {200}
    assert status(found, "PUT") == 503
    assert status(found, "PUT", "/v1/agent/service/register") == 200
    assert status(rates(Clock(), read_rate=0), "GET", "/v1/status/leader") == 200


def test_permissive_limits_only_log(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    found = rates(clock, mode="permissive", read_rate=0)
    assert {status(found, "GET") for _ in range(5)} == {200}
    clock.now += 11
    status(found, "GET")
    assert [record.getMessage() for record in caplog.records] == [
        "requests exceed limits.request_limits.read_rate: requests=1 refused=false",
        "requests exceed limits.request_limits.read_rate: requests=5 refused=false",
    ]


@pytest.mark.parametrize("limits", [RequestLimits(), RequestLimits(mode="enforcing"), RequestLimits(read_rate=1.0)])
def test_nothing_to_limit(limits: RequestLimits) -> None:
    assert request_rates(limits, Clock()) is None
