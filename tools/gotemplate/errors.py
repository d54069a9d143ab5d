"""The errors of Go templates."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be parsed or evaluated; the text names template, line and column as Go's does."""


class GoError(Exception):
    """A value is wrong. It has no location; the evaluator adds one and raises TemplateError."""
