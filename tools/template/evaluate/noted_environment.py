"""The environment of templates, which notes what they read. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class NotedEnviron(Mapping[str, str]):
    """Variables, and which of them were read. `read`: their values, None for those that are not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.read: dict[str, str | None] = {}

    def __getitem__(self, name: str) -> str:
        self.read[name] = self._environ.get(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environ)

    def __len__(self) -> int:
        return len(self._environ)
