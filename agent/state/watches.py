"""Watches: listeners that are called when something changes.

A topic is a text: a named index ("nodes", "service.web"), or "kv/" and a key.  A listener
waits for topics, and for every topic with a prefix; it is called once and then forgotten.
An idle listener uses memory but no CPU.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

Listener: TypeAlias = Callable[[], None]

log = logging.getLogger("agent.state")


def _call(listeners: Iterable[Listener]) -> None:
    """Call every listener; one that fails affects neither the others nor the caller, which may be the writer."""
    for listener in listeners:
        try:
            listener()
        except Exception:
            log.exception("a watch listener failed: %r", listener)


class Watches:
    """The listeners of all topics."""

    def __init__(self) -> None:
        self._exact: dict[str, dict[Listener, None]] = {}
        self._prefix: dict[str, dict[Listener, None]] = {}
        self.closed = False  # no more changes come: listeners should stop
        self.replaced = 0  # how often another state took the place of this one; indexes may have fallen then
        self._lengths: dict[int, int] = {}  # length of a watched prefix -> how many prefixes have it

    def add(self, listener: Listener, topics: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        """Call a listener at the next change of one of the topics, or of a topic with one of the prefixes."""
        for topic in topics:
            self._exact.setdefault(topic, {})[listener] = None
        for prefix in prefixes:
            listeners = self._prefix.get(prefix)
            if listeners is None:
                listeners = self._prefix[prefix] = {}
                self._lengths[len(prefix)] = self._lengths.get(len(prefix), 0) + 1
            listeners[listener] = None

    def remove(self, listener: Listener, topics: Iterable[str], prefixes: Iterable[str] = ()) -> None:
        """Remove a listener, whether it was called or not."""
        for topic in topics:
            listeners = self._exact.get(topic)
            if listeners is not None:
                listeners.pop(listener, None)
                if not listeners:
                    del self._exact[topic]
        for prefix in prefixes:
            listeners = self._prefix.get(prefix)
            if listeners is not None:
                listeners.pop(listener, None)
                if not listeners:
                    self._drop_prefix(prefix)

    def fire(self, topics: Iterable[str]) -> None:
        """Call every listener of the topics once, and remove it."""
        woken: dict[Listener, None] = {}
        for topic in topics:
            listeners = self._exact.pop(topic, None)
            if listeners:
                woken.update(listeners)
            if self._lengths:
                for prefix in [topic[:length] for length in self._lengths if length <= len(topic)]:
                    listeners = self._prefix.get(prefix)
                    if listeners is not None:
                        self._drop_prefix(prefix)
                        woken.update(listeners)
        _call(woken)

    def fire_sorted(self, topics: Sequence[str]) -> None:
        """As `fire`, for very many topics in ascending order: the time depends on the listeners, not on the topics."""
        woken: dict[Listener, None] = {}
        for topic in [topic for topic in self._exact if _has(topics, topic)]:
            woken.update(self._exact.pop(topic))
        for prefix in [prefix for prefix in self._prefix if _has(topics, prefix, True)]:
            woken.update(self._prefix[prefix])
            self._drop_prefix(prefix)
        _call(woken)

    def fire_all(self) -> None:
        """Call and remove every listener: everything may have changed."""
        self.replaced += 1
        everybody = {
            listener: None for group in (self._exact, self._prefix) for found in group.values() for listener in found
        }
        self._exact.clear()
        self._prefix.clear()
        self._lengths.clear()
        _call(everybody)

    def close(self) -> None:
        """Call every listener for the last time."""
        self.closed = True
        self.fire_all()

    def __len__(self) -> int:
        """Return the number of watched topics and prefixes."""
        return len(self._exact) + len(self._prefix)

    def _drop_prefix(self, prefix: str) -> None:
        del self._prefix[prefix]
        self._lengths[len(prefix)] -= 1
        if not self._lengths[len(prefix)]:
            del self._lengths[len(prefix)]


def _has(topics: Sequence[str], text: str, is_prefix: bool = False) -> bool:
    """Return whether sorted texts have one that equals a text or, with `is_prefix`, begins with it."""
    at = bisect_left(topics, text)
    return at < len(topics) and (topics[at].startswith(text) if is_prefix else topics[at] == text)


#: Sentinel topic: its listeners run on `Watches.fire_all` only (a restore, the end of the agent).
REPLACED = "state/replaced"


def on_replaced(watches: Watches, listener: Listener) -> Callable[[], None]:
    """Call a listener whenever a restore has replaced the state; the returned function ends that."""

    def notify() -> None:
        if not watches.closed:
            watches.add(notify, (REPLACED,))
            listener()

    watches.add(notify, (REPLACED,))
    return lambda: watches.remove(notify, (REPLACED,))
