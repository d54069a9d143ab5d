"""Sprig's functions for encodings, hashes, paths, URLs and regular expressions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import posixpath
import re
import zlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pyconsul.tools.gotemplate.errors import GoError
from pyconsul.tools.gotemplate.functions.encoding import decode_base64
from pyconsul.tools.gotemplate.functions.texts import regex_match
from pyconsul.tools.gotemplate.runtime.signature import Function, function
from pyconsul.tools.gotemplate.runtime.values import Slice, strings, to_bytes, to_text, type_name
from pyconsul.tools.gotemplate.text.regex import compile_regex, replace_all, replace_with
from pyconsul.tools.gotemplate.text.regex import split as regex_split


def base64_or_error(text: str) -> str:
    """Return the decoded text, or what is wrong with it."""
    try:
        return decode_base64(text)
    except GoError as error:
        return str(error)


def base32_or_error(text: str) -> str:
    """Return the decoded text, or what is wrong with it."""
    try:
        return to_text(base64.b32decode(to_bytes(text)))
    except binascii.Error:
        return "illegal base32 data at input byte 0"


# Paths, as Go's package path has them


def clean(path: str) -> str:
    """Return the shortest path to the same place."""
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def base(path: str) -> str:
    """Return the last part of the path."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def directory(path: str) -> str:
    """Return all but the last part of the path."""
    head, slash, _ = path.rpartition("/")
    return clean(head + slash)


def extension(path: str) -> str:
    """Return the part of a path from the last dot of its last element on."""
    name = path.rpartition("/")[2]
    return name[name.rindex(".") :] if "." in name else ""


# URLs


def url_parse(text: str) -> dict[str, Any]:
    """Return the parts of a URL."""
    try:
        parts = urlsplit(text)
        userinfo, _, host = parts.netloc.rpartition("@")
        hostname = parts.hostname or ""
    except ValueError as error:
        raise GoError(f'unable to parse url: parse "{text}": {error}') from None
    opaque = parts.path if parts.scheme and not parts.netloc and not parts.path.startswith("/") else ""
    return {
        "scheme": parts.scheme,
        "host": host,
        "hostname": hostname,
        "path": "" if opaque else unquote(parts.path),
        "query": parts.query,
        "opaque": opaque,
        "fragment": unquote(parts.fragment),
        "userinfo": userinfo,
    }


def url_join(parts: dict[str, Any]) -> str:
    """Return a URL of its parts."""

    def part(name: str) -> str:
        value = parts.get(name, "")
        if not isinstance(value, str):
            raise GoError(f"unable to parse {name} key, must be of type string, but {type_name(value)} found")
        return value

    text = part("scheme") + ":" if part("scheme") else ""
    if part("opaque"):
        text += part("opaque")
    else:
        at = part("userinfo") + "@" if part("userinfo") else ""
        path = quote(part("path"), safe="/:@!$&'()*+,;=~-._")
        if part("host") or at:
            text += f"//{at}{part('host')}"
            path = "/" + path if path and not path.startswith("/") else path
        text += path
    text += "?" + part("query") if part("query") else ""
    return text + ("#" + quote(part("fragment"), safe="/?:@!$&'()*+,;=~-._") if part("fragment") else "")


# Regular expressions


def find_all(pattern: str, text: str, limit: int) -> Slice:
    """Return the matches, at most `limit` if not negative."""
    return strings(match.group() for match in compile_regex(pattern).matches(text, limit))


def find(pattern: str, text: str) -> str:
    """Return the first match, or an empty text."""
    match = compile_regex(pattern).search(text)
    return match.group() if match else ""


def _quote_meta(text: str) -> str:
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


_REGEX: Mapping[str, Function] = {
    "regexFind": function(find, "string", "string"),
    "regexFindAll": function(find_all, "string", "string", "int"),
    "regexMatch": function(regex_match, "string", "string"),
    "regexReplaceAll": function(
        lambda pattern, text, replacement: replace_all(pattern, replacement, text), "string", "string", "string"
    ),
    "regexReplaceAllLiteral": function(
        lambda pattern, text, replacement: replace_with(pattern, lambda match: replacement, text),
        "string",
        "string",
        "string",
    ),
    "regexSplit": function(
        lambda pattern, text, limit: strings(regex_split(pattern, text, limit)), "string", "string", "int"
    ),
}
_PATHS: Mapping[str, Function] = {
    "base": function(base, "string"),
    "clean": function(clean, "string"),
    "dir": function(directory, "string"),
    "ext": function(extension, "string"),
    "isAbs": function(lambda path: path.startswith("/"), "string"),
}

FUNCTIONS: Mapping[str, Function] = {
    "adler32sum": function(lambda text: str(zlib.adler32(to_bytes(text))), "string"),
    "b32dec": function(base32_or_error, "string"),
    "b32enc": function(lambda text: base64.b32encode(to_bytes(text)).decode(), "string"),
    "b64dec": function(base64_or_error, "string"),
    "b64enc": function(lambda text: base64.b64encode(to_bytes(text)).decode(), "string"),
    "regexQuoteMeta": function(_quote_meta, "string"),
    "sha1sum": function(lambda text: hashlib.sha1(to_bytes(text), usedforsecurity=False).hexdigest(), "string"),
    "sha256sum": function(lambda text: hashlib.sha256(to_bytes(text)).hexdigest(), "string"),
    "sha512sum": function(lambda text: hashlib.sha512(to_bytes(text)).hexdigest(), "string"),
    "urlJoin": function(url_join, "map[string]interface {}"),
    "urlParse": function(url_parse, "string"),
    **_REGEX,
    **{f"must{name[0].upper()}{name[1:]}": call for name, call in _REGEX.items()},
    **_PATHS,
    **{f"os{name[0].upper()}{name[1:]}": call for name, call in _PATHS.items()},
}
