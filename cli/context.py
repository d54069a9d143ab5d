"""The context of a command: its flags, the environment, the standard streams and the client of the agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

from pyconsul.agent.common.reasons import file_error
from pyconsul.cli.errors import CliError

if TYPE_CHECKING:
    from pyconsul.agent.common.options import Args
    from pyconsul.cli.http.client import Client


class Context:
    """Given to a command's function. Streams are binary: keys and values need not be text in any encoding."""

    def __init__(
        self, args: Args, environ: Mapping[str, str], stdin: BinaryIO, stdout: BinaryIO, stderr: BinaryIO
    ) -> None:
        self.args = args
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """The agent that flags and environment name; nothing is sent yet. Raises CliError for wrong settings."""
        if self._client is None:
            from pyconsul.cli.http.client import Client

            self._client = Client.from_environ(self.args, self.environ)
        return self._client

    def anonymous_client(self, query: Mapping[str, str]) -> Client:
        """Replace `client` by one without a token and with `query` in each request. Raises CliError."""
        from pyconsul.cli.http.client import Client, access_of

        access = access_of(self.args, self.environ)
        self._client = Client(access.address, access.tls, {}, query)
        return self._client

    def unexpected_answer(self, error: Exception) -> CliError | None:
        """Return the error for the user when an answer had another form than the command relies on; None if there was no answer."""
        if self._client is None or not self._client.answered or self.environ.get("PYCONSUL_TRACEBACK"):
            return None
        if isinstance(error, KeyError):
            reason = f"the field {str(error)[:100]} is missing"
        elif isinstance(error, LookupError | AttributeError | TypeError):
            reason = "a value has another type than the API's"
        elif isinstance(error, RecursionError):
            reason = "it is nested too deeply"
        else:
            reason = "a value is invalid or out of range"
        return CliError(
            f"unexpected answer from the agent at {self._client.address} to {self._client.answered[0]}: {reason} "
            "(PYCONSUL_TRACEBACK=1 shows where)"
        )

    def renew_client(self) -> None:
        """Read token and certificates again; nothing changes when they cannot be read. Raises CliError."""
        from pyconsul.cli.http.client import Client

        renewed = Client.from_environ(self.args, self.environ)
        if self._client is not None:
            self._client.close()
        self._client = renewed

    def out(self, line: str | bytes) -> None:
        """Print a line on standard output."""
        self.stdout.write(_octets(line) + b"\n")

    def note(self, line: str | bytes) -> None:
        """Print a line on standard error: progress, warnings, errors."""
        self.stdout.flush()
        self.stderr.write(_octets(line) + b"\n")
        self.stderr.flush()

    @property
    def tty(self) -> bool:
        """Return whether standard output is a terminal."""
        return self.stdout.isatty()

    def read_source(self, text: str) -> bytes:
        """Return a value given as Consul's commands take it: `@path` is a file, `-` standard input, else itself.

        Raises CliError when the file cannot be read.
        """
        if text == "-":
            return self.stdin.read()
        if not text.startswith("@"):
            return _octets(text)
        try:
            with open(text[1:], "rb") as file:
                return file.read()
        except OSError as error:
            raise CliError(f"Error! Failed to read file: {file_error(error)}") from None

    def read_text_source(self, text: str) -> str:
        """Read a value that must be UTF-8, such as rules. Raises CliError."""
        try:
            return self.read_source(text).decode("utf-8", "strict" if text[:1] in ("@", "-") else "surrogateescape")
        except UnicodeDecodeError as error:
            raise CliError(f"Error! {text} is not UTF-8: {error}") from None


def _octets(line: str | bytes) -> bytes:
    return line if isinstance(line, bytes) else line.encode("utf-8", "surrogateescape")
