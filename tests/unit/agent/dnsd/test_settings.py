"""Settings from the agent's configuration."""

from __future__ import annotations

import pytest

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.dns import DNSConfig
from pyconsul.agent.dnsd.settings import Settings, recursor, settings_of, zone


def test_defaults_are_consul_s() -> None:
    assert settings_of(Config()) == Settings()


def test_settings_follow_the_configuration() -> None:
    config = Config(
        domain="Corp.Test.",
        alt_domain="other.example",
        recursors=("10.0.0.1", "[::1]:5353"),
        dns_config=DNSConfig(node_ttl=10.0, service_ttl={"web": 5.0}, recursor_strategy="random"),
    )
    found = settings_of(config)
    assert found.domain == zone("corp.test")
    assert found.alt_domain == zone("other.example")
    assert found.recursors == (("10.0.0.1", 53), ("::1", 5353))
    assert (found.node_ttl, found.service_ttl, found.recursor_strategy) == (10, {"web": 5}, "random")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8.8.8.8", ("8.8.8.8", 53)),
        ("8.8.8.8:5353", ("8.8.8.8", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:54", ("::1", 54)),
    ],
)
def test_recursors(text: str, expected: tuple[str, int]) -> None:
    assert recursor(text) == expected


@pytest.mark.parametrize("text", ["", "example.com", "8.8.8.8:0", "8.8.8.8:x", "8.8.8.8:70000", "[::1", "[::1]x53"])
def test_invalid_recursors(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        recursor(text)
