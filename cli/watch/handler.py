"""The handler of a watch: a command that gets the data on its standard input."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pyconsul.agent.common.reasons import reason
from pyconsul.cli.child_process import child_words, exit_text
from pyconsul.cli.context import Context


class Handler:
    """Runs the command that the arguments name."""

    def __init__(self, context: Context, *, shell: bool) -> None:
        self._context = context
        self._words = child_words(context.args.rest, context.environ, shell=shell)
        self._child: subprocess.Popen[bytes] | None = None
        self._file = ""

    def stop(self, number: int) -> None:
        """Pass a signal on, if the command runs, and leave no file behind: we end."""
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(number)
        if self._file:
            with suppress(OSError):
                os.unlink(self._file)

    def run(self, index: int, data: Any, lines: Sequence[str] | None = None) -> bool:
        """Run it once, with a file that holds the lines; whether it succeeded."""
        environment = {**self._context.environ, "CONSUL_INDEX": str(index)}
        if lines is None:
            return self._run(data, environment)
        with tempfile.NamedTemporaryFile(prefix="pyconsul-", suffix=".diff") as file:
            file.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
            file.flush()
            self._file = file.name
            try:
                return self._run(data, {**environment, "CONSUL_DIFF_FILE": file.name})
            finally:
                self._file = ""

    def _run(self, data: Any, environment: dict[str, str]) -> bool:
        document = _compact(data)
        self._context.stdout.flush()
        try:
            self._child = subprocess.Popen(self._words, stdin=subprocess.PIPE, env=environment)
        except OSError as error:
            self._context.note(f"Error starting handler: {reason(error)}")
            return False
        self._child.communicate(document)
        if self._child.returncode:
            self._context.note(f"Error executing handler: {exit_text(self._child.returncode)}")
        return self._child.returncode == 0


def _compact(data: Any) -> bytes:
    import json

    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
