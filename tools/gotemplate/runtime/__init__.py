"""Compiled Go templates: Go's values, functions and control flow."""
