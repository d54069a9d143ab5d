"""The command line `pyconsul`: one-shot commands against an agent's HTTP API, quick to start."""
