"""The source of the value of each setting: a file, a flag, the development mode, or its default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pyconsul.agent.config.table import BY_KEY, GATHERED, ROOT, Section, Values

DEV = "-dev"
FLAGS = ""  # name of the values of flags: each key is named by its flag


def sources_of(named: Iterable[tuple[str, Values]]) -> dict[str, str]:
    """Return the source of each key that is given.

    named: the values of each source under its name, later ones over earlier ones; those of flags under FLAGS.  A list or map
    that several sources add to has all of them.
    """
    found: dict[str, str] = {}
    for source, values in named:
        for key in _keys(ROOT, values):
            row = BY_KEY[key]
            text = source or f"-{row.note.flags[0]}"
            earlier = found.get(key, "")
            adds = earlier not in ("", DEV, text) and row.kind in GATHERED
            found[key] = f"{earlier}, {text}" if adds else text
    return found


def _keys(section: Section, values: Values) -> Iterator[str]:
    for name, value in values.items():
        entry = section.entries[name]
        if isinstance(entry, Section):
            yield from _keys(entry, value)
        else:
            yield entry.key


def source_of(key: str, sources: Mapping[str, str]) -> str:
    """Return the source of a key, "" for one that is not given; the settings of a protocol may come from `tls.defaults`."""
    first, _, rest = key.partition(".")
    if key not in sources and first == "tls":
        return sources.get(f"tls.defaults.{rest.partition('.')[2]}", "")
    return sources.get(key, "")
