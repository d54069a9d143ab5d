"""`pyconsul keygen`."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import confirm, format_flag


def keygen(context: Context) -> None:
    """Print 32 random bytes in base64, from the system's source."""
    from binascii import b2a_base64
    from os import urandom

    key = b2a_base64(urandom(32), newline=False).decode()
    confirm(context, key, {"Key": key})


COMMANDS = {"keygen": Command(keygen, format_flag(), http=False, lenient=True)}
