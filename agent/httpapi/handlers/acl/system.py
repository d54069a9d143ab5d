"""/v1/acl/bootstrap and /v1/acl/replication: https://developer.hashicorp.com/consul/api-docs/acl"""

from __future__ import annotations

import asyncio
from pathlib import Path

from pyconsul.agent.acl import builtin
from pyconsul.agent.common.uuids import is_uuid
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.authorization import enabled
from pyconsul.agent.httpapi.core.context import Context, new_id
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError, Response, bad_request, json_response
from pyconsul.agent.httpapi.core.router import Read, Route, Write
from pyconsul.agent.httpapi.handlers.acl import show
from pyconsul.agent.httpapi.handlers.acl.bodies import BootstrapBody
from pyconsul.agent.model.acl import Token
from pyconsul.agent.state.acl import tokens as acl_tokens
from pyconsul.agent.state.write_txn import WriteTxn

RESET_FILE = "acl-bootstrap-reset"
MAX_DIGITS = 20  # of an index
NEVER = "0001-01-01T00:00:00Z"  # Go's zero time


async def bootstrap(context: Context, request: Request) -> Response:
    """Create the first management token; another one needs a reset file."""
    enabled(context)
    body = decode(request.body, BootstrapBody) if request.body else BootstrapBody()
    accessor, secret = new_id(), body.bootstrap_secret or new_id()
    reset = await asyncio.to_thread(_reset_index, context)

    def make(txn: WriteTxn) -> Token:
        index = acl_tokens.bootstrapped_at(txn)
        if index and reset != index:
            if reset is not None:
                why = f"Invalid bootstrap reset index (specified {reset}, reset index: {index})"
            else:
                why = f"ACL bootstrap no longer allowed (reset index: {index})"
            raise HTTPError(403, f"Permission denied: {why}")
        if body.bootstrap_secret:
            if not is_uuid(secret):
                raise bad_request("Invalid bootstrap token: SecretID - not a valid UUID")
            acl_tokens.check_new_id(txn, "SecretID", secret)
        return builtin.put_management_token(txn, accessor, secret, "Bootstrap Token (Global Management)")

    token = await context.commit(make)
    if reset is not None:
        await asyncio.to_thread(_reset_file(context).unlink, missing_ok=True)
    return json_response({"ID": token.secret_id, **show.token(context.view, token)})


def _reset_file(context: Context) -> Path:
    return Path(context.config.data_dir) / RESET_FILE


def _reset_index(context: Context) -> int | None:
    """Return the index that the reset file names; None when that file does not exist."""
    if not context.config.data_dir or context.config.dev_mode:
        return None
    try:
        text = _reset_file(context).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0


def replication(context: Context, request: Request) -> Response:
    """Return the status of ACL replication: it is not enabled."""
    enabled(context)
    return json_response(
        {
            "Enabled": False,
            "Running": False,
            "SourceDatacenter": "",
            "ReplicationType": "",
            "ReplicatedIndex": 0,
            "ReplicatedRoleIndex": 0,
            "ReplicatedTokenIndex": 0,
            "LastSuccess": NEVER,
            "LastError": NEVER,
            "LastErrorMessage": "",
        }
    )


ROUTES = (
    Route("/v1/acl/bootstrap", {"PUT": Write(bootstrap, "open")}),
    Route("/v1/acl/replication", {"GET": Read(replication, "open")}),
)
