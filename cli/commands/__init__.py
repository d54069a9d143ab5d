"""The commands of `pyconsul`, by noun; `pyconsul.cli.help.registry` names the module of each."""
