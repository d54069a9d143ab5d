"""Exit codes: Consul's by default, finer ones when they are asked for.

Consul ends nearly every failure with 1. With `-detailed-exitcode`, or `PYCONSUL_DETAILED_EXITCODE=1`, scripts can
distinguish the reasons; the codes are part of the interface and do not change.
"""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """The exit code of a command."""

    OK = 0
    FAILURE = 1
    #: `members` found no member; the child of `lock -child-exit-code` failed. Consul's own code.
    NO_MATCH = 2
    #: The key, service, token … that was named does not exist.
    NOT_FOUND = 3
    #: The agent does not answer.
    UNREACHABLE = 4
    #: The token lacks a permission (HTTP 401, 403).
    DENIED = 5
    #: A check-and-set failed, a lock is held by someone else, a transaction was rolled back (HTTP 409).
    CONFLICT = 6
    #: Wrong flags or arguments.
    USAGE = 7
    #: Ended by Ctrl-C, as shells count it.
    INTERRUPTED = 130
    UNKNOWN_COMMAND = 127


_FINE = frozenset({Status.NOT_FOUND, Status.UNREACHABLE, Status.DENIED, Status.CONFLICT, Status.USAGE})


def exit_code(status: int, *, detailed: bool) -> int:
    """Return the number to exit with: without `detailed`, the fine codes become Consul's 1."""
    return int(Status.FAILURE) if not detailed and status in _FINE else int(status)


def of_http(status: int) -> Status:
    """Return the exit status for a failed HTTP response."""
    return {
        401: Status.DENIED,
        403: Status.DENIED,
        404: Status.NOT_FOUND,
        409: Status.CONFLICT,
    }.get(status, Status.FAILURE)
