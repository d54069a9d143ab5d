"""Settings of the HTTP API and what it may be asked: `http_config`, `limits`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class HTTPConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The HTTP API."""

    block_endpoints: Annotated[tuple[str, ...], setting("Path prefixes to reject with status 403.")] = ()
    allow_write_http_from: Annotated[
        tuple[str, ...],
        setting(
            "Networks that may write, in CIDR form; empty: all.", "allow-write-http-from", check=validators.network
        ),
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...],
        setting(
            "Host names, beside the agent's own, that browsers may use; .example.com: a domain and all below, *: any.",
            check=validators.host_names,
            reloadable=True,
        ),
    ] = ()
    response_headers: Annotated[
        dict[str, str], setting("Headers added to every response.", check=validators.response_headers, reloadable=True)
    ] = {}
    use_cache: Annotated[bool, setting("Serve `?cached` from the agent's cache.")] = True
    max_header_bytes: Annotated[
        int,
        setting(
            "Maximum size of request headers in bytes; 0 and more than 262144: 262144.", check=validators.not_negative
        ),
    ] = 0


class RequestLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on all requests together, in requests per second; -1: none."""

    mode: Annotated[
        str,
        setting(
            "disabled, permissive or enforcing.",
            check=validators.one_of("disabled", "permissive", "enforcing"),
            reloadable=True,
        ),
    ] = "disabled"
    read_rate: Annotated[float, setting("Maximum number of reads per second.", reloadable=True)] = -1.0
    write_rate: Annotated[float, setting("Maximum number of writes per second.", reloadable=True)] = -1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on requests; sizes in bytes, durations in seconds."""

    http_max_conns_per_client: Annotated[
        int,
        setting(
            "Maximum number of connections from one address; 0: unlimited.",
            check=validators.not_negative,
            reloadable=True,
        ),
    ] = 200
    https_handshake_timeout: Annotated[
        Duration, setting("Timeout of a TLS handshake.", check=validators.not_negative, unsupported="HTTPS")
    ] = 5.0
    request_limits: Annotated[RequestLimits, setting("Limits on all requests together.")] = RequestLimits()
    rpc_handshake_timeout: Annotated[
        Duration,
        setting(
            "Time that another agent gets to introduce itself on a connection.",
            check=validators.positive,
            reloadable=True,
        ),
    ] = 5.0
    rpc_client_timeout: Annotated[
        Duration,
        setting(
            "Timeout of a request to another agent, beyond the time that a blocking query waits; 0: none.",
            check=validators.not_negative,
            reloadable=True,
        ),
    ] = 60.0
    rpc_max_conns_per_client: Annotated[
        int,
        setting(
            "Maximum number of connections of other agents from one address; 0: unlimited.",
            check=validators.not_negative,
            reloadable=True,
        ),
    ] = 100
    rpc_rate: Annotated[
        float,
        setting("Maximum number of requests per second of a client agent to servers; -1: unlimited.", reloadable=True),
    ] = -1.0
    rpc_max_burst: Annotated[
        int,
        setting(
            "Number of requests of a client agent that may exceed rpc_rate at once.",
            check=validators.not_negative,
            reloadable=True,
        ),
    ] = 1000
    kv_max_value_size: Annotated[
        int, setting("Maximum size of a value in the KV store in bytes.", check=validators.not_negative)
    ] = 512 * 1024
    txn_max_req_len: Annotated[
        int, setting("Maximum size of a transaction request in bytes.", check=validators.not_negative)
    ] = 512 * 1024
