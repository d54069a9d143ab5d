"""Declarations of the options of pyconsul-template."""
