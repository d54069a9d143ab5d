"""The document that a leader shares: the answers to a template's lookups, as the value of one key. Pure.

It is a JSON object compressed with zlib. The answers are bodies of Consul's responses, so readers decode them like their
own responses.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pyconsul.tools.template.feed.encode import body_of
from pyconsul.tools.template.feed.lookups import Lookup, is_kind

_VERSION = 1
#: Maximum size of an unpacked document.
_MAX_BYTES = 256 << 20


class DocumentError(Exception):
    """A document cannot be read; the text says why."""


@dataclass(frozen=True)
class Document:
    """`host`: the leader's. `bodies`: JSON, by lookup. `problem`: why there are none."""

    host: str
    bodies: Mapping[Lookup, bytes] = field(default_factory=dict)
    problem: str = ""


class _Answer(msgspec.Struct, array_like=True):
    Kind: str
    Name: str
    Params: tuple[tuple[str, str], ...]
    Body: msgspec.Raw


class _Content(msgspec.Struct, omit_defaults=True):
    Version: int
    Host: str = ""
    Problem: str = ""
    Answers: list[_Answer] = []


def pack(document: Document) -> bytes:
    """Return the value of the key."""
    answers = [
        _Answer(lookup.kind, lookup.name, lookup.params, msgspec.Raw(body)) for lookup, body in document.bodies.items()
    ]
    content = _Content(_VERSION, document.host, document.problem, answers)
    return zlib.compress(msgspec.json.encode(content))


def unpack(value: bytes) -> Document:
    """Unpack a document; lookups of unknown kinds are left out. Raises DocumentError."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(value, _MAX_BYTES)
        if not unpacker.eof:
            raise DocumentError("it is cut off, or too large")
        content = msgspec.json.decode(text, type=_Content)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DocumentError(f"it is not a shared document: {error}") from error
    if content.Version != _VERSION:
        raise DocumentError(f"it has version {content.Version}, and {_VERSION} is understood here")
    bodies = {
        Lookup(answer.Kind, answer.Name, answer.Params): bytes(answer.Body)
        for answer in content.Answers
        if is_kind(answer.Kind)
    }
    return Document(content.Host, bodies, content.Problem)


class Bodies:
    """The bodies of answers, each encoded once as long as it stays the same."""

    def __init__(self) -> None:
        self._encoded: dict[Lookup, tuple[Any, bytes]] = {}

    def of(self, answers: Mapping[Lookup, Any]) -> dict[Lookup, bytes]:
        """Build a document, in the order of the lookups' names, so that equal answers give equal documents."""
        before, self._encoded = self._encoded, {}
        for lookup in sorted(answers, key=_order):
            answer, kept = answers[lookup], before.get(lookup)
            encoded = (
                kept[1] if kept is not None and kept[0] is answer else msgspec.json.encode(body_of(lookup, answer))
            )
            self._encoded[lookup] = answer, encoded
        return {lookup: encoded for lookup, (_, encoded) in self._encoded.items()}


def _order(lookup: Lookup) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return lookup.kind, lookup.name, lookup.params


def is_shareable(lookup: Lookup) -> bool:
    """Return whether the answer is the same on all machines: no local file, nothing about the own agent or distances from it."""
    near = dict(lookup.params).get("near", "")
    return lookup.kind not in ("agent", "file") and not near.startswith("_")
