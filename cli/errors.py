"""Errors that end a command with a message on standard error."""

from __future__ import annotations

from pyconsul.cli.exit_status import Status, of_http


class CliError(Exception):
    """A message for the user and the exit code that goes with it."""

    def __init__(self, message: str, status: Status = Status.FAILURE) -> None:
        super().__init__(printable(message))
        self.status = status


def printable(text: str) -> str:
    """Replace control characters, which could control the terminal; undecodable bytes stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" or "\udc80" <= c <= "\udcff" else "\ufffd" for c in text)


class UsageError(CliError):
    """Wrong flags or arguments."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Status.USAGE)


class Unreachable(CliError):
    """The agent does not answer: not running, wrong address, TLS refused.

    `refusal`: why no connection was made; None if one was made.
    """

    def __init__(self, message: str, refusal: OSError | None = None) -> None:
        super().__init__(message, Status.UNREACHABLE)
        self.refusal = refusal


class ApiError(CliError):
    """The agent answered with an error. `code` is the HTTP status, `text` the message."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"Unexpected response code: {code} ({text.strip()})", of_http(code))
        self.code = code
        self.text = text.strip()


def during(doing: str, error: CliError) -> CliError:
    """Return the error with the failed action in front: `Error retrieving members: Unexpected response code …`.

    Errors of flags and of the connection stay as they are: they do not depend on the action.
    """
    if isinstance(error, Unreachable | UsageError):
        return error
    return CliError(f"{doing}: {error}", error.status)
