"""Reports about a run: status pages, metrics, systemd's status line."""
