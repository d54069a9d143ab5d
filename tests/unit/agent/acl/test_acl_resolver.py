"""From a secret to rights: policies, roles, identities, datacenters, lifetimes, and what changes meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pyconsul.agent.acl import builtin
from pyconsul.agent.acl.authorizer import UnknownToken
from pyconsul.agent.acl.resolver import Resolver, Settings
from pyconsul.agent.acl.rules import READ, WRITE
from pyconsul.agent.acl.templates import TEMPLATES
from pyconsul.agent.model.acl import Grants, NodeIdentity, Policy, Role, ServiceIdentity, TemplatedPolicy, Token
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl import roles as acl_roles
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

SECRET = "11111111-1111-1111-1111-111111111111"


class World:
    """A store with a resolver over it, at a time that the test sets."""

    def __init__(self) -> None:
        self.store, self.now = Store(), 1000.0
        self.own: dict[str, str] = {}
        settings = Settings(datacenter="dc1", node_name="n1", default_allow=False)
        self.acl = Resolver(
            self.store, self.store.watches, settings, lambda name: self.own.get(name, ""), lambda: self.now
        )
        self.write(builtin.ensure)

    def write(self, operation: Callable[[WriteTxn], Any]) -> None:
        txn = WriteTxn(self.store)
        txn.begin(self.store.index + 1, self.now)
        operation(txn)
        self.store.install(txn.finish())

    def token(self, secret: str = SECRET, expires: float | None = None, **grants: Any) -> None:
        token = Token(accessor_id="id-" + secret, secret_id=secret, grants=Grants(**grants), expires=expires)
        self.write(lambda txn: acl_tokens.put(txn, token))

    def policy(self, name: str, rules: str, *datacenters: str) -> None:
        policy = Policy(id=name, name=name, rules=rules, datacenters=datacenters)
        self.write(lambda txn: acl_policies.put(txn, policy))

    def level(self, kind: str, name: str = "", secret: str = SECRET) -> int:
        return self.acl.of(secret).level(kind, name)


@pytest.fixture
def world() -> World:
    return World()


def test_policies_of_the_token_and_of_its_roles(world: World) -> None:
    world.policy("p", 'key_prefix "p/" { policy = "write" }')
    world.policy("q", 'key_prefix "q/" { policy = "read" }')
    world.write(lambda txn: acl_roles.put(txn, Role(id="r", name="r", grants=Grants(policies=("q",)))))
    world.token(policies=("p",), roles=("r", "gone"))
    assert (world.level("key", "p/x"), world.level("key", "q/x"), world.level("key", "z")) == (WRITE, READ, 0)


def test_a_change_holds_at_once(world: World) -> None:
    world.policy("p", 'key "a" { policy = "read" }')
    world.token(policies=("p",))
    assert world.level("key", "a") == READ
    world.policy("p", 'key "a" { policy = "write" }')
    assert world.level("key", "a") == WRITE
    world.write(lambda txn: acl_policies.delete(txn, "p"))
    assert world.level("key", "a") == 0
    world.write(lambda txn: acl_tokens.delete(txn, "id-" + SECRET))
    with pytest.raises(UnknownToken, match=r"ACL system must be bootstrapped .*: ACL not found"):
        world.acl.of(SECRET)
    world.write(acl_tokens.mark_bootstrapped)
    with pytest.raises(UnknownToken, match=r"^ACL not found"):
        world.acl.of(SECRET)


def test_a_token_ends_at_its_time(world: World) -> None:
    world.token(expires=1060.0)
    world.acl.of(SECRET)
    world.now = 1060.0
    with pytest.raises(UnknownToken):
        world.acl.of(SECRET)


def test_the_expiry_of_a_token_is_known(world: World) -> None:
    world.token(expires=1060.0)
    for secret in (SECRET, ""):
        world.acl.of(secret)
    assert (world.acl.expires(SECRET), world.acl.expires("")) == (1060.0, None)


def test_policies_of_other_datacenters_do_not_hold(world: World) -> None:
    world.policy("here", 'key "a" { policy = "read" }', "DC1", "dc3")
    world.policy("there", 'key "b" { policy = "read" }', "dc2")
    world.token(
        policies=("here", "there"),
        service_identities=(ServiceIdentity("web"), ServiceIdentity("db", ("dc2",))),
        node_identities=(NodeIdentity("n1", "dc1"), NodeIdentity("n2", "dc2")),
    )
    assert (world.level("key", "a"), world.level("key", "b")) == (READ, 0)
    services = [world.level("service", name) for name in ("web", "web-sidecar-proxy", "db")]
    assert services == [WRITE, WRITE, READ]
    assert (world.level("node", "n1"), world.level("node", "n2")) == (WRITE, READ)


def test_templates(world: World) -> None:
    template = TEMPLATES["builtin/service"]
    world.token(templated_policies=(TemplatedPolicy(template.id, template.name, "db"),))
    assert (world.level("service", "db"), world.level("service", "web"), world.level("node", "x")) == (
        WRITE,
        READ,
        READ,
    )


def test_requests_without_a_token_use_the_default_or_the_anonymous_one(world: World) -> None:
    assert world.acl.of("").anonymous
    assert world.acl.of("anonymous").anonymous
    world.token(policies=("p",))
    world.own["default"] = SECRET
    assert world.acl.of("").accessor == "id-" + SECRET
    world.own["default"] = "22222222-2222-2222-2222-222222222222"
    with pytest.raises(UnknownToken):
        world.acl.of("")


def test_the_recovery_token_is_good_for_this_agent(world: World) -> None:
    world.own["agent_recovery"] = SECRET
    assert (world.level("agent", "n1"), world.level("agent", "n2"), world.level("node", "n2")) == (WRITE, 0, READ)


def test_tokens_with_the_same_policies_share_rights(world: World) -> None:
    world.policy("p", 'key "a" { policy = "read" }')
    other = SECRET.replace("1", "2")
    world.token(policies=("p",))
    world.token(other, policies=("p",))
    assert world.acl.of(SECRET).rights is world.acl.of(other).rights


def test_the_management_policy_gives_everything(world: World) -> None:
    world.write(lambda txn: builtin.put_management_token(txn, "m", SECRET, "first"))
    for kind in ("acl", "operator", "keyring", "mesh", "peering"):
        assert world.level(kind) == WRITE
    for kind in ("agent", "event", "key", "node", "query", "service", "session"):
        assert world.level(kind, "any/thing") == WRITE
    assert acl_tokens.bootstrapped_at(world.store) > 0


def test_rules_that_cannot_be_read_give_nothing(world: World) -> None:
    world.policy("p", 'key "a" { policy = "from the future" }')
    world.token(policies=("p",))
    assert world.level("key", "a") == 0


def test_long_rules_are_read_apart_and_then_kept(world: World) -> None:
    world.policy("p", "\n".join(f'key_prefix "a/{number}/" {{ policy = "write" }}' for number in range(3000)))
    world.token(policies=("p",))
    unread = world.acl.unread(SECRET)
    assert unread is not None
    rights = unread.compile()
    world.acl.adopt(unread, rights)
    assert world.acl.unread(SECRET) is None
    assert world.acl.of(SECRET).rights is rights
    assert (world.level("key", "a/2999/x"), world.level("key", "a/3000/x")) == (WRITE, 0)
    world.token("short", policies=())
    assert world.acl.unread("short") is None
    assert world.acl.unread("no such token") is None


def test_permissions_come_with_the_expiry_of_their_token(world: World) -> None:
    world.token(expires=2000.0)
    world.token("lasting")
    for secret, end in ((SECRET, 2000.0), ("lasting", None)):
        world.acl.of(secret)
        assert world.acl.expires(secret) == end
