"""The functions of Go templates that ask Consul, in consul-template's forms; the lookups are those of Jinja2's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import NilPointer, Slice
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.decode import below, directly_in
from pyconsul.tools.template.feed.lookups import BadLookup, Lookup
from pyconsul.tools.template.feed.records import CatalogNode, KeyPair

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.functions import Functions

_PAIRS = "[]*dependency.KeyPair"


class GoApi:
    """One object serves one template; answers come out of the view of the evaluation."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions

    def service(self, query: str, *status: str) -> Any:
        """`service "[tag.]name[@dc][~near][|status]" ["status"]`."""
        if not query:
            return Slice("[]*dependency.HealthService")
        if len(status) > 1:
            raise BadLookup(f"service: at most a query and a status are given, not {len(status) + 1} words")
        return self._functions.service(query, status=status[0] if status else "")

    def services(self, *place: str) -> Any:
        """`services ["@dc"]`."""
        return self._functions.catalog_services(lookups.services("".join(place)))

    def nodes(self, *place: str) -> Any:
        """`nodes ["@dc~near"]`."""
        return self._functions.catalog_nodes(lookups.nodes("".join(place)))

    def node(self, *query: str) -> Any:
        """`node ["name@dc"]`; one that does not exist has no `.Node`."""
        found = self._functions.node(*query[:1])
        if found is not None:
            return found
        if self._view.missing:
            return NilPointer("*dependency.CatalogNode")
        return CatalogNode(NilPointer("*dependency.Node"), Slice("[]*dependency.CatalogNodeService"))

    def datacenters(self, *_: bool) -> Any:
        """`datacenters [true]`; what cannot be reached is never listed."""
        return self._functions.datacenters()

    def key(self, path: str) -> str:
        """`key "path@dc"`."""
        return self._functions.key(path) if path else ""

    def key_or_default(self, path: str, default: str) -> str:
        """`keyOrDefault "path@dc" "default"`."""
        return self._functions.key_or_default(path, default) if path else default

    def key_exists(self, path: str) -> bool:
        """`keyExists "path@dc"`."""
        return self._functions.key_exists(path) if path else False

    def key_exists_get(self, path: str) -> Any:
        """`keyExistsGet "path@dc"`: the pair; `.Exists` says whether there is one."""
        found = self._functions.pair(path) if path else None
        return found or KeyPair(path, path, "", Exists=False)

    def tree(self, prefix: str) -> Any:
        """`tree "prefix@dc"`: all that begins so, `app2/x` as well when asked for `app`."""
        return self._below(prefix, self._view.ask)

    def ls(self, prefix: str) -> Any:
        """`ls "prefix@dc"`."""
        return directly_in(self.tree(prefix))

    def safe_tree(self, prefix: str) -> Any:
        """`safeTree "prefix@dc"`: waits until there is something."""
        return self._below(prefix, self._view.need)

    def safe_ls(self, prefix: str) -> Any:
        """`safeLs "prefix@dc"`: waits until there is something."""
        return directly_in(self.safe_tree(prefix))

    def _below(self, prefix: str, ask: Callable[[Lookup], Any]) -> Slice:
        if not prefix:
            return Slice(_PAIRS)
        lookup = lookups.keys(prefix)
        return below(ask(lookup) or [], lookup.name)

    def file(self, path: str) -> str:
        """`file "path"`."""
        return self._functions.file(path) if path else ""

    @property
    def _view(self) -> Any:
        return self._functions.context.view

    def table(self) -> dict[str, Function]:
        """Return the functions by the names that templates use."""
        one, more = ("string",), ("...string",)
        signatures: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
            "service": (self.service, ("string", "...string")),
            "services": (self.services, more),
            "nodes": (self.nodes, more),
            "node": (self.node, more),
            "datacenters": (self.datacenters, ("...bool",)),
            "key": (self.key, one),
            "keyOrDefault": (self.key_or_default, ("string", "string")),
            "keyExists": (self.key_exists, one),
            "keyExistsGet": (self.key_exists_get, one),
            "ls": (self.ls, one),
            "tree": (self.tree, one),
            "safeLs": (self.safe_ls, one),
            "safeTree": (self.safe_tree, one),
            "file": (self.file, one),
        }
        return {name: function(_checked(name, call), *types) for name, (call, types) in signatures.items()}


def _checked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*arguments: Any) -> Any:
        try:
            return call(*arguments)
        except BadLookup as error:
            raise GoError(f"{name}: {error}") from error

    return checked
