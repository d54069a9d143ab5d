"""Describe the changes between two answers to a lookup in short lines for logs and the explain page. Pure.

    changes(lookup, old, new)   →  ["service web: -10.0.0.3:8080", "service web: 10.0.0.4:8080 passing → critical"]

Answers are what `Lookup.decode` makes; None is "not found" of a key, keys or a node; UNKNOWN (and None of what is
always found) means that there was no answer before. Values of keys and of
metadata, and texts of files, are never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.feed.records import CatalogNode, CatalogNodeService, HealthService, KeyPair, Node

#: There was no answer before.
UNKNOWN: Final = object()
#: Lines for one lookup, words in a line, characters in a line.
_LINES, _WORDS, _WIDTH = 20, 12, 300
#: Kinds of lookups whose subject need not exist.
_OPTIONAL = ("key", "keys", "node")
#: Fields of an instance that are compared, besides those with their own text.
_MORE = (
    ("Checks", "checks"),
    ("NodeMeta", "node meta"),
    ("NodeTaggedAddresses", "node's tagged addresses"),
    ("ServiceTaggedAddresses", "tagged addresses"),
    ("Kind", "kind"),
)


def changes(lookup: Lookup, old: Any, new: Any, limit: int = _LINES) -> list[str]:
    """Return a line for each change, at most `limit`, and one with the number of further changes; none for equal answers."""
    if old is new:
        return []
    first = old is UNKNOWN or (old is None and lookup.kind not in _OPTIONAL)
    if not first and old == new:
        return []
    found = [_first(lookup.kind, new)] if first else list(_compare(lookup.kind, old, new, lookup.name))
    name = _label(lookup)
    return [_clean(f"{name}: {line}") for line in _capped(found or ["changed"], limit)]


def all_changes(old: Mapping[Lookup, Any], new: Mapping[Lookup, Any], limit: int = _LINES) -> tuple[str, ...]:
    """Return the changes of everything a template is made of; the lookups in the order of their names."""
    lines: list[str] = []
    for lookup in sorted({*old, *new}, key=str):
        if lookup in new:
            lines += changes(lookup, old.get(lookup, UNKNOWN), new[lookup], limit)
        else:
            lines.append(_clean(f"{_label(lookup)}: no longer asked for"))
    return tuple(_capped(lines, limit))


def _capped(lines: Sequence[str], limit: int) -> list[str]:
    if len(lines) <= limit:
        return list(lines)
    return [*lines[:limit], f"… and {len(lines) - limit} more"]


def _clean(line: str) -> str:
    """Return a name that can neither break lines nor control a terminal: names come from the catalog."""
    if not line.isprintable():
        line = "".join(char if char.isprintable() else "?" for char in line)
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…"


def _label(lookup: Lookup) -> str:
    """Return `service tag.web@dc2`, as it is written in templates, without parameters that only choose or sort."""
    params = dict(lookup.params)
    tag, dc = params.pop("tag", ""), params.pop("dc", "")
    params.pop("passing", None)
    near = params.pop("near", "")
    name = f"{tag}." * bool(tag) + lookup.name + f"@{dc}" * bool(dc) + f"~{near}" * bool(near)
    more = "".join(f" {key}={value}" for key, value in params.items())
    return f"{lookup.kind.removesuffix('_near')} {name}".strip() + more


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _first(kind: str, new: Any) -> str:
    """Return the line about the first answer to a lookup."""
    match kind.removesuffix("_near"):
        case "service":
            return _counted(len(new), "instance")
        case "services" | "nodes":
            return _counted(len(new), kind.removesuffix("_near")[:-1])
        case "node":
            return "not found" if new is None else _counted(len(new.Services), "service")
        case "key":
            return "not found" if new is None else "found"
        case "keys":
            return _counted(len(new or ()), "key")
        case "datacenters":
            return ", ".join(new)
        case "agent":
            return str(new)
    return "read"


def _compare(kind: str, old: Any, new: Any, name: str) -> Iterator[str]:
    match kind.removesuffix("_near"):
        case "service":
            yield from _of_instances(old, new)
        case "services":
            yield from _of_services(old, new)
        case "nodes":
            yield from _of_nodes(old, new)
        case "node":
            yield from _of_node(old, new)
        case "key":
            yield _of_key(old, new)
        case "keys":
            yield from _of_keys(old or [], new or [], name)
        case "datacenters":
            yield from _one(_marked(old, new))
        case "agent":
            yield f"{old} → {new}"


def _one(line: str) -> list[str]:
    return [line] if line else []


def _marked(old: Iterable[str], new: Iterable[str], changed: Iterable[str] = ()) -> str:
    """Return `+added -removed ~changed`; "" without any."""
    before, after = set(old), set(new)
    words = [f"+{word}" for word in sorted(after - before)] + [f"-{word}" for word in sorted(before - after)]
    return " ".join(_capped([*words, *(f"~{word}" for word in sorted(changed))], _WORDS))


def _of_map(old: Mapping[str, Any], new: Mapping[str, Any], what: str) -> list[str]:
    """Return the names whose values have changed; values may be secret."""
    if old == new:
        return []
    changed = [name for name, value in new.items() if name in old and old[name] != value]
    return _one(f"{what} {_marked(old, new, changed)}")


def _of_list(old: Iterable[str], new: Iterable[str], what: str) -> list[str]:
    marked = _marked(old, new)
    return [f"{what} {marked}"] if marked else []


def _endpoint(address: str, port: int) -> str:
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _shown(instance: HealthService) -> str:
    """Return the address of an instance: the service's, or that of its node."""
    return _endpoint(instance.Address or instance.NodeAddress, instance.Port) or f"{instance.ID} on {instance.Node}"


