"""Logs requests at level debug."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import Answer

log = logging.getLogger("agent.http")

_TOKEN = re.compile(r"(?<=[?&]token=)[^&]*", re.IGNORECASE)


def logged(request: Request, response: Answer | Awaitable[Answer]) -> Answer | Awaitable[Answer]:
    """Return the response, and log the request once there is one."""
    began = time.perf_counter()
    if isinstance(response, Answer):
        _log(request, response, began)
        return response
    return _logged_later(request, response, began)


async def _logged_later(request: Request, response: Awaitable[Answer], began: float) -> Answer:
    answer = await response
    _log(request, answer, began)
    return answer


def _log(request: Request, answer: Answer, began: float) -> None:
    fields = {
        "method": request.method,
        "url": _TOKEN.sub("<hidden>", request.target.decode("latin-1")),
        "from": request.remote,
        "status": answer.status,
        "latency": f"{(time.perf_counter() - began) * 1000:.3f}ms",
    }
    log.debug("request finished", extra={"fields": fields})
