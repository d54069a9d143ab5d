"""Templates of -tags, -tags-template and -name-template: Jinja2 or Go, over one container. Pure.

    template = parse_template("-name-template", "{{ project }}-{{ name }}", fetch)
    template.render(container, port, name="web")

A text with a Go field, as `{{ .Config.Image }}` or `{{ toUpper .Name }}`, is a Go template, and so is one that Jinja2 cannot parse.
"""

from __future__ import annotations

import re

from pyconsul.tools.registrator.desired.template_contract import Fetch, Template, TemplateFailed

#: A field at the start of an action, or after a blank or parenthesis; in Jinja2 dots follow a name.
_GO_FIELD = re.compile(r"\{\{-?(?:[^}]*[\s(])?\.[A-Za-z]")


def parse_template(flag: str, text: str, fetch: Fetch) -> Template:
    """Parse a template in either language. Raises TemplateFailed."""
    if _GO_FIELD.search(text):
        return parse_go_template(flag, text, fetch)
    from pyconsul.tools.registrator.desired.jinja_template import JinjaTemplate, NotJinja

    try:
        return JinjaTemplate(flag, text)
    except NotJinja as error:
        try:
            return parse_go_template(flag, text, fetch)
        except TemplateFailed as other:
            raise TemplateFailed(f"{flag}: not Jinja2 ({error}), and not Go ({other})") from None


def parse_go_template(flag: str, text: str, fetch: Fetch) -> Template:
    """Parse a Go template. Raises TemplateFailed."""
    from pyconsul.tools.registrator.desired.go_template import GoTemplate, NotGo

    try:
        return GoTemplate(flag, text, fetch)
    except NotGo as error:
        raise TemplateFailed(str(error)) from None
