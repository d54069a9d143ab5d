"""Prepared queries: definitions, permissions, execution."""
