"""TCP checks: passing when a connection can be made, with TLS if asked for."""

from __future__ import annotations

import asyncio

from pyconsul.agent.common.go.network_errors import split_address
from pyconsul.agent.health.definition import CheckDefinition, seconds_allowed
from pyconsul.agent.health.runners.dial import DialError, dial
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.tls import TLSContexts
from pyconsul.agent.model.check import CRITICAL, PASSING


async def run_tcp(definition: CheckDefinition, contexts: TLSContexts) -> Result:
    """Connect and hang up."""
    kind = "TCP+TLS" if definition.tcp_use_tls else "TCP"
    try:
        host, port = split_address(definition.tcp)
        tls = await contexts.load(definition.tls_skip_verify) if definition.tcp_use_tls else None
        transport, _ = await dial(
            asyncio.Protocol,
            host,
            port,
            tls=tls,
            server_name=definition.tls_server_name,
            allowed=seconds_allowed(definition),
        )
    except ValueError as error:
        return Result(CRITICAL, f"dial tcp: {error}")
    except DialError as error:
        return Result(CRITICAL, str(error))
    transport.abort() if tls else transport.close()
    return Result(PASSING, f"{kind} connect {definition.tcp}: Success")
