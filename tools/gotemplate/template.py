"""Go templates, parsed once and rendered often.

    template = parse("web.ctmpl", text, functions=names)
    text = template.execute(None, functions)          # functions: by name, Function or plain callable

A template reaches only what its functions reach. Rendering raises the recursion limit of the process meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pyconsul.agent.common.structs import struct
from pyconsul.tools.gotemplate.errors import GoError, TemplateError
from pyconsul.tools.gotemplate.runtime.builtins import BUILTINS, SHORT_CIRCUIT
from pyconsul.tools.gotemplate.runtime.fields import MissingKey
from pyconsul.tools.gotemplate.runtime.frames import Compiled, Frame
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, as_function, function
from pyconsul.tools.gotemplate.runtime.statements import compile_tree
from pyconsul.tools.gotemplate.syntax.parser import parse as parse_trees
from pyconsul.tools.gotemplate.syntax.quote import quote

EXECUTE_TEMPLATE = "executeTemplate"
_RECURSION_LIMIT = 15_000  # Python frames; enough for statements.MAX_DEPTH templates


@struct(frozen=True)
class Template:
    """A parsed template with the templates it defines. It holds no state: it may be executed at any time."""

    name: str
    templates: Mapping[str, Compiled]

    def execute(
        self,
        data: Any,
        functions: Mapping[str, Callable[..., Any] | Function],
        inspect: Callable[[str], None] | None = None,
    ) -> str:
        """Return the text for the data (the dot). Raises TemplateError. `inspect` sees all that is written, before it is; a
        ValueError of its ends the execution there.

        `functions` gives every function the template was parsed for, except the language's own and
        `executeTemplate`. The text may hold surrogate escapes: write it with `errors="surrogateescape"`.
        """
        bound = {**BUILTINS, **{name: as_function(call) for name, call in functions.items()}}
        bound.setdefault(
            EXECUTE_TEMPLATE,
            function(lambda name, *data: self._execute_named(name, data, bound), "string", "..." + ANY),
        )
        return self._render(self.templates[self.name], data, bound, inspect)

    def _execute_named(self, name: str, data: tuple[Any, ...], functions: Mapping[str, Function]) -> str:
        if len(data) > 1:
            raise GoError(f"executeTemplate: wrong number of arguments, expected 1 or 2, but got {len(data) + 1}")
        template = self.templates.get(name)
        if template is None:
            raise GoError(f"template: no template {quote(name)} associated with template {quote(self.name)}")
        return self._render(template, data[0] if data else None, functions)

    def _render(
        self,
        template: Compiled,
        data: Any,
        functions: Mapping[str, Function],
        inspect: Callable[[str], None] | None = None,
    ) -> str:
        out: list[str] = []

        def inspected(text: str) -> None:
            if inspect is not None:
                inspect(text)
            out.append(text)

        frame = Frame([], out.append if inspect is None else inspected, functions, self.templates)
        try:
            with _deep_recursion():
                template.run(frame, data)
        except RecursionError:
            raise TemplateError(f"template: {self.name}: exceeded maximum template depth") from None
        return "".join(out)


def parse(
    name: str,
    text: str,
    left_delim: str = "",
    right_delim: str = "",
    functions: Collection[str] = (),
    missing_key: MissingKey = "zero",
) -> Template:
    """Parse a template. Raises TemplateError.

    Empty delimiters stand for `{{` and `}}`. `functions`: the names it may use besides the language's own.
    `missing_key`: what a map's missing key gives: "zero" the zero value (consul-template's way), "error", or
    "default" `<no value>`.
    """
    known = {*BUILTINS, *SHORT_CIRCUIT, EXECUTE_TEMPLATE, *functions}
    own = SHORT_CIRCUIT.difference(functions)
    try:
        with _deep_recursion():
            trees = parse_trees(name, text, left_delim, right_delim, known)
            compiled = {key: compile_tree(tree, missing_key, own) for key, tree in trees.items()}
    except RecursionError:
        raise TemplateError(f"template: {name}: nested too deeply") from None
    return Template(name, compiled)


@contextmanager
def _deep_recursion() -> Iterator[None]:
    """Templates may nest, and call each other, deeper than Python's limit allows; its frames are on the heap."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION_LIMIT))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
