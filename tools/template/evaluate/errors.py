"""What can go wrong with a template, its file, and what is run after a change."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be parsed or evaluated; the text names file and line."""


class BrokenTemplate(TemplateError):
    """A template whose errors end the program cannot be parsed."""


class UnsafeField(TemplateError):
    """A field of the catalog would break a line of the file; the text names the field."""


class Refused(Exception):
    """A check will not have a file; the text is its own."""


class CommandError(Exception):
    """A command has failed; the text names it."""


class LoadError(Exception):
    """The files in place could not be put into force; the text says why."""
