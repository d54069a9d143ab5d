"""The handshake of two agents: only those that belong together pass, and both know why the others do not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.rpc.contract import Peer
from pyconsul.agent.rpc.transport import handshake
from pyconsul.agent.rpc.transport.handshake import (
    Answer,
    Handshake,
    HandshakeError,
    Hello,
    Identity,
    MessageReader,
    Verdict,
)
from pyconsul.agent.rpc.transport.proof import NONCE_BYTES

NONCE, OTHER_NONCE = b"n" * NONCE_BYTES, b"m" * NONCE_BYTES
WEB1 = Identity("id-web1", "web1", "dc1", False, "1.0")
S1 = Identity("id-s1", "s1", "dc1", True, "1.1")
KEYS = st.lists(st.sampled_from([b"a" * 16, b"b" * 32, b"c" * 16]), unique=True, max_size=3).map(tuple)


class Side:
    """One side of a handshake: what it says, and how it ends."""

    def __init__(self, steps: Handshake, skip: int = 0) -> None:
        self._steps, self._reader, self._skip = steps, MessageReader(), skip
        self.said = b""
        self.peer: Peer | None = None
        self.error = ""
        self._expects: Any = None
        self._go_on(None)

    @property
    def ended(self) -> bool:
        return self.peer is not None or bool(self.error)

    def hear(self, data: bytes) -> None:
        data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        self._reader.feed(data)
        try:
            while not self.ended and (message := self._reader.next(self._expects)) is not None:
                self._go_on(message)
        except HandshakeError as error:
            self.error = str(error)

    def take(self) -> bytes:
        said, self.said = self.said, b""
        return said

    def _go_on(self, message: object) -> None:
        try:
            step = self._steps.send(message)
            self.said += step.send
            while step.expects is None:
                step = next(self._steps)
            self._expects = step.expects
        except StopIteration as stop:
            self.peer = stop.value
        except HandshakeError as error:
            self.error = str(error)


def shake(dialer: Identity, acceptor: Identity, wanted: str = "id-s1", piece: int = 10_000) -> tuple[Side, Side]:
    near = Side(handshake.dialing(dialer, wanted, NONCE))
    far = Side(handshake.accepting(acceptor, OTHER_NONCE), skip=1)
    for _ in range(4):
        for one, other in ((near, far), (far, near)):
            data = one.take()
            for at in range(0, len(data), piece):
                other.hear(data[at : at + piece])
    return near, far


@given(st.integers(1, 400))
def test_both_know_each_other_afterwards(piece: int) -> None:
    near, far = shake(WEB1, S1, piece=piece)
    assert near.peer == Peer("id-s1", "s1", "dc1", True, "1.1")
    assert far.peer == Peer("id-web1", "web1", "dc1", False, "1.0")


def test_the_first_byte_tells_it_from_relays_http_and_tls() -> None:
    assert Side(handshake.dialing(WEB1, "id-s1", NONCE)).take()[:1] == b"\x02"


@given(KEYS, KEYS)
def test_agents_pass_when_each_knows_the_primary_key_of_the_other(
    ours: tuple[bytes, ...], theirs: tuple[bytes, ...]
) -> None:
    near, far = shake(msgspec.structs.replace(WEB1, keys=ours), msgspec.structs.replace(S1, keys=theirs))
    far_accepts = not theirs or bool(ours and ours[0] in theirs)
    near_accepts = not ours or bool(theirs and theirs[0] in ours)
    assert (near.peer is not None) == (far.peer is not None) == (near_accepts and far_accepts)
    if not near_accepts:
        assert near.error == far.error == "agent s1 does not know a gossip key of agent web1 (setting `encrypt`)"
    elif not far_accepts:
        assert near.error == far.error == "agent web1 does not know a gossip key of agent s1 (setting `encrypt`)"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"datacenter": "dc2"}, "agent web1 belongs to datacenter dc2, agent s1 to dc1"),
        (
            {"node_id": "id-s1"},
            "agents web1 and s1 have the same node ID id-s1: remove the file node-id from the data directory",
        ),
        ({"version": "1\n"}, "name, node ID and version of agent web1 must be printable"),
        ({"datacenter": "dc\n2"}, "agent web1 belongs to datacenter dc?2, agent s1 to dc1"),
        ({"name": ""}, "an agent must give its name, its node ID and a nonce"),
        (
            {"name": "a\nb\x1b[0m" + "c" * 200},
            "name, node ID and version of agent a?b?[0m" + "c" * 57 + " must be printable",
        ),
    ],
)
def test_both_say_why_agents_do_not_belong_together(changes: dict[str, str], reason: str) -> None:
    near, far = shake(msgspec.structs.replace(WEB1, **changes), S1)
    assert near.error == far.error
    assert far.error.startswith(reason)


def test_another_version_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    near = Side(handshake.dialing(WEB1, "id-s1", NONCE))
    monkeypatch.setattr(handshake, "VERSION", 2)
    far = Side(handshake.accepting(S1, OTHER_NONCE), skip=1)
    far.hear(near.take())
    near.hear(far.take())
    assert near.error == far.error
    assert far.error == (
        "agent web1 (pyconsul 1.0) speaks version 1 of the protocol between agents, agent s1 (pyconsul 1.1) version 2:"
        " upgrade the older one"
    )


def test_the_hello_of_a_later_version_is_understood() -> None:
    near = Side(handshake.dialing(WEB1, "id-s1", NONCE))
    said = msgspec.msgpack.decode(near.take()[3:])
    data = msgspec.msgpack.encode([2, *said[1:], "more"])
    far = Side(handshake.accepting(S1, OTHER_NONCE))
    far.hear(len(data).to_bytes(2, "big") + data)
    assert "upgrade the older one" in far.error


def test_another_agent_than_the_wanted_one() -> None:
    near, far = shake(WEB1, S1, wanted="id-s9")
    assert near.error == far.error == "there is agent s1 with node ID id-s1 at this address, not id-s9"


def test_an_acceptor_that_gives_another_node_id_is_refused() -> None:
    near = Side(handshake.dialing(WEB1, "id-s1", NONCE))
    far = Side(handshake.accepting(S1, OTHER_NONCE), skip=1)
    near.hear(handshake.encode(Answer(handshake.hello(msgspec.structs.replace(S1, node_id="id-s2"), OTHER_NONCE))))
    assert near.error == "there is agent s1 with node ID id-s2 at this address, not id-s1"
    far.hear(b"\x02")
    assert not far.ended


def test_a_proof_is_good_for_one_role_and_one_connection() -> None:
    keys = (b"k" * 32,)
    dialer, acceptor = msgspec.structs.replace(WEB1, keys=keys), msgspec.structs.replace(S1, keys=keys)
    said, answered = handshake.hello(dialer, NONCE, "id-s1"), handshake.hello(acceptor, OTHER_NONCE)
    far = Side(handshake.accepting(acceptor, OTHER_NONCE))
    far.hear(handshake.encode(said))
    proof = msgspec.msgpack.decode(far.take()[2:], type=Answer).proof
    far.hear(handshake.encode(Verdict(proof)))  # its own proof, sent back
    assert far.error.endswith("does not know a gossip key of agent s1 (setting `encrypt`)")
    near = Side(handshake.dialing(dialer, "id-s1", OTHER_NONCE))
    near.hear(handshake.encode(Answer(answered, proof)))  # of the connection above
    assert near.error.endswith("does not know a gossip key of agent web1 (setting `encrypt`)")


@given(st.binary(max_size=3000))
def test_garbage_never_passes(data: bytes) -> None:
    for side in (Side(handshake.accepting(S1, OTHER_NONCE)), Side(handshake.dialing(WEB1, "id-s1", NONCE))):
        side.take()
        side.hear(data)
        assert side.peer is None


@pytest.mark.parametrize("refusal", ["", "no\nroom"])
def test_a_refusal_is_shown_on_one_line(refusal: str) -> None:
    near = Side(handshake.dialing(WEB1, "id-s1", NONCE))
    near.hear(handshake.encode(Answer(None, refusal=refusal)))
    assert near.error == (refusal.replace("\n", "?") or "refused without a reason")


def test_long_messages_are_refused_by_their_length() -> None:
    far = Side(handshake.accepting(S1, OTHER_NONCE))
    far.hear(b"\xff\xff")
    assert far.error == "a message of 65535 bytes; allowed: 1 to 2048"


def test_a_long_refusal_fits_into_a_message() -> None:
    name = "\N{GRINNING FACE}" * 300
    said = Hello(1, "", "id", name, "\N{GRINNING FACE}" * 100, False, "id-s1", NONCE)
    far = Side(handshake.accepting(S1, OTHER_NONCE))
    far.hear(handshake.encode(said))
    assert far.error
    assert len(far.take()) <= handshake.MAX_BYTES
