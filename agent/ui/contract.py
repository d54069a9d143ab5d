"""The contract of a page: its module returns data for its template, and the actions that its forms carry out.

    show(visit)     GET: what the page shows, as a `Page`; raises Missing, Refused, or any error of `visit`
    ask(visit)      GET with `?do=NAME`: the question before an action: what it will do, and the same as a command
    perform(visit)  POST with the field `do=NAME`: carries it out, with `visit.send`; returns an `Outcome`, or without any
                    effect a `Page` that is made of the form (a preview), or a `Download` (data for a script)

A page module exports `PAGES`, a table of `PageRoute`; `pages/index.py` joins these tables.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

if TYPE_CHECKING:
    from pyconsul.agent.ui.visit import Visit

NAME = re.compile(r"\{(\w+)(\*?)\}")


class PageError(Exception):
    """Ends a visit with a page that states what failed, why, and what to do."""

    status = 500

    def __init__(self, title: str, reason: str = "", advice: str = "") -> None:
        super().__init__(title)
        self.title, self.reason, self.advice = title, reason, advice


class Missing(PageError):
    """The thing does not exist, or its token does not show it."""

    status = 404


class Refused(PageError):
    """An action that is not carried out: a mistake in a form, a conflict, a missing permission.  The form keeps what was typed.

    fields: the reason by the name of the form's field.
    """

    def __init__(self, title: str, reason: str = "", advice: str = "", *, status: int = 400, **fields: str) -> None:
        super().__init__(title, reason, advice)
        self.status, self.fields = status, fields


@dataclass(frozen=True, slots=True)
class Page:
    """One page: a template of `templates/`, and the variables it gets.

    title: of the document, and of the heading where the template has no other.   section: entry of the navigation.
    refresh_s: shown again after this time even if no topic changes; 0: never.
    """

    template: str
    title: str
    section: str
    data: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    refresh_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a question.

    kind: `text`, `area`, `select`, `checkbox`, `password`, `number` or `file`.   choices: values of a select with their labels.
    """

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    hint: str = ""
    required: bool = False
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """The question before an action.

    sentences: what will happen, and to how many.   command: the same on the command line.   button: names the object.
    lacks: the rule that the caller's token lacks, as text; the button is disabled then.
    carry: hidden fields of the form.
    """

    title: str
    sentences: tuple[str, ...]
    button: str
    command: str = ""
    destructive: bool = False
    fields: tuple[Field, ...] = ()
    lacks: str = ""
    carry: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an action.  text: "" says nothing.   location: the page to go on with, "" for the same one.

    failures: what was not carried out or has no effect, a text each.   secret: shown once, and kept nowhere.
    login: the token of the browser from now on; "" logs out; None leaves it as it is.
    """

    text: str
    location: str = ""
    failures: tuple[str, ...] = ()
    secret: str = ""
    login: str | None = None


Show: TypeAlias = Callable[["Visit"], Page | Awaitable[Page]]
Ask: TypeAlias = Callable[["Visit"], Question | Awaitable[Question]]
Stream: TypeAlias = Callable[["Visit"], Awaitable[AsyncIterator[bytes]]]
Perform: TypeAlias = Callable[["Visit"], Awaitable["Outcome | Page | Download"]]


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a page.  ask: None for a form that is part of the page itself.

    harmless: carried out in the read-only mode, too; it changes nothing but the token that the browser has.
    """

    perform: Perform
    ask: Ask | None = None
    harmless: bool = False


class PageRoute:
    """The address of a page, such as `services/{name}/instances`, relative to the datacenter; `{path*}` takes slashes too.

    local: shown by the agent that is asked, not by a server; shown again every `refresh_s` of its page, not by topics.
    downloads: names of `?download=` and what makes the file.
    stream: makes the server-sent events of an address that is not a page.
    """

    __slots__ = ("actions", "downloads", "local", "pattern", "show", "stream")

    def __init__(
        self,
        pattern: str,
        show: Show,
        actions: Mapping[str, Action] | None = None,
        *,
        local: bool = False,
        downloads: Mapping[str, Callable[[Visit], Awaitable[Download]]] | None = None,
        stream: Stream | None = None,
    ) -> None:
        self.pattern = re.compile(NAME.sub(lambda part: f"(?P<{part[1]}>{'.*' if part[2] else '[^/]+'})", pattern))
        self.show, self.actions, self.local = show, dict(actions or {}), local
        self.downloads, self.stream = dict(downloads or {}), stream

    def match(self, path: str) -> dict[str, str] | None:
        """Return the names in a path that is still escaped, decoded; None for another page's path."""
        found = self.pattern.fullmatch(path)
        return None if found is None else {name: unquote(text) for name, text in found.groupdict().items()}


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a page offers."""

    name: str
    content_type: str
    body: bytes
