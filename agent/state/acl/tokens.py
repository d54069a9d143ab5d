"""Tokens: reads, and the writes with the rules that hold for their IDs and lifetimes.

Semantics and texts: https://developer.hashicorp.com/consul/api-docs/acl/tokens.  IDs and times are passed in.
"""

from __future__ import annotations

from msgspec.structs import replace

from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.model.acl import ANONYMOUS_ID, ANONYMOUS_SECRET, RESERVED_PREFIX, Bootstrapped, Token
from pyconsul.agent.state.acl.hash import token_hash
from pyconsul.agent.state.acl.tables import BOOTSTRAPPED, TOKENS
from pyconsul.agent.state.contract import Refused, View
from pyconsul.agent.state.write_txn import WriteTxn

INDEX = "acl-tokens"
MIN_LIFETIME_S = 60.0


def all_tokens(view: View, now: float) -> list[Token]:
    """Return every token that has not expired, by accessor ID."""
    return sorted((token for token in view[TOKENS] if lives(token, now)), key=TOKENS.key)


def lives(token: Token, now: float) -> bool:
    return token.expires is None or token.expires > now


def by_accessor(view: View, accessor: str, now: float) -> Token | None:
    """Return a token by its accessor ID, unless it has expired."""
    token = view[TOKENS].get(accessor)
    return token if token is not None and lives(token, now) else None


def check_new_id(view: View, field: str, value: str) -> None:
    """Raises Refused unless a chosen ID can be used; `field` is AccessorID or SecretID."""
    if not is_uuid(value):
        raise Refused(f"Invalid Token: {field} - not a valid UUID")
    if value.startswith(RESERVED_PREFIX):
        raise Refused(f'Invalid Token: {field} - UUIDs with the prefix "{RESERVED_PREFIX}" are reserved')
    if view[TOKENS].get(value) is not None or view[TOKENS].by("secret", value):
        raise Refused(f"Invalid Token: {field} is already in use")


def lifetime(created: float, ttl: float, expires: float | None) -> float | None:
    """Return the expiration time of a token with a TTL in seconds (0: none) or an expiration time.  Raises Refused."""
    if ttl < 0:
        raise Refused(f"Token Expiration TTL '{format_go_duration_s(ttl)}' should be > 0")
    if ttl > 0:
        if expires is not None:
            raise Refused("Token Expiration TTL and Expiration Time cannot both be set")
        expires = created + ttl
    if expires is None:
        return None
    if expires < created:
        raise Refused("ExpirationTime cannot be before CreateTime")
    if expires - created < MIN_LIFETIME_S:
        least, was = format_go_duration_s(MIN_LIFETIME_S), format_go_duration_s(expires - created)
        raise Refused(f"ExpirationTime cannot be less than {least} in the future (was {was})")
    return expires


def put(txn: WriteTxn, token: Token) -> Token:
    """Write a token that was checked."""
    old = txn[TOKENS].get(token.accessor_id)
    created = old.create_index if old else txn.index
    row = token_hash(replace(token, create_index=created, modify_index=txn.index))
    txn.put(TOKENS, row)
    txn.raise_index(INDEX)
    return row


def delete(txn: WriteTxn, accessor: str) -> bool:
    """Delete a token; False when there is none.  Raises Refused for the anonymous one."""
    if accessor == ANONYMOUS_ID:
        raise Refused("Delete operation not permitted on the anonymous token")
    if txn[TOKENS].get(accessor) is None:
        return False
    txn.delete(TOKENS, accessor)
    txn.raise_index(INDEX)
    return True


def ensure_anonymous(txn: WriteTxn) -> None:
    """Create the anonymous token, unless it exists."""
    if txn[TOKENS].get(ANONYMOUS_ID) is None:
        put(
            txn,
            Token(
                accessor_id=ANONYMOUS_ID,
                secret_id=ANONYMOUS_SECRET,
                description="Anonymous Token",
                created=txn.now,
            ),
        )


def bootstrapped_at(view: View) -> int:
    """Return the index at which the first token was created; 0 for none yet."""
    row = view[BOOTSTRAPPED].get("bootstrap")
    return row.index if row else 0


def mark_bootstrapped(txn: WriteTxn) -> None:
    """Record that the first token was created."""
    txn.put(BOOTSTRAPPED, Bootstrapped("bootstrap", txn.index))
