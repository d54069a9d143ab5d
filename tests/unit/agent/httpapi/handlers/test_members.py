"""/v1/agent/members, join and force-leave over a scripted pool."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.http_api import Api
from support.scripted_pool import FAILED, ScriptedPool, client, server

from pyconsul.agent.acl.authorizer import Authorizer, CompiledPolicies
from pyconsul.agent.acl.parse import parse_rules
from pyconsul.agent.config.sections.performance import Telemetry
from pyconsul.agent.gossip.membership import Explanation, JoinFailure, JoinResult
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.handlers.agent.members import list_members
from pyconsul.agent.model.member import MemberEvent


def api(*members: Any, **settings: Any) -> Api:
    return Api(ScriptedPool(server("s1", "id-s1"), *members), **settings)


async def test_members_are_listed_by_name_with_their_tags_and_versions() -> None:
    found = await api(client("c2"), client("c1", address="10.0.0.7", status=FAILED)).json("/v1/agent/members")
    assert [member["Name"] for member in found] == ["c1", "c2", "s1"]
    assert found[0] == {
        "Name": "c1",
        "Addr": "10.0.0.7",
        "Port": 8301,
        "Tags": client("c1").tags,
        "Status": 4,
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("/v1/agent/members?wan=1", ["s1.dc1"]),
        ("/v1/agent/members?wan", ["c1", "s1"]),
        ("/v1/agent/members?segment=_all", ["c1", "s1"]),
        ('/v1/agent/members?filter=Name=="c1"', ["c1"]),
        ('/v1/agent/members?filter=Tags.role=="consul"', ["s1"]),
        ("/v1/agent/members?filter=Status==4", ["c1"]),
        ('/v1/agent/members?filter=Status==1+and+Name!="s1"', []),
    ],
)
async def test_lists_of_members(target: str, names: list[str]) -> None:
    found = await api(client("c1", status=FAILED)).json(target)
    assert [member["Name"] for member in found] == names


@pytest.mark.parametrize(
    ("settings", "target", "text"),
    [
        ({}, "segment=x", "Network segments are not supported in this version of Consul"),
        ({"server": False}, "segment=x", 'segment "x" not found'),
        (
            {},
            'filter=Status=="alive"',
            'Failed to create boolean expression evaluator: Failed to coerce value "alive" for selector "Status": '
            'strconv.ParseInt: parsing "alive": invalid syntax',
        ),
        ({}, "filter=No==1", 'Failed to create boolean expression evaluator: Selector "No" is not valid'),
    ],
)
async def test_lists_that_cannot_be_given(settings: dict[str, Any], target: str, text: str) -> None:
    assert await api(**settings).text("GET", f"/v1/agent/members?{target}") == (500, text)


async def test_a_client_knows_no_wan_members() -> None:
    assert await api(server=False).json("/v1/agent/members?wan=1") is None


async def test_explanations_of_one_member_and_of_all() -> None:
    one = api(client("c1", status=FAILED))
    reasons = ("declared dead by c2", "UDP is blocked, TCP works")
    one.pool.explanations["c1"] = Explanation(one.pool.known["c1"], reasons, 12.34567, 1.0, 3, ("c2",), None)
    (found,) = await one.json("/v1/agent/members?explain=c1")
    assert found["Member"]["Name"] == "c1"
    del found["Member"]
    assert found == {
        "Reasons": list(reasons),
        "LastAckSeconds": 12.346,
        "LastTCPAckSeconds": 1.0,
        "MissedProbes": 3,
        "Accusers": ["c2"],
        "FailsInSeconds": None,
        "ClockOffsetSeconds": None,
    }
    both = await one.json("/v1/agent/members?explain")
    assert [item["Member"]["Name"] for item in both] == ["c1", "s1"]
    assert await one.json("/v1/agent/members?explain&filter=Status==1") == [both[1]]
    assert await one.text("GET", "/v1/agent/members?explain=x") == (404, "No node found with name 'x'")


async def test_members_that_the_caller_may_not_see_are_not_named() -> None:
    one = api(client("c1", status=FAILED), client("secret"))
    reasons = ("declared dead by secret", "3 probes of this agent went unanswered")
    one.pool.explanations["c1"] = Explanation(one.pool.known["c1"], reasons, accusers=("secret", "c1"))
    request = Request("GET", b"/v1/agent/members?explain", {})
    rules = parse_rules('node "c1" { policy = "read" }')
    request.authenticate(Authorizer("test", CompiledPolicies(rules), default_allow=False))
    answer = list_members(one.context, request)
    (found,) = json.loads(answer.body)
    assert (found["Reasons"], found["Accusers"]) == ([reasons[1]], ["c1"])
    assert (b"X-Consul-Results-Filtered-By-ACLs", b"true") in answer.headers


async def test_a_join_gives_the_address_to_the_pool() -> None:
    one = api()
    answer = await one.request("PUT", "/v1/agent/join/10.0.0.2:8301")
    assert (answer.status, answer.body, one.pool.joined) == (200, b"", [["10.0.0.2:8301"]])


async def test_a_join_that_fails_says_why_for_each_address() -> None:
    one = api()
    one.pool.join_result = JoinResult(0, (JoinFailure("x", "lookup x: no such host", is_unresolved=True),))
    text = "1 error occurred:\n\t* Failed to resolve x: lookup x: no such host\n\n"
    assert await one.text("PUT", "/v1/agent/join/x") == (500, text)
    refused = (JoinFailure("10.0.0.1:1", "a"), JoinFailure("10.0.0.2:1", "b"))
    one.pool.join_result = JoinResult(0, refused)
    text = "2 errors occurred:\n\t* Failed to join 10.0.0.1:1: a\n\t* Failed to join 10.0.0.2:1: b\n\n"
    assert await one.text("PUT", "/v1/agent/join/x") == (500, text)
    one.pool.join_result = JoinResult(1, refused[:1])
    assert await one.text("PUT", "/v1/agent/join/x") == (200, "")


async def test_a_join_without_udp_warns() -> None:
    one = api()
    one.pool.join_result = JoinResult(1, without_udp=("10.0.0.2:8301",))
    answer = await one.request("PUT", "/v1/agent/join/10.0.0.2")
    assert dict(answer.headers)[b"X-Pyconsul-Warning"] == (
        b"UDP does not pass between this agent and 10.0.0.2:8301: open its gossip port for UDP"
    )
    assert answer.body == b""


async def test_joining_the_wan_pool() -> None:
    one = api(wan=ScriptedPool(server("s1.dc1")))
    assert await one.text("PUT", "/v1/agent/join/10.0.0.1:8302?wan=1") == (200, "")
    one.wan.join_result = JoinResult(
        0, (JoinFailure("10.0.0.2:1", "dial tcp 10.0.0.2:1: connect: connection refused"),)
    )
    refused = "Failed to join 10.0.0.2:1: dial tcp 10.0.0.2:1: connect: connection refused"
    assert await one.text("PUT", "/v1/agent/join/10.0.0.2:1?wan=1") == (500, f"1 error occurred:\n\t* {refused}\n\n")
    assert (one.pool.joined, one.wan.joined) == ([], [["10.0.0.1:8302"], ["10.0.0.2:1"]])
    must_be_server = (500, "Must be a server to join WAN cluster")
    assert await api(server=False).text("PUT", "/v1/agent/join/10.0.0.1:8302?wan=1") == must_be_server
    status, text = await api().text("PUT", "/v1/agent/join/10.0.0.1:8302?wan=1")
    assert (status, "ports.serf_wan" in text) == (500, True)


async def test_members_of_the_wan_pool() -> None:
    one = api(client("c1"), wan=ScriptedPool(server("s2.dc1", status=FAILED), server("s1.dc1")))
    assert [member["Name"] for member in await one.json("/v1/agent/members?wan=1")] == ["s1.dc1", "s2.dc1"]
    assert await one.text("PUT", "/v1/agent/force-leave/s2.dc1?wan&prune") == (200, "")
    assert await one.text("PUT", "/v1/agent/force-leave/s9.dc1?wan") == (500, "agent: No node found with name 's9.dc1'")
    assert one.wan.forced == [("s2.dc1", True)]


async def test_force_leave() -> None:
    one = api(client("c1", status=FAILED))
    assert await one.text("PUT", "/v1/agent/force-leave/c1") == (200, "")
    assert await one.text("PUT", "/v1/agent/force-leave/c1?prune") == (200, "")
    assert await one.text("PUT", "/v1/agent/force-leave/c1.dc1") == (200, "")
    assert await one.text("PUT", "/v1/agent/force-leave/s1.dc1?wan") == (200, "")
    assert one.pool.forced == [("c1", False), ("c1", True), ("c1", False)]
    for target in ("nobody", "nobody?prune", "c1?wan"):
        name = target.partition("?")[0]
        expected = (500, f"agent: No node found with name '{name}'")
        assert await one.text("PUT", f"/v1/agent/force-leave/{target}") == expected


async def test_leave_ends_the_agent() -> None:
    one = api()
    assert await one.text("PUT", "/v1/agent/leave") == (200, "")
    assert one.control.has_left


async def test_the_agent_describes_itself_as_the_pool_sees_it() -> None:
    one = api(client("c1"))
    one.pool.figures = {"members": "2", "failed": "0", "encrypted": "true", "health_score": "1"}
    found = await one.json("/v1/agent/self")
    assert (found["Member"]["Name"], found["Member"]["Tags"]) == ("s1", server("s1").tags)
    assert found["Coord"] == {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-05}
    assert found["Stats"]["serf_lan"] == one.pool.figures
    assert found["Stats"]["serf_wan"] == {
        "members": "1", "failed": "0", "left": "0", "encrypted": "true", "health_score": "0",
    }  # fmt: skip


async def test_metrics_of_the_pool() -> None:
    one = api(client("c1"), client("c2", status=FAILED))
    one.pool.figures = {"health_score": "2", "event_queue": "5"}
    found = await one.json("/v1/agent/metrics")
    gauges = {gauge["Name"]: gauge["Value"] for gauge in found["Gauges"]}
    assert (gauges["consul.members.servers"], gauges["consul.members.clients"]) == (1, 1)
    assert (gauges["consul.memberlist.health.score"], gauges["consul.serf.queue.Event"]) == (2, 5)


async def test_counters_of_requests_to_servers() -> None:
    one = api()
    one.context.request_counts["client.rpc"] = 3
    found = await one.json("/v1/agent/metrics")
    counter = {"Name": "consul.client.rpc", "Count": 3, "Sum": 3, "Labels": {}}
    assert counter in found["Counters"]


async def test_counters_of_the_pool() -> None:
    one = api(telemetry=Telemetry(prometheus_retention_time=60.0))
    one.pool.put(client("c1"), MemberEvent.JOIN)
    one.pool.put(client("c2"), MemberEvent.JOIN)
    one.pool.put(client("c1", status=FAILED), MemberEvent.FAILED)
    one.pool.fire("x", b"")
    found = await one.json("/v1/agent/metrics")
    counts = {"consul.serf.events": 1, "consul.serf.member.failed": 1, "consul.serf.member.join": 2}
    assert {counter["Name"]: counter["Count"] for counter in found["Counters"]} == counts
    _, text = await one.text("GET", "/v1/agent/metrics?format=prometheus")
    assert "# TYPE consul_serf_member_join counter\nconsul_serf_member_join 2\n" in text
    assert "consul_members_servers 1.0\n" in text
