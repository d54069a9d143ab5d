"""The streams of a pyconsul agent, when it comes after an agent that has none."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.eventually import eventually
from support.ports import free_ports

REFUSAL = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Gate:
    """An address of the agent that can be closed, and at which it has no streams as long as `streams` is false."""

    def __init__(self, agent: Any) -> None:
        self._agent = agent
        self._sockets: list[socket.socket] = []
        (self.port,) = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.streams = False
        #: How many times a stream was asked for.
        self.asked = 0

    def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port))
        self._sockets = [listener]
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if client.recv(6, socket.MSG_PEEK | socket.MSG_WAITALL) == b"POST /":
                self.asked += 1
                if not self.streams:
                    client.sendall(REFUSAL)
                    client.shutdown(socket.SHUT_WR)
                    return
            agent = socket.create_connection(("127.0.0.1", self._agent.port))
            self._sockets.append(agent)
            threading.Thread(target=_pass_on, args=(agent, client), daemon=True).start()
            _pass_on(client, agent)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def gate(agent: Any) -> Iterator[Gate]:
    made = Gate(agent)
    made.open()
    yield made
    made.close()


def test_after_an_outage_streams_are_asked_for_again(agent: Any, gate: Gate, template: Any) -> None:
    for key in ("again/a", "again/b"):
        agent.put(key, "1")
    # The gate looks at the beginning of a connection.
    flags = ("-template", "in.j2:out", "-consul-retry-max-backoff=100ms", "-consul-transport-disable-keep-alives")
    tool = template(gate, *flags, in_j2="{{ key('again/a') }}{{ key('again/b') }}")
    tool.shows("out", "11")
    agent.put("again/a", "2")
    tool.shows("out", "21")
    assert gate.asked == 1
    for outage, streams in ((1, False), (2, True)):
        gate.close()
        eventually(lambda outage=outage: tool.stderr.count("lost Consul at") == outage)
        asked, gate.streams = gate.asked, streams
        agent.put("again/b", f"{outage}!")
        gate.open()
        tool.shows("out", f"2{outage}!")
        eventually(lambda asked=asked: gate.asked > asked)
    for text in ("3", "4"):
        agent.put("again/a", text)
        agent.put("again/b", text)
        tool.shows("out", text + text)
    assert tool.stderr.count("lost Consul at") == 2


def test_filtered_answers_are_logged_once(special_agent: Any, template: Any) -> None:
    root, reader = "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666"
    agent = special_agent(root, acl={"enabled": True, "default_policy": "deny", "tokens": {"initial_management": root}})
    agent.register(Name="web", ID="web", Port=80)
    rules = b'{"Name": "p", "Rules": "node_prefix \\"\\" { policy = \\"read\\" }"}'
    agent.request("PUT", "/v1/acl/policy", rules)
    agent.request("PUT", "/v1/acl/token", b'{"SecretID": "%s", "Policies": [{"Name": "p"}]}' % reader.encode())
    text = "{{ services()|length }} {{ service('web')|length }}"
    tool = template(agent, "-template", "in.j2:out", "-consul-token", reader, in_j2=text)
    tool.shows("out", "0 0")
    eventually(lambda: tool.said("service web passing=1: Consul has left out what the token may not read"))
    assert tool.said('it lacks service:read on "web", or node:read on its nodes')
    assert tool.said("services: Consul has left out what the token may not read; it lacks service:read")
    assert reader not in tool.stderr
