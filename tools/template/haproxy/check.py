"""HAProxy's own judgement of configuration files, before they take effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyconsul.tools.supervise import SpawnError
from pyconsul.tools.template.examine import examine

PROGRAM = "haproxy"
_CHECK_TIMEOUT = 30.0  # seconds


async def objection(paths: Sequence[str], environment: Mapping[str, str]) -> str:
    """Why HAProxy will not have these files together, in its own words; "" when it will. Raises SpawnError."""
    files = [word for path in paths for word in ("-f", path)]
    try:
        status, said = await examine([PROGRAM, "-c", *files], environment, _CHECK_TIMEOUT)
    except SpawnError as error:
        raise SpawnError(f"{error}: install it, or name a command") from error
    return "" if status == 0 else said or f"{PROGRAM} -c ended with status {status}"
