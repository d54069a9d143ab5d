"""The DNS settings in the form that answers need.

Source: https://developer.hashicorp.com/consul/docs/agent/config/config-files#dns-parameters
"""

from __future__ import annotations

import ipaddress

import msgspec

from pyconsul.agent.config.config import Config
from pyconsul.agent.dnsd.wire.layout import encode_name


class SOA(msgspec.Struct, frozen=True):
    """The numbers of the zone's SOA record, in seconds."""

    refresh: int = 3600
    retry: int = 600
    expire: int = 86400
    min_ttl: int = 0


class Zone(msgspec.Struct, frozen=True):
    """A domain that is answered for: its labels in lower case, and its name on the wire."""

    labels: tuple[str, ...]
    wire: bytes


def zone(domain: str) -> Zone:
    """Return the zone of a domain such as `consul.`.  Raises ValueError when it is not a domain name."""
    name = domain.strip(".").lower()
    return Zone(tuple(name.split(".")), encode_name(name))


FOREVER_S = 87600 * 3600.0  # the default of `max_stale`: ten years


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """TTLs are in whole seconds; `service_ttl` has names, and prefixes ending in `*`; recursors are (host, port)."""

    datacenter: str = "dc1"
    domain: Zone = zone("consul")
    alt_domain: Zone | None = None
    node_ttl: int = 0
    service_ttl: dict[str, int] = {}
    only_passing: bool = False
    udp_answer_limit: int = 3
    a_record_limit: int = 0  # 0: none
    enable_truncate: bool = False
    disable_compression: bool = False
    node_meta_txt: bool = True
    translate_wan_addrs: bool = False
    soa: SOA = SOA()
    recursors: tuple[tuple[str, int], ...] = ()
    recursor_strategy: str = "sequential"  # or "random"
    recursor_timeout: float = 2.0
    allow_stale: bool = True
    max_stale_s: float = FOREVER_S
    use_cache: bool = False
    cache_max_age_s: float = 0.0  # 0: none

    @property
    def limits_age(self) -> bool:
        """Return whether the age of the rows that answers show is limited."""
        return not self.allow_stale or self.max_stale_s < FOREVER_S

    @property
    def holds_rows(self) -> bool:
        """Return whether an agent without the state may answer from rows that it holds."""
        return self.allow_stale or self.use_cache

    @property
    def max_age_s(self) -> float:
        """Return the age up to which such rows are used."""
        limits = [self.max_stale_s] if self.allow_stale else []
        if self.use_cache and self.cache_max_age_s > 0:
            limits.append(self.cache_max_age_s)
        return min(limits, default=float("inf"))

    def ttl_of(self, service: str) -> int:
        """Return the TTL of a service's records: that set for its name, or for the longest matching prefix, or 0."""
        ttl = self.service_ttl.get(service)
        if ttl is not None or not self.service_ttl:
            return ttl or 0
        fitting = [key for key in self.service_ttl if key.endswith("*") and service.startswith(key[:-1])]
        return self.service_ttl[max(fitting, key=len)] if fitting else 0


def settings_of(config: Config) -> Settings:
    """Return the DNS settings of a configuration.  Raises ValueError for an invalid domain or recursor."""
    dns, soa = config.dns_config, config.dns_config.soa
    return Settings(
        datacenter=config.datacenter.lower(),
        domain=zone(config.domain),
        alt_domain=zone(config.alt_domain) if config.alt_domain.strip(".") else None,
        node_ttl=int(dns.node_ttl),
        service_ttl={name: int(ttl) for name, ttl in dns.service_ttl.items()},
        only_passing=dns.only_passing,
        udp_answer_limit=dns.udp_answer_limit,
        a_record_limit=dns.a_record_limit,
        enable_truncate=dns.enable_truncate,
        disable_compression=dns.disable_compression,
        node_meta_txt=dns.enable_additional_node_meta_txt,
        translate_wan_addrs=config.translate_wan_addrs,
        soa=SOA(soa.refresh, soa.retry, soa.expire, soa.min_ttl),
        recursors=tuple(recursor(text) for text in config.recursors),
        recursor_strategy=dns.recursor_strategy or "sequential",
        recursor_timeout=dns.recursor_timeout or 2.0,
        allow_stale=dns.allow_stale,
        max_stale_s=dns.max_stale,
        use_cache=dns.use_cache,
        cache_max_age_s=dns.cache_max_age,
    )


def recursor(text: str) -> tuple[str, int]:
    """Return the (host, port) of `8.8.8.8`, `8.8.8.8:53`, `::1` or `[::1]:53`.  Raises ValueError when it is none of these."""
    host, port = text, "53"
    if text.startswith("["):
        host, closed, port = text[1:].partition("]")
        port = port.removeprefix(":") if port or not closed else "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    ipaddress.ip_address(host)
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"recursor {text!r} has no port between 1 and 65535")
    return host, int(port)
