"""The functions of templates that read variables of the environment."""

from __future__ import annotations

from collections.abc import Mapping

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.syntax.quote import quote


def environment_functions(environ: Mapping[str, str]) -> dict[str, Function]:
    """Return the functions by name."""

    def must_env(name: str) -> str:
        """Return the variable's value; an error when it is not set or empty."""
        value = environ.get(name, "")
        if not value:
            raise GoError(f"environment variable {quote(name)} is not set or empty")
        return value

    return {
        "env": function(lambda name: environ.get(name, ""), "string"),
        "envOrDefault": function(environ.get, "string", "string"),
        "mustEnv": function(must_env, "string"),
    }
