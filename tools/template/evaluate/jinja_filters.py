"""The filters of Jinja2 templates: encodings, hashes, regular expressions, grouping. Pure.

Errors are ValueErrors that say what is allowed; the template's file and line are added where they are caught.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.text.regex import Match, Regex, compile_regex, replace_with
from pyconsul.tools.template.evaluate.field_safety.quoting import QUOTING
from pyconsul.tools.template.evaluate.yaml_alias_limit import check_aliases
from pyconsul.tools.template.feed.records import Record

#: In the replacement of `regex_replace`: an escaped character, a group's number, a group's name.
_REPLACEMENT = re.compile(r"\\(?:([^\dg])|(\d{1,2})|g<(\w+)>)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def plain(value: Any) -> Any:
    """Records, tags and maps as plain lists and dicts, which every encoder knows."""
    if isinstance(value, Record):
        return {name: plain(getattr(value, name)) for name in value.go_fields}
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(entry) for entry in value]
    return value


def to_bytes(value: Any) -> bytes:
    """Return the bytes of a text, also of one that was no UTF-8."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON with sorted keys."""
    return json.dumps(plain(value), indent=indent, sort_keys=True, ensure_ascii=False)


def to_json_pretty(value: Any) -> str:
    """JSON over several lines."""
    return to_json(value, 2)


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; an empty one is an empty object."""
    try:
        return json.loads(text) if text else {}
    except ValueError as error:
        raise ValueError(f"parse_json: {error}") from error


def to_yaml(value: Any) -> str:
    """YAML in block style with sorted keys, without a line break at its end."""
    import yaml

    text: str = yaml.safe_dump(plain(value), default_flow_style=False, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML text; an empty one is an empty object."""
    import yaml

    try:
        check_aliases(text)
        value = yaml.safe_load(text)
    except ValueError as error:
        raise ValueError(f"parse_yaml: {error}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"parse_yaml: {' '.join(str(error).split())}") from error
    return {} if value is None and not text.strip() else value


def base64_encode(value: Any) -> str:
    """Base64 with padding."""
    return base64.b64encode(to_bytes(value)).decode()


def base64_url_encode(value: Any) -> str:
    """Base64 for URLs, with padding."""
    return base64.urlsafe_b64encode(to_bytes(value)).decode()


def _decode(text: str, altchars: bytes | None) -> str:
    try:
        return base64.b64decode(text, altchars, validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"base64_decode: {error}") from error


def base64_decode(text: str) -> str:
    """Return the text that was encoded."""
    return _decode(text, None)


def base64_url_decode(text: str) -> str:
    """Return the text that was encoded for a URL."""
    return _decode(text, b"-_")


def _hashed(algorithm: str) -> Callable[[Any], str]:
    def digest(value: Any) -> str:
        return hashlib.new(algorithm, to_bytes(value), usedforsecurity=False).hexdigest()

    digest.__doc__ = f"The {algorithm.upper()} of a text, in hexadecimal digits."
    return digest


def hmac_sha256(value: Any, key: str) -> str:
    """Return the HMAC-SHA256 of a text, in hexadecimal digits."""
    return hmac.new(to_bytes(key), to_bytes(value), "sha256").hexdigest()


def _compiled(pattern: str) -> Regex:
    try:
        return compile_regex(pattern)
    except GoError as error:
        raise ValueError(f"invalid regular expression {pattern!r}: {error}") from error


def regex_match(text: Any, pattern: str) -> bool:
    """Return whether the expression matches anywhere in the text."""
    return _compiled(pattern).search(str(text)) is not None


def regex_replace(text: Any, pattern: str, replacement: str = "") -> str:
    """Return all matches replaced; `\\1` and `\\g<name>` stand for groups."""
    _compiled(pattern)
    pieces = _REPLACEMENT.split(replacement)  # text, escaped character, number and name of a group, text …

    def expand(match: Match) -> str:
        parts = pieces[:1]
        for escaped, number, name, text in zip(*(pieces[i::4] for i in (1, 2, 3, 4)), strict=True):
            group = number or name
            parts.append(
                _ESCAPES.get(escaped, escaped) if escaped else match.group(int(group) if group.isdigit() else group)
            )
            parts.append(text)
        return "".join(parts)

    return replace_with(pattern, expand, str(text))


def regex_findall(text: Any, pattern: str) -> list[Any]:
    """Return all matches, or their groups."""
    compiled = _compiled(pattern)
    if compiled.groups < 2:
        return [match.group(compiled.groups) for match in compiled.matches(str(text))]
    return [tuple(match.group(i + 1) for i in range(compiled.groups)) for match in compiled.matches(str(text))]


def split(text: Any, separator: str = ",") -> list[str]:
    """Return the trimmed text's parts; an empty text has none."""
    trimmed = str(text).strip()
    return trimmed.split(separator) if trimmed else []


def _grouped(entries: Iterable[tuple[Any, Any]]) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for name, value in entries:
        groups.setdefault(name, []).append(value)
    return dict(sorted(groups.items()))


def by_tag(entries: Iterable[Any]) -> dict[str, list[Any]]:
    """Services or instances by each of their tags."""
    return _grouped((tag, entry) for entry in entries for tag in entry.Tags)


def by_port(entries: Iterable[Any]) -> dict[int, list[Any]]:
    """Instances by their port."""
    return _grouped((entry.Port, entry) for entry in entries)


def by_meta(entries: Iterable[Any], *names: str) -> dict[str, list[Any]]:
    """Instances by the values of their service's metadata, joined by `_`; "" for what is not there."""
    return _grouped(("_".join(str(entry.ServiceMeta.get(name, "")) for name in names), entry) for entry in entries)


def by_key(pairs: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Pairs by the first folder of their key, then by the rest of it; pairs in no folder are left out."""
    groups: dict[str, dict[str, Any]] = {}
    for pair in pairs:
        folder, slash, rest = pair.Key.partition("/")
        if slash:
            groups.setdefault(folder, {})[rest] = pair
    return groups


def explode(pairs: Iterable[Any]) -> dict[str, Any]:
    """Pairs as nested dicts, a folder each, with the values as leaves; a folder wins over a key of its name."""
    root: dict[str, Any] = {}
    for pair in pairs:
        *folders, last = pair.Key.split("/")
        place = root
        for folder in folders:
            inner = place.get(folder)
            if not isinstance(inner, dict):
                inner = place[folder] = {}
            place = inner
        if not isinstance(place.get(last), dict):
            place[last] = pair.Value
    return root


FILTERS: dict[str, Callable[..., Any]] = {
    **QUOTING,
    "json": to_json,
    "to_json": to_json,
    "to_json_pretty": to_json_pretty,
    "parse_json": parse_json,
    "from_json": parse_json,
    "to_yaml": to_yaml,
    "parse_yaml": parse_yaml,
    "from_yaml": parse_yaml,
    "base64_encode": base64_encode,
    "base64_decode": base64_decode,
    "base64_url_encode": base64_url_encode,
    "base64_url_decode": base64_url_decode,
    "b64encode": base64_encode,
    "b64decode": base64_decode,
    "sha256": _hashed("sha256"),
    "sha512": _hashed("sha512"),
    "sha1": _hashed("sha1"),
    "md5": _hashed("md5"),
    "hmac_sha256": hmac_sha256,
    "regex_match": regex_match,
    "regex_replace": regex_replace,
    "regex_findall": regex_findall,
    "split": split,
    "by_tag": by_tag,
    "by_port": by_port,
    "by_meta": by_meta,
    "by_key": by_key,
    "explode": explode,
}
