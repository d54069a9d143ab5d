"""Callers: resolved before the handler, and checked inside the operation."""

from __future__ import annotations

from typing import Any

import pytest

from pyconsul.agent.acl.authorizer import EVERYTHING, Authorizer, CompiledPolicies, PermissionDenied, UnknownToken
from pyconsul.agent.httpapi.core.authorization import authorized, resolve
from pyconsul.agent.httpapi.core.request import Request

NOBODY = Authorizer("test", CompiledPolicies(()), default_allow=False)


def request_of(caller: Authorizer | UnknownToken) -> Request:
    request = Request("PUT", b"/v1/kv/a", {})
    request.authenticate(caller)
    return request


def test_a_write_without_permission_is_refused_when_it_runs() -> None:
    txn: Any = None
    done: list[str] = []
    write = authorized(request_of(NOBODY), "key:write", lambda txn: done.append("written"), "a")
    with pytest.raises(PermissionDenied, match="key:write"):
        write(txn)
    assert not done
    authorized(request_of(EVERYTHING), "key:write", lambda txn: done.append("written"), "a")(txn)
    assert done == ["written"]


def test_an_unknown_token_is_refused_where_the_caller_matters() -> None:
    with pytest.raises(UnknownToken):
        _ = request_of(UnknownToken("ACL not found")).caller


def test_a_request_that_was_never_resolved_has_no_permissions() -> None:
    with pytest.raises(UnknownToken):
        _ = Request("GET", b"/v1/kv/a", {}).caller


def test_without_access_control_everything_is_allowed() -> None:
    class Open:
        acl = None

    context: Any = Open()
    request = Request("GET", b"/v1/kv/a", {})
    resolve(context, request)
    assert request.caller is EVERYTHING
