"""Alias checks: what they say of the checks they follow."""

from __future__ import annotations

import pytest

from pyconsul.agent.health.alias import AliasIndex, AliasView, alias_result
from pyconsul.agent.health.definition import CheckDefinition
from pyconsul.agent.model.check import HealthCheck


def check(name: str, status: str, service_id: str = "", node: str = "n1") -> HealthCheck:
    return HealthCheck(node, name, name, status, "", "out", service_id, "", None, "", "", "", {}, 1, 1)


OK, BAD, SLOW = check("ok", "passing", "db"), check("bad", "critical", "db"), check("slow", "warning", "db")


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], ("passing", "No checks found.")),
        ([OK], ("passing", "All checks passing.")),
        ([OK, SLOW], ("warning", 'Aliased check "slow" failing: out')),
        ([SLOW, OK], ("warning", 'Aliased check "slow" failing: out')),
        ([SLOW, BAD, SLOW], ("critical", 'Aliased check "bad" failing: out')),
        ([OK, check("other", "critical", "web")], ("passing", "All checks passing.")),
        ([OK, check("node", "critical")], ("critical", 'Aliased check "node" failing: out')),
    ],
)
def test_statuses(checks: list[HealthCheck], expected: tuple[str, str]) -> None:
    assert alias_result(AliasView(checks, True), "", "db") == expected


def test_an_unknown_service() -> None:
    assert alias_result(AliasView([], False), "", "nosuch") == (
        "critical",
        "Service nosuch could not be found on node ",
    )
    assert alias_result(AliasView([], False), "far", "") == ("critical", "Service  could not be found on node far")
    assert alias_result(AliasView([OK], False), "", "db") == ("passing", "All checks passing.")


def test_only_checks_of_the_node_count() -> None:
    far = check("far", "warning", "db", "far")
    assert alias_result(AliasView([BAD, far], True), "far", "db") == ("warning", 'Aliased check "far" failing: out')


def test_alias_index() -> None:
    aliases = AliasIndex()
    local, remote = CheckDefinition(alias_service="db"), CheckDefinition(alias_node="far", alias_service="db")
    aliases.add("a", local)
    aliases.add("b", remote)
    assert aliases.of("", "db") == {"a"}
    assert aliases.of("far", "anything") == {"b"}
    assert aliases.of("", "") == set()
    aliases.remove("a", local)
    aliases.remove("b", remote)
    aliases.remove("never there", local)
    assert not aliases.of("", "db")
    assert not aliases.of("far", "")
