"""Go's fmt: print, println, and printf with its verbs, flags, widths, argument numbers and complaints.

Source: https://pkg.go.dev/fmt. How single values are written is in verbs.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from pyconsul.agent.common.structs import field, struct
from pyconsul.tools.gotemplate.runtime.values import type_name
from pyconsul.tools.gotemplate.text.verbs import Flags, display, format_value

_SIMPLE = re.compile("%([sdv])")
_MAX_WIDTH = 1_000_000


def go_print(*values: Any) -> str:
    """Format operands as `print` does: a blank between two of which neither is a string."""
    return joined(values, display)


def joined(values: Sequence[Any], show: Callable[[Any], str]) -> str:
    """Return the values as `print` puts them together, each made text by `show`."""
    parts: list[str] = []
    previous_is_text = True
    for value in values:
        is_text = isinstance(value, str)
        if not is_text and not previous_is_text:
            parts.append(" ")
        parts.append(show(value))
        previous_is_text = is_text
    return "".join(parts)


def go_println(*values: Any) -> str:
    """Format operands as `println` does: a blank between all, and a newline at the end."""
    return " ".join(map(display, values)) + "\n"


def go_printf(template: str, *values: Any) -> str:
    """Format as `printf` does; an unsuitable operand is shown in the text, as `%!d(string=x)`."""
    if "%" not in template and not values:
        return template
    pieces = _simple_directives(template)
    if pieces is not None and len(pieces) == 2 * len(values) + 1:
        return _simple_format(pieces, values)
    return _Format(template, values).run()


@lru_cache(maxsize=1024)
def _simple_directives(template: str) -> list[str] | None:
    """Texts and verbs by turns when there is nothing but `%s`, `%d` and `%v`; otherwise None."""
    pieces = _SIMPLE.split(template)
    return None if any("%" in text for text in pieces[::2]) else pieces


def _simple_format(pieces: list[str], values: Sequence[Any]) -> str:
    parts = pieces.copy()
    for at, value in enumerate(values):
        verb = parts[2 * at + 1]
        fits = verb == "v" or type(value) is (str if verb == "s" else int)
        parts[2 * at + 1] = display(value) if fits else format_value(value, verb, Flags())
    return "".join(parts)


@struct(frozen=False)
class _Format:
    template: str
    values: Sequence[Any]
    at: int = 0
    argument: int = 0
    reordered: bool = False
    good_number: bool = True
    out: list[str] = field(default_factory=list)

    def run(self) -> str:
        while True:
            percent = self.template.find("%", self.at)
            if percent < 0:
                self.out.append(self.template[self.at :])
                break
            self.out.append(self.template[self.at : percent])
            self.at = percent + 1
            self.directive()
        if not self.reordered and self.argument < len(self.values):
            extra = ", ".join(
                "<nil>" if v is None else f"{type_name(v)}={display(v)}" for v in self.values[self.argument :]
            )
            self.out.append(f"%!(EXTRA {extra})")
        return "".join(self.out)

    def directive(self) -> None:
        flags = Flags()
        self.good_number = True
        while self.current() and self.current() in "#0+- ":
            setattr(flags, {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}[self.current()], True)
            self.at += 1
        indexed = self.argument_number()
        indexed = self.width(flags, indexed)
        indexed = self.precision(flags, indexed)
        if not indexed:
            self.argument_number()
        verb = self.current()
        if not verb:
            self.out.append("%!(NOVERB)")
            return
        self.at += 1
        self.operand(verb, flags)

    def operand(self, verb: str, flags: Flags) -> None:
        if verb == "%":
            self.out.append("%")
        elif not self.good_number:
            self.out.append(f"%!{verb}(BADINDEX)")
        elif self.argument >= len(self.values):
            self.out.append(f"%!{verb}(MISSING)")
        else:
            value = self.values[self.argument]
            self.argument += 1
            if verb == "v":
                flags.go_syntax, flags.names = flags.sharp, flags.plus
                flags.sharp = flags.plus = False
            self.out.append(format_value(value, verb, flags))

    def current(self) -> str:
        return self.template[self.at : self.at + 1]

    def width(self, flags: Flags, indexed: bool) -> bool:
        if self.current() == "*":
            self.at += 1
            width = self.number_argument()
            if width is None:
                self.out.append("%!(BADWIDTH)")
            elif width < 0:
                flags.minus, flags.zero = True, False
            flags.width = abs(width) if width is not None else None
            return False
        flags.width = self.digits()
        if indexed and flags.width is not None:
            self.good_number = False
        return indexed

    def precision(self, flags: Flags, indexed: bool) -> bool:
        if self.current() != "." or self.at + 1 >= len(self.template):
            return indexed
        self.at += 1
        if indexed:
            self.good_number = False
        indexed = self.argument_number()
        if self.current() == "*":
            self.at += 1
            precision = self.number_argument()
            if precision is None or precision < 0:
                self.out.append("%!(BADPREC)")
                precision = None
            flags.precision = precision
            return False
        flags.precision = self.digits() or 0
        return indexed

    def digits(self) -> int | None:
        start = self.at
        while self.current() and self.current() in "0123456789":
            self.at += 1
        digits = self.template[start : self.at]
        if not digits:
            return None
        if len(digits) > 7 or int(digits) > _MAX_WIDTH * 10:
            self.at = len(self.template)
            return None
        return int(digits)

    def number_argument(self) -> int | None:
        """Return the next argument as a width or precision."""
        if self.argument >= len(self.values):
            return None
        value = self.values[self.argument]
        self.argument += 1
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MAX_WIDTH:
            return None
        return int(value)

    def argument_number(self) -> bool:
        """Read `[n]`, if it is here; True when it was a number."""
        if self.current() != "[":
            return False
        self.reordered = True
        end = self.template.find("]", self.at)
        if end < 0:
            self.at += 1
            self.good_number = False
            return False
        text = self.template[self.at + 1 : end]
        self.at = end + 1
        is_number = text.isascii() and text.isdigit() and len(text) < 8
        if is_number and 1 <= int(text) <= len(self.values):
            self.argument = int(text) - 1
            return True
        self.good_number = False
        return is_number
