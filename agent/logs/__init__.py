"""The agent's log: line formats, log files, syslog."""
