"""Jinja2 templates over a container. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from pyconsul.tools.registrator.desired.containers import Container, Port
from pyconsul.tools.registrator.desired.template_contract import TemplateFailed


class NotJinja(Exception):
    """The text is not a Jinja2 template."""


class JinjaTemplate:
    """A parsed template; a name that is not defined is an error."""

    def __init__(self, flag: str, text: str) -> None:
        self._flag = flag
        try:
            self._template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)
        except jinja2.TemplateSyntaxError as error:
            raise NotJinja(str(error.message)) from None

    def render(self, container: Container, port: Port, name: str) -> str:
        try:
            return self._template.render(_variables(container, port, name))
        except Exception as error:  # an expression of a template can raise any
            raise TemplateFailed(f"{self._flag}: {error}") from None


def _variables(container: Container, port: Port, name: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "container": container.described,
        "container_name": container.name,
        "container_id": container.id,
        "image": container.image,
        "labels": container.labels,
        "env": container.env,
        "project": container.project,
        "compose_service": container.compose_service,
        "port": port.number,
        "protocol": port.protocol,
    }
