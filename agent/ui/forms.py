"""Reads sent forms: fields, and files without the loss of a byte."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.ui.contract import Refused

MAX_FIELDS = 20_000
UNREADABLE = "The form cannot be read"
NOT_TEXT = re.compile("[\ud800-\udfff]")  # stands for a byte
SECRET = re.compile("token|secret|bearer|password", re.IGNORECASE)  # names of fields
BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)
NAME = re.compile(rb'^content-disposition:[^\r\n]*?;\s*name="([^"]*)"', re.IGNORECASE | re.MULTILINE)


def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a sent form; values of one that is given several times stand on a line each.  Raises Refused.

    A file is text; `bytes_of` returns its bytes.
    """
    kind = request.headers.get(b"content-type", b"").decode("latin-1")
    name = kind.partition(";")[0].strip().lower()
    if not request.body:
        return {}
    if name == "multipart/form-data":
        return _joined(_parts(kind, request.body))
    if name != "application/x-www-form-urlencoded":
        raise Refused(
            UNREADABLE,
            f"Its type is {name or 'not given'}.",
            "Forms are sent as application/x-www-form-urlencoded or multipart/form-data.",
        )
    try:
        return _joined(parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        raise Refused(UNREADABLE, str(error)) from None


def bytes_of(text: str) -> bytes:
    """Return the bytes of a field or file."""
    return text.encode("utf-8", "surrogateescape")


def resendable(request: Request) -> dict[str, str]:
    """Return the fields of a form that was refused as a whole, for a page from which it can be sent again.

    None of a form with a binary file, which a page cannot hold, or with a secret, which a page must not hold.
    """
    try:
        fields = form_of(request) if request.method == "POST" else {}
    except Refused:
        return {}
    fields.pop("form", None)
    is_secret = fields.get("do", "").startswith("log") or any(SECRET.search(name) for name in fields)
    return {} if is_secret or any(NOT_TEXT.search(value) for value in fields.values()) else fields


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]}\n{value}" if name in fields else value
    return fields


def _parts(kind: str, body: bytes) -> list[tuple[str, str]]:
    """Return the parts of a form with files (RFC 7578)."""
    found = BOUNDARY.search(kind)
    if found is None:
        raise Refused(UNREADABLE, "Its parts have no boundary.")
    boundary = b"\r\n--" + (found[1] or found[2]).encode("latin-1")
    pairs: list[tuple[str, str]] = []
    for part in (b"\r\n" + body).split(boundary)[1 : MAX_FIELDS + 1]:
        head, separator, content = part.partition(b"\r\n\r\n")
        name = NAME.search(head)
        if separator and name is not None:
            pairs.append((name[1].decode("utf-8", "replace"), content.decode("utf-8", "surrogateescape")))
    if not pairs:
        raise Refused(UNREADABLE, "It has no parts.")
    return pairs
