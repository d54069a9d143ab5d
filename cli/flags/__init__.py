"""Command line flags in Go's grammar."""
