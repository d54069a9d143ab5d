"""Go templates over a container, with registrator's functions. Pure."""

from __future__ import annotations

from pyconsul.tools.gotemplate import errors
from pyconsul.tools.gotemplate.template import parse
from pyconsul.tools.registrator.desired.containers import Container, Port
from pyconsul.tools.registrator.desired.go_functions import go_functions, go_value
from pyconsul.tools.registrator.desired.template_contract import Fetch, TemplateFailed


class NotGo(Exception):
    """The text is not a Go template."""


class GoTemplate:
    """A parsed template; its dot is the container as Docker's Go library shows it."""

    def __init__(self, flag: str, text: str, fetch: Fetch) -> None:
        self._functions = go_functions(fetch)
        try:
            self._template = parse(flag, text, functions=self._functions, missing_key="default")
        except errors.TemplateError as error:
            raise NotGo(str(error)) from None

    def render(self, container: Container, port: Port, name: str) -> str:
        try:
            return self._template.execute(go_value(container.described), self._functions)
        except errors.TemplateError as error:
            raise TemplateFailed(str(error)) from None
