"""What can be wrong with a template."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be parsed or evaluated; the text names file and line."""


class BrokenTemplate(TemplateError):
    """A template whose errors end the program cannot be parsed."""


class UnsafeField(TemplateError):
    """A field of the catalog would break a line of the file; the text names the field."""
