"""Refuses request bodies whose names hold control characters: see `model.control_characters`."""

from __future__ import annotations

from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.errors import bad_request
from pyconsul.agent.model.control_characters import fault_of_fields


def refuse_control_characters(context: Context, body: object, path: str = "") -> None:
    """Raises HTTPError 400, which names the field, unless the settings allow control characters."""
    if not context.config.allow_control_characters and (fault := fault_of_fields(body, path)):
        raise bad_request(fault)
