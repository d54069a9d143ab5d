"""Declarations of settings, one module a subject."""
