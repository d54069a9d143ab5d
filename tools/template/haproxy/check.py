"""HAProxy's own judgement of configuration files, before they take effect."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pyconsul.tools.supervise import SpawnError

PROGRAM = "haproxy"
_CHECK_TIMEOUT = 30.0  # seconds


async def examine(paths: Sequence[str], environment: Mapping[str, str]) -> str:
    """Why HAProxy will not have these files together, in its own words; "" when it will. Raises SpawnError."""
    files = [word for path in paths for word in ("-f", path)]
    try:
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "-c", *files),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise SpawnError(f"cannot run {PROGRAM}: {error.strerror}: install it, or name a command") from error
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            out, _ = await process.communicate()
    except TimeoutError:
        return f"{PROGRAM} -c did not end within {_CHECK_TIMEOUT:g}s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = out.decode(errors="replace").strip()
    return "" if process.returncode == 0 else said or f"{PROGRAM} -c ended with status {process.returncode}"
