"""Handlers that policies, roles, auth methods and binding rules share: show one by its key, and delete it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.httpapi.core.authorization import authorized, enabled
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import TRUE, Query, Response, Result, bad_request, not_found
from pyconsul.agent.state.contract import View
from pyconsul.agent.state.write_txn import WriteTxn

#: Reads one row by a text of the path; its value is None when the row does not exist.
Find: TypeAlias = Callable[[View, Authorizer, str], Result]


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of rows.

    noun, type_name: its names in messages ("auth method", "AuthMethod").  key_title: that of its key ("ID", "name").
    """

    noun: str
    type_name: str
    find: Find
    shown: Callable[[View, Any], dict[str, Any]]
    remove: Callable[[WriteTxn, str], bool]
    key_title: str = "ID"

    def key(self, context: Context, request: Request) -> str:
        """Return the key in the path.  Raises HTTPError."""
        return self._tail(context, request, self.key_title)

    def _tail(self, context: Context, request: Request, title: str) -> str:
        enabled(context)
        if not request.tail:
            raise bad_request(f"Missing {self.noun} {title}")
        return request.tail

    def show(self, context: Context, request: Request) -> Query:
        """Return one row."""
        return self._show(context, request, self.find, self.key(context, request))

    def show_named(self, find: Find) -> Callable[[Context, Request], Query]:
        """Return a handler that shows the row with a name."""
        return lambda context, request: self._show(context, request, find, self._tail(context, request, "Name"))

    def _show(self, context: Context, request: Request, find: Find, key: str) -> Query:
        def read() -> Result:
            result = find(context.view, request.caller, key)
            if result.value is None:
                raise not_found(f"Requested {self.noun} does not exist: ACL not found")
            return result.shown_as(self.shown(context.view, result.value))

        return Query(read)

    async def delete(self, context: Context, request: Request) -> Response:
        """Delete one row."""
        key = self.key(context, request)
        if not await context.commit(authorized(request, "acl:write", lambda txn: self.remove(txn, key))):
            raise not_found(f"Cannot find {self.noun} to delete")
        return TRUE

    def new_key(self, given: str) -> str:
        """Return the ID of a new row.  Raises HTTPError when the body gives one."""
        if given:
            raise bad_request(f"Cannot specify the ID when creating a new {self.noun}")
        return new_id()

    def check_key(self, given: str, key: str) -> None:
        """Raises HTTPError when the body gives another key than the path."""
        if given not in ("", key):
            raise bad_request(f"{self.type_name} {self.key_title} in URL and payload do not match")
