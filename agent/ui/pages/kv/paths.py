"""Keys and folders in addresses, and the way to them."""

from __future__ import annotations

from dataclasses import dataclass

from pyconsul.agent.ui.links import Links
from pyconsul.agent.ui.visit import Visit


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of the way to a key.  address: "" for the last one."""

    label: str
    address: str


def key_of(visit: Visit) -> str:
    """Return the key of a page: a parameter where the address cannot hold it."""
    return visit.params.get("key", visit.names.get("path", ""))


def folder_of(visit: Visit) -> str:
    """Return the folder of a page such as `kv/FOLDER/create`, with the slash at its end; "" for all keys."""
    if "key" in visit.params:
        return visit.params["key"]
    return visit.names["path"] + "/" if "path" in visit.names else ""


def parent_of(name: str) -> str:
    """Return the folder that a key or folder is in: `a/` for `a/b` and for `a/b/`."""
    return name[: name.rfind("/", 0, -1) + 1]


def label_of(name: str, folder: str) -> str:
    """Return the name of a key or folder in its folder; a text for the key that has the folder's own name."""
    return name[len(folder) :] or "(the folder itself)"


def crumbs(links: Links, name: str) -> list[Crumb]:
    """Return the way to a key or folder; empty parts of a name are shown as the slashes that they stand between."""
    found = [Crumb("all keys", links.key(""))]
    start = 0
    while (end := name.find("/", start) + 1) > 0:
        found.append(Crumb(name[start:end], links.key(name[:end])))
        start = end
    if name[start:]:
        found.append(Crumb(name[start:], ""))
    else:
        found[-1] = Crumb(found[-1].label, "")
    return found
