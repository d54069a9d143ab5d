"""Key queries between the agents of a virtual pool: rotation, failures, long keyrings."""

from __future__ import annotations

from base64 import b64encode

from support.gossip import VirtualAgent, VirtualPool, ask

from pyconsul.agent.gossip.serf.effects import (
    KeyReport,
    KeyReported,
    StoreKeyring,
)
from pyconsul.agent.gossip.serf.queries.keys import KeyOperation

A, B = bytes(range(16)), bytes(range(32))


def encrypted(*names: str) -> VirtualPool:
    pool = VirtualPool()
    for name in names:
        pool.add(name, keyring=(A,))
    return pool


def text(key: bytes) -> str:
    return b64encode(key).decode()


def manage(agent: VirtualAgent, operation: KeyOperation, key: bytes = b"", *, seconds: float = 0.0) -> KeyReport:
    handle, effects = agent.serf.queries.manage_keys(operation, text(key), agent.pool.now)
    agent.carry_out(effects)
    agent.pool.wait(seconds)
    (reported,) = agent.take(KeyReported)
    assert reported.handle == handle
    return reported.report


def test_a_key_is_rotated_on_all_members() -> None:
    pool = encrypted("a", "b", "c")
    assert manage(pool["a"], KeyOperation.INSTALL, B).error == ""
    assert manage(pool["b"], KeyOperation.USE, B).error == ""
    assert [agent.serf.queries.keyring for agent in pool.agents.values()] == [(B, A)] * 3
    report = manage(pool["c"], KeyOperation.LIST)
    assert report == KeyReport(3, 3, 0, {}, {text(A): 3, text(B): 3}, {text(B): 3})
    assert manage(pool["a"], KeyOperation.REMOVE, A).error == ""
    assert [agent.serf.queries.keyring for agent in pool.agents.values()] == [(B,)] * 3
    pool["b"].delivered.clear()
    manage(pool["a"], KeyOperation.INSTALL, A)
    assert [effect.keys for effect in pool["b"].take(StoreKeyring)] == [(B, A)]


def test_failures_are_reported_by_member() -> None:
    pool = encrypted("s1", "c1")
    report = manage(pool["s1"], KeyOperation.USE, B)
    assert report.error == "2/2 nodes reported failure"
    assert report.messages == dict.fromkeys(["s1", "c1"], "Requested key is not in the keyring")
    pool["c1"].keyring_error = "cannot write serf/local.keyring: no space left on device"
    report = manage(pool["s1"], KeyOperation.INSTALL, B)
    assert report.error == "1/2 nodes reported failure"
    assert report.messages == {"c1": "cannot write serf/local.keyring: no space left on device"}


def test_an_agent_without_encryption_has_no_keys() -> None:
    """scenarios/members/keyring-on-the-command-line, agent `plain`."""
    pool = VirtualPool("plain")
    report = manage(pool["plain"], KeyOperation.LIST)
    assert (report.error, report.messages) == (
        "1/1 nodes reported failure",
        {"plain": "Keyring is empty (encryption not enabled)"},
    )
    report = manage(pool["plain"], KeyOperation.INSTALL, A)
    assert report.messages == {"plain": "No keyring to modify (encryption not enabled)"}


def test_a_member_that_does_not_answer_is_missed_at_the_end() -> None:
    pool = encrypted("a", "b", "c")
    pool["c"].is_up = False  # dead, but not noticed yet
    report = manage(pool["a"], KeyOperation.LIST, seconds=3.3)
    assert report.error == "2/3 nodes reported success"
    pool.down("c")
    assert manage(pool["a"], KeyOperation.LIST) == KeyReport(2, 2, 0, {}, {text(A): 2}, {text(A): 2})


def test_a_key_query_without_a_key_is_answered_by_a_failure() -> None:
    """Serf and Consul crash from these (PROTOCOL, section 12)."""
    pool = encrypted("a", "b")
    for payload in (b"", b"\x07", b"\x07\xc0", b"\x01\x80"):
        handle = ask(pool["a"], KeyOperation.INSTALL.value, payload)
        (reported,) = pool["a"].take(KeyReported)
        assert reported.handle == handle
        assert reported.report.error == "2/2 nodes reported failure"
    assert pool["b"].serf.queries.keyring == (A,)


def test_a_long_keyring_is_listed_as_far_as_it_fits() -> None:
    pool = VirtualPool()
    keys = tuple(bytes([number]) * 32 for number in range(40))
    pool.add("a", keyring=keys)
    report = manage(pool["a"], KeyOperation.LIST)
    assert report.error == ""
    assert 15 < len(report.keys) < 40
    assert report.messages["a"].startswith("truncated key list response, showing first ")
