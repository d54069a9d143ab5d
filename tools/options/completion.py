"""Prints completion scripts: `_PYENVCONSUL_COMPLETE=bash_source pyenvconsul`, the same for zsh and fish."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.cli.completion.shells import FixedFlag, fixed_script
from pyconsul.tools.exit_codes import Exit

_SHELLS = ("bash", "zsh", "fish")


def flags_of(options: Sequence[Option[Any]]) -> list[FixedFlag]:
    """Return the flags of a tool, sorted, with the help of each."""
    rows = {f"-{flag}" + ("" if one.kind.is_switch else "="): one.help for one in options for flag in one.flags}
    return sorted(rows.items())


def print_script(program: str, variable: str, options: Sequence[Option[Any]]) -> int:
    """Print the script for the shell that the environment variable names; return the exit status."""
    wanted = os.environ[variable]
    shell, _, instruction = wanted.partition("_")
    if shell not in _SHELLS or instruction != "source":
        allowed = ", ".join(f"{name}_source" for name in _SHELLS)
        print(f"{program}: {variable}={wanted} is not known; use {allowed}", file=sys.stderr)
        return Exit.USAGE
    sys.stdout.write(fixed_script(shell, program, flags_of(options)))
    return Exit.OK
