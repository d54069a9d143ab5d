"""The options of HAProxy as the user of rendered files."""

from __future__ import annotations

from pyconsul.tools.settings import BOOL, Option

HAPROXY_OPTIONS: tuple[Option, ...] = (
    Option(
        "haproxy.runtime",
        BOOL,
        "Change a running HAProxy through its runtime API, without a reload, where only servers differ",
        True,
        flags=("haproxy-runtime",),
    ),
)
