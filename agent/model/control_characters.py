"""Control characters in the names, IDs, tags, addresses and metadata of the catalog.

A line break in a tag can become a line of a rendered configuration file, so registrations with one are refused unless the
setting `allow_control_characters` permits them.  The fields of `FREE_TEXT` may have several lines.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from pyconsul.agent.model.check import HealthCheck
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.service import NodeService

#: Fields that are not names, by their JSON keys: texts by people, requests, outputs and scripts of checks, the rules,
#: expressions and settings of access control, secrets, and the free-form settings of mesh proxies, which are dropped.
FREE_TEXT = frozenset(
    {
        "Notes", "Output", "Body", "ScriptArgs", "Args", "Description", "Rules", "Selector", "Regexp", "Config", "Token",
        "SecretID", "WriteRequest",
    }
)  # fmt: skip
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # C0, DEL, C1, and Unicode's line and paragraph separators
# The same in JSON as msgspec writes it, once the escaped backslashes are removed.
_ESCAPED = re.compile(rb"\\[bfnrtu]")
_UNESCAPED = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")
_encode = msgspec.json.Encoder().encode
MAX_VALUES = 100_000  # of a body that are examined one by one

_Path: TypeAlias = "tuple[_Path | None, str]"


def fault_of_texts(texts: Iterable[tuple[str, str]]) -> str:
    """Return the first field whose text has a control character, of (field, text) pairs; empty for none."""
    return next(filter(None, (_fault(field, text) for field, text in texts)), "")


def fault_of_fields(value: object, path: str = "", free: Collection[str] = FREE_TEXT) -> str:
    """Return the path of the first text with a control character in a structure, map or list; empty for none.

    path: what stands before the fields' names in the text; free: the fields that are not looked at.
    """
    if not value or _is_clean(value):
        return ""
    looked_at = 0
    waiting: list[tuple[_Path, object]] = [((None, path), value)]
    while waiting:
        where, found = waiting.pop()
        looked_at += 1
        if looked_at > MAX_VALUES:
            return f"{_field(where)}: more than {MAX_VALUES} values"
        if isinstance(found, str):
            if fault := _fault(_field(where), found):
                return fault
        elif isinstance(found, list | tuple) and _are_plain(found):
            continue
        else:
            waiting.extend(((where, label), item) for label, item in _parts(found, free))
    return ""


def _is_clean(value: object) -> bool:
    """Return whether one search over the encoded value finds no control character; False where it cannot tell."""
    try:
        encoded = _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):  # JSON has larger numbers than the encoder takes
        return False
    if b"\\" in encoded and _ESCAPED.search(encoded.replace(b"\\\\", b"")):
        return False
    return (encoded.isascii() and b"\x7f" not in encoded) or not _UNESCAPED.search(encoded)


def _fault(field: str, text: str) -> str:
    """Return the refusal of a text; empty if it is allowed."""
    found = _CONTROL.search(text)
    if found is None:
        return ""
    return (
        f"{field}: control character U+{ord(found[0]):04X} at position {found.start()} is not allowed "
        "(the setting allow_control_characters permits it)"
    )


def _are_plain(texts: Sequence[object]) -> bool:
    """Return whether these are texts without control characters; one search over all of them is fast."""
    try:
        return not _CONTROL.search("".join(texts))  # type: ignore[arg-type]
    except TypeError:
        return False


def _parts(value: object, free: Collection[str]) -> Iterator[tuple[str, object]]:
    """Return the non-empty parts of a structure, map or list, each with its label."""
    if isinstance(value, msgspec.Struct):
        for name, attribute in zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True):
            if name not in free and (item := getattr(value, attribute)):
                yield f".{name}", item
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield " key", key
            if item and key not in free:
                yield f"[{key}]", item
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            yield f"[{position}]", item


def _field(path: _Path | None) -> str:
    labels = []
    while path is not None:
        path, label = path
        labels.append(label)
    return "".join(reversed(labels)).removeprefix(".")


def fault_of_node(node: Node) -> str:
    """Return the refusal of a node; empty if it is allowed."""
    addresses = _map("TaggedAddresses", node.tagged_addresses)
    return fault_of_texts((("Node", node.node), ("Address", node.address), *addresses, *_map("NodeMeta", node.meta)))


def fault_of_service(service: NodeService) -> str:
    """Return the refusal of an instance; empty if it is allowed."""
    if _is_clean(service):
        return ""
    # A body can hold very many tags: one search over all of them finds that there is nothing to look for.
    suspicious = service.tags if _CONTROL.search("".join(service.tags)) else ()
    tags = ((f"Service.Tags[{position}]", tag) for position, tag in enumerate(suspicious))
    addresses = {tag: one.address for tag, one in (service.tagged_addresses or {}).items()}
    return fault_of_texts(
        (
            ("Service.ID", service.id),
            ("Service.Service", service.service),
            ("Service.Address", service.address),
            ("Service.SocketPath", service.socket_path),
            *tags,
            *_map("Service.TaggedAddresses", addresses),
            *_map("Service.Meta", service.meta),
        )
    ) or ("" if service.locality is None else fault_of_fields(service.locality, "Service.Locality"))


def fault_of_check(check: HealthCheck) -> str:
    """Return the refusal of a check; empty if it is allowed."""
    return fault_of_names(check.check_id, check.name) or fault_of_fields(check, "Check")


def fault_of_names(check_id: str, name: str) -> str:
    """Return the refusal of a check's ID or name; empty if they are allowed."""
    return fault_of_texts((("Check.CheckID", check_id), ("Check.Name", name)))


def _map(field: str, pairs: Mapping[str, str] | None) -> Iterator[tuple[str, str]]:
    for key, value in (pairs or {}).items():
        yield f"{field} key", key
        yield f"{field}[{key}]", value
