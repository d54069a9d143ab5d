"""Snapshots of the state at intervals (`snapshot_schedule`)."""
