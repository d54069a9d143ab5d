"""Serve the status pages and notify systemd during a run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from pyconsul.tools.pages.server import StatusServer
from pyconsul.tools.template.options.status import STATUS_ADDRESS
from pyconsul.tools.template.status.pages import Pages
from pyconsul.tools.template.status.summary_line import status_line

if TYPE_CHECKING:
    from pyconsul.agent.common.process.sd_notify import Notifier
    from pyconsul.tools.template.report.counters import Counters
    from pyconsul.tools.template.report.run_report import RunReport
    from pyconsul.tools.template.status.pages import Release

#: Interval of updates for systemd: while it waits for the start, and later.
_SOON, _LATER = 0.2, 5.0


@contextlib.asynccontextmanager
async def serve_status(
    address: str,
    notifier: Notifier,
    report: Callable[[], RunReport],
    counters: Counters,
    release: Release,
) -> AsyncIterator[None]:
    """Serve the status pages at `address` ("": nowhere) during the block, and notify systemd, if it listens.

    Raises ConfigError when it cannot listen at the address.
    """
    pages = Pages(report, counters, release)
    server = StatusServer(f"-{STATUS_ADDRESS.name}", address, pages) if address else None
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
    """Send READY=1 when every template has its file, and the status at each change."""
    ready = False
    while notifier:
        now = report()
        notifier.status(status_line(now))
        if now.ready and not ready:
            ready = True
            notifier.ready()
        await asyncio.sleep(_LATER if ready else _SOON)
