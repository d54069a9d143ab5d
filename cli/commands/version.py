"""`pyconsul version`."""

from __future__ import annotations

from pyconsul.cli.context import Context
from pyconsul.cli.help.command import Command
from pyconsul.cli.output.render import document, format_flag

#: The release of Consul whose API, files and commands are followed.
CONSUL_VERSION = "1.21.4"


def version(context: Context) -> None:
    """Print the version of pyconsul and of the Consul that it replaces."""
    from importlib.metadata import version as installed

    number = installed("pyconsul")
    data = {
        "Version": CONSUL_VERSION,
        "HumanVersion": CONSUL_VERSION,
        "Prerelease": "",
        "Revision": "",
        "Pyconsul": number,
        "RPC": {"Default": 2, "Min": 2, "Max": 3},
    }
    if not document(context, data):
        context.out(f"pyconsul v{number}")
        context.out(f"Compatible with Consul v{CONSUL_VERSION}")


COMMANDS = {"version": Command(version, format_flag("pretty"), http=False)}
