"""HAProxy's own judgement of configuration files, before they take effect."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyconsul.agent.common.process.child_process import SpawnError
from pyconsul.tools.template.deploy.check_program import run_check

PROGRAM = "haproxy"
_LINE = re.compile(r"\[(?P<level>[A-Z]+)\]\s+\(\d+\) : (?:config : )?(?P<text>.*)")
_SUMMARY = re.compile(r"Error\(s\) found in configuration file|Fatal errors found in configuration")
_CHECK_TIMEOUT = 30.0  # seconds


async def validate_config(paths: Sequence[str], environment: Mapping[str, str]) -> str:
    """Why HAProxy will not have these files together, in its own words; "" when it will. Raises SpawnError."""
    files = [word for path in paths for word in ("-f", path)]
    try:
        status, output = await run_check([PROGRAM, "-c", *files], environment, _CHECK_TIMEOUT)
    except SpawnError as error:
        raise SpawnError(f"{error}: install it, or name a command") from error
    return "" if status == 0 else shortened_output(output) or f"{PROGRAM} -c ended with status {status}"


def shortened_output(output: str) -> str:
    """What HAProxy objects to, without the process ID, which differs each time, and without its version."""
    lines: list[str] = []
    taken = True
    for line in output.splitlines():
        if (match := _LINE.match(line)) is not None:
            taken = match["level"] == "ALERT" and not _SUMMARY.search(line)
        text = (match["text"] if match is not None else line).strip()
        if taken and text:
            lines.append(text)
    return "\n".join(lines) or output
