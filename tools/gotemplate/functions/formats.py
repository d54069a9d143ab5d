"""consul-template's functions for JSON, YAML and TOML."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.text.json_text import parse_json, to_json


def _parse_json(text: str) -> Any:
    return parse_json(text) if text else {}


def _parse_yaml(text: str) -> Any:
    from pyconsul.tools.gotemplate.text.yaml_text import parse_yaml  # PyYAML is only loaded by templates that need it

    return parse_yaml(text) if text else {}


def _to_yaml(value: Any) -> str:
    from pyconsul.tools.gotemplate.text.yaml_text import to_yaml

    return to_yaml(value)


def _to_toml(value: Any) -> str:
    from pyconsul.tools.gotemplate.text.toml_text import to_toml

    return to_toml(value)


def _writer(name: str, write: Callable[[Any], str]) -> Function:
    """Return a function whose errors start with its name."""

    def run(value: Any) -> str:
        try:
            return write(value)
        except GoError as error:
            raise GoError(f"{name}: {error}") from None

    return function(run, ANY)


FUNCTIONS: Mapping[str, Function] = {
    "parseJSON": function(_parse_json, "string"),
    "parseYAML": function(_parse_yaml, "string"),
    "toJSON": _writer("toJSON", to_json),
    "toJSONPretty": _writer("toJSONPretty", lambda value: to_json(value, pretty=True)),
    "toTOML": _writer("toTOML", _to_toml),
    "toUnescapedJSON": _writer("toUnescapedJSON", lambda value: to_json(value, escape_html=False)),
    "toUnescapedJSONPretty": _writer(
        "toUnescapedJSONPretty", lambda value: to_json(value, pretty=True, escape_html=False)
    ),
    "toYAML": _writer("toYAML", _to_yaml),
}
