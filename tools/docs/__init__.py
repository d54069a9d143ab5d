"""Makes the man pages and the completion scripts from the declarations of flags: `python -m pyconsul.tools.docs`."""
