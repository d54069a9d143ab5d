"""The settings of requests between agents, as `limits` of the configuration has them."""

from __future__ import annotations

import msgspec


class RPCSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds.  rate: requests per second of a client agent to servers; below 0: no limit."""

    handshake_timeout_s: float = 5.0
    client_timeout_s: float = 60.0
    max_connections_per_client: int = 100  # from one address; 0: no limit
    rate: float = -1.0
    max_burst: int = 1000
