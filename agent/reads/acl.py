"""Reads of access control: policies, roles, tokens, auth methods, binding rules.  Each raises PermissionDenied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.acl.rules import READ
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.model.acl import Token
from pyconsul.agent.reads.contract import Result
from pyconsul.agent.state.acl import auth as acl_auth
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl import roles as acl_roles
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import BINDING_RULES, POLICIES, ROLES, TOPIC
from pyconsul.agent.state.contract import View


def policies(view: View, caller: Authorizer) -> Result:
    """Read the policies, by name."""
    return _read(caller, lambda: policy_result(view, acl_policies.all_policies(view)))


def policy(view: View, caller: Authorizer, policy_id: str) -> Result:
    """Read one policy; None when it does not exist."""
    return _read(caller, lambda: policy_result(view, view[POLICIES].get(policy_id)))


def policy_named(view: View, caller: Authorizer, name: str) -> Result:
    """Read a policy by its name; None when it does not exist."""
    return _read(caller, lambda: policy_result(view, acl_policies.by_name(view, name)))


def roles(view: View, caller: Authorizer, policy_id: str = "") -> Result:
    """Read the roles, by ID; with `policy_id` those that grant it."""
    return _read(
        caller,
        lambda: role_result(
            view, [row for row in acl_roles.all_roles(view) if not policy_id or policy_id in row.grants.policies]
        ),
    )


def role(view: View, caller: Authorizer, role_id: str) -> Result:
    """Read one role; None when it does not exist."""
    return _read(caller, lambda: role_result(view, view[ROLES].get(role_id)))


def role_named(view: View, caller: Authorizer, name: str) -> Result:
    """Read a role by its name; None when it does not exist."""
    return _read(caller, lambda: role_result(view, acl_roles.by_name(view, name)))


def tokens(view: View, caller: Authorizer, now: float, select: Callable[[Token], bool]) -> Result:
    """Read the selected tokens that have not expired at `now` (Unix seconds), secrets included."""
    return _read(caller, lambda: token_result(view, list(filter(select, acl_tokens.all_tokens(view, now)))))


def token(view: View, caller: Authorizer, accessor: str, now: float) -> Result:
    """Read one token; None when it does not exist, or has expired.  Raises ValueError for what cannot be an ID."""
    return _read(caller, lambda: token_result(view, _token(view, accessor, now)))


def _token(view: View, accessor: str, now: float) -> Token | None:
    if not is_uuid(accessor):
        raise ValueError("UUID must be 36 characters")
    return acl_tokens.by_accessor(view, accessor, now)


def auth_methods(view: View, caller: Authorizer) -> Result:
    """Read the auth methods, by name."""
    return _read(caller, lambda: _result(view, acl_auth.all_methods(view), acl_auth.METHODS_INDEX))


def auth_method(view: View, caller: Authorizer, name: str) -> Result:
    """Read one auth method; None when it does not exist."""
    return _read(caller, lambda: _result(view, acl_auth.method_named(view, name), acl_auth.METHODS_INDEX))


def binding_rules(view: View, caller: Authorizer, method: str = "") -> Result:
    """Read the binding rules, by ID; with `method` those of an auth method."""
    return _read(caller, lambda: _result(view, acl_auth.all_rules(view, method), acl_auth.RULES_INDEX))


def binding_rule(view: View, caller: Authorizer, rule_id: str) -> Result:
    """Read one binding rule; None when it does not exist."""
    return _read(caller, lambda: _result(view, view[BINDING_RULES].get(rule_id), acl_auth.RULES_INDEX))


def policy_result(view: View, value: Any) -> Result:
    """Return policies as a result."""
    return _result(view, value, acl_policies.INDEX)


def role_result(view: View, value: Any) -> Result:
    """Return roles as a result; it shows the names of policies."""
    return _result(view, value, acl_roles.INDEX, acl_policies.INDEX)


def token_result(view: View, value: Any) -> Result:
    """Return tokens as a result."""
    return _result(view, value, acl_tokens.INDEX)


def _read(caller: Authorizer, read: Callable[[], Result]) -> Result:
    caller.require("acl", READ)
    return read()


def _result(view: View, value: Any, *indexes: str) -> Result:
    # Not kept: the index depends on more than the topic, and secrets stay out of the cache.
    return Result(value, view.index_of(*indexes), (TOPIC,), cacheable=False)
