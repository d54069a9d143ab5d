"""Many clients that wait for one key, and how long it takes until the last has its answer."""

from __future__ import annotations

import select
import socket
import time
from contextlib import ExitStack

from support.agent_process import AgentProcess

ROUNDS = 5
ASLEEP = 1.0  # seconds until all clients certainly wait


def wake_watchers(agent: AgentProcess, count: int) -> float:
    """Seconds from a write to the moment when every one of `count` blocked queries was answered; the best of five.

    The clients are bare sockets, so that it is the agent that is measured.
    """
    agent.put("/v1/kv/watched", b"0")
    with ExitStack() as stack:
        poller = stack.enter_context(select.epoll())
        clients = {}
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", agent.http_port)))
            clients[client.fileno()] = client
            poller.register(client, select.EPOLLIN)
        writer = stack.enter_context(socket.create_connection(("127.0.0.1", agent.http_port)))
        return min(_wake(agent, clients, poller, writer, number) for number in range(ROUNDS))


def _wake(
    agent: AgentProcess, clients: dict[int, socket.socket], poller: select.epoll, writer: socket.socket, number: int
) -> float:
    index = agent.get("/v1/kv/watched")[0]["ModifyIndex"]
    for client in clients.values():
        client.sendall(f"GET /v1/kv/watched?index={index}&wait=60s HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    time.sleep(ASLEEP)
    value = b"%03d" % number
    started = time.perf_counter()
    writer.sendall(b"PUT /v1/kv/watched HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n%b" % value)
    missing = set(clients)
    while missing:
        for descriptor, _ in poller.poll():
            answer = clients[descriptor].recv(65536)
            assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
            missing.discard(descriptor)
    took = time.perf_counter() - started
    assert writer.recv(65536).startswith(b"HTTP/1.1 200")
    return took
