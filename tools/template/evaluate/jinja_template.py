"""Templates in Jinja2 (https://jinja.palletsprojects.com): what is not defined is an error, nothing is escaped.

Includes, imports and macros are looked for in the template's own folder.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2.defaults import DEFAULT_NAMESPACE

from pyconsul.agent.common.structs import replace
from pyconsul.tools.template.evaluate.contract import Inspect, TemplateError
from pyconsul.tools.template.evaluate.jinja_filters import FILTERS
from pyconsul.tools.template.evaluate.jinja_suggestions import error_text, syntax_text, undefined_type
from pyconsul.tools.template.evaluate.template_text import read_source

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.functions import Functions
    from pyconsul.tools.template.spec import Spec

#: The extensions are loaded, which takes 2 ms, for templates that may use their tags, or others that do.
_EXTENSIONS = ("jinja2.ext.do", "jinja2.ext.loopcontrols")
_EXTENDED = re.compile(r"\b(do|break|continue|include|import|extends)\b")


class JinjaTemplate:
    """A parsed Jinja2 template."""

    fails_while_missing = False

    def __init__(self, spec: Spec, functions: Functions) -> None:
        self._spec = spec
        self._functions = functions
        # Read here: the loader's own error for a missing file does not say why.
        self.text = read_source(spec)
        self._template = self._parse(_environment(spec, functions, self.text))

    def _parse(self, environment: jinja2.Environment) -> jinja2.Template:
        try:
            if self._spec.contents is not None:
                return environment.from_string(self.text)
            code = environment.compile(self.text, self._spec.source, self._spec.source)
            return jinja2.Template.from_code(environment, code, environment.make_globals(None), None)
        except jinja2.TemplateError as error:
            raise self._located(error) from error

    def render(self, inspect: Inspect | None = None) -> str:
        """Raises TemplateError with the file and the line that failed."""
        template = self._template if inspect is None else self._inspected(inspect)
        try:
            return template.render(self._functions.context.variables)
        except TemplateError:
            raise
        except Exception as error:  # Whatever a template's expression can raise.
            raise self._located(error) from error

    def _inspected(self, inspect: Inspect) -> jinja2.Template:
        """Return the same template; a value that it prints is shown to `inspect`."""

        def finalize(value: Any) -> Any:
            inspect(str(value))
            return value

        environment = _environment(self._spec, self._functions, self.text)
        environment.finalize = finalize
        return self._parse(environment)

    def _located(self, error: Exception) -> TemplateError:
        name = self._spec.name
        if isinstance(error, jinja2.TemplateSyntaxError):
            text = syntax_text(error, _environment(self._spec, self._functions, self.text))
            return TemplateError(f"{_known(error.filename) or name}:{error.lineno}: {text}")
        if isinstance(error, jinja2.TemplateNotFound):
            text = f"there is no template {error.name!r} in the folder {str(self._spec.folder)!r}"
        else:
            text = error_text(error)
        filename, line = _template_location(error.__traceback__)
        return TemplateError(f"{_known(filename) or name}:{line}: {text}" if line else f"{name}: {text}")


def _known(filename: str | None) -> str:
    return "" if filename in (None, "<template>", "<unknown>") else str(filename)


def _template_location(trace: TracebackType | None) -> tuple[str, int]:
    """Return the innermost line of a template in a traceback; Jinja2 makes frames for them."""
    filename, line = "", 0
    while trace is not None:
        frame = trace.tb_frame
        if "__jinja_exception__" in frame.f_globals or "__jinja_template__" in frame.f_globals:
            filename, line = frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return filename, line


def _environment(spec: Spec, functions: Functions, text: str) -> jinja2.Environment:
    """Return an environment for a template with this text."""
    table = functions.mapping()
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(spec.folder),
        undefined=undefined_type([*table, *DEFAULT_NAMESPACE]),
        extensions=_EXTENSIONS if _EXTENDED.search(text) else (),
        keep_trailing_newline=True,
        newline_sequence="\n",
        variable_start_string=spec.left or "{{",
        variable_end_string=spec.right or "}}",
    )
    environment.filters |= FILTERS
    environment.globals |= table
    for names in (environment.filters, environment.globals):
        for name in names:
            if any(fnmatchcase(name, pattern) for pattern in spec.denylist):
                names[name] = _denied(name)
    return environment


class Expression:
    """An expression of Jinja2, out of a template's settings, with the functions of that template."""

    def __init__(self, spec: Spec, functions: Functions, text: str, what: str) -> None:
        """`what`: how messages call it. Raises TemplateError."""
        self._functions = functions
        self._shown = f"{spec.name}: {what} {text!r}"
        try:
            self._evaluate = _environment(spec, functions, text).compile_expression(text, undefined_to_none=False)
        except jinja2.TemplateError as error:
            raise TemplateError(f"{self._shown}: {error}") from error

    def value(self) -> Any:
        """Return its value now. Raises TemplateError."""
        try:
            result = self._evaluate(self._functions.context.variables)
        except Exception as error:  # Whatever an expression can raise.
            raise TemplateError(f"{self._shown}: {error_text(error)}") from error
        if isinstance(result, jinja2.Undefined):
            raise TemplateError(f"{self._shown}: it is not defined")
        return result


def text_template(spec: Spec, functions: Functions, text: str, what: str) -> Callable[[], str]:
    """Return a template out of a template's settings; the result gives its text now and raises TemplateError, as this does."""
    shown = f"{spec.name}: {what} {text!r}"
    try:
        template = _environment(replace(spec, left="", right=""), functions, text).from_string(text)
    except jinja2.TemplateError as error:
        raise TemplateError(f"{shown}: {error}") from error

    def render() -> str:
        try:
            return template.render(functions.context.variables)
        except Exception as error:  # Whatever a template's expression can raise.
            raise TemplateError(f"{shown}: {error_text(error)}") from error

    return render


def _denied(name: str) -> Callable[..., Any]:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError(f"the function {name} is denied to this template")

    return refuse
