"""What a command line and its configuration files ask for, checked: what to read, what to run."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass

from pyconsul.tools.envconsul.options import OPTIONS
from pyconsul.tools.envconsul.output import FORMATS
from pyconsul.tools.envconsul.sources import Source, sources_of
from pyconsul.tools.hclfile import ConfigError
from pyconsul.tools.logfile import log_target_of
from pyconsul.tools.logs import setup_logging
from pyconsul.tools.settings import Call, Settings, UsageError, load_settings
from pyconsul.tools.supervise import argv_of
from pyconsul.tools.unsupported import warn_of_unsupported

log = logging.getLogger("envconsul")


@dataclass(frozen=True)
class Plan:
    """`program`: program and arguments; empty when the variables are only printed."""

    settings: Settings
    sources: list[Source]
    program: list[str]


def make_plan(call: Call) -> Plan:
    """Read the configuration, set up the log, and check everything. Raises ConfigError and UsageError."""
    settings = load_settings(OPTIONS, call, os.environ)
    facility = settings["syslog.facility"] if settings["syslog.enabled"] else ""
    file = log_target_of(settings, "envconsul")
    setup_logging(
        settings["log_level"], settings["log_format"], facility, settings["syslog.name"] or "pyenvconsul", file
    )
    warn_of_unsupported(settings, log.warning)
    if settings.blocks("secret"):
        raise ConfigError("secrets of Vault are not supported: keep them in Consul's KV store")
    if settings["print"] and settings["print"] not in FORMATS:
        raise ConfigError(f"cannot print as {settings['print']!r}: use {', '.join(FORMATS)}")
    if settings["print"] and call.arguments:
        raise UsageError(
            f"-print writes the variables and runs no program: drop {' '.join(call.arguments)!r}, or -print"
        )
    # The command line wins over the configuration.
    program = argv_of(call.arguments or settings["exec.command"])
    if not program and not settings["print"]:
        raise ConfigError("there is no program to run: name it after the flags, or in exec { command = … }")
    return Plan(settings, sources_of(settings, os.environ), program)
