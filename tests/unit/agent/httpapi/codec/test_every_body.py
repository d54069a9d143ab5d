"""Every request body of the API, filled with nulls, wrong types, odd numbers and odd texts: read, or refused with a 400."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.health.decode import decode_check, decode_service_check
from pyconsul.agent.health.definition import CheckDefinition, CheckError
from pyconsul.agent.httpapi.codec.decoding import decode, decode_any, decode_list
from pyconsul.agent.httpapi.codec.go_values import DecodeError
from pyconsul.agent.httpapi.core.response import HTTPError
from pyconsul.agent.httpapi.handlers import autopilot, coordinate, operator, session
from pyconsul.agent.httpapi.handlers.acl import bodies as acl_bodies
from pyconsul.agent.httpapi.handlers.agent import bodies as agent_bodies
from pyconsul.agent.httpapi.handlers.catalog import registration
from pyconsul.agent.httpapi.handlers.txn import operations  # fmt: skip
from pyconsul.agent.model.query import PreparedQuery

MODULES = (acl_bodies, agent_bodies, autopilot, coordinate, operator, registration, session, operations)
BODIES: list[type[msgspec.Struct]] = sorted(
    {
        kind
        for module in MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
    }
    | {PreparedQuery},
    key=lambda kind: kind.__name__,
)


def keys_of(kind: Any, found: set[str]) -> set[str]:
    """Return the JSON keys of a body type and of the types inside it."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            if field.encode_name not in found:
                found.add(field.encode_name)
                keys_of(field.type, found)
    for argument in getattr(kind, "__args__", ()):
        keys_of(argument, found)
    return found


CHECK_KEYS = ("CheckID", "HTTP", "Header", "Interval", "TTL", "ScriptArgs", "OutputMaxSize", "FailuresBeforeCritical")
UNKNOWN = ("Namespace", "x", "\ud800")
NUMBERS = ("0", "-1", "1.5", "1e3", "1e25", "1e300", "1e400", "-1e400", "9" * 19, "9" * 5000, "18446744073709551616")
TEXTS = st.sampled_from(["", "a", "90s", "bad", "\ud800", "\x00\n", "☃", "2020-01-01T00:00:00Z"]) | st.text(max_size=4)


def odd_case(key: str, flags: int) -> str:
    return "".join(one.swapcase() if flags >> place & 1 else one for place, one in enumerate(key))


# JSON texts, since no Python value is written as 1e400.
SCALARS = st.sampled_from(["null", "null", "true", *NUMBERS]) | TEXTS.map(json.dumps)


def names(*kinds: Any) -> st.SearchStrategy[str]:
    """Keys of body types, in odd case now and then, and a few that no type has."""
    keys = sorted(set().union(*(keys_of(kind, set()) for kind in kinds)))
    known = st.builds(odd_case, st.sampled_from(keys), st.sampled_from([0, 0, 0, 1, 0b1010]))
    return st.one_of(known, known, known, st.sampled_from(UNKNOWN))


def objects(keys: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(keys, values), max_size=5)
    return pairs.map(lambda found: "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in found) + "}")


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda found: "[" + ",".join(found) + "]")


def documents(*kinds: Any, extra: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    keys = names(*kinds) | st.sampled_from(extra) if extra else names(*kinds)
    return st.recursive(SCALARS, lambda inner: objects(keys, inner) | lists(inner), max_leaves=12)


def assert_safe(value: Any) -> None:
    """What was read can be written again: texts are valid UTF-8, numbers have 64 bits."""
    msgspec.msgpack.encode(value)
    json.dumps(msgspec.to_builtins(value, str_keys=True), allow_nan=False, default=repr)


def refusal(read: Callable[[], Any]) -> HTTPError | None:
    """How a body is refused; None when it is read, and can be written again."""
    try:
        made = read()
    except HTTPError as error:
        return error
    assert_safe(made)
    return None


def assert_read_or_refused(read: Callable[[], Any]) -> None:
    refused = refusal(read)
    if refused is not None:
        assert refused.status == 400
        refused.text.encode()


@pytest.mark.parametrize("kind", BODIES, ids=lambda kind: kind.__name__)
def test_null_in_every_field(kind: type[msgspec.Struct]) -> None:
    body = {field.encode_name: None for field in msgspec.structs.fields(kind)}
    assert_safe(decode(json.dumps(body).encode(), kind))


@given(st.sampled_from(BODIES).flatmap(lambda kind: st.tuples(st.just(kind), objects(names(kind), documents(kind)))))
def test_a_body_is_read_or_refused(case: tuple[type[msgspec.Struct], str]) -> None:
    kind, body = case
    assert_read_or_refused(lambda: decode(body.encode(), kind))


@given(lists(documents(operations.TxnInput)))
def test_a_transaction_is_read_or_refused(body: str) -> None:
    assert_read_or_refused(lambda: decode_list(body.encode(), operations.TxnInput, "api.TxnOps"))


@given(documents(CheckDefinition, extra=CHECK_KEYS))
def test_a_check_is_read_or_refused(body: str) -> None:
    with suppress(HTTPError, CheckError):
        found = decode_any(body.encode())
        if isinstance(found, dict):
            for read in (decode_check, decode_service_check):
                assert_safe(read(found))


@given(objects(names(agent_bodies.ServiceBody), documents(agent_bodies.ServiceBody, CheckDefinition, extra=CHECK_KEYS)))
def test_a_service_is_defined_or_refused(body: str) -> None:
    with suppress(HTTPError, DecodeError):
        assert_safe(agent_bodies.service_definition(decode(body.encode(), agent_bodies.ServiceBody), ""))


@pytest.mark.parametrize("depth", [200, 2_000, 100_000])
def test_depth(depth: int) -> None:
    body = b'{"Proxy": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
    refused = refusal(lambda: decode(body, registration.ServiceInput))
    assert refused is None or refused.text == "Request decode failed: exceeded max depth"
