"""Explanations of a machine whose UDP is blocked, and of one that missed a change of the gossip key."""

from __future__ import annotations

from base64 import b64encode
from functools import partial

from cluster.five_machines import Cluster
from cluster.machine_agent import MachineAgent
from support.eventually import eventually

ALIVE, FAILED = 1, 4


def explains(agent: MachineAgent, name: str, reason: str) -> bool:
    """Return whether an agent gives a reason for the status of a member."""
    (explained,) = agent.get(f"/v1/agent/members?explain={name}")
    return any(reason in given for given in explained["Reasons"])


def changes_key(agent: MachineAgent, method: str, key: str) -> bool:
    """Change the gossip key on all members; return whether all of them have reported success."""
    status, _, _ = agent.request(method, "/v1/operator/keyring", {"Key": key})
    return status == 200


def test_blocked_udp_is_named_by_members_and_by_a_join(steady_cluster: Cluster) -> None:
    everybody = {agent.name: ALIVE for agent in steady_cluster.agents}
    first, blocked = steady_cluster.agents[:2]
    blocked.machine.lose(protocol="udp")
    eventually(partial(explains, first, "m2", "UDP is blocked, TCP works"), first.log)
    status, headers, _ = blocked.request("PUT", f"/v1/agent/join/{first.machine.address}")
    assert status == 200
    assert headers["x-pyconsul-warning"] == (
        f"UDP does not pass between this agent and {first.machine.address}:8301: open its gossip port for UDP"
    )
    assert first.members() == everybody
    blocked.machine.lose_nothing()
    eventually(lambda: not explains(first, "m2", "UDP is blocked"), first.log)
    assert first.members() == everybody


def test_a_machine_that_missed_a_change_of_the_key_is_explained(cluster: Cluster) -> None:
    first, absent = cluster.agents[0], cluster.agents[2]
    (keys,) = [pool for pool in first.get("/v1/operator/keyring") if not pool["WAN"]]
    (old,) = keys["Keys"]
    new = b64encode(b"k" * 32).decode()
    cluster.network.cut([absent.machine])
    cluster.wait_until(FAILED, "m3")
    for method, key in (("POST", new), ("PUT", new), ("DELETE", old)):
        eventually(partial(changes_key, first, method, key), first.log)  # an answer may get lost
    cluster.network.heal()
    eventually(partial(explains, first, "m3", "could not be decrypted: it may use another gossip key"), first.log)

    absent.kill()  # as an operator would put it right
    for keyring in (absent.folder / "data" / "serf").glob("*.keyring"):
        keyring.unlink()
    absent.change_settings(encrypt=new)
    absent.start()
    cluster.wait_until(ALIVE, "m3")
    eventually(lambda: not explains(first, "m3", "could not be decrypted"), first.log)
