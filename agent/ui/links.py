"""Addresses of pages: those of Consul's own web interface, so that bookmarks and dashboards keep working."""

from __future__ import annotations

from urllib.parse import quote, urlencode

DOTS = frozenset((".", ".."))


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

        Browsers resolve `.` and `..` in addresses, so such a key is a parameter: `kv/-/edit?key=a/../b`.
        """
        if not DOTS.isdisjoint(path.split("/")):
            path, params = "-/" if path.endswith("/") else "-", {"key": path, **params}
        parts = [quote(self.datacenter, safe=""), "kv", quote(path, safe="/")]
        return self.root + "/".join([*parts, *end]) + _query(params)

    def static(self, version: str, name: str) -> str:
        """Return the address of a style sheet or script."""
        return f"{self.root}static/{version}/{name}"


def _query(params: dict[str, object]) -> str:
    given = {name.rstrip("_"): value for name, value in params.items() if value not in ("", None)}
    return "?" + urlencode(given, doseq=True, quote_via=quote) if given else ""
