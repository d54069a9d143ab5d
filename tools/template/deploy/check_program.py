"""Asking a program about files: its exit status, and what it output, within a time limit."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from pyconsul.agent.common.process.child_process import SpawnError, argv_of

#: What stands for the new files in a `check` command: one file's path, or all of a group's.
_FORM = re.compile(r"\{\{ *(paths?) *\}\}")


def with_paths(words: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Return the program and its arguments, with `{{ path }}` and `{{ paths }}` replaced; a single word is a shell line."""
    shell = len(words) == 1
    shown = [shlex.quote(str(path)) if shell else str(path) for path in paths]
    texts = {"path": shown[0] if shown else "", "paths": " ".join(shown)}
    result: list[str] = []
    for word in words:
        whole = _FORM.fullmatch(word)
        if whole and whole[1] == "paths":
            result += shown
        else:
            result.append(_FORM.sub(lambda match: texts[match[1]], word))
    return argv_of(result)


async def run_check(argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> tuple[int, str]:
    """Return the exit status and everything that was printed; status 1 when it does not end within `timeout_s` seconds.

    Raises SpawnError when it cannot be run.
    """
    import asyncio  # a run without checks may do without

    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise SpawnError(f"cannot run {argv[0]}: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout_s or None):
            out, _ = await process.communicate()
    except TimeoutError:
        return 1, f"{' '.join(argv)} did not end within {timeout_s:g}s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, out.decode(errors="replace").strip()
