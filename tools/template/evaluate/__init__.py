"""Evaluation of templates against the data that is known. Pure but for reading template files."""
