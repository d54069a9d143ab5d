"""The log of an agent that opens its RPC port."""

from __future__ import annotations

import socket

import pytest
from support.scripted_pool import ScriptedKeyring, ScriptedPool

from pyconsul.agent.config.load import load
from pyconsul.agent.runtime.network import Network


@pytest.mark.parametrize(
    ("host", "is_encrypted", "message"),
    [
        ("127.0.0.1", False, ""),
        ("0.0.0.0", True, "any agent that knows a gossip key is trusted on the RPC port: address=0.0.0.0:"),
        (
            "0.0.0.0",
            False,
            "any agent is trusted on the RPC port, as there is no gossip key (encrypt): address=0.0.0.0:",
        ),
        ("::", False, "any agent is trusted on the RPC port, as there is no gossip key (encrypt): address=[::]:"),
    ],
)
async def test_the_start_says_who_is_trusted_on_a_port_that_others_reach(
    host: str, is_encrypted: bool, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "agent.rpc")
    pool = ScriptedPool()
    pool.keyring = ScriptedKeyring(is_encrypted=is_encrypted)
    network = Network(load(["-dev"]), pool)
    try:
        listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        pytest.skip(f"no such address here: {error}")
    try:
        network.listen(listening)
        assert [line.startswith(message) for line in caplog.messages] == ([True] if message else [])
    finally:
        await network.stop()
