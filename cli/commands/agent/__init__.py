"""The agent's own commands: run, check, reload and observe it."""
