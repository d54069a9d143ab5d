"""The state of a run at one moment: plain values for the status pages, metrics and sd_notify. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from pyconsul.agent.common.structs import struct

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.share_id import Sharing


class State(StrEnum):
    """Of one template."""

    WAITING = "waiting"  # something that it asks for has never been answered
    SETTLING = "settling"  # its data has changed; it is quiescent, or its file is about to be written
    CURRENT = "current"  # its file is as it should be, and loaded
    PENDING = "pending"  # the new text was refused or could not be loaded; the last good file is in place
    FAILED = "failed"  # it cannot be evaluated: its file stays as it is


@struct(frozen=True)
class TemplateReport:
    """`rendered`: when its file got its text (seconds since 1970); None: not by this run. `retry_in`: seconds.

    `missing`: the lookups that were never answered. `changes`: what the latest render changed, a line each.
    `held`: what its guards hold, a line each. `problem`: the latest error or refusal, or "".
    `dedup`: None when it does not share its answers.
    """

    name: str
    destination: str
    group: str
    state: State
    missing: tuple[str, ...] = ()
    problem: str = ""
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
