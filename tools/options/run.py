"""Options of the run of a tool, for both tools: configuration files, signals, logs, the PID file, delays."""

from __future__ import annotations

from signal import Signals
from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.options.settings import BOOL, DURATION, SIGNAL, STRINGS, TEXT, WAIT_RANGE

KILL_SIGNAL = Option(
    "kill_signal",
    SIGNAL,
    "Signal that stops this program",
    Signals.SIGINT,
    flags=("kill-signal",),
)
RELOAD_SIGNAL = Option(
    "reload_signal",
    SIGNAL,
    "Signal that reloads the configuration",
    Signals.SIGHUP,
    flags=("reload-signal",),
)
LOG_LEVEL = Option("log_level", TEXT, "trace, debug, info, warn or err", "WARN", flags=("log-level",))
LOG_FORMAT = Option("log_format", TEXT, "text or json", "text", flags=("log-format",))
MAX_STALE = Option(
    "max_stale",
    DURATION,
    "Maximum time since the last contact of a responding server with the leader; 0: only the leader responds",
    2.0,
    flags=("max-stale",),
)
PID_FILE = Option("pid_file", TEXT, "File with the process ID of this program while it runs", "", flags=("pid-file",))
SYSLOG_ENABLED = Option("syslog.enabled", BOOL, "Also log to syslog", False, flags=("syslog",))
SYSLOG_FACILITY = Option("syslog.facility", TEXT, "Facility for syslog", "LOCAL0", flags=("syslog-facility",))
SYSLOG_NAME = Option("syslog.name", TEXT, "Name for syslog", None, flags=("syslog-name",))
WAIT = Option(
    "wait",
    WAIT_RANGE,
    "Wait until nothing has changed for min, at most max (default 4 times min), before acting",
    (0.0, 0.0),
    flags=("wait",),
)
#: The run of the tool itself.
PROCESS: tuple[Option[Any], ...] = (
    Option(
        "config",
        STRINGS,
        "Configuration file (HCL or JSON), or a folder of them; may be repeated, later ones win",
        None,
        flags=("config",),
        flag_only=True,
    ),
    KILL_SIGNAL,
    RELOAD_SIGNAL,
    LOG_LEVEL,
    LOG_FORMAT,
    MAX_STALE,
    PID_FILE,
    SYSLOG_ENABLED,
    SYSLOG_FACILITY,
    SYSLOG_NAME,
    WAIT,
)
