"""`scratch`: values that a template keeps while it is rendered."""

from __future__ import annotations

from typing import Any, ClassVar

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import ANY, Function, function
from pyconsul.tools.gotemplate.runtime.values import Map
from pyconsul.tools.gotemplate.syntax.quote import quote


class Scratch:
    """Named values; one for each rendering of a template and the templates it calls."""

    go_type: ClassVar[str] = "template.Scratch"
    go_fields: ClassVar[tuple[str, ...]] = ()
    go_methods: ClassVar[dict[str, Function]]

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def key(self, name: str) -> bool:
        """Return whether there is a value."""
        return name in self.values

    def get(self, name: str) -> Any:
        """Return the value, or nil."""
        return self.values.get(name)

    def set(self, name: str, value: Any) -> str:
        """Keep a value."""
        self.values[name] = value
        return ""

    def set_x(self, name: str, value: Any) -> str:
        """Keep a value unless there is one."""
        self.values.setdefault(name, value)
        return ""

    def map_set(self, name: str, key: str, value: Any) -> str:
        """Keep a value in a map of that name."""
        self._map(name)[key] = value
        return ""

    def map_set_x(self, name: str, key: str, value: Any) -> str:
        """Keep a value in a map of that name unless the key is there."""
        self._map(name).setdefault(key, value)
        return ""

    def _map(self, name: str) -> dict[str, Any]:
        found = self.values.setdefault(name, {})
        if not isinstance(found, dict) or isinstance(found, Map):
            raise GoError(f"{quote(name)} is not a map")
        return found

    def map_values(self, name: str) -> list[Any]:
        """Return the values of a map in the order of its keys; none when there is no such map."""
        found = self.values.get(name)
        return [found[key] for key in sorted(found)] if type(found) is dict else []


Scratch.go_methods = {
    "Get": function(Scratch.get, "string"),
    "Key": function(Scratch.key, "string"),
    "MapSet": function(Scratch.map_set, "string", "string", ANY),
    "MapSetX": function(Scratch.map_set_x, "string", "string", ANY),
    "MapValues": function(Scratch.map_values, "string"),
    "Set": function(Scratch.set, "string", ANY),
    "SetX": function(Scratch.set_x, "string", ANY),
}
