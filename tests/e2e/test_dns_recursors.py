"""Names of others: an agent's DNS server asks its recursors, over UDP and TCP, in order, and passes on what they say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest
from support.agent_process import AgentProcess, running_agent
from support.ports import free_ports

PATIENCE = 15.0


class Recursor:
    """A DNS server in a thread; `rcode` is what it answers, None for silence."""

    def __init__(self, address: str) -> None:
        self.address, self.rcode, self.asked = address, dns.rcode.NOERROR, 0
        self.port = free_ports(1)[0]
        self.udp = socket.socket(type=socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, packet: bytes, most: int) -> bytes:
        query = dns.message.from_wire(packet)
        name = query.question[0].name
        self.asked += 1
        answer = dns.message.make_response(query, recursion_available=True)
        answer.set_rcode(self.rcode)
        if self.rcode == dns.rcode.NOERROR:
            count = 100 if str(name).lower().startswith("big") else 1
            addresses = [self.address, *(f"198.51.100.{number}" for number in range(1, count))]
            answer.answer.append(dns.rrset.from_text(name, 300, "IN", "A", *addresses))
        try:
            return answer.to_wire(max_size=most)
        except dns.exception.TooBig:
            answer.answer.clear()
            answer.flags |= dns.flags.TC
            return answer.to_wire()

    def _serve_udp(self) -> None:
        while True:
            try:
                packet, client = self.udp.recvfrom(4096)
            except OSError:
                return
            if self.rcode is None:
                continue
            self.udp.sendto(b"\0\0" + self.answer(packet, 512)[2:], client)  # somebody's guess, with another id
            self.udp.sendto(self.answer(packet, 512), client)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection:
                reader = connection.makefile("rb")
                answer = self.answer(reader.read(int.from_bytes(reader.read(2))), 65535)
                connection.sendall(len(answer).to_bytes(2) + answer)

    def close(self) -> None:
        self.udp.close()
        self.tcp.close()


@pytest.fixture(scope="module")
def recursors() -> Iterator[list[Recursor]]:
    with ExitStack() as stack:
        found = [Recursor("203.0.113.1"), Recursor("203.0.113.2")]
        for one in found:
            stack.callback(one.close)
        yield found


@pytest.fixture(scope="module")
def agent(recursors: list[Recursor]) -> Iterator[AgentProcess]:
    where = [one.where for one in recursors]
    with running_agent(recursors=where, dns_config={"recursor_timeout": "400ms", "service_ttl": {"*": "7s"}}) as agent:
        for name, address in (("named", "www.example.com"), ("large", "big.example.com")):
            service = {"Service": name, "Port": 80, "Address": address}
            agent.put("/v1/catalog/register", {"Node": "a", "Address": "10.0.0.1", "Service": service})
        yield agent


@pytest.fixture(autouse=True)
def _all_well(recursors: list[Recursor]) -> None:
    for one in recursors:
        one.rcode = dns.rcode.NOERROR


Ask = Callable[..., dns.message.Message]


@pytest.fixture
def ask(agent: AgentProcess) -> Ask:
    def send(name: str, rdtype: str = "A", *, tcp: bool = False, **more: object) -> dns.message.Message:
        query = dns.message.make_query(name, rdtype, **more)  # type: ignore[arg-type]
        return (dns.query.tcp if tcp else dns.query.udp)(query, "127.0.0.1", PATIENCE, agent.dns_port)

    return send


@pytest.mark.parametrize("tcp", [False, True])
def test_other_names_are_asked_of_the_first_recursor(ask: Ask, tcp: bool) -> None:
    answer = ask("WWW.example.com", tcp=tcp)
    assert [str(item) for item in answer.answer[0]] == ["203.0.113.1"]
    assert answer.flags & dns.flags.RA
    assert not answer.flags & dns.flags.AA


@pytest.mark.parametrize("broken", [None, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_the_next_is_asked_when_one_fails(ask: Ask, recursors: list[Recursor], broken: dns.rcode.Rcode | None) -> None:
    recursors[0].rcode = broken
    assert str(ask("www.example.com").answer[0][0]) == "203.0.113.2"


def test_all_failing_is_a_server_failure(ask: Ask, recursors: list[Recursor]) -> None:
    recursors[0].rcode, recursors[1].rcode = dns.rcode.SERVFAIL, None
    answer = ask("www.example.com", use_edns=0)
    assert answer.rcode() == dns.rcode.SERVFAIL
    assert answer.flags & dns.flags.RA
    assert answer.edns == 0


def test_a_missing_name_is_an_answer(ask: Ask, recursors: list[Recursor]) -> None:
    recursors[0].rcode = dns.rcode.NXDOMAIN
    before = recursors[1].asked
    assert ask("nosuch.example.com").rcode() == dns.rcode.NXDOMAIN
    assert recursors[1].asked == before


def test_truncation_is_passed_on_and_tcp_gets_all(ask: Ask) -> None:
    assert ask("big.example.com").flags & dns.flags.TC
    assert len(ask("big.example.com", tcp=True).answer[0]) == 100


def test_reverse_names_of_unknown_addresses_go_to_recursors(ask: Ask) -> None:
    assert str(ask("1.0.0.10.in-addr.arpa", "PTR").answer[0][0]) == "a.node.dc1.consul."
    assert str(ask("9.9.9.9.in-addr.arpa", "PTR").answer[0][0]) == "203.0.113.1"


def test_host_names_of_services_are_resolved(ask: Ask) -> None:
    answer = ask("named.service.consul")
    assert [str(rrset) for rrset in answer.answer] == [
        "named.service.consul. 7 IN CNAME www.example.com.",
        "www.example.com. 7 IN A 203.0.113.1",
    ]
    assert answer.flags & dns.flags.AA
    srv = ask("named.service.consul", "SRV")
    assert [str(rrset) for rrset in srv.additional] == ["www.example.com. 7 IN A 203.0.113.1"]


def test_large_answers_of_recursors_come_over_tcp(ask: Ask) -> None:
    answer = ask("large.service.consul", "SRV", tcp=True, use_edns=0)
    assert len(answer.additional[0]) == 100
    assert len(ask("large.service.consul", "SRV", tcp=True).additional[0]) == 5


def test_missing_names_of_ours_stay_ours(ask: Ask, recursors: list[Recursor]) -> None:
    before = [one.asked for one in recursors]
    answer = ask("nosuch.service.consul")
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert answer.flags & dns.flags.AA
    assert [one.asked for one in recursors] == before
