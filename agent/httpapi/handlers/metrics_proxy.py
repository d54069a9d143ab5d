"""/v1/internal/ui/metrics-proxy: reads of a metrics server for the web interface (`ui_config.metrics_proxy`)."""

from __future__ import annotations

import asyncio
import logging
import ssl
from urllib.parse import quote, urlsplit

from pyconsul.agent.acl.rules import READ
from pyconsul.agent.config.sections.ui import MetricsProxy
from pyconsul.agent.health.runners.dial import DialError, dial
from pyconsul.agent.health.runners.exchange import Exchange, ExchangeError
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, Response, not_found
from pyconsul.agent.httpapi.core.router import Local, Route

PROMETHEUS = ("/api/v1/query_range", "/api/v1/query")  # what may be read where no list is given
TIMEOUT_S = 30.0
MAX_BYTES = 16 << 20

log = logging.getLogger("agent.http")


async def proxy(context: Context, request: Request) -> Response:
    """Return the answer of the metrics server to a GET.  Raises HTTPError 404, PermissionDenied."""
    for kind in ("node", "service"):
        if not request.caller.allows_prefix(kind, READ, ""):
            raise request.caller.denial(kind, READ)
    ui = context.config.ui_config
    settings = ui.metrics_proxy
    if not settings.base_url:
        raise not_found("Metrics proxy is not enabled")
    path = "/" + request.tail
    allowed = settings.path_allowlist or (PROMETHEUS if ui.metrics_provider == "prometheus" else ())
    if ".." in path or (allowed and path not in allowed):
        log.error("a read of the metrics server is not allowed: path=%s allowed=%s", path, ", ".join(allowed))
        return Response(403)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _read(settings, path, request.query)
    except (DialError, ExchangeError, TimeoutError, OSError) as error:
        log.error("the metrics server cannot be read: url=%s error=%s", settings.base_url, error or "no answer in time")
        return Response(502)


async def _read(settings: MetricsProxy, path: str, query: bytes) -> Response:
    parts = urlsplit(settings.base_url)
    is_secure = parts.scheme == "https"
    target = quote(parts.path.rstrip("/") + path) + ("?" + query.decode("latin-1") if query else "")
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines += [f"{header['name']}: {header['value']}" for header in settings.add_headers]
    body = bytearray()
    tls = await asyncio.to_thread(ssl.create_default_context) if is_secure else None
    transport, exchange = await dial(
        lambda: Exchange(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"), body.extend, max_bytes=MAX_BYTES),
        parts.hostname or "",
        str(parts.port or (443 if is_secure else 80)),
        tls=tls,
    )
    try:
        await exchange.done
    finally:
        transport.abort()
    if exchange.cut:
        raise ExchangeError(f"the response is longer than {MAX_BYTES} bytes")
    return Response(exchange.status, bytes(body), JSON)


ROUTES = (Route("/v1/internal/ui/metrics-proxy/", {"GET": Local(proxy, "handler node:read")}),)
