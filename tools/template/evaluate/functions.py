"""What templates call to learn about services, nodes, keys, variables and files. Pure: it reads a `View`.

One object serves one template. Before each evaluation its `view` is set; then it answers out of that view.
The methods have the words of Jinja2; `go_api` gives the same lookups to Go templates in their forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyconsul.tools.gotemplate.runtime.values import Slice
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.decode import below, directly_in
from pyconsul.tools.template.feed.lookups import BadLookup, Lookup

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.guard import Guard, Watched
    from pyconsul.tools.template.feed.answers import View
    from pyconsul.tools.template.feed.records import CatalogNode, HealthService, KeyPair


class Functions:
    """`environ`: what `env` reads. `sandbox`: the folder that `file` must not leave, "" for none."""

    def __init__(self, environ: Mapping[str, str], sandbox: str = "") -> None:
        self.view: View | None = None
        #: What a template sees besides the functions.
        self.variables: dict[str, Any] = {}
        #: What keeps services from getting lost, with all or with many of their instances, during an evaluation, and the
        #: time that it takes for now.
        self.guard: Guard | None = None
        self.now = 0.0
        #: What the catalog has given to the template in this evaluation; what it sees in place of that.
        self.given: list[Any] = []
        self.disguise: Callable[[Any], Any] | None = None
        self._environ = environ
        self._sandbox = sandbox

    def _ask(self, lookup: Lookup, empty: Any = None) -> Any:
        assert self.view is not None
        answer = self.view.ask(lookup)
        return empty if answer is None else answer

    def _give(self, answer: Any) -> Any:
        """An answer out of the catalog."""
        self.given.append(answer)
        return answer if self.disguise is None else self.disguise(answer)

    def services(self, dc: str = "") -> list[Any]:
        """All services of the catalog, by name."""
        return self.catalog_services(lookups.services(dc=dc))

    def catalog_services(self, lookup: Lookup) -> list[Any]:
        """The services that a lookup asks for."""
        answer: list[Any] = self._ask(lookup, Slice("[]*dependency.CatalogSnippet"))
        assert self.view is not None
        if self.guard is not None and lookup not in self.view.missing:
            answer = self.guard.admit_list(lookup, answer, self.now)
        given: list[Any] = self._give(answer)
        return given

    def service(self, name: str, tag: str = "", dc: str = "", near: str = "", status: str = "") -> list[HealthService]:
        """The instances of a service, healthy ones unless a `status` ("any", "passing,warning") says otherwise."""
        lookup, statuses = lookups.service(name, tag=tag, dc=dc, near=near, status=status)
        found: list[HealthService] = self._ask(lookup, Slice("[]*dependency.HealthService"))
        if statuses not in (("any",), ("passing",)):
            found = Slice("[]*dependency.HealthService", (entry for entry in found if entry.Status in statuses))
        if self.guard is not None:
            found = self._guarded(self.guard, self.guard.watched(lookup, statuses), found)
        given: list[HealthService] = self._give(found)
        return given

    def _guarded(self, guard: Guard, watched: Watched, found: list[HealthService]) -> list[HealthService]:
        """The instances to use; while there are none that may be, the lookup counts as missing."""
        assert self.view is not None
        if watched.lookup in self.view.missing:
            return found
        admitted = guard.admit(watched, found, self.now)
        if admitted is None:
            self.view.missing.add(watched.lookup)
        return Slice("[]*dependency.HealthService") if admitted is None else admitted

    def nodes(self, dc: str = "", near: str = "") -> list[Any]:
        """All nodes of the catalog, by name; by distance with `near`."""
        return self.catalog_nodes(lookups.nodes(dc=dc, near=near))

    def catalog_nodes(self, lookup: Lookup) -> list[Any]:
        """The nodes that a lookup asks for."""
        answer: list[Any] = self._give(self._ask(lookup, Slice("[]*dependency.Node")))
        return answer

    def node(self, name: str = "", dc: str = "") -> CatalogNode | None:
        """A node and its services, the agent's own without a name; None when there is none of this name."""
        if not name:
            name = self._ask(lookups.own_node(), "")
            if not name:
                return None
        answer: CatalogNode | None = self._give(self._ask(lookups.node(name, dc=dc)))
        return answer

    def datacenters(self) -> list[str]:
        """The names of all datacenters, the nearest first."""
        answer: list[str] = self._give(self._ask(lookups.datacenters(), Slice("[]string")))
        return answer

    def pair(self, path: str, dc: str = "") -> KeyPair | None:
        """A key with its flags and indexes; None when there is no such key."""
        answer: KeyPair | None = self._ask(lookups.key(path, dc=dc))
        return answer

    def key(self, path: str, dc: str = "") -> str:
        """A key's value. Without the key nothing is written: its last value stays in force."""
        assert self.view is not None
        found: KeyPair | None = self.view.need(lookups.key(path, dc=dc))
        return found.Value if found else ""

    def key_or_default(self, path: str, default: str = "", dc: str = "") -> str:
        """A key's value, or the default when the key does not exist or is empty."""
        found = self.pair(path, dc)
        return found.Value if found and found.Value else default

    def key_exists(self, path: str, dc: str = "") -> bool:
        """Whether there is such a key."""
        return self.pair(path, dc) is not None

    def tree(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """All pairs below a folder, by path; their `key` is relative to it."""
        lookup = lookups.keys(prefix, dc=dc, folder=True)
        return below(self._ask(lookup, []), lookup.name)

    def ls(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """The pairs in a folder itself, by path."""
        return directly_in(self.tree(prefix, dc))

    def safe_tree(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """As `tree`, but without any pair nothing is written: the last ones stay in force."""
        return self._safe(lookups.keys(prefix, dc=dc, folder=True))

    def safe_ls(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """As `ls`, but without any pair nothing is written: the last ones stay in force."""
        return directly_in(self.safe_tree(prefix, dc))

    def _safe(self, lookup: Lookup) -> list[KeyPair]:
        assert self.view is not None
        return below(self.view.need(lookup) or [], lookup.name)

    def env(self, name: str, default: str = "") -> str:
        """A variable of the environment."""
        return self._environ.get(name, default)

    def file(self, path: str) -> str:
        """A file's text; it is watched, too."""
        where = str(path)
        if self._sandbox:
            place = Path(self._sandbox).resolve()
            target = Path(where).resolve()
            if not target.is_relative_to(place):
                raise BadLookup(f"file {where!r} is outside of the sandbox {self._sandbox!r}")
        answer: str = self._ask(lookups.file(where), "")
        return answer

    def mapping(self) -> dict[str, Callable[..., Any]]:
        """The functions by the names that templates use."""
        names = (
            "services service nodes node datacenters pair key key_or_default key_exists ls tree safe_ls safe_tree "
            "env file"
        )
        return {name: getattr(self, name) for name in names.split()}
