"""Child processes, PID files, service notifications and the start of a program, for agent, command line and tools."""
