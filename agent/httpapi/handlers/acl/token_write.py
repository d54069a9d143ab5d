"""Creates and changes tokens: derives the row from a body, checks it, and writes it.

Rules and texts: https://developer.hashicorp.com/consul/api-docs/acl/tokens
"""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.common.go.durations import SECOND_NS
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.httpapi.handlers.acl.bodies import TokenBody
from pyconsul.agent.httpapi.handlers.acl.grants import grants
from pyconsul.agent.model.acl import Token
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.contract import Refused
from pyconsul.agent.state.write_txn import WriteTxn


def create(txn: WriteTxn, body: TokenBody, accessor: str, secret: str) -> Token:
    """Return a new token; `accessor` and `secret` are used where the body chooses none.  Raises Refused."""
    if body.accessor_id:
        acl_tokens.check_new_id(txn, "AccessorID", body.accessor_id)
    if body.secret_id:
        acl_tokens.check_new_id(txn, "SecretID", body.secret_id)
    if body.auth_method:
        raise Refused("AuthMethod field is disallowed outside of login")
    expires = acl_tokens.lifetime(txn.now, body.expiration_ttl / SECOND_NS, body.expiration_time)
    token = Token(
        accessor_id=body.accessor_id or accessor,
        secret_id=body.secret_id or secret,
        description=body.description,
        grants=grants(txn, body, "token", body.local),
        local=body.local,
        created=txn.now,
        expires=expires,
    )
    return acl_tokens.put(txn, token)


def update(txn: WriteTxn, accessor: str, body: TokenBody) -> Token:
    """Return a token as the body has it; what cannot change is kept where the body leaves it out.  Raises Refused."""
    if not is_uuid(accessor):
        raise Refused("AccessorID is not a valid UUID")
    old = acl_tokens.by_accessor(txn, accessor, txn.now)
    if old is None:
        raise Refused(f'Cannot find token "{accessor}"')
    if body.auth_method not in ("", old.auth_method):
        raise Refused(f"Cannot change AuthMethod of {accessor}")
    if body.secret_id not in ("", old.secret_id):
        raise Refused("Changing a token's SecretID is not permitted")
    if body.local != old.local:
        raise Refused(f"Cannot toggle local mode of {accessor}")
    moved = body.expiration_time is not None and (
        old.expires is None or abs(body.expiration_time - old.expires) > 1e-3  # texts hold microseconds
    )
    if body.expiration_ttl or moved:
        raise Refused(f"Cannot change expiration time of {accessor}")
    token = replace(old, description=body.description, grants=grants(txn, body, "token", body.local))
    return acl_tokens.put(txn, token)


def clone(txn: WriteTxn, old: Token, description: str, accessor: str, secret: str) -> Token:
    """Return a copy under other IDs; without a description it keeps the old one.  Raises Refused."""
    if old.auth_method:
        raise Refused("Cannot clone a token created from an auth method")
    copy = replace(
        old,
        accessor_id=accessor,
        secret_id=secret,
        description=description or old.description,
        created=txn.now,
        created_ns=0,
        create_index=0,
    )
    return acl_tokens.put(txn, copy)
