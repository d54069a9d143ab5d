"""Handshake of two relays: both prove that they belong to one cluster before a byte of etcd passes.

| step | who | message |
| --- | --- | --- |
| 1 | dialing relay | the byte 0x01, then Hello: version, cluster, own node ID, the other's node ID, a nonce, own name |
| 2 | accepting relay | Challenge: a nonce, and its proof; or why the connection is refused |
| 3 | dialing relay | Proof |
| 4 | accepting relay | Verdict: an empty text, or why the connection is refused |

A proof (`rpc/transport/proof.py`) is made with a gossip key; it covers its role and the messages of steps 1 and 2, so that it is
valid for one connection only.  Each side accepts a proof with any key of its ring, as during a rotation of keys.  Without gossip
keys the cluster ID stands for the key: then a relay trusts any peer that knows it, as Consul's servers trust any peer that reaches
their port.

Each message is a length (2 bytes, big endian) and MessagePack.  After step 4 the bytes of etcd follow as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pyconsul.agent.rpc.transport import proof

FIRST_BYTE = b"\x01"  # of a connection to the RPC port: neither HTTP nor TLS begins with it
VERSION = 1
MAX_BYTES = 512  # of a message


class HandshakeError(Exception):
    """The other side is not a relay of this cluster; the text gives the reason."""


class Identity(msgspec.Struct, frozen=True):
    """Identity of a relay.  keys: the gossip keys, the primary one first; none without encryption.  name: of the node."""

    node_id: str
    cluster_id: str
    keys: tuple[bytes, ...] = ()
    name: str = ""

    @property
    def secrets(self) -> Sequence[bytes]:
        """The keys of proofs, the one of the own proof first."""
        return self.keys or (self.cluster_id.encode(),)


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """Step 1."""

    version: int
    cluster_id: str
    dialer: str
    acceptor: str
    nonce: bytes
    name: str = ""


class Challenge(msgspec.Struct, frozen=True, array_like=True):
    """Step 2.  refusal: the reason for a refusal, or "" with a challenge."""

    nonce: bytes
    proof: bytes
    refusal: str = ""


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """Step 3."""

    proof: bytes


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """Step 4.  refusal: "" when the connection is accepted."""

    refusal: str


def encode(message: Hello | Challenge | Proof | Verdict) -> bytes:
    """Return a message with its length."""
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(2, "big") + data


def length(head: bytes) -> int:
    """Return the length of a message from its first two bytes.  Raises HandshakeError."""
    found = int.from_bytes(head, "big")
    if not 0 < found <= MAX_BYTES:
        raise HandshakeError(f"a message of {found} bytes; allowed: 1 to {MAX_BYTES}")
    return found


def hello(identity: Identity, acceptor: str, nonce: bytes) -> Hello:
    """Return the first message of the dialing relay."""
    return Hello(VERSION, identity.cluster_id, identity.node_id, acceptor, nonce, identity.name)


def check_hello(said: Hello, identity: Identity) -> None:
    """Raises HandshakeError when the dialing relay wants another server."""
    if said.version != VERSION:
        raise HandshakeError(f"version {said.version} of the protocol; this server has version {VERSION}")
    if said.cluster_id != identity.cluster_id:
        raise HandshakeError(f"it belongs to cluster {said.cluster_id:.40}, this server to {identity.cluster_id}")
    if said.acceptor != identity.node_id:
        raise HandshakeError(f"it looks for server {said.acceptor:.40}, this one is {identity.node_id}")
    if len(said.nonce) != proof.NONCE_BYTES:
        raise HandshakeError(f"a nonce of {len(said.nonce)} bytes; allowed: {proof.NONCE_BYTES}")


def check_owner(said: Hello, owner: str) -> None:
    """Raises HandshakeError when another server has the node ID of the dialing one.  owner: its name; "" if none is alive.

    A copy of a data folder must not speak for the member that it was copied from: its vote would count twice.
    """
    if owner and owner != said.name:
        raise HandshakeError(
            f"server {said.name:.80} has the node ID of server {owner}, which is alive: its data folder is a copy;"
            " start it on an empty one to add it as a new server"
        )


def challenge(said: Hello, identity: Identity, nonce: bytes) -> Challenge:
    """Return the answer of the accepting relay."""
    return Challenge(nonce, proof.prove(identity.secrets[0], b"accept", said, nonce))


def prove(said: Hello, answered: Challenge, identity: Identity) -> Proof:
    """Return the proof of the dialing relay.  Raises HandshakeError when that of the other one is wrong, or missing."""
    if answered.refusal:
        raise HandshakeError(answered.refusal)
    _check(answered.proof, b"accept", said, answered.nonce, identity)
    return Proof(proof.prove(identity.secrets[0], b"dial", said, answered.nonce))


def check_proof(proved: Proof, said: Hello, answered: Challenge, identity: Identity) -> None:
    """Raises HandshakeError when the proof of the dialing relay is wrong."""
    _check(proved.proof, b"dial", said, answered.nonce, identity)


def _check(proved: bytes, role: bytes, said: Hello, nonce: bytes, identity: Identity) -> None:
    if not proof.is_proven(proved, identity.secrets, role, said, nonce):
        raise HandshakeError("it does not know a gossip key of this server" if identity.keys else "a wrong proof")
