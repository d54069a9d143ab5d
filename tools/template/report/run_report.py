"""What a run looks like from outside, at one moment: plain values for the status pages, metrics and sd_notify. Pure."""

from __future__ import annotations

from enum import StrEnum

from pyconsul.agent.common.structs import struct


class State(StrEnum):
    """Of one template."""

    WAITING = "waiting"  # something that it asks for has never been answered
    SETTLING = "settling"  # its data has changed; it is quiescent, or its file is about to be written
    CURRENT = "current"  # its file is as it should be, and loaded
    PENDING = "pending"  # its new text was refused, or could not be loaded: the last good file is in place
    FAILED = "failed"  # it cannot be evaluated: its file stays as it is


@struct(frozen=True)
class Sharing:
    """What this instance is among those that share a template's answers, for programs and for people.

    `leader`: the host it follows; "" for none. `silence`: seconds since that leader's last sign of life; `data_age`: since
    the shared data were last known to be right; both None when unknown. `silent`: whether the silence is too long.
    """

    role: str
    text: str
    leader: str = ""
    silence: float | None = None
    data_age: float | None = None
    silent: bool = False


@struct(frozen=True)
class TemplateReport:
    """`rendered`: when its file got its text (seconds since 1970); None: not by this run. `retry_in`: seconds.

    `missing`: the lookups that were never answered. `changes`: what the latest render changed, a line each.
    `held`: what its guards hold, a line each. `trouble`: the latest error or refusal; "" when there is none.
    `dedup`: None when it does not share its answers.
    """

    name: str
    destination: str
    group: str
    state: State
    missing: tuple[str, ...] = ()
    trouble: str = ""
    rendered: float | None = None
    changes: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    retry_in: float | None = None
    dedup: Sharing | None = None


@struct(frozen=True)
class RunReport:
    """`ready`: whether every template has its file. `data_age`: seconds since Consul confirmed the oldest of the data
    in use; None before the first answer. `reachable`: whether Consul answers at present. `lookups`: how many are watched.
    """

    templates: tuple[TemplateReport, ...]
    ready: bool
    consul: str
    reachable: bool
    data_age: float | None
    lookups: int
    uptime: float