Identity = Callable[[Any], Any]


def _pairs(old: Iterable[Any], new: Iterable[Any], identity: Identity) -> tuple[list[tuple[Any, Any]], Any, Any]:
    """Return the pairs of equal items before and after, the removed ones, and the added ones, each in order."""
    before = {identity(entry): entry for entry in old}
    after = {identity(entry): entry for entry in new}
    same = [(before[key], entry) for key, entry in after.items() if key in before]
    gone = [entry for key, entry in before.items() if key not in after]
    return same, gone, [entry for key, entry in after.items() if key not in before]


def _of_instances(old: Sequence[HealthService], new: Sequence[HealthService]) -> Iterator[str]:
    same, gone, came = _pairs(old or (), new or (), lambda instance: (instance.Node, instance.ID))
    # A deployment often changes the ID at an address: that is not a change of the address.
    moved, gone, came = _pairs(gone, came, _shown)
    yield from (f"-{_shown(instance)}" for instance in gone)
    yield from (f"+{_shown(instance)}" for instance in came)
    for before, after in [*same, *moved]:
        if before is not after and before != after and (words := list(_of_instance(before, after))):
            yield f"{_shown(before)} {', '.join(words)}"


def _of_instance(old: HealthService, new: HealthService) -> Iterator[str]:
    if _shown(old) != _shown(new):
        yield f"→ {_shown(new)}"
    if old.ID != new.ID:
        yield f"ID {old.ID} → {new.ID}"
    if old.Node != new.Node:
        yield f"node {old.Node} → {new.Node}"
    if old.Status != new.Status:
        yield f"{old.Status} → {new.Status}"
    yield from _of_list(old.Tags, new.Tags, "tags")
    yield from _of_map(old.ServiceMeta, new.ServiceMeta, "meta")
    if old.Weights != new.Weights:
        yield f"weights {old.Weights.Passing}/{old.Weights.Warning} → {new.Weights.Passing}/{new.Weights.Warning}"
    if old.Status == new.Status:  # otherwise the checks are why it has changed
        yield from (words for field, words in _MORE if getattr(old, field) != getattr(new, field))


def _of_services(old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    before = {service.Name: service.Tags for service in old}
    after = {service.Name: service.Tags for service in new}
    yield from _one(_marked(before, after))
    for name, tags in after.items():
        if name in before and before[name] != tags:
            yield from (f"{name} {words}" for words in _of_list(before[name], tags, "tags"))


def _of_nodes(old: Sequence[Node], new: Sequence[Node]) -> Iterator[str]:
    same, gone, came = _pairs(old, new, lambda node: node.Node)
    yield from _one(_marked((node.Node for node in gone), (node.Node for node in came)))
    for before, after in same:
        if words := list(_of_one_node(before, after)):
            yield f"{after.Node} {', '.join(words)}"


def _of_one_node(old: Node, new: Node) -> Iterator[str]:
    if old == new:
        return
    if old.Address != new.Address:
        yield f"{old.Address} → {new.Address}"
    if old.ID != new.ID:
        yield "ID"
    yield from _of_map(old.Meta, new.Meta, "meta")
    yield from _of_map(old.TaggedAddresses, new.TaggedAddresses, "tagged addresses")


def _of_node(old: CatalogNode | None, new: CatalogNode | None) -> Iterator[str]:
    if old is None or new is None:
        yield "created" if old is None else "deleted"
        return
    yield from _of_one_node(old.Node, new.Node)
    same, gone, came = _pairs(old.Services, new.Services, lambda service: service.ID)
    yield from (f"-{_of_host(service, old.Node)}" for service in gone)
    yield from (f"+{_of_host(service, new.Node)}" for service in came)
    for before, after in same:
        if before != after:
            words = [*_of_list(before.Tags, after.Tags, "tags"), *_of_map(before.Meta, after.Meta, "meta")]
            if _of_host(before, old.Node) != _of_host(after, new.Node):
                words.append(f"→ {_of_host(after, new.Node)}")
            yield f"{_of_host(before, old.Node)} {', '.join(words) or 'changed'}"


def _of_host(service: CatalogNodeService, node: Node) -> str:
    return f"{service.Service} {_endpoint(service.Address or node.Address, service.Port)}"


def _of_key(old: KeyPair | None, new: KeyPair | None) -> str:
    if old is None or new is None:
        return "created" if old is None else "deleted"
    if old.Value != new.Value:
        return "changed"
    if old.Flags != new.Flags:
        return "flags changed"
    if (old.LockIndex, old.Session) != (new.LockIndex, new.Session):
        return "locked" if new.Session else "unlocked"
    return "written again with the same value"


def _of_keys(old: Sequence[KeyPair], new: Sequence[KeyPair], prefix: str) -> Iterator[str]:
    before, after = {pair.Path: pair for pair in old}, {pair.Path: pair for pair in new}
    changed = [path for path, pair in after.items() if path in before and before[path].Value != pair.Value]

    def short(paths: Iterable[str]) -> list[str]:
        return [path.removeprefix(prefix).lstrip("/") or path for path in paths]

    marked = _marked(short(before), short(after), short(changed))
    yield marked or "written again with the same values"
