"""The name under which a template's answers are shared between instances."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ShareId:
    """`id`: the same for the same template on every machine. `template`: how messages call it here."""

    id: str
    template: str = field(compare=False)
