"""H2PING checks: passing when an HTTP/2 server answers a ping."""

from __future__ import annotations

import asyncio

from pyconsul.agent.common.go.network_errors import split_address
from pyconsul.agent.health.definition import CheckDefinition, seconds_allowed
from pyconsul.agent.health.runners.dial import DialError, dial
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.tls import TLSContexts
from pyconsul.agent.model.check import CRITICAL, PASSING


async def run_h2ping(definition: CheckDefinition, contexts: TLSContexts) -> Result:
    """Connect, with TLS unless the definition says otherwise, and ping."""
    from pyconsul.agent.health.runners.h2.link import H2Link, LinkError

    target = definition.h2ping
    try:
        host, port = split_address(target)
        tls = await contexts.load_h2(definition.tls_skip_verify) if definition.h2ping_use_tls else None
        async with asyncio.timeout(seconds_allowed(definition)):
            transport, link = await dial(H2Link, host, port, tls=tls, server_name=definition.tls_server_name)
            try:
                await link.ping()
            finally:
                transport.abort()
    except ValueError as error:
        return Result(CRITICAL, f"Failed to dial to {target}: dial tcp: {error}")
    except DialError as error:
        return Result(CRITICAL, f"Failed to dial to {target}: {error}")
    except LinkError as error:
        return Result(CRITICAL, f"HTTP2 ping failed: {error}")
    except TimeoutError:
        return Result(CRITICAL, "HTTP2 ping failed: context deadline exceeded")
    return Result(PASSING, "HTTP2 ping was successful")
