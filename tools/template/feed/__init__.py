"""Lookups and their answers: the data that templates are rendered from."""
