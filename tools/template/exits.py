"""The exit statuses of pyconsul-template."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a status means; the status of a child process passes through in its place."""

    OK = 0
    INTERRUPT = 12  # ended by the kill signal
    USAGE = 13  # the command line
    RUN = 14  # a template, a command, Consul
    CONFIG = 15  # a configuration file
