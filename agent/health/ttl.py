"""TTL checks: reports, and their expiry."""

from __future__ import annotations


class TTLState:
    """One TTL check: its deadline and the last thing that was reported.  Times are seconds of the caller's clock."""

    __slots__ = ("deadline", "last_output", "ttl")

    def __init__(self, ttl: float, now: float) -> None:
        self.ttl = ttl
        self.deadline = now + ttl
        self.last_output = ""

    def report(self, output: str, now: float) -> None:
        """Store a report and restart the TTL."""
        self.last_output = output
        self.deadline = now + self.ttl

    def expired_output(self) -> str:
        """Return the output of a check whose TTL has expired."""
        if not self.last_output:
            return "TTL expired"
        return f"TTL expired (last output before timeout follows): {self.last_output}"


def limit_report(output: str, limit: int) -> str:
    """Return a reported output, cut to `limit` bytes with a note of what was cut."""
    data = output.encode(errors="surrogateescape")
    if len(data) <= limit:
        return output
    return f"{data[:limit].decode(errors='replace')} ... (captured {limit} of {len(data)} bytes)"
