"""Auth methods and binding rules: reads and writes (https://developer.hashicorp.com/consul/docs/security/acl/auth-methods)."""

from __future__ import annotations

import re

from msgspec.structs import replace

from pyconsul.agent.model.acl import AuthMethod, BindingRule
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import AUTH_METHODS, BINDING_RULES, TOKENS
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.write_txn import WriteTxn

METHODS_INDEX = "acl-auth-methods"
RULES_INDEX = "acl-binding-rules"
_NAME = re.compile(r"[A-Za-z0-9\-_]{1,128}")


def all_methods(view: View) -> list[AuthMethod]:
    """Return every auth method, by name."""
    return sorted(view[AUTH_METHODS], key=AUTH_METHODS.key)


def method_named(view: View, name: str) -> AuthMethod | None:
    return view[AUTH_METHODS].get(name.lower())


def all_rules(view: View, method: str = "") -> list[BindingRule]:
    """Return every binding rule, or those of a method, by ID."""
    rows = view[BINDING_RULES].by("method", method.lower()) if method else view[BINDING_RULES]
    return sorted(rows, key=BINDING_RULES.key)


def put_method(txn: WriteTxn, method: AuthMethod) -> AuthMethod:
    """Write a method.  Raises Refused when its name cannot be, or its type was another one."""
    if not method.name:
        raise Refused("Invalid Auth Method: no Name is set")
    if not _NAME.fullmatch(method.name):
        raise Refused("Invalid Auth Method: invalid Name. Only alphanumeric characters, '-' and '_' are allowed")
    old = method_named(txn, method.name)
    if old is not None and method.type and method.type != old.type:
        raise Refused("Changing an auth method's type is not permitted")
    created = old.create_index if old else txn.index
    row = replace(method, create_index=created, modify_index=txn.index)
    txn.put(AUTH_METHODS, row)
    txn.raise_index(METHODS_INDEX)
    return row


def delete_method(txn: WriteTxn, name: str) -> bool:
    """Delete a method, its binding rules, and the tokens that were made by it; return False when there is none."""
    method = method_named(txn, name)
    if method is None:
        return False
    for rule in all_rules(txn, name):
        delete_rule(txn, rule.id)
    for token in txn[TOKENS].by("method", method.name):
        acl_tokens.delete(txn, token.accessor_id)
    txn.delete(AUTH_METHODS, AUTH_METHODS.key(method))
    txn.raise_index(METHODS_INDEX)
    return True


def put_rule(txn: WriteTxn, rule: BindingRule, new: bool) -> BindingRule:
    """Write a binding rule.  Raises Refused when its method does not exist or differs from the previous one."""
    old = txn[BINDING_RULES].get(rule.id)
    if not new:
        if old is None:
            raise Refused(f"cannot find binding rule {rule.id}")
        if rule.auth_method and rule.auth_method != old.auth_method:
            raise Refused("the AuthMethod field of an Binding Rule is immutable")
        rule = replace(rule, auth_method=old.auth_method)
    if not rule.auth_method:
        raise Refused("Invalid Binding Rule: no AuthMethod is set")
    if method_named(txn, rule.auth_method) is None:
        raise Refused(f'cannot find auth method with name "{rule.auth_method}"')
    created = old.create_index if old else txn.index
    row = replace(rule, create_index=created, modify_index=txn.index)
    txn.put(BINDING_RULES, row)
    txn.raise_index(RULES_INDEX)
    return row


def delete_rule(txn: WriteTxn, rule_id: str) -> bool:
    """Delete a binding rule; return False when there is none."""
    if txn[BINDING_RULES].get(rule_id) is None:
        return False
    txn.delete(BINDING_RULES, rule_id)
    txn.raise_index(RULES_INDEX)
    return True
