"""Log lines for results of checks, and detection of failures of this machine."""

from __future__ import annotations

import errno
import logging
import os
import re

from pyconsul.agent.common.go.network_errors import phrase
from pyconsul.agent.health.runners.bounds import excerpt
from pyconsul.agent.health.runners.result import LocalFault
from pyconsul.agent.model.check import PASSING

log = logging.getLogger("agent.checks")

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


def log_status(check: str, status: str, output: str, kept: str = "") -> None:
    """Log a check's new status, or a failure below its threshold that leaves it at the status `kept`."""
    fields = {"check": check}
    if status != PASSING:
        fields["error"] = excerpt(_PASSWORD.sub("***@", " ".join(output.split())))
    if kept:
        log.warning("Check failed, status unchanged: %s", kept, extra={"fields": fields})
    else:
        log.log(
            logging.INFO if status == PASSING else logging.WARNING, "Check is now %s", status, extra={"fields": fields}
        )


def raise_without_descriptors() -> None:
    """Raise LocalFault when this process can open no file: libraries hide that behind other errors, such as an unknown host."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise LocalFault(phrase(error)) from error
