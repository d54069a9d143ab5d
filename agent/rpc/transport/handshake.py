"""Handshake of a connection between two agents: both introduce themselves and prove that they know a gossip key.

| step | who | message |
| --- | --- | --- |
| 1 | dialing agent | the byte 0x02, then Hello |
| 2 | accepting agent | Answer: its own Hello and its proof; or why the connection is refused |
| 3 | dialing agent | Verdict: its proof; or why it does not want this connection |
| 4 | accepting agent | Verdict: without a proof; or why the connection is refused |

A proof covers its role and both hellos.  Each side accepts a proof with any key of its ring, as during a rotation of keys.  An
agent without gossip keys asks for no proof: it trusts any agent that reaches its port, as Consul's agents do.

Each message is a length (2 bytes, big endian) and MessagePack.  After step 4 frames follow in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias, TypeVar

import msgspec

from pyconsul.agent.rpc.contract import Peer
from pyconsul.agent.rpc.transport import proof

FIRST_BYTE = b"\x02"  # of a connection to the RPC port: neither a relay's, nor HTTP, nor TLS
VERSION = 1
HEAD_BYTES = 2
MAX_BYTES = 2048  # of a message
REASON_CHARACTERS = 400

T = TypeVar("T")


class HandshakeError(Exception):
    """The two agents do not belong together; the text gives the reason."""


class Identity(msgspec.Struct, frozen=True):
    """This agent.  version: of pyconsul.  keys: the gossip keys, the primary one first; none without encryption."""

    node_id: str
    name: str
    datacenter: str
    is_server: bool
    version: str
    keys: tuple[bytes, ...] = ()


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """The introduction of an agent.  wanted: node ID that the dialing agent looks for, "" in that of the other one."""

    protocol: int
    version: str
    node_id: str
    name: str
    datacenter: str
    is_server: bool
    wanted: str
    nonce: bytes

    @property
    def peer(self) -> Peer:
        """Return the agent that said it."""
        return Peer(self.node_id, self.name, self.datacenter, self.is_server, self.version)


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """Step 2.  hello: None with a refusal."""

    hello: Hello | None
    proof: bytes = b""
    refusal: str = ""


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """Steps 3 and 4.  refusal: "" if the sender wants the connection."""

    proof: bytes = b""
    refusal: str = ""


class Step(msgspec.Struct, frozen=True):
    """A step of a handshake: bytes to send, and the type of the message to wait for; None: there is none, as it has failed."""

    send: bytes
    expects: type[Hello] | type[Answer] | type[Verdict] | None


#: Yields the steps, gets the messages, and returns the other agent.  Raises HandshakeError.
Handshake: TypeAlias = Generator[Step, Any, Peer]


class MessageReader:
    """Cuts received bytes into messages.  rest: the bytes that are not a message yet, or follow the last one."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self.rest += data

    def next(self, kind: type[T]) -> T | None:
        """Return the next message, None if it is not whole yet.  Raises HandshakeError."""
        if len(self.rest) < HEAD_BYTES:
            return None
        size = int.from_bytes(self.rest[:HEAD_BYTES], "big")
        if not 0 < size <= MAX_BYTES:
            raise HandshakeError(f"a message of {size} bytes; allowed: 1 to {MAX_BYTES}")
        end = HEAD_BYTES + size
        if len(self.rest) < end:
            return None
        message, self.rest = self.rest[HEAD_BYTES:end], self.rest[end:]
        try:
            return msgspec.msgpack.decode(message, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise HandshakeError(f"not the handshake of an agent: {error}") from None


def encode(message: Hello | Answer | Verdict) -> bytes:
    """Return a message with its length."""
    data = msgspec.msgpack.encode(message)
    return len(data).to_bytes(HEAD_BYTES, "big") + data


def hello(own: Identity, nonce: bytes, wanted: str = "") -> Hello:
    """Return the introduction of this agent."""
    return Hello(VERSION, own.version, own.node_id, own.name, own.datacenter, own.is_server, wanted, nonce)


def dialing(own: Identity, wanted: str, nonce: bytes) -> Handshake:
    """Return the handshake of the agent that has dialed the agent with a node ID."""
    said = hello(own, nonce, wanted)
    answer: Answer = yield Step(FIRST_BYTE + encode(said), Answer)
    if answer.hello is None or answer.refusal:
        raise _refused(answer.refusal)
    try:
        _check(answer.hello, own)
        if answer.hello.node_id != wanted:
            raise HandshakeError(_other_agent(wanted, answer.hello))
        _check_proof(answer.proof, b"rpc accept", said, answer.hello, answer.hello, own)
    except HandshakeError as error:
        yield Step(encode(Verdict(refusal=_shortened(error))), None)
        raise
    verdict: Verdict = yield Step(encode(Verdict(_proof(b"rpc dial", said, answer.hello, own))), Verdict)
    if verdict.refusal:
        raise _refused(verdict.refusal)
    return answer.hello.peer


def accepting(own: Identity, nonce: bytes, refuses: Callable[[Peer], str] = lambda peer: "") -> Handshake:
    """Return the handshake of the agent that was dialed; the first byte is not part of it.

    refuses: returns why an agent that has proved itself is not wanted, or "".
    """
    said: Hello = yield Step(b"", Hello)
    answered = hello(own, nonce)
    try:
        _check(said, own)
        if said.wanted != own.node_id:
            raise HandshakeError(_other_agent(said.wanted, answered))
    except HandshakeError as error:
        yield Step(encode(Answer(None, refusal=_shortened(error))), None)
        raise
    verdict: Verdict = yield Step(encode(Answer(answered, _proof(b"rpc accept", said, answered, own))), Verdict)
    if verdict.refusal:
        raise _refused(verdict.refusal)
    try:
        _check_proof(verdict.proof, b"rpc dial", said, answered, said, own)
        if reason := refuses(said.peer):
            raise HandshakeError(reason)
    except HandshakeError as error:
        yield Step(encode(Verdict(refusal=_shortened(error))), None)
        raise
    yield Step(encode(Verdict()), None)
    return said.peer


def same_node_id(one: str, other: str, node_id: str) -> str:
    """Return the reason to refuse the second of two agents with one node ID."""
    return (
        f"agents {_shown(one)} and {_shown(other)} have the same node ID {node_id}:"
        " remove the file node-id from the data directory of the copied one"
    )


def _check(other: Hello, own: Identity) -> None:
    """Raises HandshakeError for an agent that this one has nothing to do with; the text names both, for either log."""
    if other.protocol != VERSION:
        raise HandshakeError(
            f"agent {_shown(other.name)} (pyconsul {_shown(other.version)}) speaks version {other.protocol} of the protocol between"
            f" agents, agent {own.name} (pyconsul {own.version}) version {VERSION}: upgrade the older one"
        )
    if not other.node_id or not other.name or len(other.nonce) != proof.NONCE_BYTES:
        raise HandshakeError("an agent must give its name, its node ID and a nonce")
    if not (other.node_id + other.name + other.version).isprintable():
        raise HandshakeError(f"name, node ID and version of agent {_shown(other.name)} must be printable")
    if other.node_id == own.node_id:
        raise HandshakeError(same_node_id(other.name, own.name, own.node_id))
    if other.datacenter != own.datacenter:
        raise HandshakeError(
            f"agent {_shown(other.name)} belongs to datacenter {_shown(other.datacenter)}, agent {own.name} to {own.datacenter}"
        )


def _check_proof(proved: bytes, role: bytes, dialer: Hello, acceptor: Hello, other: Hello, own: Identity) -> None:
    if own.keys and not proof.is_proven(proved, own.keys, role, dialer, acceptor):
        raise HandshakeError(
            f"agent {_shown(other.name)} does not know a gossip key of agent {own.name} (setting `encrypt`)"
        )


def _proof(role: bytes, dialer: Hello, acceptor: Hello, own: Identity) -> bytes:
    return proof.prove(own.keys[0], role, dialer, acceptor) if own.keys else b""


def _other_agent(wanted: str, found: Hello) -> str:
    return f"there is agent {_shown(found.name)} with node ID {_shown(found.node_id)} at this address, not {_shown(wanted)}"


def _refused(reason: str) -> HandshakeError:
    return HandshakeError(_shown(reason, REASON_CHARACTERS) or "refused without a reason")


def _shortened(error: HandshakeError) -> str:
    return str(error)[:REASON_CHARACTERS]


def _shown(text: str, most: int = 64) -> str:
    """Return a text of another agent on one line."""
    return "".join(char if char.isprintable() else "?" for char in text[:most])
