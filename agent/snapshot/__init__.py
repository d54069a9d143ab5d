"""Snapshots in Consul's format: the archive, its records, and the way from rows to records and back."""
