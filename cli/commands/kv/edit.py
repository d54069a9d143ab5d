"""`pyconsul kv edit`: change a value in the user's editor, unless it has changed meanwhile."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile

from pyconsul.agent.common.http_answer import quote
from pyconsul.agent.common.options import text
from pyconsul.agent.common.reasons import reason
from pyconsul.cli.commands.kv.get import key_argument, value_of
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError, during
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag


def edit(context: Context) -> None:
    """Read, edit, write with check-and-set. Raises CliError; an edited value that was not written is kept in a file."""
    key = key_argument(context.args.rest)
    if not key:
        raise UsageError("Error! Missing KEY argument")
    named = context.args[_EDITOR] or context.environ.get("VISUAL") or context.environ.get("EDITOR")
    if not named and not (context.tty and context.stdin.isatty()):
        raise CliError(
            "Error! The editor vi needs a terminal. Set EDITOR or use -editor, or write with pyconsul kv put."
        )
    old, flags, index = _read(context, key)
    # mkstemp makes it readable for its owner alone: values may be secrets.
    handle, path = tempfile.mkstemp(
        prefix="pyconsul-", suffix="-" + "".join(c for c in key[-40:] if c.isalnum() or c in "._-")
    )
    with os.fdopen(handle, "wb") as file:
        file.write(old)
    keep = False
    try:
        _run_editor(context, path)
        new = _edited(path, old)
        if new == old and index:
            confirm(context, f"No change: {key}", {"Key": key, "Written": False})
            return
        keep = True
        _write(context, key, new, {"cas": str(index), **({"flags": str(flags)} if flags else {})}, path)
        keep = False
    finally:
        if not keep:
            os.unlink(path)
    confirm(context, f"Success! Data written to: {key}", {"Key": key, "Written": True})


def _read(context: Context, key: str) -> tuple[bytes, int, int]:
    """Value, flags and ModifyIndex; an index of 0 means that the key does not exist."""
    response = context.client.request("GET", "/v1/kv/" + quote(key), {"consistent": ""})
    if response.status == 404:
        return b"", 0, 0
    entry = response.checked().json()[0]
    return value_of(entry), entry["Flags"], entry["ModifyIndex"]


def _run_editor(context: Context, path: str) -> None:
    environ = context.environ
    editor = context.args[_EDITOR] or environ.get("VISUAL") or environ.get("EDITOR") or "vi"
    try:
        ended = subprocess.run([*shlex.split(editor), path], check=False)
    except (OSError, ValueError) as error:
        raise CliError(
            f"Error! Cannot run the editor {editor!r}: {reason(error)}. Set EDITOR or use -editor."
        ) from None
    if ended.returncode:
        raise CliError(f"Error! The editor {editor!r} ended with {ended.returncode}; nothing was written")


def _edited(path: str, old: bytes) -> bytes:
    """Return the edited text, without the line break that editors add to a text that has none."""
    with open(path, "rb") as file:
        new = file.read()
    return new if old.endswith(b"\n") else new.removesuffix(b"\n")


def _write(context: Context, key: str, value: bytes, query: dict[str, str], path: str) -> None:
    try:
        written = context.client.request("PUT", "/v1/kv/" + quote(key), query, value).checked()
    except CliError as error:
        raise during(f"Error! Failed writing data to {key}; your text is in {path}", error) from None
    if written.body.strip() == b"false":
        raise CliError(
            f"Error! {key} was changed by somebody else meanwhile, and is left as it is; your text is in {path}",
            Status.CONFLICT,
        )


_EDITOR = text("editor", "Editor command; the default is VISUAL, EDITOR or vi.", metavar="command")
COMMANDS = {
    "kv edit": Command(
        edit,
        _EDITOR,
        format_flag(),
        usage="KEY",
        about="A key that does not exist is created. If somebody else changes the key meanwhile, nothing is written "
        "and the edited text is kept in a file.",
    )
}
