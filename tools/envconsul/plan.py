"""The checked plan of a command line and its configuration files: sources to read, the program to run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.agent.common.process.child_process import argv_of
from pyconsul.tools.consul.connection import ConsulError
from pyconsul.tools.envconsul.options import ALLOW_NAME, OPTIONS, PRINT, PRISTINE, SAFE_NAMES, SANITIZE, UPCASE
from pyconsul.tools.envconsul.print_output import FORMATS
from pyconsul.tools.envconsul.sources import Source, sources_of
from pyconsul.tools.envconsul.variables import Naming, Variable, environment
from pyconsul.tools.options.child import EXEC_COMMAND, child_environment
from pyconsul.tools.options.connection import consul_access_of
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.log_file import log_target_of
from pyconsul.tools.options.run import (
    LOG_FORMAT,
    LOG_LEVEL,
    SYSLOG_ENABLED,
    SYSLOG_FACILITY,
    SYSLOG_NAME,
)
from pyconsul.tools.options.settings import Call, Settings, UsageError, load_settings
from pyconsul.tools.options.unsupported import warn_of_unsupported
from pyconsul.tools.process.log_setup import setup_logging

log = LazyLog("envconsul")


class OverdueError(Exception):
    """The program has run for too long, and was ended."""

    def __init__(self) -> None:
        super().__init__("the program has run for longer than exec.timeout allows")


@dataclass(frozen=True)
class Plan:
    """`program`: program and arguments; empty when the variables are only printed."""

    settings: Settings
    sources: list[Source]
    program: list[str]


def make_plan(call: Call) -> Plan:
    """Read the configuration, set up the log, and check everything. Raises ConfigError and UsageError."""
    settings = load_settings(OPTIONS, call, os.environ)
    consul_access_of(settings)
    facility = settings[SYSLOG_FACILITY] if settings[SYSLOG_ENABLED] else ""
    file = log_target_of(settings, "envconsul")
    setup_logging(settings[LOG_LEVEL], settings[LOG_FORMAT], facility, settings[SYSLOG_NAME] or "pyenvconsul", file)
    warn_of_unsupported(settings, log.warning)
    if settings.blocks("secret"):
        raise ConfigError("secrets of Vault are not supported: keep them in Consul's KV store")
    if settings[PRINT] and settings[PRINT] not in FORMATS:
        raise ConfigError(f"cannot print as {settings[PRINT]!r}: use {', '.join(FORMATS)}")
    if settings[PRINT] and call.arguments:
        raise UsageError(
            f"-print writes the variables and runs no program: drop {' '.join(call.arguments)!r}, or -print"
        )
    # The command line wins over the configuration.
    program = argv_of(call.arguments or settings[EXEC_COMMAND])
    if not program and not settings[PRINT]:
        raise ConfigError("there is no program to run: name it after the flags, or in exec { command = … }")
    return Plan(settings, sources_of(settings, os.environ), program)


def variables_of(
    settings: Settings, sources: Sequence[Source], answers: Iterable[Any], environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of the program; `answers`: of each source, `environ`: the variables of this tool.

    Raises ConsulError for an answer that does not have the form of Consul's.
    """
    groups = [_variables(source, answer) for source, answer in zip(sources, answers, strict=True)]
    variables = environment(groups, _naming_of(settings), log.warning)
    inherited = {} if settings[PRISTINE] or settings[PRINT] else environ
    return child_environment(settings, {**inherited, **variables})


def _naming_of(settings: Settings) -> Naming:
    return Naming(settings[SANITIZE], settings[UPCASE], tuple(settings[ALLOW_NAME]), settings[SAFE_NAMES])


def _variables(source: Source, answer: Any) -> list[Variable]:
    try:
        if answer is not None and not isinstance(answer, list):
            raise TypeError("it is not a list")
        return list(source.variables(answer))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ConsulError(f"GET {source.path}: unexpected answer: {type(error).__name__}", 200) from error


def reload_plan(call: Call) -> Plan | None:
    """Read the configuration again; a bad one is reported, and the old one stays (None)."""
    try:
        return make_plan(call)
    except ConfigError as error:
        log.error("reload failed, configuration unchanged: %s", error)
        return None
