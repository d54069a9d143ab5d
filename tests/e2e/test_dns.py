"""DNS of a real agent, asked by dig and host, by hostile clients, and over one long TCP connection."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterator

import dns.message
import dns.query
import pytest
from support.agent_process import AgentProcess, running_agent

PATIENCE = 10.0


@pytest.fixture(scope="module")
def agent() -> Iterator[AgentProcess]:
    with running_agent(dns_config={"service_ttl": {"*": "5s"}, "enable_truncate": True}) as agent:
        for number in range(1, 31):
            service = {"Service": "web", "Port": 8000 + number, "Tags": ["even" if number % 2 == 0 else "odd"]}
            agent.put(
                "/v1/catalog/register", {"Node": f"node-{number}", "Address": f"10.0.0.{number}", "Service": service}
            )
        yield agent


def dig(agent: AgentProcess, *words: str) -> list[str]:
    """Return the lines that dig prints."""
    argv = ["dig", "@127.0.0.1", "-p", str(agent.dns_port), "+time=5", "+tries=1", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.splitlines()


def test_dig_follows_tc_to_tcp(agent: AgentProcess) -> None:
    found = dig(agent, "+short", "+noedns", "web.service.consul")
    assert sorted(found) == sorted(f"10.0.0.{number}" for number in range(1, 31))
    assert len(dig(agent, "+short", "+noedns", "+ignore", "web.service.consul")) == 3


def test_dig_reads_srv_with_edns(agent: AgentProcess) -> None:
    lines = dig(agent, "+noall", "+answer", "+additional", "+bufsize=4096", "even.web.service.consul", "SRV")
    assert sum(" SRV\t" in line or "\tSRV\t" in line for line in lines) == 15
    assert len(lines) == 30
    assert all(line.split()[1] == "5" for line in lines)


def test_host_finds_names_backwards(agent: AgentProcess) -> None:
    argv = ["host", "-p", str(agent.dns_port), "10.0.0.7", "127.0.0.1"]
    out = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    assert "7.0.0.10.in-addr.arpa domain name pointer node-7.node.dc1.consul." in out


@pytest.mark.single_server("other agents answer from rows that may be older for a moment")
def test_a_change_is_seen_by_the_next_question(agent: AgentProcess) -> None:
    for number in range(20):
        agent.put("/v1/catalog/register", {"Node": "moving", "Address": f"10.1.0.{number}"})
        for _ in range(3):
            assert dig(agent, "+short", "moving.node.consul") == [f"10.1.0.{number}"]


def test_many_questions_on_one_connection(agent: AgentProcess) -> None:
    questions = [
        dns.message.make_query(f"node-{number % 30 + 1}.node.consul", "A", id=number).to_wire()
        for number in range(2000)
    ]
    stream = b"".join(len(packet).to_bytes(2) + packet for packet in questions)
    with socket.create_connection(("127.0.0.1", agent.dns_port), timeout=PATIENCE) as connection:
        for start in range(0, len(stream), 997):  # cut anywhere
            connection.sendall(stream[start : start + 997])
        reader = connection.makefile("rb")
        for number in range(2000):
            answer = dns.message.from_wire(reader.read(int.from_bytes(reader.read(2))))
            assert answer.id == number
            assert str(answer.answer[0][0]) == f"10.0.0.{number % 30 + 1}"


def test_nonsense_over_tcp_ends_the_connection(agent: AgentProcess) -> None:
    for nonsense in (b"\0\0", b"\0\x05hello", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", agent.dns_port), timeout=PATIENCE) as connection:
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100) == b""


def test_one_client_cannot_take_all_connections(agent: AgentProcess) -> None:
    held = [socket.create_connection(("127.0.0.1", agent.dns_port), timeout=PATIENCE) for _ in range(160)]
    try:
        query = dns.message.make_query("node-1.node.consul", "A").to_wire()
        answered = 0
        for connection in held:
            try:
                connection.sendall(len(query).to_bytes(2) + query)
                answered += len(connection.recv(500)) > 2
            except OSError:
                pass
        assert 100 <= answered <= 128
    finally:
        for connection in held:
            connection.close()
    assert dig(agent, "+short", "node-2.node.consul") == ["10.0.0.2"]


def test_hostile_packets_do_no_harm(agent: AgentProcess) -> None:
    rng = random.Random(5)
    good = dns.message.make_query("web.service.consul", "SRV", use_edns=0).to_wire()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", agent.dns_port))
        for number in range(3000):
            packet = bytearray(good)
            for _ in range(rng.randint(1, 5)):
                packet[rng.randrange(len(packet))] = rng.randrange(256)
            client.send(packet if number % 3 else rng.randbytes(rng.randrange(1500)))
            if number % 50 == 0:
                assert dns.query.udp(
                    dns.message.make_query("node-1.node.consul", "A"), "127.0.0.1", PATIENCE, agent.dns_port
                ).answer
    assert dig(agent, "+short", "node-3.node.consul") == ["10.0.0.3"]
    assert "Traceback" not in agent.log()
