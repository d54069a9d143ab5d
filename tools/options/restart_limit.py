"""The options of `-restart-limit`, for both tools. `process.restart_limit` carries them out."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Kind, Option
from pyconsul.tools.options.settings import DURATION


def _limit(value: Any) -> tuple[str, int]:
    """Parse `key:N` to the key, without slashes at its ends, and N."""
    key, colon, number = str(value).rpartition(":")
    key = key.strip("/")
    if not colon or not key or not (number.isascii() and number.isdecimal()) or int(number) < 1:
        raise ValueError(f"invalid limit {value!r}: use key:N, such as service/web/restarts:1, with N of at least 1")
    return key, int(number)


_LIMIT = Kind("key:N", _limit)

RESTART_LIMIT = Option(
    "restart_limit",
    _LIMIT,
    "Maximum number N of machines that restart or reload at the same time, among those with the same key and N. The "
    "first start does not wait. The key is the prefix of a semaphore, as of consul lock -n",
    None,
    flags=("restart-limit",),
)
RESTART_HOLD = Option(
    "restart_hold",
    DURATION,
    "Time that a machine keeps its slot after a restart",
    0.0,
    flags=("restart-hold",),
)
#: For both tools.
RESTART_LIMIT_OPTIONS: tuple[Option[Any], ...] = (
    RESTART_LIMIT,
    RESTART_HOLD,
)
