"""Readers of configuration files: JSON, HCL, folders."""
