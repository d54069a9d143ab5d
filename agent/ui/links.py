"""Addresses of pages: those of Consul's own web interface, so that bookmarks and dashboards keep working."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

#: Parts of a path that browsers and servers resolve.
RESOLVED = frozenset(("", ".", ".."))
RESOLVED_PART = re.compile(r"(?<=/)\.{1,2}(?=/|$)")


def escaped(path: str) -> str:
    """Return a path of the API as it is sent, so that `//`, `/./` and `/../` in a name stay what they are."""
    return RESOLVED_PART.sub(lambda part: "%2E" * len(part[0]), quote(path, safe="/")).replace("//", "/%2F")


def _needs_parameter(inner: str, path: str) -> bool:
    return bool(path) and not (RESOLVED.isdisjoint(inner.split("/")) and path.isprintable())


class Links:
    """Makes the addresses below `ui_config.content_path` in one datacenter."""

    __slots__ = ("datacenter", "root")

    def __init__(self, content_path: str, datacenter: str) -> None:
        self.root, self.datacenter = content_path, datacenter

    def to(self, *segments: object, **params: object) -> str:
        """Return the address of a page of the datacenter; parameters that are "" or None are left out."""
        path = "/".join(quote(str(segment), safe="") for segment in (self.datacenter, *segments))
        return self.root + path + _query(params)

    def key(self, path: str, *end: str, **params: object) -> str:
        """Return the address of a key or folder, whose slashes stay: `kv/a/b/edit`.

        What an address cannot hold is a parameter: `kv/-/edit?key=a/../b`.
        """
        if _needs_parameter(path if end else path.removesuffix("/"), path):
            path, params = "-" if end or not path.endswith("/") else "-/", {"key": path, **params}
        parts = [quote(self.datacenter, safe=""), "kv", quote(path, safe="/")]
        return self.root + "/".join([*parts, *end]) + _query(params)

    def folder(self, path: str, word: str, **params: object) -> str:
        """Return the address of a page of a folder, which ends with a slash, or is "" for all keys: `kv/a/b/create`."""
        if not path:
            return self.to("kv", word, **params)
        if _needs_parameter(path.removesuffix("/"), path):
            return self.to("kv", "-", word, key=path, **params)
        return self.key(path[:-1], word, **params)

    def static(self, version: str, name: str) -> str:
        """Return the address of a style sheet or script."""
        return f"{self.root}static/{version}/{name}"


def _query(params: dict[str, object]) -> str:
    given = {name.rstrip("_"): value for name, value in params.items() if value not in ("", None)}
    return "?" + urlencode(given, doseq=True, quote_via=quote) if given else ""
