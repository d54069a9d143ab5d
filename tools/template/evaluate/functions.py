"""Functions of templates that read services, nodes, keys, variables and files. Pure: they read a `View`.

One object serves one template, and reads the `EvaluationContext` of the evaluation that is under way.
The methods have Jinja2's names; `go_lookups` offers the same lookups to Go templates in consul-template's forms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.structs import field, struct
from pyconsul.tools.gotemplate.runtime.values import Slice
from pyconsul.tools.template.feed import lookups
from pyconsul.tools.template.feed.decode import below, directly_in
from pyconsul.tools.template.feed.lookups import BadLookup, Lookup

if TYPE_CHECKING:
    from pyconsul.tools.template.evaluate.guard import Guard, Watched
    from pyconsul.tools.template.feed.answers import View
    from pyconsul.tools.template.feed.records import CatalogNode, HealthService, KeyPair


@struct(frozen=True, eq=False)
class EvaluationContext:
    """The data of one evaluation.

    `variables`: names that a template has besides the functions. `guard`: keeps services and their instances from being
    lost; `now`: its time, in seconds of any clock. `disguise`: replaces each answer of the catalog. `given`: filled with
    the answers of the catalog that the template has read.
    """

    view: View
    variables: Mapping[str, Any] = field(default_factory=dict)
    guard: Guard | None = None
    now: float = 0.0
    disguise: Callable[[Any], Any] | None = None
    given: list[Any] = field(default_factory=list)


class Functions:
    """`environ`: what `env` reads. `sandbox`: the folder that `file` must not leave, "" for none."""

    def __init__(self, environ: Mapping[str, str], sandbox: str = "") -> None:
        self._context: EvaluationContext | None = None
        self._environ = environ
        self._sandbox = sandbox

    @contextmanager
    def evaluating(self, context: EvaluationContext) -> Iterator[EvaluationContext]:
        """Use this context within the block; contexts may be nested."""
        outer, self._context = self._context, context
        try:
            yield context
        finally:
            self._context = outer

    @property
    def context(self) -> EvaluationContext:
        """The context of the evaluation that is under way."""
        assert self._context is not None, "the functions of templates are called during an evaluation only"
        return self._context

    def _ask(self, lookup: Lookup, empty: Any = None) -> Any:
        answer = self.context.view.ask(lookup)
        return empty if answer is None else answer

    def _give(self, answer: Any) -> Any:
        """Return an answer of the catalog as the template sees it."""
        context = self.context
        context.given.append(answer)
        return answer if context.disguise is None else context.disguise(answer)

    def services(self, dc: str = "") -> list[Any]:
        """Return all services of the catalog, by name."""
        return self.catalog_services(lookups.services(dc=dc))

    def catalog_services(self, lookup: Lookup) -> list[Any]:
        """Return the services that a lookup asks for."""
        answer: list[Any] = self._ask(lookup, Slice("[]*dependency.CatalogSnippet"))
        context = self.context
        if context.guard is not None and lookup not in context.view.missing:
            answer = context.guard.admit_list(lookup, answer, context.now)
        given: list[Any] = self._give(answer)
        return given

    def service(self, name: str, tag: str = "", dc: str = "", near: str = "", status: str = "") -> list[HealthService]:
        """Return the instances of a service, healthy ones unless a `status` ("any", "passing,warning") says otherwise."""
        lookup, statuses = lookups.service(name, tag=tag, dc=dc, near=near, status=status)
        found: list[HealthService] = self._ask(lookup, Slice("[]*dependency.HealthService"))
        if statuses not in (("any",), ("passing",)):
            found = Slice("[]*dependency.HealthService", (entry for entry in found if entry.Status in statuses))
        if (guard := self.context.guard) is not None:
            found = _admitted(self.context, guard, guard.watched(lookup, statuses), found)
        given: list[HealthService] = self._give(found)
        return given

    def nodes(self, dc: str = "", near: str = "") -> list[Any]:
        """Return all nodes of the catalog, by name; by distance with `near`."""
        return self.catalog_nodes(lookups.nodes(dc=dc, near=near))

    def catalog_nodes(self, lookup: Lookup) -> list[Any]:
        """Return the nodes that a lookup asks for."""
        answer: list[Any] = self._give(self._ask(lookup, Slice("[]*dependency.Node")))
        return answer

    def node(self, name: str = "", dc: str = "") -> CatalogNode | None:
        """Return a node and its services (without a name those of the agent), or None."""
        if not name:
            name = self._ask(lookups.own_node(), "")
            if not name:
                return None
        answer: CatalogNode | None = self._give(self._ask(lookups.node(name, dc=dc)))
        return answer

    def datacenters(self) -> list[str]:
        """Return the names of all datacenters, the nearest first."""
        answer: list[str] = self._give(self._ask(lookups.datacenters(), Slice("[]string")))
        return answer

    def pair(self, path: str, dc: str = "") -> KeyPair | None:
        """Return a key with its flags and indexes; None when it does not exist."""
        answer: KeyPair | None = self._ask(lookups.key(path, dc=dc))
        return answer

    def key(self, path: str, dc: str = "") -> str:
        """Return a key's value. Without the key nothing is written: its last value stays in force."""
        found: KeyPair | None = self.context.view.need(lookups.key(path, dc=dc))
        return found.Value if found else ""

    def key_or_default(self, path: str, default: str = "", dc: str = "") -> str:
        """Return a key's value, or the default when the key does not exist or is empty."""
        found = self.pair(path, dc)
        return found.Value if found and found.Value else default

    def key_exists(self, path: str, dc: str = "") -> bool:
        """Return whether there is such a key."""
        return self.pair(path, dc) is not None

    def tree(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """Return all pairs below a folder, by path; their `key` is relative to it."""
        lookup = lookups.keys(prefix, dc=dc, folder=True)
        return below(self._ask(lookup, []), lookup.name)

    def ls(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """Return the pairs in a folder itself, by path."""
        return directly_in(self.tree(prefix, dc))

    def safe_tree(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """Return pairs as `tree` does; without any pair nothing is written and the last ones stay in use."""
        lookup = lookups.keys(prefix, dc=dc, folder=True)
        return below(self.context.view.need(lookup) or [], lookup.name)

    def safe_ls(self, prefix: str = "", dc: str = "") -> list[KeyPair]:
        """Return pairs as `ls` does; without any pair nothing is written and the last ones stay in use."""
        return directly_in(self.safe_tree(prefix, dc))

    def env(self, name: str, default: str = "") -> str:
        """Return a variable of the environment."""
        return self._environ.get(name, default)

    def file(self, path: str) -> str:
        """Return a file's text; it is watched, too."""
        where = str(path)
        if self._sandbox:
            place = Path(self._sandbox).resolve()
            target = Path(where).resolve()
            if not target.is_relative_to(place):
                raise BadLookup(f"file {where!r} is outside of the sandbox {self._sandbox!r}")
        answer: str = self._ask(lookups.file(where), "")
        return answer

    def mapping(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by the names that templates use."""
        names = (
            "services service nodes node datacenters pair key key_or_default key_exists ls tree safe_ls safe_tree "
            "env file"
        )
        return {name: getattr(self, name) for name in names.split()}


def _admitted(
    context: EvaluationContext, guard: Guard, watched: Watched, found: list[HealthService]
) -> list[HealthService]:
    """Return the instances to use; the lookup counts as missing while the guard accepts none."""
    if watched.lookup in context.view.missing:
        return found
    admitted = guard.admit(watched, found, context.now)
    if admitted is None:
        context.view.missing.add(watched.lookup)
    return Slice("[]*dependency.HealthService") if admitted is None else admitted
