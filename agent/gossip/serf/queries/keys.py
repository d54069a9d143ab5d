"""Gossip keys: what each member does to its keyring on an internal query, and the report of an operation over the whole pool.

| query | effect on the keyring (primary key first) | fails with |
| --- | --- | --- |
| `_serf_install-key` | append the key; nothing if it is there | key size must be 16, 24 or 32 bytes |
| `_serf_use-key` | make the key the primary one | Requested key is not in the keyring |
| `_serf_remove-key` | remove the key; nothing if it is not there | Removing the primary key is not allowed |
| `_serf_list-keys` | none; the answer holds all keys in base64 | Keyring is empty (encryption not enabled) |

Without encryption the first three fail with "No keyring to modify (encryption not enabled)". After each successful change the
keyring file is rewritten, then the query is answered. A list that does not fit into an answer is cut, with a message.
Source: Serf's behavior (PROTOCOL, section 8.5); the texts are recorded from Consul.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from enum import Enum

from pyconsul.agent.common.go.base64_text import decode_go_base64
from pyconsul.agent.gossip.serf.effects import KeyReport
from pyconsul.agent.gossip.serf.settings import INTERNAL_QUERY
from pyconsul.agent.gossip.wire.encryption import KEY_SIZES
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_messages import (
    KeyRequest,
    KeyResponse,
    decode_serf_message,
    encode_serf_message,
)

Keys = tuple[bytes, ...]


class KeyOperation(Enum):
    """An operation on the keyrings of all members; the value is the name of its query."""

    INSTALL = f"{INTERNAL_QUERY}install-key"
    USE = f"{INTERNAL_QUERY}use-key"
    REMOVE = f"{INTERNAL_QUERY}remove-key"
    LIST = f"{INTERNAL_QUERY}list-keys"


class KeyringError(ValueError):
    """An operation that this keyring does not allow; the text is Serf's."""


def request_payload(operation: KeyOperation, key: str) -> bytes:
    """Return the payload of the query for an operation; `key` in base64. Raises ValueError if it is not."""
    return encode_serf_message(KeyRequest(b"" if operation is KeyOperation.LIST else decode_go_base64(key)))


def requested_key(payload: bytes) -> bytes:
    """Read the key out of a query. Raises DecodeError."""
    message = decode_serf_message(payload)
    if not isinstance(message, KeyRequest):
        raise DecodeError("the payload is not a key request")
    return message.key or b""


def changed(keys: Keys, operation: KeyOperation, key: bytes) -> Keys:
    """Return the keyring after an operation. Raises KeyringError."""
    if not keys:
        raise KeyringError("No keyring to modify (encryption not enabled)")
    if operation is KeyOperation.INSTALL:
        if len(key) not in KEY_SIZES:
            raise KeyringError("key size must be 16, 24 or 32 bytes")
        return keys if key in keys else (*keys, key)
    others = tuple(each for each in keys if each != key)
    if operation is KeyOperation.USE:
        if key not in keys:
            raise KeyringError("Requested key is not in the keyring")
        return (key, *others)
    if key == keys[0]:
        raise KeyringError("Removing the primary key is not allowed")
    return others


def success() -> bytes:
    """Return the answer to an operation that succeeded."""
    return encode_serf_message(KeyResponse(True, "", None, ""))


def failure(message: str) -> bytes:
    """Return the answer to an operation that failed."""
    return encode_serf_message(KeyResponse(False, message, None, ""))


def listing(keys: Keys, fits: Callable[[bytes], bool]) -> bytes:
    """Return the answer to a list query, with as many keys as fit."""
    if not keys:
        return failure("Keyring is empty (encryption not enabled)")
    texts = tuple(b64encode(key).decode() for key in keys)
    answer = encode_serf_message(KeyResponse(True, "", texts, texts[0]))
    for shown in range(len(keys) - 1, 0, -1):
        if fits(answer):
            return answer
        message = f"truncated key list response, showing first {shown} of {len(keys)} keys"
        answer = encode_serf_message(KeyResponse(True, message, texts[:shown], texts[0]))
    return answer


def add_answer(report: KeyReport, node: str, payload: bytes) -> None:
    """Count the answer of one member."""
    report.responses += 1
    try:
        answer = decode_serf_message(payload)
    except DecodeError as error:
        report.errors += 1
        report.messages[node] = f"Failed to decode key query response: {error}"
        return
    if not isinstance(answer, KeyResponse):
        report.errors += 1
        report.messages[node] = f"Invalid key query response type: {payload[:1].hex()}"
        return
    if not answer.result:
        report.errors += 1
    if answer.message or not answer.result:
        report.messages[node] = answer.message
    for key in answer.keys or ():
        report.keys[key] = report.keys.get(key, 0) + 1
    if answer.primary_key:
        report.primary_keys[answer.primary_key] = report.primary_keys.get(answer.primary_key, 0) + 1
