"""Keeps those outside informed while a run goes on: the status pages, and systemd."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from pyconsul.tools.template.status.server import StatusServer
from pyconsul.tools.template.status.summary_line import status_line

if TYPE_CHECKING:
    from pyconsul.agent.common.process.sd_notify import Notifier
    from pyconsul.tools.template.report.counters import Counters
    from pyconsul.tools.template.report.run_report import RunReport
    from pyconsul.tools.template.status.pages import Release

#: Seconds between two looks at the report for systemd: while it waits for the start, and later.
_SOON, _LATER = 0.2, 5.0


@contextlib.asynccontextmanager
async def shown(
    address: str,
    notifier: Notifier,
    report: Callable[[], RunReport],
    counters: Counters,
    release: Release,
) -> AsyncIterator[None]:
    """While the block runs: serve the status pages at `address` ("": nowhere), and tell systemd, if it listens.

    Raises ConfigError when it cannot listen at the address.
    """
    server = StatusServer(address, report, counters, release) if address else None
    if server is not None:
        await server.start()
    telling = asyncio.create_task(_tell(notifier, report))
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
        if server is not None:
            await server.stop()


async def _tell(notifier: Notifier, report: Callable[[], RunReport]) -> None:
    """READY=1 once every template has its file; always how things are."""
    ready = False
    while notifier:
        now = report()
        notifier.status(status_line(now))
        if now.ready and not ready:
            ready = True
            notifier.ready()
        await asyncio.sleep(_LATER if ready else _SOON)
