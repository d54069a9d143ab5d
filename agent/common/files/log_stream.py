"""Log lines on a standard stream that may be full or closed."""

from __future__ import annotations

import logging
import sys
from typing import TextIO


class LogStream(logging.StreamHandler[TextIO]):
    """Writes to a standard stream. A line that cannot be written is dropped: a traceback for each would help nobody."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)
