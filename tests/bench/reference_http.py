"""The reference for HTTP: a bare uvicorn application that answers a constant.  Usage: reference_http.py PORT [SIZE]"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

BODY = b"x" * int(sys.argv[2] if len(sys.argv) > 2 else 87)


async def app(scope: Any, receive: Any, send: Any) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


uvicorn.run(
    app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning", access_log=False, lifespan="off"
)
