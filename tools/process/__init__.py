"""The process side of a tool: child processes, PID files, logs, exit codes."""
