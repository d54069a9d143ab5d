"""The commands of `pyconsul`, one noun a file; `pyconsul.cli.registry` says which file holds which."""
