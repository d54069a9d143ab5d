"""The log of requests, at level debug."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Response

TOKEN = re.compile(r"(?<=[?&]token=)[^&]*", re.IGNORECASE)

log = logging.getLogger("agent.http")


def logged(request: Request, response: Response | Awaitable[Response]) -> Response | Awaitable[Response]:
    """Return the response, and log the request once there is one."""
    began = time.perf_counter()
    if isinstance(response, Response):
        _log(request, response, began)
        return response
    return _logged_later(request, response, began)


async def _logged_later(request: Request, response: Awaitable[Response], began: float) -> Response:
    made = await response
    _log(request, made, began)
    return made


def _log(request: Request, response: Response, began: float) -> None:
    fields = {
        "method": request.method,
        "url": TOKEN.sub("<hidden>", request.target.decode("latin-1")),
        "from": request.remote,
        "status": response.status,
        "latency": f"{(time.perf_counter() - began) * 1000:.3f}ms",
    }
    log.debug("request finished", extra={"fields": fields})
