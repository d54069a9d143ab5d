"""How the tools end when it is not their child that ends."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """Their own exit statuses; a child's is passed through, and 255 means that a signal killed it."""

    OK = 0
    INTERRUPT = 12  # by the kill signal
    USAGE = 13  # flags
    RUN = 14  # a template, Consul, or a program that cannot be started
    CONFIG = 15
