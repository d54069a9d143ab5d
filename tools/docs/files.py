"""Every generated file, by its path in the project."""

from __future__ import annotations

from pyconsul.cli.completion.shells import fixed_script, script
from pyconsul.tools.docs.pages import PROGRAM, TOOLS, pages
from pyconsul.tools.docs.roff import page_text
from pyconsul.tools.options.completion import flags_of

#: Shell: how its files are named, so that it finds them by the program's name.
_NAMES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}


def files() -> dict[str, str]:
    """Path below the project's folder: text."""
    from importlib.metadata import version

    source = f"{PROGRAM} {version(PROGRAM)}"
    made = {f"man/{page.name}.{page.number}": page_text(page, source) for page in pages()}
    for shell, name in _NAMES.items():
        made[f"completions/{name.format(PROGRAM)}"] = script(shell)
        for tool in TOOLS:
            made[f"completions/{name.format(tool)}"] = fixed_script(shell, tool, flags_of(TOOLS[tool][0]))
    return made
