"""The handshake of two relays: only those of one cluster, with a common key, pass; nothing said once can be used again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.cluster.relay import handshake
from pyconsul.agent.cluster.relay.handshake import Challenge, HandshakeError, Hello, Identity, Proof
from pyconsul.agent.rpc.transport.proof import NONCE_BYTES

KEYS = st.lists(st.sampled_from([b"a" * 16, b"b" * 32, b"c" * 16]), unique=True, max_size=3).map(tuple)
NONCE, OTHER_NONCE = b"n" * NONCE_BYTES, b"m" * NONCE_BYTES


def shake(dialer: Identity, acceptor: Identity) -> None:
    """Raises HandshakeError."""
    said = handshake.hello(dialer, acceptor.node_id, NONCE)
    handshake.check_hello(said, acceptor)
    answered = handshake.challenge(said, acceptor, OTHER_NONCE)
    handshake.check_proof(handshake.prove(said, answered, dialer), said, answered, acceptor)


@given(KEYS, KEYS)
def test_relays_pass_when_each_knows_the_primary_key_of_the_other(
    ours: tuple[bytes, ...], theirs: tuple[bytes, ...]
) -> None:
    dialer, acceptor = Identity("n1", "c", ours), Identity("n2", "c", theirs)
    may_pass = ours == theirs == () or bool(ours and theirs and ours[0] in theirs and theirs[0] in ours)
    if may_pass:
        shake(dialer, acceptor)
    else:
        with pytest.raises(HandshakeError):
            shake(dialer, acceptor)


def test_another_cluster_is_named() -> None:
    with pytest.raises(HandshakeError, match="belongs to cluster other, this server to c"):
        shake(Identity("n1", "other"), Identity("n2", "c"))


def test_a_connection_for_another_server_is_refused() -> None:
    said = handshake.hello(Identity("n1", "c"), "n3", NONCE)
    with pytest.raises(HandshakeError, match="looks for server n3, this one is n2"):
        handshake.check_hello(said, Identity("n2", "c"))


def test_a_copied_data_folder_does_not_speak_for_the_server_that_it_was_copied_from() -> None:
    said = handshake.hello(Identity("n1", "c", name="copy"), "n2", NONCE)
    for owner in ("", "copy"):
        handshake.check_owner(said, owner)
    with pytest.raises(HandshakeError, match="server copy has the node ID of server s1, which is alive"):
        handshake.check_owner(said, "s1")


def test_a_refusal_is_told() -> None:
    identity = Identity("n1", "c")
    said = handshake.hello(identity, "n2", NONCE)
    with pytest.raises(HandshakeError, match="no room"):
        handshake.prove(said, Challenge(b"", b"", "no room"), identity)


def test_a_proof_is_good_for_one_connection_and_one_role() -> None:
    dialer, acceptor = Identity("n1", "c", (b"k" * 32,)), Identity("n2", "c", (b"k" * 32,))
    said = handshake.hello(dialer, "n2", NONCE)
    answered = handshake.challenge(said, acceptor, OTHER_NONCE)
    proved = handshake.prove(said, answered, dialer)
    for other in (
        Hello(said.version, "c", "n1", "n2", OTHER_NONCE),
        Hello(said.version, "c", "n3", "n2", NONCE),
    ):
        with pytest.raises(HandshakeError):
            handshake.check_proof(proved, other, answered, acceptor)
    with pytest.raises(HandshakeError):
        handshake.check_proof(Proof(answered.proof), said, answered, acceptor)


@given(st.integers(0, 0xFFFF))
def test_a_message_is_never_long(count: int) -> None:
    if 0 < count <= handshake.MAX_BYTES:
        assert handshake.length(count.to_bytes(2, "big")) == count
    else:
        with pytest.raises(HandshakeError, match="allowed: 1 to 512"):
            handshake.length(count.to_bytes(2, "big"))
