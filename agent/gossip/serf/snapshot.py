"""Serf's snapshot file: the members and clocks that an agent needs to rejoin its pool after a restart. Lines in, lines out.

| line | meaning | replayed |
| --- | --- | --- |
| `alive: NAME ADDRESS:PORT` | the member is alive there; the name ends at the last space | sets the address |
| `not-alive: NAME` | it left or failed | removes it |
| `clock: N` `event-clock: N` `query-clock: N` | highest time witnessed of members, events, queries | sets it |
| `leave` | this agent left the pool | forgets everything, unless it is to rejoin after a leave |
| `coordinate: …`, `# …` | of other versions | ignored |
| anything else, and a last line without its line feed | damage (a crash while writing, a full disk) | skipped and counted |

Lines are appended; once the file is larger than max(128 KiB, 256 bytes × alive members) it is rewritten with what is alive.
Source: Serf's own format, so that the files of Consul and of pyconsul can be exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyconsul.agent.gossip.serf.addresses import host_port
from pyconsul.agent.gossip.serf.effects import Effects, MemberChanged, QueryReceived, UserEventReceived
from pyconsul.agent.gossip.serf.lamport import MAX_LTIME
from pyconsul.agent.gossip.serf.rng import Rng
from pyconsul.agent.model.member import MemberEvent

MIN_COMPACT_BYTES = 128 * 1024
COMPACT_BYTES_PER_MEMBER = 256
#: How often the lines that have gathered are written and flushed.
FLUSH_INTERVAL_S = 0.5


@dataclass(slots=True)
class Contents:
    """The state that a snapshot file stands for."""

    #: Name → "ADDRESS:PORT" (IPv6 in brackets), in the order in which the members appeared.
    alive: dict[str, str] = field(default_factory=dict)
    #: The highest time witnessed of each clock; 0 = none.
    clock: int = 0
    event_clock: int = 0
    query_clock: int = 0
    #: Lines that were skipped because they are damaged.
    damaged_lines: int = 0

    def forget(self) -> None:
        """Drop members and clocks."""
        self.alive.clear()
        self.clock = self.event_clock = self.query_clock = 0


def split(text: str) -> tuple[list[str], bool]:
    """Split the text of a file into its whole lines; True if a last line was cut off (and is left out)."""
    *lines, rest = text.split("\n")
    return lines, bool(rest)


def replay(text: str, *, rejoin_after_leave: bool) -> Contents:
    """Read a snapshot file. Damaged lines are counted and skipped, never an error."""
    lines, is_cut = split(text)
    contents = Contents(damaged_lines=int(is_cut))
    for line in lines:
        if line == "leave":
            if not rejoin_after_leave:
                contents.forget()
        elif not _replay_line(contents, line):
            contents.damaged_lines += 1
    return contents


def render(contents: Contents) -> list[str]:
    """Return the lines of a compacted file, each with its line feed."""
    lines = [_alive(name, address) for name, address in contents.alive.items()]
    lines.append(f"clock: {contents.clock}\n")
    lines.append(f"event-clock: {contents.event_clock}\n")
    lines.append(f"query-clock: {contents.query_clock}\n")
    return lines


def rejoin_addresses(contents: Contents, own_name: str, rng: Rng) -> list[str]:
    """Return the addresses to try one after the other, in random order, until one can be joined."""
    addresses = [address for name, address in contents.alive.items() if name != own_name]
    return sorted(addresses, key=lambda _: rng.random())


def compact_at_bytes(alive: int) -> int:
    """Return the file size in bytes above which the file is rewritten."""
    return max(MIN_COMPACT_BYTES, COMPACT_BYTES_PER_MEMBER * alive)


class Recorder:
    """Turns what happens in the pool into lines to append.

    The caller gives it all effects, and every `FLUSH_INTERVAL_S` the highest witnessed member time (`clocks(clock=time - 1)`); then
    it writes `take()` or, when `must_compact`, `compact()`.
    """

    def __init__(self, contents: Contents, *, size_bytes: int, rejoin_after_leave: bool) -> None:
        self._contents = contents
        self._size_bytes = size_bytes
        self._rejoin_after_leave = rejoin_after_leave
        self._pending: list[str] = []
        self._has_left = False

    @property
    def contents(self) -> Contents:
        """The state after all lines, written or not."""
        return self._contents

    def record(self, effects: Effects) -> None:
        """Record what Serf has decided: members that come and go, and the times of delivered events and queries."""
        for effect in effects:
            if isinstance(effect, UserEventReceived):
                self.clocks(event_clock=effect.time)
            elif isinstance(effect, QueryReceived):
                self.clocks(query_clock=effect.query.time)
            elif isinstance(effect, MemberChanged):
                if effect.event in (MemberEvent.JOIN, MemberEvent.UPDATE):
                    self.alive(effect.member.name, host_port(effect.member))
                else:
                    self.not_alive(effect.member.name)

    def alive(self, name: str, address: str) -> None:
        """Record that a member is alive at "ADDRESS:PORT"."""
        if self._has_left or not _is_writable(name, address) or self._contents.alive.get(name) == address:
            return
        self._contents.alive[name] = address
        self._append(_alive(name, address))

    def not_alive(self, name: str) -> None:
        """Record that a member left, failed or was erased."""
        if self._has_left or self._contents.alive.pop(name, None) is None:
            return
        self._append(f"not-alive: {name}\n")

    def clocks(self, *, clock: int = 0, event_clock: int = 0, query_clock: int = 0) -> None:
        """Record the highest times witnessed; those that did not rise are left out."""
        if self._has_left:
            return
        contents = self._contents
        if clock > contents.clock:
            contents.clock = clock
            self._append(f"clock: {clock}\n")
        if event_clock > contents.event_clock:
            contents.event_clock = event_clock
            self._append(f"event-clock: {event_clock}\n")
        if query_clock > contents.query_clock:
            contents.query_clock = query_clock
            self._append(f"query-clock: {query_clock}\n")

    def leave(self) -> None:
        """Record that this agent left. Nothing is recorded after it: the others only seem to leave then."""
        if not self._rejoin_after_leave:
            self._contents.forget()
        self._append("leave\n")
        self._has_left = True

    def take(self) -> str:
        """Return the text to append to the file; the caller has to write it."""
        text = "".join(self._pending)
        self._pending.clear()
        return text

    @property
    def must_compact(self) -> bool:
        """True when the file is damaged (a line could be appended to half a line), or too large for what it says."""
        return self._contents.damaged_lines > 0 or self._size_bytes > compact_at_bytes(len(self._contents.alive))

    def compact(self) -> str:
        """Return the text of a new file that replaces the old one and the lines not yet written."""
        self._pending.clear()
        text = "".join(render(self._contents)) + ("leave\n" if self._has_left else "")
        self._size_bytes = _encoded_bytes(text)
        self._contents.damaged_lines = 0
        return text

    def _append(self, line: str) -> None:
        self._pending.append(line)
        self._size_bytes += _encoded_bytes(line)


def _replay_line(contents: Contents, line: str) -> bool:
    """Apply one line; False if it is damaged."""
    if line.startswith(("#", "coordinate:")):
        return True
    kind, separator, value = line.partition(": ")
    if not separator:
        return False
    if kind == "alive":
        name, space, address = value.rpartition(" ")
        if not (space and name and _is_address(address)):
            return False
        contents.alive[name] = address
        return True
    if kind == "not-alive":
        contents.alive.pop(value, None)
        return True
    time = _time(value)
    if time is None:
        return False
    if kind == "clock":
        contents.clock = time
    elif kind == "event-clock":
        contents.event_clock = time
    elif kind == "query-clock":
        contents.query_clock = time
    else:
        return False
    return True


def _time(text: str) -> int | None:
    """Read a Lamport time; None for a text that is not a number, or a time that members refuse."""
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        return None
    time = int(text)
    return time if time < MAX_LTIME else None


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 1 << 16


def _is_writable(name: str, address: str) -> bool:
    """False for a name that would be read back as something else, such as one with a line feed."""
    return (
        bool(name)
        and "\n" not in name
        and "\r" not in name
        and _is_address(address)
        and not set(address) & set(" \r\n")
    )


def _alive(name: str, address: str) -> str:
    return f"alive: {name} {address}\n"


def _encoded_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
