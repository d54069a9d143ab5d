"""Reads of the state: pure functions from a view, a caller and parameters to rows, an index and topics."""
