"""The check that SERVICE_CHECK_ settings describe."""

from __future__ import annotations

import pytest

from pyconsul.tools.registrator.desired.checks import Described, Target, described_check
from pyconsul.tools.registrator.desired.metadata import Value

ID = "0123456789abcdef"


def described(address: str = "10.0.0.1", **settings: str) -> Described:
    metadata = {f"check_{key}": Value(text, f"SERVICE_CHECK_{key.upper()}") for key, text in settings.items()}
    return described_check(metadata, Target(address, 8080, ID, 80))


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        (
            {"http": "/health", "http_method": "HEAD", "timeout": "2s"},
            {"HTTP": "http://10.0.0.1:8080/health", "Method": "HEAD", "Timeout": "2s"},
        ),
        ({"https": "/", "tls_skip_verify": "1"}, {"HTTP": "https://10.0.0.1:8080/"}),
        ({"cmd": "/bin/check me"}, {"ScriptArgs": ["check-cmd", ID[:12], "80", "/bin/check me"]}),
        ({"script": "nc $SERVICE_IP $SERVICE_PORT"}, {"ScriptArgs": ["/bin/sh", "-c", "nc 10.0.0.1 8080"]}),
        ({"tcp": "no"}, {"TCP": "10.0.0.1:8080"}),
        (
            {"grpc": "1", "grpc_use_tls": "1", "tls_skip_verify": "1"},
            {"GRPC": "10.0.0.1:8080", "GRPCUseTLS": True, "TLSSkipVerify": True},
        ),
        ({"grpc": "1", "tls_skip_verify": "1"}, {"GRPC": "10.0.0.1:8080"}),
        ({"tcp": "1", "http": "/"}, {"HTTP": "http://10.0.0.1:8080/"}),
    ],
)  # fmt: skip
def test_kinds(settings: dict[str, str], check: dict[str, object]) -> None:
    assert described(**settings).written == {**check, "Interval": "10s"}


def test_ipv6_stands_in_brackets() -> None:
    found = described("fd00::1", http="/").written
    assert found is not None
    assert found["HTTP"] == "http://[fd00::1]:8080/"


def test_a_ttl_check_has_no_interval() -> None:
    found = described(ttl="30s", interval="5s", initial_status="passing", deregister_after="90m")
    assert found.written == {"TTL": "30s", "Status": "passing", "DeregisterCriticalServiceAfter": "90m"}


def test_malformed_values_are_replaced_or_left_out() -> None:
    found = described(tcp="1", interval="often", timeout="-1s", initial_status="fine", deregister_after="90m")
    assert found.written == {
        "TCP": "10.0.0.1:8080",
        "Interval": "often",
        "Timeout": "-1s",
        "Status": "fine",
        "DeregisterCriticalServiceAfter": "90m",
    }
    assert found.mended == {"TCP": "10.0.0.1:8080", "Interval": "10s", "DeregisterCriticalServiceAfter": "90m"}
    assert found.warnings == (
        "SERVICE_CHECK_INTERVAL=often: not a duration: use a number with a unit, as 10s or 1m30s; 10s is used",
        "SERVICE_CHECK_TIMEOUT=-1s: not a positive duration: use a number with a unit, as 10s or 1m30s; it is left out",
        "SERVICE_CHECK_INITIAL_STATUS=fine: unknown status: use passing, warning, critical; it is left out",
    )


def test_settings_of_a_check_without_a_check() -> None:
    found = described(interval="5s")
    assert (found.written, found.mended) == (None, None)
    assert found.warnings[0].startswith("SERVICE_CHECK_INTERVAL: no effect without one of SERVICE_CHECK_HTTP, ")
