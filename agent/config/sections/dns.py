"""Settings of the DNS server: `dns_config`."""

from typing import Annotated

import msgspec

from pyconsul.agent.config import validators
from pyconsul.agent.config.setting import Duration, setting


class SOA(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of the zone's SOA record, in seconds."""

    expire: Annotated[int, setting("EXPIRE.", check=validators.not_negative, reloadable=True)] = 86400
    min_ttl: Annotated[int, setting("MINIMUM: for how long a missing name may be kept.", reloadable=True)] = 0
    refresh: Annotated[int, setting("REFRESH.", check=validators.not_negative, reloadable=True)] = 3600
    retry: Annotated[int, setting("RETRY.", check=validators.not_negative, reloadable=True)] = 600


class DNSConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How DNS questions are answered; durations in seconds."""

    allow_stale: Annotated[
        bool, setting("Answer from any server's state.", reloadable=True, unsupported="reads from other servers")
    ] = True
    max_stale: Annotated[
        Duration, setting("How old such an answer may be.", reloadable=True, unsupported="reads from other servers")
    ] = 87600 * 3600.0
    node_ttl: Annotated[
        Duration, setting("TTL of answers for nodes.", check=validators.not_negative, reloadable=True)
    ] = 0.0
    service_ttl: Annotated[
        dict[str, Duration],
        setting('TTL of answers by service; "name*" stands for a prefix and "*" for all.', reloadable=True),
    ] = {}
    enable_truncate: Annotated[bool, setting("Mark UDP answers that were cut with TC.", reloadable=True)] = False
    only_passing: Annotated[bool, setting("Leave out instances in state warning, too.", reloadable=True)] = False
    udp_answer_limit: Annotated[
        int, setting("Records in a UDP answer without EDNS, at most.", check=validators.not_negative, reloadable=True)
    ] = 3
    a_record_limit: Annotated[
        int, setting("A or AAAA records in an answer, at most; 0: all.", check=validators.not_negative, reloadable=True)
    ] = 0
    disable_compression: Annotated[bool, setting("Write names in full.", reloadable=True)] = False
    recursor_timeout: Annotated[
        Duration, setting("How long to wait for one recursor.", check=validators.not_negative, reloadable=True)
    ] = 2.0
    recursor_strategy: Annotated[
        str,
        setting(
            "The order of recursors: sequential or random.",
            check=validators.one_of("", "sequential", "random"),
            reloadable=True,
        ),
    ] = "sequential"
    soa: Annotated[SOA, setting("The zone's SOA record.")] = SOA()
    use_cache: Annotated[
        bool, setting("Answer from the agent's cache.", reloadable=True, unsupported="the agent's cache")
    ] = False
    cache_max_age: Annotated[
        Duration, setting("How old a cached answer may be; 0: any.", reloadable=True, unsupported="the agent's cache")
    ] = 0.0
    enable_additional_node_meta_txt: Annotated[
        bool, setting("Add a node's metadata as TXT records to answers.", reloadable=True)
    ] = True
    prefer_namespace: Annotated[
        bool, setting("Read `x.service.y` as a namespace; there are none.", unsupported="Consul Enterprise")
    ] = False
