"""Admission: refuse a request because of its path, the network it comes from, or the web site that sent it.

Nothing here knows about tokens. A browser names the site of a page in `Origin` and `Sec-Fetch-Site`, and the name that the
user's resolver was asked for in `Host`; programs send neither Origin nor Sec-Fetch-Site nor Accept-Language.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable

from pyconsul.agent.config.config import Config
from pyconsul.agent.config.sections.http import RequestLimits
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError

#: Headers (lower case) that browsers send and programs do not. A request with one of them is never answered from bytes that are
#: kept by target alone: it goes through `Admission.check`.
BROWSER_HEADERS = frozenset((b"origin", b"sec-fetch-site", b"accept-language"))
#: The same, and headers that can cause a refusal: requests with one of them bypass the response cache.
CHECKED_HEADERS = BROWSER_HEADERS | frozenset((b"cache-control", b"x-consul-namespace", b"x-consul-partition"))
BLOCKED = "Endpoint is blocked by agent configuration"
READS = frozenset(("GET", "HEAD", "OPTIONS"))


class Admission:
    """The rules of one agent: `http_config.block_endpoints`, `allow_write_http_from` and `allowed_hosts`."""

    def __init__(self, config: Config) -> None:
        http = config.http_config
        self._blocked = tuple(http.block_endpoints)
        self._writers = [ipaddress.ip_network(network, strict=False) for network in http.allow_write_http_from]
        allowed = [name.lower() for name in http.allowed_hosts]
        self._any = "*" in allowed
        self._allowed = frozenset(allowed)
        self._suffixes = tuple(name for name in allowed if name.startswith("."))
        self._own = frozenset(_own_names(config))

    def check(self, request: Request) -> None:
        """Raises HTTPError 403 for a blocked path, and for a request that a foreign web page sent through a browser."""
        if self._blocked and self.blocks(request.path):
            raise HTTPError(403, BLOCKED)
        if not BROWSER_HEADERS.isdisjoint(request.headers) and not self._any:
            self._check_browser(request)

    def blocks(self, path: str) -> bool:
        """Return whether a decoded path is one of `block_endpoints`, or below it."""
        return path.startswith(self._blocked)

    def check_writer(self, request: Request) -> None:
        """Raises HTTPError 403 for a write from outside `allow_write_http_from`; a unix socket is in no network."""
        if not self._writers or request.method in READS:
            return
        address = _address(request.remote)
        if address is None or not any(address in network for network in self._writers):
            raise HTTPError(403, "Access is restricted")

    def _check_browser(self, request: Request) -> None:
        host = host_of(request.headers.get(b"host", b""))
        if _is_loopback(request.remote) and not self._is_known(host) and _address(host) is None:
            raise _foreign(f'Host "{host}" is not a name of this agent', host)
        if request.method in READS:
            return
        origin = request.headers.get(b"origin")
        site = None if origin is None else _origin_host(origin)
        if site is not None and self._is_allowed(site):
            return
        if site is not None and site != host and site not in self._own:
            raise _foreign(f"a page of another site ({_shown(origin)}) may not write", site)
        if request.headers.get(b"sec-fetch-site", b"").strip().lower() == b"cross-site":
            raise _foreign("a page of another site may not write", site or "")

    def _is_known(self, host: str) -> bool:
        return host in self._own or self._is_allowed(host)

    def _is_allowed(self, host: str) -> bool:
        return host in self._allowed or bool(self._suffixes and host.endswith(self._suffixes))


def host_of(header: bytes) -> str:
    """Return the name or address in a Host header, in lower case, without port and final dot."""
    text = header.decode("latin-1").strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def _origin_host(header: bytes) -> str:
    """Return the host of an Origin; "" for one without (`null`)."""
    _, separator, rest = header.partition(b"://")
    return host_of(rest) if separator else ""


def _own_names(config: Config) -> Iterable[str]:
    """Return the names under which this agent is found, and the addresses that its own pages may come from."""
    node = config.node_name.lower()
    yield from ("localhost", "127.0.0.1", "::1", node)
    for domain in (config.domain, config.alt_domain):
        if domain := domain.lower().strip("."):
            yield f"{node}.node.{domain}"
            yield f"{node}.node.{config.datacenter.lower()}.{domain}"
    for address in (config.advertise_addr, config.bind_addr, *config.tagged_addresses.values()):
        if address:
            yield address.lower()


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(remote: str) -> bool:
    address = _address(remote)
    return address is not None and address.is_loopback


def _shown(origin: bytes | None) -> str:
    return (origin or b"").decode("latin-1")[:200]


def _foreign(what: str, name: str) -> HTTPError:
    setting = "http_config.allowed_hosts lists further names for browsers"
    return HTTPError(403, f"{what[:300]}; {setting}" + (f': add "{name[:200]}" there if it is yours' if name else ""))


#: Seconds' worth of requests that may come at once; Consul's factor.
BURST = 10
#: Seconds between two messages about one limit.
LOG_EVERY_S = 10.0
_EXEMPT = ("/v1/agent/", "/v1/status/", "/ui/")
_READ_REFUSED = "rate limit exceeded, try again later or against a different server"
_WRITE_REFUSED = "rate limit exceeded for operation that can only be performed by the leader, try again later"

log = logging.getLogger("agent.http")


class Bucket:
    """Tokens that come at a rate a second, up to a burst; a rate below 0 has no limit."""

    def __init__(self, rate: float, now: float, burst: float | None = None) -> None:
        self._rate = rate
        self._burst = burst if burst is not None else max(rate * BURST, 1.0) if rate else 0.0
        self._tokens = self._burst
        self._last = now

    def take(self, now: float) -> bool:
        """Return whether there was a token."""
        if self._rate < 0:
            return True
        self._tokens = min(self._burst, self._tokens + (now - self._last) * self._rate)
        self._last = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class RequestRates:
    """The limits in force; `now` counts seconds and never goes back."""

    def __init__(self, limits: RequestLimits, now: Callable[[], float]) -> None:
        self._enforcing = limits.mode.lower() == "enforcing"
        self._now = now
        self._read, self._write = Bucket(limits.read_rate, now()), Bucket(limits.write_rate, now())
        self._logged: dict[str, float] = {}
        self._exceeded: dict[str, int] = {}

    def refusal(self, method: str, pattern: str) -> HTTPError | None:
        """Count a request for a route; what to refuse it with, or None."""
        if pattern.startswith(_EXEMPT):
            return None
        reads = method in ("GET", "HEAD", "OPTIONS")
        now = self._now()
        if (self._read if reads else self._write).take(now):
            return None
        self._log("read" if reads else "write", now)
        if not self._enforcing:
            return None
        return HTTPError(429, _READ_REFUSED) if reads else HTTPError(503, _WRITE_REFUSED)

    def _log(self, kind: str, now: float) -> None:
        self._exceeded[kind] = self._exceeded.get(kind, 0) + 1
        if now - self._logged.get(kind, -LOG_EVERY_S) < LOG_EVERY_S:
            return
        self._logged[kind] = now
        log.warning(
            "requests exceed limits.request_limits.%s_rate: requests=%d refused=%s",
            kind, self._exceeded.pop(kind), str(self._enforcing).lower(),
        )  # fmt: skip


def request_rates(limits: RequestLimits, now: Callable[[], float] = time.monotonic) -> RequestRates | None:
    """None when there is nothing to limit."""
    if limits.mode.lower() == "disabled" or (limits.read_rate < 0 and limits.write_rate < 0):
        return None
    return RequestRates(limits, now)
