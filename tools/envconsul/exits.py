"""How pyenvconsul ends when it is not its program that ends."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """The exit statuses of its own; the program's are passed through, and 255 means that a signal killed it."""

    OK = 0
    INTERRUPT = 12  # by the kill signal
    USAGE = 13  # flags
    RUN = 14  # Consul cannot be read, or the program cannot be started
    CONFIG = 15
