"""Sharing of answers between instances: the name of a shared template, and the state of the sharing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ShareId:
    """`id`: the same for the same template on every machine. `template`: its name in messages of this machine."""

    id: str
    template: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Sharing:
    """The role of this instance among those that share a template's answers, for programs and for people.

    `leader`: the host it follows; "" for none. `silence`: seconds since that leader's last heartbeat or answer; `data_age`: since
    the shared data were last known to be right; both None when unknown. `silent`: whether the silence is too long.
    """

    role: str
    text: str
    leader: str = ""
    silence: float | None = None
    data_age: float | None = None
    silent: bool = False
