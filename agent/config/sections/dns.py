"""Settings of the DNS server: `dns_config`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class SOA(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the zone's SOA record, in seconds."""

    expire: Annotated[int, setting("EXPIRE field in seconds.", check=validators.not_negative, reloadable=True)] = 86400
    min_ttl: Annotated[int, setting("MINIMUM field: TTL of negative answers in seconds.", reloadable=True)] = 0
    refresh: Annotated[int, setting("REFRESH field in seconds.", check=validators.not_negative, reloadable=True)] = 3600
    retry: Annotated[int, setting("RETRY field in seconds.", check=validators.not_negative, reloadable=True)] = 600


class DNSConfig(msgspec.Struct, frozen=True, kw_only=True):
    """DNS answers; durations in seconds."""

    allow_stale: Annotated[
        bool,
        setting("Accept answers from a state that may be older than the last write.", reloadable=True),
    ] = True
    max_stale: Annotated[Duration, setting("Maximum age of the state behind such an answer.", reloadable=True)] = (
        87600 * 3600.0
    )
    node_ttl: Annotated[Duration, setting("TTL of node answers.", check=validators.not_negative, reloadable=True)] = 0.0
    service_ttl: Annotated[
        dict[str, Duration],
        setting('TTL of answers by service; "name*" stands for a prefix and "*" for all.', reloadable=True),
    ] = {}
    enable_truncate: Annotated[bool, setting("Set the TC bit in truncated UDP answers.", reloadable=True)] = False
    only_passing: Annotated[
        bool, setting("Return passing instances only, without those in state warning.", reloadable=True)
    ] = False
    udp_answer_limit: Annotated[
        int,
        setting(
            "Maximum number of records in a UDP answer without EDNS.", check=validators.not_negative, reloadable=True
        ),
    ] = 3
    a_record_limit: Annotated[
        int,
        setting(
            "Maximum number of A or AAAA records in an answer; 0: unlimited.",
            check=validators.not_negative,
            reloadable=True,
        ),
    ] = 0
    disable_compression: Annotated[bool, setting("Write names in full.", reloadable=True)] = False
    recursor_timeout: Annotated[
        Duration, setting("Timeout of one recursor.", check=validators.not_negative, reloadable=True)
    ] = 2.0
    recursor_strategy: Annotated[
        str,
        setting(
            "The order of recursors: sequential or random.",
            check=validators.one_of("", "sequential", "random"),
            reloadable=True,
        ),
    ] = "sequential"
    soa: Annotated[SOA, setting("SOA record of the zone.")] = SOA()
    use_cache: Annotated[
        bool, setting("Answer from rows that a client agent holds even without `allow_stale`.", reloadable=True)
    ] = False
    cache_max_age: Annotated[
        Duration,
        setting("Maximum age of such rows while no server keeps them current; 0: unlimited.", reloadable=True),
    ] = 0.0
    enable_additional_node_meta_txt: Annotated[
        bool, setting("Add the metadata of nodes to answers as TXT records.", reloadable=True)
    ] = True
    prefer_namespace: Annotated[
        bool,
        setting(
            "Interpret `x.service.y` as a namespace; namespaces are not supported.", unsupported="Consul Enterprise"
        ),
    ] = False
