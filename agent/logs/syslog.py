"""The log in syslog as well (`enable_syslog`)."""

from __future__ import annotations

import socket
from logging import LogRecord
from logging.handlers import SysLogHandler

ADDRESS = "/dev/log"


class SyslogHandler(SysLogHandler):
    """Sends each line to the machine's syslog, with its severity; `facility` is a name such as LOCAL0.

    Raises OSError when the socket has no listener.
    """

    append_nul = False
    ident = "pyconsul: "

    def __init__(self, facility: str, address: str = ADDRESS) -> None:
        _probe(address)
        super().__init__(address, facility=self.facility_names[facility.lower()])

    def mapPriority(self, levelName: str) -> str:  # noqa: N802, N803 - the library's names
        """Trace, which the library does not know, is debug."""
        return super().mapPriority(levelName) if levelName in self.priority_map else "debug"

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 - the library's name
        """Ignore errors: a restart of syslog loses lines, nothing else."""


def _probe(address: str) -> None:
    """Connect; unlike the library's handler, raises OSError when the socket has no listener."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(address)
        except OSError as error:
            raise OSError(error.errno, error.strerror, address) from None
