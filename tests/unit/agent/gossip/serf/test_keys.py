"""Key operations: what they do to one keyring, what members answer, and how answers are counted."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.gossip.serf.effects import KeyReport
from pyconsul.agent.gossip.serf.queries.keys import (
    KeyOperation,
    KeyringError,
    Keys,
    add_answer,
    changed,
    failure,
    listing,
    request_payload,
    requested_key,
    success,
)
from pyconsul.agent.gossip.wire.encryption import Keyring
from pyconsul.agent.gossip.wire.errors import DecodeError
from pyconsul.agent.gossip.wire.serf_messages import KeyResponse, decode_serf_message, encode_serf_message

INSTALL, USE, REMOVE, LIST = KeyOperation.INSTALL, KeyOperation.USE, KeyOperation.REMOVE, KeyOperation.LIST
A, B, C = bytes(range(16)), bytes(range(24)), bytes(range(32))


def text(key: bytes) -> str:
    return b64encode(key).decode()


def answer(payload: bytes) -> KeyResponse:
    message = decode_serf_message(payload)
    assert isinstance(message, KeyResponse)
    return message


@pytest.mark.parametrize(
    ("operation", "before", "key", "after"),
    [
        (INSTALL, (A,), B, (A, B)),
        (INSTALL, (A, B), B, (A, B)),
        (INSTALL, (A, B), A, (A, B)),
        (USE, (A, B, C), B, (B, A, C)),
        (USE, (A, B), A, (A, B)),
        (REMOVE, (A, B), B, (A,)),
        (REMOVE, (A,), C, (A,)),
    ],
)
def test_operations(operation: KeyOperation, before: Keys, key: bytes, after: Keys) -> None:
    assert changed(before, operation, key) == after


# The texts are those of the recordings (scenarios/members/keyring*).
@pytest.mark.parametrize(
    ("operation", "before", "key", "error"),
    [
        (INSTALL, (A,), b"too short", "key size must be 16, 24 or 32 bytes"),
        (INSTALL, (A,), b"", "key size must be 16, 24 or 32 bytes"),
        (USE, (A,), B, "Requested key is not in the keyring"),
        (REMOVE, (A, B), A, "Removing the primary key is not allowed"),
        (INSTALL, (), B, "No keyring to modify (encryption not enabled)"),
        (USE, (), B, "No keyring to modify (encryption not enabled)"),
        (REMOVE, (), B, "No keyring to modify (encryption not enabled)"),
    ],
)
def test_operations_that_are_not_allowed(operation: KeyOperation, before: Keys, key: bytes, error: str) -> None:
    with pytest.raises(KeyringError) as raised:
        changed(before, operation, key)
    assert str(raised.value) == error


@given(st.lists(st.tuples(st.sampled_from([INSTALL, USE, REMOVE]), st.sampled_from([A, B, C, b"bad"]))))
def test_a_keyring_always_encrypts_with_a_valid_primary_key(operations: list[tuple[KeyOperation, bytes]]) -> None:
    keys: Keys = (A,)
    for operation, key in operations:
        primary = keys[0]
        try:
            keys = changed(keys, operation, key)
        except KeyringError:
            continue
        assert keys[0] == (key if operation is USE else primary)
        assert len(set(keys)) == len(keys)
        Keyring(keys)


def test_the_names_and_payloads_of_the_queries() -> None:
    assert [operation.value for operation in KeyOperation] == [
        "_serf_install-key",
        "_serf_use-key",
        "_serf_remove-key",
        "_serf_list-keys",
    ]
    assert request_payload(INSTALL, text(A)) == b"\x07\x81\xa3Key\xb0" + A
    assert request_payload(LIST, "ignored") == b"\x07\x81\xa3Key\xa0"
    assert requested_key(request_payload(USE, text(C))) == C
    for payload in (b"", b"\x07", success(), b"\x07\xc1"):
        with pytest.raises(DecodeError):
            requested_key(payload)


def test_a_key_must_be_base64() -> None:
    with pytest.raises(ValueError, match=r"^illegal base64 data at input byte 4$"):
        request_payload(INSTALL, "short")


def test_a_list_holds_all_keys_the_primary_one_first() -> None:
    assert answer(listing((B, A), lambda payload: True)) == KeyResponse(True, "", (text(B), text(A)), text(B))
    assert answer(listing((), lambda payload: True)) == KeyResponse(
        False, "Keyring is empty (encryption not enabled)", None, ""
    )


def test_a_list_that_is_too_long_is_cut_with_a_message() -> None:
    keys = tuple(bytes([number]) * 32 for number in range(30))
    found = answer(listing(keys, lambda payload: len(payload) <= 900))
    assert found.keys
    assert 10 < len(found.keys) < 30
    assert found.message == f"truncated key list response, showing first {len(found.keys)} of 30 keys"
    assert len(listing(keys, lambda payload: len(payload) <= 900)) <= 900


def test_the_report_counts_what_members_answer() -> None:
    report = KeyReport(members=3)
    add_answer(report, "a", listing((A, B), lambda payload: True))
    assert report.error == "1/3 nodes reported success"
    add_answer(report, "b", listing((B,), lambda payload: True))
    add_answer(report, "c", encode_serf_message(KeyResponse(True, "truncated", (text(A),), text(A))))
    assert report == KeyReport(3, 3, 0, {"c": "truncated"}, {text(A): 2, text(B): 2}, {text(A): 2, text(B): 1})
    assert report.error == ""


def test_the_report_counts_failures() -> None:
    report = KeyReport(members=4)
    add_answer(report, "a", failure("key size must be 16, 24 or 32 bytes"))
    add_answer(report, "b", b"\xff")
    add_answer(report, "c", b"\x07\x80")
    add_answer(report, "d", success())
    assert report.error == "3/4 nodes reported failure"
    assert report.messages["a"] == "key size must be 16, 24 or 32 bytes"
    assert "decode" in report.messages["b"]
    assert "type" in report.messages["c"]
    assert "d" not in report.messages
