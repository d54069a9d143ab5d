"""Settings of what the agent listens on: `ports`, `addresses`, `unix_sockets`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import setting


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Ports by protocol; -1 is off."""

    dns: Annotated[int, setting("Port of the DNS server, UDP and TCP.", "dns-port", check=validators.port)] = 8600
    http: Annotated[int, setting("Port of the HTTP API.", "http-port", check=validators.port)] = 8500
    https: Annotated[int, setting("Port of the HTTPS API.", "https-port", check=validators.port)] = -1
    grpc: Annotated[
        int,
        setting(
            "Port of the gRPC API, which pyconsul does not support.",
            "grpc-port",
            check=validators.port,
            unsupported="gRPC",
        ),
    ] = -1
    grpc_tls: Annotated[
        int, setting("Port of the gRPC API over TLS.", "grpc-tls-port", check=validators.port, unsupported="gRPC")
    ] = -1
    serf_lan: Annotated[int, setting("Port of LAN gossip.", "serf-lan-port", check=validators.port)] = 8301
    serf_wan: Annotated[int, setting("Port of WAN gossip.", "serf-wan-port", check=validators.port)] = 8302
    server: Annotated[int, setting("Port for RPC between servers.", "server-port", check=validators.port)] = 8300


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses by protocol, where they differ from `client_addr`; empty: they do not."""

    dns: Annotated[str, setting("Addresses to bind for DNS.", check=validators.listen_addresses)] = ""
    http: Annotated[
        str, setting("Addresses to bind for the HTTP API, or unix:///path.", check=validators.listen_addresses)
    ] = ""
    https: Annotated[str, setting("Addresses to bind for the HTTPS API.", check=validators.listen_addresses)] = ""
    grpc: Annotated[
        str, setting("Addresses to bind for the gRPC API.", check=validators.listen_addresses, unsupported="gRPC")
    ] = ""
    grpc_tls: Annotated[
        str,
        setting("Addresses to bind for the gRPC API over TLS.", check=validators.listen_addresses, unsupported="gRPC"),
    ] = ""


class UnixSockets(msgspec.Struct, frozen=True, kw_only=True):
    """Owner and rights of unix sockets; empty: as the process makes them."""

    user: Annotated[str, setting("Name or ID of the owner.")] = ""
    group: Annotated[str, setting("Name or ID of the group.")] = ""
    mode: Annotated[str, setting("Mode in octal digits, such as 0660.")] = ""
