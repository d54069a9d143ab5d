"""The options of HAProxy as the user of rendered files."""

from __future__ import annotations

from pyconsul.tools.options.settings import BOOL, TEXT, Option

HAPROXY_OPTIONS: tuple[Option, ...] = (
    Option(
        "haproxy.runtime",
        BOOL,
        "Change a running HAProxy through its runtime API, without a reload, where only servers differ",
        True,
        flags=("haproxy-runtime",),
    ),
    Option(
        "haproxy.state_dir",
        TEXT,
        "Folder of HAProxy's master socket, by which a later start takes over a running HAProxy; default: "
        "/run/pyconsul-template, for other users than root a folder of their own",
        "",
        flags=("haproxy-state-dir",),
    ),
    Option(
        "exec.keep",
        BOOL,
        "Leave HAProxy running when this program is stopped; the next start takes it over",
        False,
        flags=("exec-keep",),
    ),
)
