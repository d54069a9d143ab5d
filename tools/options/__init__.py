"""Declarations of options, and how flags and configuration files are read by them."""
