"""Reading a template's text."""

from __future__ import annotations

import functools
import sys

from pyconsul.agent.common.reasons import reason
from pyconsul.tools.template.evaluate.contract import TemplateError
from pyconsul.tools.template.spec import STREAM, Spec


def read_source(spec: Spec) -> str:
    """Return the contents, or the text of the source, with its line ends as they are. Raises TemplateError."""
    if spec.contents is not None:
        return spec.contents
    try:
        if spec.source == STREAM:
            return _stdin()
        with open(spec.source, encoding="utf-8", newline="") as source:
            return source.read()
    except OSError as error:
        raise TemplateError(f"cannot read the template {spec.source}: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"cannot read the template {spec.source}: {reason(error)}") from error


@functools.cache
def _stdin() -> str:
    """It can be read once only; a configuration that is read again finds the same text."""
    return sys.stdin.buffer.read().decode()
