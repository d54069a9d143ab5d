"""The state file of a watch: a new process continues from it, and neither misses nor repeats a change."""

from __future__ import annotations

import json
from typing import Any

from pyconsul.agent.common.watch_plan import Plan
from pyconsul.cli.errors import CliError


class StateFile:
    """`path` may be empty: then nothing is kept beyond this process. `answer` is the last data, for `-diff`."""

    def __init__(self, path: str, plan: Plan, *, keep_answer: bool) -> None:
        self._path = path
        self._plan = plan
        self._keep_answer = keep_answer
        self.answer: Any = None

    def load(self) -> bool:
        """Read the state; returns False without a file. Raises CliError for the file of another watch."""
        if not self._path:
            return False
        try:
            with open(self._path, encoding="utf-8") as file:
                stored = json.load(file)
            watch, index, digest = stored["Watch"], int(stored["Index"]), str(stored["Digest"])
        except FileNotFoundError:
            return False
        except OSError as error:
            raise CliError(f"Error reading the state file {self._path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise CliError(
                f"Error reading the state file {self._path}: it is damaged, or was not written by a watch. "
                "Without it the watch starts anew."
            ) from None
        if watch != self._plan.name:
            raise CliError(
                f"Error: the state file {self._path} belongs to another watch ({watch}); use one file for each."
            )
        self._plan.remember(index, digest)
        self.answer = stored.get("Answer")
        return True

    def save(self, index: int, data: Any) -> None:
        """Save that the change of this index was handled. Raises CliError."""
        self.answer = data
        if not self._path:
            return
        stored = {"Watch": self._plan.name, "Index": index, "Digest": self._plan.digest}
        if self._keep_answer:
            stored["Answer"] = data
        from pyconsul.agent.common.files.atomic_file import write_file

        try:
            write_file(self._path, json.dumps(stored).encode())
        except OSError as error:
            raise CliError(f"Error writing the state file {self._path}: {error.strerror}") from None
