"""/v1/operator/keyring: the keys that encrypt gossip (https://developer.hashicorp.com/consul/api-docs/operator/keyring).

Every operation is about all members of the WAN pool and of the LAN pool; a server without a WAN pool leaves that out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import msgspec

from pyconsul.agent.common.go.booleans import parse_go_bool
from pyconsul.agent.gossip.membership import Keyring
from pyconsul.agent.gossip.serf.effects import KeyReport
from pyconsul.agent.httpapi.codec.decoding import decode
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import EMPTY, Response, bad_request, json_response, server_error
from pyconsul.agent.httpapi.core.router import Read, Route
from pyconsul.agent.model.wire import camel

MAX_RELAYS = 5


class KeyInput(msgspec.Struct, kw_only=True, rename=camel):
    """The body of a change."""

    go_name: ClassVar[str] = "agent.keyringArgs"
    lenient: ClassVar[bool] = True
    key: str = ""


class PoolKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of one pool, each with the number of members that have it."""

    wan: bool = msgspec.field(name="WAN")
    datacenter: str = msgspec.field(name="Datacenter")
    segment: str = msgspec.field(name="Segment", default="")
    messages: Mapping[str, str] | msgspec.UnsetType = msgspec.field(name="Messages", default=msgspec.UNSET)
    keys: Mapping[str, int] = msgspec.field(name="Keys")
    primary_keys: Mapping[str, int] = msgspec.field(name="PrimaryKeys")
    num_nodes: int = msgspec.field(name="NumNodes")


class _Pool(NamedTuple):
    """A pool of this server, and its name in errors."""

    title: str
    wan: bool
    keyring: Keyring


def _pools(context: Context, *, local_only: bool = False) -> list[_Pool]:
    lan = _Pool(f"{context.config.datacenter} (LAN)", False, context.lan.keyring)
    return [lan] if context.wan is None or local_only else [_Pool("WAN", True, context.wan.keyring), lan]


async def list_keys(context: Context, request: Request) -> Response:
    """Return the keys of each pool."""
    relays = _relays(request)
    pools = _pools(context, local_only=_local_only(request))
    reports = await asyncio.gather(*(pool.keyring.list(relay_factor=relays) for pool in pools))
    _require_success(pools, reports)
    found = [
        PoolKeys(
            wan=pool.wan,
            datacenter=context.config.datacenter,
            messages=report.messages or msgspec.UNSET,
            keys=report.keys,
            primary_keys=report.primary_keys,
            num_nodes=report.members,
        )
        for pool, report in zip(pools, reports, strict=True)
    ]
    return json_response(found)


async def install_key(context: Context, request: Request) -> Response:
    """Let all members accept a key."""
    return await _change(context, request, lambda keyring: keyring.install)


async def use_key(context: Context, request: Request) -> Response:
    """Let all members encrypt with an installed key."""
    return await _change(context, request, lambda keyring: keyring.use)


async def remove_key(context: Context, request: Request) -> Response:
    """Let all members forget a key."""
    return await _change(context, request, lambda keyring: keyring.remove)


async def _change(
    context: Context, request: Request, operation: Callable[[Keyring], Callable[..., Awaitable[KeyReport]]]
) -> Response:
    relays = _relays(request)
    if _local_only(request):
        raise bad_request("Error validating local-only: local-only can only be set for list requests")
    key = decode(request.body, KeyInput).key
    pools = _pools(context)
    try:
        reports = await asyncio.gather(*(operation(pool.keyring)(key, relay_factor=relays) for pool in pools))
    except ValueError as error:
        raise _errors([f"{pool.title} error: {error}" for pool in pools]) from None
    _require_success(pools, reports)
    return EMPTY


def _relays(request: Request) -> int:
    text = request.params.get("relay-factor", "")
    if not text:
        return 0
    digits = text[1:] if text[0] in "+-" else text
    if not (digits.isascii() and digits.isdigit()):
        raise bad_request(f'Error parsing relay factor: strconv.Atoi: parsing "{text}": invalid syntax')
    if len(digits) > 1 or not 0 <= int(text) <= MAX_RELAYS:
        raise bad_request(f"Invalid relay-factor: Relay factor must be in range: [0, {MAX_RELAYS}]")
    return int(text)


def _local_only(request: Request) -> bool:
    text = request.params.get("local-only", "")
    if not text:
        return False
    try:
        return parse_go_bool(text)
    except ValueError:
        raise bad_request(f'Error parsing local-only: strconv.ParseBool: parsing "{text}": invalid syntax') from None


def _require_success(pools: Sequence[_Pool], reports: Sequence[KeyReport]) -> None:
    """Raises HTTPError unless an operation has succeeded on every member."""
    texts: list[str] = []
    for pool, report in zip(pools, reports, strict=True):
        if report.error:
            texts.append(f"{pool.title} error: {report.error}")
            texts += [f"{name}: {text}" for name, text in sorted(report.messages.items())]
    if texts:
        raise _errors(texts)


def _errors(texts: list[str]) -> Exception:
    count = "1 error" if len(texts) == 1 else f"{len(texts)} errors"
    return server_error(f"{count} occurred:\n" + "".join(f"\t* {text}\n" for text in texts) + "\n")


ROUTES = (
    Route(
        "/v1/operator/keyring",
        {
            "GET": Read(list_keys, "keyring:read"),
            "POST": Read(install_key, "keyring:write"),
            "PUT": Read(use_key, "keyring:write"),
            "DELETE": Read(remove_key, "keyring:write"),
        },
        stateless=True,
    ),
)
