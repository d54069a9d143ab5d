"""TLS settings for checks, made once for each kind."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

ContextMaker = Callable[[bool], ssl.SSLContext]


def check_context(skip_verify: bool) -> ssl.SSLContext:
    """Return a client's context; with `skip_verify` any certificate is accepted."""
    context = ssl.create_default_context()
    if skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class TLSContexts:
    """The contexts that are in use; `make` is called once for each kind, on a thread, because loading certificates takes time."""

    def __init__(self, make: ContextMaker = check_context) -> None:
        self._make = make
        self._made: dict[tuple[bool, bool], ssl.SSLContext] = {}
        self._lock = asyncio.Lock()

    async def load(self, skip_verify: bool) -> ssl.SSLContext:
        """Return the context of one kind."""
        return await self._load(skip_verify, False)

    async def load_h2(self, skip_verify: bool) -> ssl.SSLContext:
        """Return the context for HTTP/2, which is negotiated during the handshake."""
        return await self._load(skip_verify, True)

    async def _load(self, skip_verify: bool, h2: bool) -> ssl.SSLContext:
        key = (skip_verify, h2)
        async with self._lock:
            if key not in self._made:
                context = await asyncio.to_thread(self._make, skip_verify)
                if h2:
                    context.set_alpn_protocols(["h2"])
                self._made[key] = context
        return self._made[key]
