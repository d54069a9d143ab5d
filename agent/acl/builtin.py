"""The two built-in policies and the anonymous token, which every state has."""

from __future__ import annotations

from pyconsul.agent.model.acl import MANAGEMENT_ID, READ_ONLY_ID, Grants, Policy, Token
from pyconsul.agent.state.acl import policies as acl_policies
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.acl.tables import POLICIES, TOKENS
from pyconsul.agent.state.write_txn import WriteTxn

_RULES = """
acl = "{0}"
agent_prefix "" {{
	policy = "{0}"
}}
event_prefix "" {{
	policy = "{0}"
}}
key_prefix "" {{
	policy = "{0}"
}}
keyring = "{0}"
node_prefix "" {{
	policy = "{0}"
}}
operator = "{0}"
mesh = "{0}"
peering = "{0}"
query_prefix "" {{
	policy = "{0}"
}}
service_prefix "" {{
	policy = "{0}"
	intentions = "{0}"
}}
session_prefix "" {{
	policy = "{0}"
}}"""


def _policy(identity: str, name: str, level: str, gives: str) -> Policy:
    description = f"A built-in policy that grants {gives} access to all Consul features"
    return Policy(id=identity, name=name, description=description, rules=_RULES.format(level))


MANAGEMENT = _policy(MANAGEMENT_ID, "global-management", "write", "read and write")
READ_ONLY = _policy(READ_ONLY_ID, "builtin/global-read-only", "read", "read-only")


def ensure(txn: WriteTxn) -> None:
    """Create missing ones, and update the rules of built-in policies."""
    for policy in (MANAGEMENT, READ_ONLY):
        old = txn[POLICIES].get(policy.id)
        if old is None or old.rules != policy.rules:
            acl_policies.put(txn, policy)
    acl_tokens.ensure_anonymous(txn)


def prepare(txn: WriteTxn, accessor: str, secret: str) -> None:
    """Make what every state must have: built-in policies, the anonymous token and, with a secret, the management token."""
    ensure(txn)
    if secret:
        ensure_management_token(txn, accessor, secret)


def ensure_management_token(txn: WriteTxn, accessor: str, secret: str) -> None:
    """Create a management token with a given secret, unless it exists; bootstrapping is not needed then."""
    if not txn[TOKENS].by("secret", secret):
        put_management_token(txn, accessor, secret, "Initial Management Token")


def put_management_token(txn: WriteTxn, accessor: str, secret: str, description: str) -> Token:
    """Write a token that may do everything, and remember that there was one."""
    token = Token(
        accessor_id=accessor,
        secret_id=secret,
        description=description,
        grants=Grants(policies=(MANAGEMENT_ID,)),
        created=txn.now,
    )
    acl_tokens.mark_bootstrapped(txn)
    return acl_tokens.put(txn, token)
