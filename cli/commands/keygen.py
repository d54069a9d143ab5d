"""`pyconsul keygen`."""

from __future__ import annotations

from pyconsul.cli.command import Command
from pyconsul.cli.context import Context


def keygen(context: Context) -> None:
    """Print 32 random bytes in base64, from the system's source."""
    from binascii import b2a_base64
    from os import urandom

    context.out(b2a_base64(urandom(32), newline=False))


COMMANDS = {"keygen": Command(keygen, http=False)}
