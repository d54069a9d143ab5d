"""Permissions are asked for at the row that changes: takeovers by ID, by another spelling, and of what sessions depend on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.acl_agent import Caller, Manager, acl_agent

VICTIM_ID = "40e4a748-2192-161a-0510-9bf59fe950b5"
EVIL = """
service_prefix "evil" { policy = "write" }
node_prefix "evil" { policy = "write" }
"""
BANK_CHECK = {"CheckID": "bankchk", "Name": "bank", "TTL": "10m", "Status": "passing"}


@pytest.fixture(scope="module")
def manager() -> Iterator[Manager]:
    with acl_agent() as found:
        yield found


@pytest.fixture(scope="module")
def evil(manager: Manager) -> Caller:
    return manager.caller(EVIL)


def test_tokens_are_listed_by_one_property(manager: Manager) -> None:
    text = "can only filter by one of policy, role, serviceName, or methodName at the same time"
    assert manager.ask("GET", "/v1/acl/tokens?servicename=s&authmethod=a") == (500, text)
    assert manager.read("/v1/acl/tokens?servicename=s&authmethod=") == []


@pytest.fixture
def bank(manager: Manager) -> Iterator[None]:
    """A service of this agent, and the same one on another node, each with a check."""
    manager.write("/v1/agent/service/register", {"Name": "bank", "Check": BANK_CHECK})
    manager.write("/v1/catalog/register", {"Node": "victim", "ID": VICTIM_ID, "Address": "10.0.0.1"})
    service = {"ID": "bank", "Service": "bank"}
    check = {"CheckID": "bankchk", "Name": "bank", "ServiceID": "bank", "Status": "passing"}
    manager.write(
        "/v1/catalog/register",
        {"Node": "victim", "Address": "10.0.0.1", "ID": VICTIM_ID, "Service": service, "Check": check},
    )
    yield
    manager.put("/v1/agent/service/deregister/bank")
    manager.put("/v1/catalog/deregister", {"Node": "victim"})


def locked(manager: Manager, **session: object) -> str:
    """Return a session that holds a lock."""
    session_id = manager.write("/v1/session/create", session)["ID"]
    assert manager.write(f"/v1/kv/lock/{session_id}?acquire={session_id}") is True
    return str(session_id)


def alive(manager: Manager, session_id: str) -> bool:
    return bool(manager.read(f"/v1/session/info/{session_id}"))


OWN = [
    ("/v1/agent/service/register", {"Name": "evil1", "Check": {**BANK_CHECK, "Status": "critical"}}),
    ("/v1/agent/service/register", {"Name": "evil1", "Checks": [{"TTL": "1m"}, {**BANK_CHECK, "Status": "critical"}]}),
    ("/v1/agent/service/register", {"service": {"name": "evil1", "check": {"id": "bankchk", "ttl": "10m"}}}),
    ("/v1/agent/service/register", {"service": {"name": "evil1", "checks": [{"id": "bankchk", "ttl": "10m"}]}}),
    ("/v1/agent/service/register", {"Name": "evil1", "ID": "bank"}),
    ("/v1/agent/check/register", {"ID": "bankchk", "Name": "x", "TTL": "10m", "ServiceID": "evil"}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body"), OWN, ids=range(len(OWN)))
def test_a_check_or_service_of_another_is_not_taken_over(
    manager: Manager, evil: Caller, bank: None, path: str, body: object
) -> None:
    evil.write("/v1/agent/service/register", {"Name": "evil"})
    status, text = evil.put(path, body)
    assert (status, "lacks permission 'service:write' on \"bank\"" in text) == (403, True), text
    checks = manager.read("/v1/agent/checks")
    assert checks["bankchk"]["ServiceID"] == "bank"
    assert checks["bankchk"]["Status"] == "passing"
    assert manager.read("/v1/agent/service/bank")["Service"] == "bank"


def service(check_id: str, node: str = "victim") -> dict[str, object]:
    check = {"CheckID": check_id, "Name": "x", "ServiceID": "evil1", "Status": "critical"}
    return {"Node": node, "SkipNodeUpdate": True, "Service": {"Service": "evil1"}, "Check": check}


CATALOG = [
    ("/v1/catalog/register", service("bankchk"), 403),
    ("/v1/catalog/register", service("bankchk", "VICTIM"), 403),
    (
        "/v1/txn",
        [
            {"Service": {"Verb": "set", "Node": "victim", "Service": {"ID": "evil1", "Service": "evil1"}}},
            {"Check": {"Verb": "set", "Check": {"Node": "victim", "CheckID": "bankchk", "ServiceID": "evil1"}}},
        ],
        409,
    ),
    ("/v1/txn", [{"Check": {"Verb": "delete", "Check": {"Node": "victim", "CheckID": "bankchk"}}}], 409),
    ("/v1/catalog/deregister", {"Node": "victim", "CheckID": "bankchk"}, 403),
]


@pytest.mark.parametrize(("path", "body", "refused"), CATALOG, ids=range(len(CATALOG)))
def test_a_check_in_the_catalog_is_not_taken_over(
    manager: Manager, evil: Caller, bank: None, path: str, body: object, refused: int
) -> None:
    session = locked(manager, Node="victim", NodeChecks=["bankchk"])
    status, text = evil.put(path, body)
    assert (status, "lacks permission" in text) == (refused, True), text
    (check,) = manager.read("/v1/health/checks/bank?filter=Node==victim")
    assert (check["ServiceID"], check["Status"]) == ("bank", "passing")
    assert alive(manager, session)


SERF = {"CheckID": "serfHealth", "Name": "x", "Status": "critical"}
HEALTH = [
    ("/v1/agent/service/register", {"Name": "evil1", "Check": {**SERF, "TTL": "1m"}}, 400),
    ("/v1/agent/service/register", {"service": {"name": "evil1", "check": {"id": "serfHealth", "ttl": "1m"}}}, 400),
    ("/v1/agent/check/register", {"ID": "serfHealth", "Name": "x", "TTL": "1m"}, 400),
    ("/v1/agent/check/register", {"Name": "serfHealth", "TTL": "1m"}, 400),
    ("/v1/catalog/register", {"Node": "n1", "SkipNodeUpdate": True, "Check": SERF}, 403),
    ("/v1/catalog/register", {"Node": "N1", "SkipNodeUpdate": True, "Checks": [SERF]}, 403),
    ("/v1/catalog/register", service("serfHealth", "n1"), 403),
    ("/v1/catalog/deregister", {"Node": "n1", "CheckID": "serfHealth"}, 403),
    ("/v1/txn", [{"Check": {"Verb": "set", "Check": {"Node": "n1", **SERF}}}], 409),
    ("/v1/txn", [{"Check": {"Verb": "delete", "Check": {"Node": "n1", "CheckID": "serfHealth"}}}], 409),
]


@pytest.mark.parametrize("who", ["manager", "evil"])
@pytest.mark.parametrize(("path", "body", "refused"), HEALTH, ids=range(len(HEALTH)))
def test_only_the_agent_writes_the_health_of_its_node(
    manager: Manager, evil: Caller, who: str, path: str, body: object, refused: int
) -> None:
    session = locked(manager)
    status, text = {"manager": manager, "evil": evil}[who].put(path, body)
    assert status == refused, text
    checks = {check["CheckID"]: check["Status"] for check in manager.read("/v1/health/node/n1")}
    assert checks["serfHealth"] == "passing"
    assert alive(manager, session)


def test_the_health_of_a_node_without_an_agent_needs_the_node(manager: Manager, evil: Caller, bank: None) -> None:
    assert evil.put("/v1/catalog/register", service("serfHealth"))[0] == 403
    external = {"Node": "victim", "SkipNodeUpdate": True, "Check": {**SERF, "Status": "passing"}}
    assert manager.write("/v1/catalog/register", external) is True


TAKEN = [
    ("/v1/catalog/register", {"Node": "evil", "ID": VICTIM_ID, "Address": "6.6.6.6"}, 403),
    ("/v1/catalog/register", {"Node": "evil", "ID": VICTIM_ID.upper(), "Address": "6.6.6.6"}, 403),
    ("/v1/txn", [{"Node": {"Verb": "set", "Node": {"ID": VICTIM_ID, "Node": "evil", "Address": "6.6.6.6"}}}], 409),
    ("/v1/txn", [{"Node": {"Verb": "delete", "Node": {"ID": VICTIM_ID}}}], 409),
    (
        "/v1/txn",
        [
            {"Node": {"Verb": "set", "Node": {"Node": "evil", "Address": "6.6.6.6"}}},
            {"Node": {"Verb": "set", "Node": {"ID": VICTIM_ID, "Node": "evil", "Address": "6.6.6.6"}}},
        ],
        409,
    ),
]


@pytest.mark.parametrize(("path", "body", "refused"), TAKEN, ids=range(len(TAKEN)))
def test_a_node_is_not_taken_over_by_its_id(
    manager: Manager, evil: Caller, bank: None, path: str, body: object, refused: int
) -> None:
    status, text = evil.put(path, body)
    assert (status, "lacks permission 'node:write' on \"victim\"" in text.replace("\\", "")) == (refused, True), text
    node = manager.read("/v1/catalog/node/victim")
    assert node["Node"]["Address"] == "10.0.0.1"
    assert list(node["Services"]) == ["bank"]


def test_whoever_may_write_both_names_renames_a_node(manager: Manager, bank: None) -> None:
    both = manager.caller('node "victim" { policy = "write" }\nnode "renamed" { policy = "write" }')
    assert both.write("/v1/catalog/register", {"Node": "renamed", "ID": VICTIM_ID, "Address": "10.0.0.1"}) is True
    assert manager.read("/v1/catalog/node/victim") is None
    manager.write("/v1/catalog/deregister", {"Node": "renamed"})


def test_another_spelling_gives_no_more_than_the_name(manager: Manager) -> None:
    rules = """
    node_prefix "" { policy = "write" }
    service_prefix "" { policy = "write" }
    session_prefix "" { policy = "write" }
    query_prefix "" { policy = "write" }
    node "SecNode" { policy = "deny" }
    service "SecService" { policy = "deny" }
    session "SecNode" { policy = "deny" }
    query "SecQuery" { policy = "deny" }
    """
    caller = manager.caller(rules)
    manager.write(
        "/v1/catalog/register", {"Node": "SecNode", "Address": "10.0.0.1", "Service": {"Service": "SecService"}}
    )
    for spelling in ("SecNode", "secnode", "SECNODE"):
        assert caller.put("/v1/catalog/register", {"Node": spelling, "Address": "6.6.6.6"})[0] == 403
        assert caller.put("/v1/catalog/deregister", {"Node": spelling})[0] == 403
        assert caller.put("/v1/session/create", {"Node": spelling, "NodeChecks": []})[0] == 403
        coordinate = {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-5}
        assert caller.put("/v1/coordinate/update", {"Node": spelling, "Coord": coordinate})[0] == 403
        assert caller.ask("GET", f"/v1/coordinate/node/{spelling}")[0] == 403
        assert caller.read(f"/v1/catalog/node/{spelling}") is None
    for spelling in ("SecService", "secservice"):
        assert caller.put("/v1/agent/service/register", {"Name": spelling})[0] == 403
        assert caller.read(f"/v1/health/service/{spelling}") == []
    for spelling in ("SecQuery", "secquery"):
        query = {"Name": spelling, "Service": {"Service": "x"}}
        assert caller.ask("POST", "/v1/query", query)[0] == 403
    assert manager.read("/v1/catalog/node/secnode")["Node"]["Address"] == "10.0.0.1"
    manager.write("/v1/catalog/deregister", {"Node": "SecNode"})


def test_a_transaction_shows_an_instance_by_its_own_node(manager: Manager) -> None:
    for node in ("seen", "hidden"):
        instance = {"ID": "same", "Service": "web", "Address": f"of-{node}"}
        manager.write("/v1/catalog/register", {"Node": node, "Address": "10.0.0.1", "Service": instance})
    caller = manager.caller('node "seen" { policy = "read" }\nservice "web" { policy = "read" }')
    reads = [{"Service": {"Verb": "get", "Node": node, "Service": {"ID": "same"}}} for node in ("hidden", "seen")]
    for order in (reads, reads[::-1]):
        found = caller.write("/v1/txn", order)["Results"]
        assert [one["Service"]["Address"] for one in found] == ["of-seen"]
    for node in ("seen", "hidden"):
        manager.write("/v1/catalog/deregister", {"Node": node})


def test_a_later_operation_is_authorized_on_the_rows_of_the_earlier_ones(manager: Manager, bank: None) -> None:
    """Operations that the caller may do one after the other succeed together."""
    caller = manager.caller('service "evil1" { policy = "write" }\nnode_prefix "" { policy = "read" }')
    operations = [
        {"Service": {"Verb": "set", "Node": "victim", "Service": {"ID": "e", "Service": "evil1"}}},
        {"Check": {"Verb": "set", "Check": {"Node": "victim", "CheckID": "own", "ServiceID": "e", "ServiceName": "evil1"}}},
        {"Check": {"Verb": "delete", "Check": {"Node": "victim", "CheckID": "own", "ServiceID": "e", "ServiceName": "evil1"}}},
        {"Service": {"Verb": "delete", "Node": "victim", "Service": {"ID": "e", "Service": "evil1"}}},
    ]  # fmt: skip
    status, text = caller.put("/v1/txn", operations)
    assert (status, json.loads(text)["Errors"]) == (200, None)


def test_maintenance_of_another_cannot_be_occupied(manager: Manager, evil: Caller, bank: None) -> None:
    evil.write("/v1/agent/service/register", {"Name": "evil"})
    for check_id in ("_node_maintenance", "_service_maintenance:bank"):
        check = {"ID": check_id, "Name": "x", "TTL": "10m", "ServiceID": "evil"}
        assert evil.put("/v1/agent/check/register", check)[0] == 403
        with_check = {"Name": "evil", "Check": {"CheckID": check_id, "TTL": "10m"}}
        assert evil.put("/v1/agent/service/register", with_check)[0] == 403
    manager.write("/v1/agent/service/maintenance/bank?enable=true")
    assert manager.read("/v1/agent/checks")["_service_maintenance:bank"]["Status"] == "critical"
    assert evil.put("/v1/agent/service/maintenance/bank?enable=false")[0] == 403


def test_an_unnamed_query_needs_a_token_or_the_session(manager: Manager) -> None:
    session = manager.write("/v1/session/create", {"NodeChecks": []})["ID"]
    query = {"Session": session, "Service": {"Service": "web"}}
    assert Caller(manager.agent, "").ask("POST", "/v1/query", query)[0] == 403
    assert manager.ask("POST", "/v1/query", query)[0] == 200


def test_the_log_names_registrations_that_acls_refuse(manager: Manager) -> None:
    token = manager.write("/v1/acl/token", {})
    manager.write("/v1/agent/service/register", {"Name": "kept-out", "Token": token["SecretID"]})
    manager.agent.wait_for_log(f"service=kept-out accessorID={token['AccessorID']}")
    log = manager.agent.log()
    assert 'missing=service "kept-out" { policy = "write" }' in log
    assert token["SecretID"] not in log
    manager.put("/v1/agent/service/deregister/kept-out")


@pytest.mark.single_server("the leader logs the warning")
def test_the_log_warns_of_rules_that_mean_nothing(manager: Manager) -> None:
    manager.write("/v1/acl/policy", {"Name": "misspelled", "Rules": 'keyprefix "x" { policy = "read" }'})
    assert (
        'policy "misspelled", line 1: rule "keyprefix" is not known and gives nothing; did you mean key_prefix?'
        in manager.agent.log()
    )


def test_an_alias_check_shows_only_what_its_token_may_read(manager: Manager) -> None:
    """The status of what it follows counts; names and outputs stay hidden."""
    secret = {"Name": "hidden-alias", "Check": {"Name": "SECRET-NAME", "TTL": "10m"}}
    manager.write("/v1/agent/service/register", secret)
    manager.write("/v1/agent/check/update/service:hidden-alias", {"Status": "critical", "Output": "SECRET-OUTPUT"})
    rules = 'service "follower" { policy = "write" }'
    for more, shown in (("", False), ('service "hidden-alias" { policy = "read" }', True)):
        caller = manager.caller(f"{rules}\n{more}")
        follower = {"Name": "follower", "Check": {"AliasService": "hidden-alias"}}
        caller.write("/v1/agent/service/register", follower)
        until = time.monotonic() + 20
        while (check := caller.read("/v1/agent/checks")["service:follower"])[
            "Output"
        ] == "" and time.monotonic() < until:
            time.sleep(0.02)
        assert check["Status"] == "critical"
        assert ("SECRET" in check["Output"]) == shown, check["Output"]
        caller.put("/v1/agent/service/deregister/follower")
    manager.put("/v1/agent/service/deregister/hidden-alias")


def test_summaries_show_only_the_instances_that_may_be_seen(manager: Manager) -> None:
    for node in ("seen-node", "concealed-node"):
        manager.write("/v1/catalog/register", {"Node": node, "Address": "10.0.0.1", "Service": {"Service": "spread"}})
    caller = manager.caller('node "seen-node" { policy = "read" }\nservice "spread" { policy = "read" }')
    (summary,) = caller.read("/v1/internal/ui/services")
    assert (summary["Name"], summary["Nodes"], summary["InstanceCount"]) == ("spread", ["seen-node"], 1)
    for node in ("seen-node", "concealed-node"):
        manager.write("/v1/catalog/deregister", {"Node": node})
