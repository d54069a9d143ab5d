"""The tables of access control: IDs, names, lifetimes, links, and hashes."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest

from pyconsul.agent.acl import builtin
from pyconsul.agent.model.acl import (
    ANONYMOUS_ID,
    MANAGEMENT_ID,
    AuthMethod,
    BindingRule,
    Grants,
    NodeIdentity,
    Policy,
    Role,
    ServiceIdentity,
    TemplatedPolicy,
    Token,
)
from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl import roles as acl_roles
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.hash import token_hash
from pyconsul.agent.state.acl.tables import ACL_TABLES, AUTH_METHODS, BINDING_RULES, POLICIES, TOKENS, TOPIC
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

T = TypeVar("T")
ID = "aaaaaaaa-1111-4222-8333-444444444444"
SECRET = "bbbbbbbb-1111-4222-8333-444444444444"
NOW = 1000.0


@pytest.fixture
def store() -> Store:
    made = Store()
    write(made, builtin.ensure)
    return made


def write(store: Store, operation: Callable[[WriteTxn], T]) -> T:
    txn = WriteTxn(store)
    txn.begin(store.index + 1, NOW)
    answer = operation(txn)
    store.install(txn.finish())
    return answer


def put_token(store: Store, **more: object) -> Token:
    token = msgspec.structs.replace(Token(accessor_id=ID, secret_id=SECRET), **more)
    return write(store, lambda txn: acl_tokens.put(txn, token))


def test_the_start(store: Store) -> None:
    assert [policy.name for policy in acl_policies.all_policies(store)] == [
        "builtin/global-read-only",
        "global-management",
    ]
    assert [token.secret_id for token in acl_tokens.all_tokens(store, NOW)] == ["anonymous"]
    index = store.index
    write(store, builtin.ensure)
    assert store.index == index or not Store().index  # nothing is written twice
    assert store[POLICIES].get(MANAGEMENT_ID).create_index <= index  # type: ignore[union-attr]


def test_every_write_wakes_watchers_of_permissions(store: Store) -> None:
    woken: list[int] = []
    store.watches.add(lambda: woken.append(1), (TOPIC,))
    put_token(store)
    assert woken


def test_a_hash_is_consul_s() -> None:
    """Recorded: a token that says nothing, for all datacenters."""
    token = token_hash(Token(accessor_id=ID, secret_id=SECRET))
    assert base64.b64encode(token.hash) == b"NLOoV2WBU8ieJIrYXXx8NRb5C2xU61pVVWRDLEIMxlU="
    assert token_hash(Token(accessor_id=ID, secret_id=SECRET, local=True)).hash != token.hash


def test_a_token_does_not_show_its_secret() -> None:
    assert SECRET not in repr(Token(accessor_id=ID, secret_id=SECRET))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("short", "not a valid UUID"),
        (ANONYMOUS_ID, "are reserved"),
        (ID, "already in use"),
        (SECRET, "already in use"),
    ],
)
def test_ids_that_cannot_be_chosen(store: Store, value: str, words: str) -> None:
    put_token(store)
    with pytest.raises(Refused, match=words):
        acl_tokens.check_new_id(store, "SecretID", value)


def test_lifetimes() -> None:
    assert acl_tokens.lifetime(NOW, 0, None) is None
    assert acl_tokens.lifetime(NOW, 60, None) == NOW + 60
    assert acl_tokens.lifetime(NOW, 0, NOW + 90) == NOW + 90
    for ttl, expires, words in (
        (30.0, None, r"cannot be less than 1m0s in the future \(was 30s\)"),
        (-300.0, None, "Token Expiration TTL '-5m0s' should be > 0"),
        (60.0, NOW + 60, "cannot both be set"),
        (0.0, NOW - 1, "before CreateTime"),
    ):
        with pytest.raises(Refused, match=words):
            acl_tokens.lifetime(NOW, ttl, expires)


def test_expired_tokens_are_not_shown(store: Store) -> None:
    put_token(store, expires=NOW + 60)
    assert acl_tokens.by_accessor(store, ID, NOW + 59) is not None
    assert acl_tokens.by_accessor(store, ID, NOW + 60) is None
    assert [token.accessor_id for token in acl_tokens.all_tokens(store, NOW + 60)] == [ANONYMOUS_ID]
    assert len(store[TOKENS].by("ends", True)) == 1


def test_builtin_things_stay(store: Store) -> None:
    with pytest.raises(Refused, match="not permitted on the anonymous token"):
        write(store, lambda txn: acl_tokens.delete(txn, ANONYMOUS_ID))
    with pytest.raises(Refused, match="builtin global-management policy"):
        write(store, lambda txn: acl_policies.delete(txn, MANAGEMENT_ID))
    with pytest.raises(Refused, match="Changing the Rules"):
        acl_policies.check(store, Policy(id=MANAGEMENT_ID, name="global-management", rules=""), False)


def test_names_are_unique_without_case(store: Store) -> None:
    write(store, lambda txn: acl_policies.put(txn, Policy(id="1", name="Reader")))
    with pytest.raises(Refused, match='A Policy with Name "reader" already exists'):
        acl_policies.check(store, Policy(id="2", name="reader"), True)
    acl_policies.check(store, Policy(id="1", name="READER"), False)
    write(store, lambda txn: acl_roles.put(txn, Role(id="1", name="Ops")))
    with pytest.raises(Refused, match='A Role with Name "ops" already exists'):
        acl_roles.check(store, Role(id="2", name="ops"), True)


@pytest.mark.parametrize("name", ["", "white space", "a/b/c", "ä", "x" * 129])
def test_names_that_cannot_be(store: Store, name: str) -> None:
    with pytest.raises(Refused, match="Invalid Policy"):
        acl_policies.check(store, Policy(id="1", name=name), True)


def test_a_method_takes_its_rules_and_tokens_along(store: Store) -> None:
    write(store, lambda txn: acl_auth.put_method(txn, AuthMethod(name="People", type="jwt")))
    rule = BindingRule(id="1", auth_method="people", bind_type="role", bind_name="x")
    write(store, lambda txn: acl_auth.put_rule(txn, rule, True))
    put_token(store, auth_method="People")
    with pytest.raises(Refused, match="type is not permitted"):
        write(store, lambda txn: acl_auth.put_method(txn, AuthMethod(name="people", type="kubernetes")))
    assert write(store, lambda txn: acl_auth.delete_method(txn, "people"))
    assert (len(store[AUTH_METHODS]), len(store[BINDING_RULES]), store[TOKENS].get(ID)) == (0, 0, None)
    with pytest.raises(Refused, match='cannot find auth method with name "people"'):
        write(store, lambda txn: acl_auth.put_rule(txn, rule, True))


def test_rows_survive_the_disk(store: Store) -> None:
    """Every table's rows are the same after they were written and read."""
    grants = Grants(
        policies=("p",),
        roles=("r",),
        service_identities=(ServiceIdentity("web", ("dc1",)),),
        node_identities=(NodeIdentity("n", "dc1"),),
        templated_policies=(TemplatedPolicy("i", "builtin/service", "db"),),
    )
    put_token(store, grants=grants, expires=NOW + 99.5)
    write(store, lambda txn: acl_roles.put(txn, Role(id="1", name="ops", grants=grants)))
    write(store, lambda txn: acl_auth.put_method(txn, AuthMethod(name="m", type="jwt", config={"a": ["b"]})))
    for schema in ACL_TABLES:
        for row in store[schema]:
            packed = msgspec.msgpack.encode(row)
            assert msgspec.msgpack.decode(packed, type=schema.row_type) == row
