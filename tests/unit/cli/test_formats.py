"""Every command that prints data lets people choose the format."""

from __future__ import annotations

import importlib

from pyconsul.cli.help import registry

#: They run something, follow something, print nothing but that it is done, or always print JSON.
WITHOUT = {
    "agent", "cluster demo", "demo", "exec", "force-leave", "lock", "login", "logout", "monitor", "registrator",
    "registrator drain", "snapshot decode",
}  # fmt: skip


def test_every_command_that_prints_has_a_format_flag() -> None:
    without = set()
    for name, (module, _) in registry.COMMANDS.items():
        command = importlib.import_module(f"pyconsul.cli.commands.{module}").COMMANDS[name]
        if "format" not in {flag.name for flag in command.flags}:
            without.add(name)
    assert without - WITHOUT == set()
