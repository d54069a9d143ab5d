"""How often one bearer token may be traded for another token."""

from __future__ import annotations

from pyconsul.agent.acl.login_limit import BURST, KNOWN, PER_SECOND, LoginLimit


def logins(limit: LoginLimit, now: float, bearer: str = "b") -> int:
    return sum(not limit.take("m", bearer, now) for _ in range(2 * BURST))


def test_a_burst_and_then_a_rate() -> None:
    limit = LoginLimit()
    assert logins(limit, 100.0) == BURST
    assert limit.take("m", "b", 100.0) == 1 / PER_SECOND
    assert logins(limit, 101.0) == PER_SECOND
    assert logins(limit, 100_000.0) == BURST
    assert logins(limit, 99_999.0) == 0  # the clock does not go back; if it did, nothing would be given for it


def test_bearers_and_methods_are_counted_apart() -> None:
    limit = LoginLimit()
    logins(limit, 0.0)
    assert not limit.take("m", "another", 0.0)
    assert not limit.take("n", "b", 0.0)
    assert limit.take("m", "b", 0.0)


def test_memory_is_bounded() -> None:
    limit = LoginLimit()
    for number in range(KNOWN + 10):
        limit.take("m", f"{number}" * 100, 0.0)
    assert len(limit._buckets) == KNOWN
