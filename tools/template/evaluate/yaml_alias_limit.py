"""A bound for aliases in YAML: a text of a few hundred bytes can stand for gigabytes. Pure."""

from __future__ import annotations

#: Nodes that the aliases of one text may stand for.
MAX_ALIASED_NODES = 100_000


def check_aliases(text: str) -> None:
    """Raises ValueError when the aliases stand for too much. The text need not be valid YAML."""
    if "*" not in text or "&" not in text:
        return
    import yaml

    sizes: dict[str, int] = {}
    counts: list[tuple[str | None, int]] = []  # of the open collections: anchor, and the nodes before it
    nodes = aliased = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                size = sizes.get(event.anchor or "", 1)
                aliased += size
                nodes += size
                if aliased > MAX_ALIASED_NODES:
                    raise ValueError(f"its aliases stand for more than {MAX_ALIASED_NODES:,} values")
            elif isinstance(event, yaml.ScalarEvent):
                nodes += 1
                if event.anchor:
                    sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                counts.append((event.anchor, nodes))
                nodes += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = counts.pop()
                if anchor:
                    sizes[anchor] = nodes - before
    except yaml.YAMLError:
        return
