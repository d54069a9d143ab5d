"""The option for the status pages. Pure."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.pages.address import ADDRESS

STATUS_ADDRESS = Option(
    "status.address",
    ADDRESS,
    "Serve the state of this program over HTTP at host:port or unix:///path: /health, /ready, /metrics for Prometheus, "
    "/explain; `PUT /release?service=…` releases the holds of guards. Default: not served",
    "",
    flags=("http-addr-status",),
)
STATUS_OPTIONS: tuple[Option[Any], ...] = (STATUS_ADDRESS,)
