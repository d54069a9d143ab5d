"""Options of HAProxy as the consumer of rendered files."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.options.settings import BOOL, TEXT

HAPROXY_RUNTIME = Option(
    "haproxy.runtime",
    BOOL,
    "Change a running HAProxy through its runtime API instead of a reload, where only servers differ",
    True,
    flags=("haproxy-runtime",),
)
HAPROXY_STATE_DIR = Option(
    "haproxy.state_dir",
    TEXT,
    "Folder of HAProxy's master socket, through which a later start takes over a running HAProxy. Default: "
    "/run/pyconsul-template for root, a private folder for other users",
    "",
    flags=("haproxy-state-dir",),
)
EXEC_KEEP = Option(
    "exec.keep",
    BOOL,
    "Leave HAProxy running when this program is stopped; the next start takes it over",
    False,
    flags=("exec-keep",),
)
HAPROXY_OPTIONS: tuple[Option[Any], ...] = (
    HAPROXY_RUNTIME,
    HAPROXY_STATE_DIR,
    EXEC_KEEP,
)
