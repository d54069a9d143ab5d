"""Metadata of one setting besides its type and default: flags, documentation, validation, reload.

The declaration is the annotated field of a settings class (`Config` and its sections); flags, files, validation and
documentation are all derived from it.  The modules of settings classes do without `from __future__ import annotations`:
as texts, the annotations would have to be evaluated a second time, which costs 50 ms at every start.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

#: Says what is allowed when a value is not; None when it is.
Check = Callable[[object], str | None]


class Unit(enum.Enum):
    """The form of a value in files where its Python type does not determine it."""

    SECONDS = "duration"
    RAW = "raw"


#: `unsupported` of the settings of the WAN pool.
DATACENTERS = "several datacenters"

#: Seconds; written as a Go duration such as `10s`.
Duration = Annotated[float, Unit.SECONDS]


@dataclass(frozen=True, slots=True)
class Note:
    """The metadata of one setting; `flags` are without dashes, the first is the one to document."""

    doc: str
    flags: tuple[str, ...] = ()
    # The value under -dev; None when -dev does not change it.
    dev: object = None
    check: Check | None = None
    reloadable: bool = False
    # Its value is never shown: neither in errors nor in logs.
    secret: bool = False
    # A word for the default when it is worked out at start.
    computed: str = ""
    # No key of configuration files.
    flag_only: bool = False
    # The missing feature, for a setting without effect: a warning names it when the setting differs from its default.
    unsupported: str = ""
    # Why an agent does not start with this setting: ignoring it would be unsafe.
    refused: str = ""
    # Consul's error about a value that `check` refuses; {value} stands for it.
    error: str = ""


def setting(
    doc: str,
    *flags: str,
    dev: object = None,
    check: Check | None = None,
    reloadable: bool = False,
    secret: bool = False,
    computed: str = "",
    flag_only: bool = False,
    unsupported: str = "",
    refused: str = "",
    error: str = "",
) -> Note:
    """The note of one setting, for `Annotated`."""
    return Note(doc, flags, dev, check, reloadable, secret, computed, flag_only, unsupported, refused, error)
