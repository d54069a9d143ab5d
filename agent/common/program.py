"""The frame of every program: standard streams that are full or closed, and SIGINT for programs started in the background.

Imported at each start, so it imports next to nothing.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the module `signal` would make its enumerations at every start
import errno
import os
import sys
from collections.abc import Callable

#: Errors of writes that the file causes, not the program.
_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT})


def run_program(name: str, main: Callable[[], int], failure: int = 1) -> int:
    """Run a program and return its exit code.

    A standard output that cannot be written is one line on standard error and the exit code `failure`; when its reader
    has gone (`| head -1`) there is no line. A shell without job control lets `command &` ignore SIGINT: it is
    interrupted nevertheless, as Consul's programs are.
    """
    _open_closed_streams()
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return failure
    except OSError as error:
        if error.filename is not None or error.errno not in _WRITE_ERRORS:
            raise
        _discard_output()
        sys.stderr.write(f"{name}: cannot write to standard output: {error.strerror}\n")
        return failure
    return status


def _open_closed_streams() -> None:
    """Open the null device for closed streams, so that no other file gets their numbers.

    Writing to such a stream fails: its file is read-only.
    """
    for number, mode in enumerate(("r", "w", "w")):
        if (sys.stdin, sys.stdout, sys.stderr)[number] is not None:
            continue
        opened = os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, ("stdin", "stdout", "stderr")[number], stream)


def _discard_output() -> None:
    """Discard buffered output, which Python would try to write again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
