"""Words for an agent that cannot be reached, as Consul's commands have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyconsul.cli.errors import CliError, Unreachable

if TYPE_CHECKING:
    from pyconsul.agent.common.consul_environment import AgentAddress


def failure(error: CliError, address: AgentAddress, method: str, target: str) -> str:
    """Return why a request failed: `Put "http://127.0.0.1:8500/v1/agent/leave": dial tcp 127.0.0.1:8500: connect: …`.

    `method`: "Get" or "Put". `target`: path and query. An error of an agent that was reached is returned as it is.
    """
    if not isinstance(error, Unreachable) or error.refusal is None:
        return str(error)
    from pyconsul.agent.common.go.network_errors import dial_error, phrase

    if address.unix:
        reason = f"dial unix {address.unix}: connect: {phrase(error.refusal)}"
    else:
        reason = dial_error("tcp", address.host, address.port, error.refusal)
    scheme = "https" if address.secure else "http"
    return f'{method} "{scheme}://{address.authority}{address.prefix}{target}": {reason}'
