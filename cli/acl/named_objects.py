"""Print, read, list and delete ACL objects that have a name: policies and roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyconsul.agent.common.options import switch, text
from pyconsul.cli.acl.objects import Object, id_or_name
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, during
from pyconsul.cli.output.render import confirm, document

META = switch("meta", "Also print the content hash and the indexes.")
_ID = text("id", "ID of the object.")
_NAME = text("name", "Name of the object.")


class NamedObjects:
    """The objects of one kind.

    `kind`: its name in paths and messages, such as policy. `lines`: the lines of an object for people. `complete`: adds the
    fields that the API leaves out.
    """

    def __init__(
        self,
        kind: str,
        plural: str,
        lines: Callable[..., list[str]],
        complete: Callable[[Object], Object] = lambda found: found,
    ) -> None:
        self._kind = kind
        self._plural = plural
        self._lines = lines
        self._complete = complete

    def show(self, context: Context, found: Object) -> None:
        """Print an object as `-format` and `-meta` ask for it."""
        if not document(context, self._complete(found)):
            context.out("\n".join(self._lines(found, meta=context.args[META])) + "\n")

    def create(self, context: Context, body: dict[str, Any]) -> None:
        """Create an object and print it. Raises CliError."""
        try:
            created = context.client.put(f"/v1/acl/{self._kind}", body=body)
        except CliError as error:
            raise during(f"Failed to create new {self._kind}", error) from None
        self.show(context, created)

    def read(self, context: Context) -> None:
        """Print the object that -id or -name means."""
        try:
            found = context.client.get(f"/v1/acl/{self._kind}/{id_or_name(context, self._kind)}")
        except CliError as error:
            raise self.failure(context, "reading", error) from None
        self.show(context, found)

    def list_all(self, context: Context) -> None:
        """Print every object."""
        try:
            found = context.client.get(f"/v1/acl/{self._plural}")
        except CliError as error:
            raise during(f"Failed to retrieve the {self._kind} list", error) from None
        if document(context, [self._complete(one) for one in found]):
            return
        for one in found:
            context.out("\n".join(self._lines(one, meta=context.args[META], listed=True)))

    def delete(self, context: Context) -> None:
        """Delete the object that -id or -name means; it is an error if it does not exist."""
        try:
            identity = id_or_name(context, self._kind)
            context.client.delete(f"/v1/acl/{self._kind}/{identity}")
        except CliError as error:
            raise self.failure(context, "deleting", error) from None
        done = f'{self._kind.capitalize()} "{identity}" deleted successfully'
        confirm(context, done, {"ID": identity, "Deleted": True})

    def failure(self, context: Context, doing: str, error: CliError) -> CliError:
        """Return the error of a command, with what it was doing and with which object."""
        which = context.args[_ID] or context.args[_NAME]
        return during(f'Error {doing} {self._kind} "{which}"', error)
