"""The driver: the order of what it does, and that no error of one step stops the next."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.eventually import eventually_async, one_turn

from pyconsul.agent.gossip.driver import packets
from pyconsul.agent.gossip.driver.frames import Frames
from pyconsul.agent.gossip.driver.packet_decoder import PacketDecoder
from pyconsul.agent.gossip.driver.packets import PacketSocket
from pyconsul.agent.gossip.driver.pool_driver import PoolDriver
from pyconsul.agent.gossip.driver.pool_log import PoolLog
from pyconsul.agent.gossip.driver.sockets import open_sockets
from pyconsul.agent.gossip.driver.streams import StreamClient, StreamCodec
from pyconsul.agent.gossip.serf.effects import LeftPool, UserEventReceived
from pyconsul.agent.gossip.swim.effects import SendPacket
from pyconsul.agent.gossip.wire.messages import Ack, Address, encode_message

EVENT = UserEventReceived(1, "deploy", b"", False)


class Core:
    """Stands for a pool: records what it is given, and returns what a test wants it to."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.due = float("inf")
        self.on_packet: Callable[[], Sequence[Any]] = lambda: ()
        self.on_tick: Callable[[], Sequence[Any]] = lambda: ()

    def start(self, now: float) -> Sequence[Any]:
        return ()

    def deadline(self) -> float:
        return self.due

    def receive(self, messages: Sequence[Any], source: Address, now: float) -> Sequence[Any]:
        self.calls += [message.seq_no for message in messages]
        return self.on_packet()

    def tick(self, now: float) -> Sequence[Any]:
        self.calls.append("tick")
        self.due = float("inf")
        return self.on_tick()


class Driven:
    """A driver with its core, and the outputs that were handled."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        self.core: Any = Core()
        self.handled: list[Any] = []
        self.handle: Callable[[Any], None] = self.handled.append
        udp, tcp = open_sockets("127.0.0.1", 0)
        tcp.close()
        self.address = udp.getsockname()
        log = PoolLog("lan", lambda: 0.0)
        frames = Frames((), verify_incoming=True, verify_outgoing=True)
        self.driver = PoolDriver(
            self.core,
            udp,
            frames,
            PacketDecoder(frames, None, log),
            StreamClient(StreamCodec(frames, executor)),
            log,
            tcp_timeout_s=1.0,
            snapshot=None,
            handlers={UserEventReceived: self._handle, LeftPool: self.handled.append},
        )

    def _handle(self, output: Any) -> None:
        self.handle(output)

    def send(self, *numbers: int) -> None:
        """Let packets arrive that the driver has not seen yet."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in numbers:
                sock.sendto(encode_message(Ack(number)), self.address)


@pytest.fixture
async def driven() -> AsyncIterator[Driven]:
    with ThreadPoolExecutor(1) as executor:
        one = Driven(executor)
        one.driver.start()
        yield one
        await one.driver.close()


async def test_packets_that_have_arrived_are_taken_in_before_the_time(driven: Driven) -> None:
    driven.core.due = 0.0
    driven.driver.run(())  # arms the timer
    driven.send(*range(200))  # more than one turn takes
    await eventually_async(lambda: "tick" in driven.core.calls)
    assert driven.core.calls == [*range(200), "tick"]


async def test_endless_packets_do_not_keep_the_time_away(driven: Driven) -> None:
    driven.core.due = 0.0
    driven.core.on_packet = lambda: driven.send(1) or ()  # type: ignore[func-returns-value]
    driven.send(1)
    await eventually_async(lambda: "tick" in driven.core.calls)


async def test_a_turn_takes_a_bounded_number_of_packets() -> None:
    udp, tcp = open_sockets("127.0.0.1", 0)
    tcp.close()
    taken: list[bytes] = []
    packet_socket = PacketSocket(udp, lambda data, source: taken.append(data), lambda: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(packets.MAX_PACKETS + 1):
            sock.sendto(b"x", udp.getsockname())
    assert packet_socket.drain()
    assert 0 < len(taken) <= packets.MAX_PACKETS
    while packet_socket.drain():
        pass
    assert len(taken) == packets.MAX_PACKETS + 1
    packet_socket.close()


async def test_errors_stop_nothing(driven: Driven, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*arguments: Any) -> Sequence[Any]:
        raise RuntimeError("defect")

    driven.core.on_packet = fail
    driven.send(1, 2)
    await eventually_async(lambda: driven.core.calls == [1, 2])
    driven.core.on_packet, driven.handle = (lambda: (EVENT, LeftPool())), fail
    driven.send(3)
    await eventually_async(lambda: driven.handled == [LeftPool()])
    driven.core.on_tick, driven.core.due = fail, 0.0
    driven.driver.run(())
    await eventually_async(lambda: driven.core.calls[-1] == "tick")
    driven.core.on_tick, driven.core.due = (lambda: (LeftPool(),)), 0.0
    await eventually_async(lambda: driven.handled == [LeftPool()] * 2)
    texts = ("a packet could not be taken in", "cannot carry out UserEventReceived")
    assert all(text in caplog.text for text in texts), caplog.text


async def test_outputs_of_a_handler_s_own_calls_come_after_the_others(driven: Driven) -> None:
    def handle(output: Any) -> None:
        driven.handled.append(output)
        if output.time == 1:
            driven.driver.run([UserEventReceived(3, "nested", b"", False)])

    driven.handle = handle
    driven.driver.run([EVENT, UserEventReceived(2, "second", b"", False)])
    assert [output.time for output in driven.handled] == [1, 2, 3]


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(Address(bytes(3), 8301), id="no IP address"),
        pytest.param(Address(bytes((127, 0, 0, 1)), 0), id="port 0"),
        pytest.param(Address(bytes(16), 8301), id="another family"),
    ],
)
async def test_a_packet_that_cannot_be_sent_is_logged(
    address: Address, driven: Driven, caplog: pytest.LogCaptureFixture
) -> None:
    driven.driver.run([SendPacket(address, (Ack(1),)), EVENT])
    assert driven.handled == [EVENT]
    assert "cannot send a packet: pool=lan address=" in caplog.text


async def test_a_closed_driver_does_nothing(driven: Driven) -> None:
    await driven.driver.close()
    driven.driver.run([EVENT])
    assert driven.handled == []


@pytest.fixture
def ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")


@pytest.mark.usefixtures("ipv6")
async def test_a_socket_for_both_families() -> None:
    udp, tcp = open_sockets("::", 0)
    tcp.close()
    sources: list[str] = []
    packet_socket = PacketSocket(udp, lambda data, source: sources.append(source[0]), lambda: None)
    port = udp.getsockname()[1]
    for ip in (bytes((127, 0, 0, 1)), bytes(15) + b"\x01"):
        packet_socket.send(b"x", Address(ip, port))
    await eventually_async(lambda: not packet_socket.drain() and len(sources) == 2)
    assert sources == ["::ffff:127.0.0.1", "::1"]
    packet_socket.close()
    await one_turn()
