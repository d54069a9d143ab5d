"""Data that a command reads more than once without holding it: an argument, a file, or standard input."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from shutil import copyfileobj
from types import TracebackType
from typing import IO

from pyconsul.agent.common.reasons import file_error
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError

_PIECE = 65536
#: Data that cannot be read twice is kept in memory up to this size, beyond it in an unnamed file.
_IN_MEMORY = 4 << 20


class Source:
    """`text` is what Consul's commands take: `@path`, `-`, or the data itself. Raises CliError for what is no file."""

    def __init__(self, context: Context, text: str) -> None:
        self._stack = ExitStack()
        try:
            self._file = self._opened(context, text)
            self._begin = self._file.tell()  # the shell may have read the beginning of standard input
            self.size = self._file.seek(0, os.SEEK_END) - self._begin
        except OSError as error:
            self._stack.close()
            raise CliError(f"Error! Failed to read file: {file_error(error)}") from None

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, from the beginning at each call."""
        self._file.seek(self._begin)
        while piece := self._file.read(_PIECE):
            yield piece

    def _opened(self, context: Context, text: str) -> IO[bytes]:
        if text == "-":
            file: IO[bytes] = context.stdin
        elif text.startswith("@"):
            file = self._stack.enter_context(open(text[1:], "rb"))  # noqa: SIM115 - ended by the stack
        else:
            return io.BytesIO(text.encode("utf-8", "surrogateescape"))
        if file.seekable():
            return file
        kept = self._stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
        copyfileobj(file, kept, _PIECE)
        kept.seek(0)
        return kept
