"""The consistency that a request asks for, and what it means on a server of a cluster.

https://developer.hashicorp.com/consul/api-docs/features/consistency
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Collection
from urllib.parse import unquote_plus

from pyconsul.agent.common.go.durations import SECOND_NS, parse_go_duration_s
from pyconsul.agent.config.config import Config
from pyconsul.agent.httpapi.core.forwarding.standing import Standing
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response
from pyconsul.agent.httpapi.core.router import Route
from pyconsul.agent.httpapi.server.contract import PendingResponse

#: A target whose response may be older than the last write, as far as that can be told without decoding it.
FROM_MEMORY = re.compile(rb"[?&](?:stale|cached)(?=[=&]|$)")
#: The same, and those of which that depends on more than the target.
MAYBE_FROM_MEMORY = re.compile(rb"[?&](?:stale|cached|max_stale)(?=[=&]|$)")
DISCOVERY = ("/v1/catalog/", "/v1/health/")
#: Parameters that choose a consistency; without any, `discovery_max_stale` applies.
MODES = ("stale", "consistent", "leader", "cached", "max_stale")

SHORT_HOLD_S = 1.0  # that a request waits for a leader whose sender can ask elsewhere, or does not want to wait
RELAY_S = 2.0  # that a read waits for a leader before another server is asked, if this one has no quorum


def hold_s(config: Config, route: Route, request: Request) -> float:
    """Return how long a request waits for a leader; one of another agent may try the next server soon."""
    hold = config.performance.rpc_hold_timeout
    return hold if route.patient and not request.origin else min(hold, SHORT_HOLD_S)


def max_stale_s(request: Request) -> float:
    """Return the seconds of `?max_stale`; 0 for none.  A malformed one counts as none: `check_read` refuses it."""
    text = request.params.get("max_stale", "") if request.query else ""
    try:
        return max(0.0, parse_go_duration_s(text)) if text else 0.0
    except ValueError:
        return 0.0


def allows_stale(request: Request) -> bool:
    """Return whether a read accepts a response from the state of any server: `?max_stale` alone means that, too."""
    return bool(request.query) and ("stale" in request or max_stale_s(request) > 0)


def needs_barrier(standing: Standing, route: Route, request: Request) -> bool:
    """Return whether a request has to wait for the state to be current; any one does while this server has not read it yet."""
    if route.stateless:
        return False
    stale = allows_stale(request)
    if not standing.has_state or not (stale or "cached" in request):
        return True
    limit = max_stale_s(request) if stale and route.consistency else 0.0
    return 0 < limit < standing.last_contact_ms / 1000


def has_contact(standing: Standing) -> bool:
    """Return whether the headers of a response from memory are those of a current one."""
    return standing.knows_leader and not standing.last_contact_ms


def restamped(
    response: Response | PendingResponse | Awaitable[Response], standing: Standing
) -> Response | Awaitable[Response]:
    """Return a response from memory with headers that state how fresh it is."""
    return _restamped(response, standing) if isinstance(response, Response) else _restamped_later(response, standing)


async def _restamped_later(response: Awaitable[Response], standing: Standing) -> Response:
    return _restamped(await response, standing)


def _restamped(response: Response, standing: Standing) -> Response:
    headers = tuple([_restamped_header(header, standing) for header in response.headers])
    return Response(response.status, response.body, headers, response.stream)


def _restamped_header(header: tuple[bytes, bytes], standing: Standing) -> tuple[bytes, bytes]:
    if header[0] == b"X-Consul-KnownLeader" and not standing.knows_leader:
        return header[0], b"false"
    if header[0] == b"X-Consul-LastContact":
        return header[0], b"%d" % standing.last_contact_ms
    return header


def apply_defaults(request: Request, config: Config) -> None:
    """Add the settings that change the consistency of a client's request, as parameters.

    `discovery_max_stale` becomes `?max_stale`; without `http_config.use_cache`, `?cached` has no effect.
    """
    limit, reads = config.discovery_max_stale, request.method == "GET" and request.path.startswith(DISCOVERY)
    if limit > 0 and reads and not any(mode in request for mode in MODES):
        added = b"max_stale=%dns" % round(limit * SECOND_NS)
        request.retarget(request.target + (b"&" if request.query else b"?") + added)
    if not config.http_config.use_cache and request.query and "cached" in request:
        request.retarget(without(request.target, ("cached",)))


def without(target: bytes, names: Collection[str]) -> bytes:
    """Return a target without some parameters; the others stay as they were sent."""
    path, _, query = target.partition(b"?")
    kept = b"&".join([part for part in query.split(b"&") if parameter_name(part) not in names])
    return path + b"?" + kept if kept else path


def parameter_name(part: bytes) -> str:
    """Return the name in one `name=value` of a query."""
    return unquote_plus(part.partition(b"=")[0].decode("utf-8", "replace"))
