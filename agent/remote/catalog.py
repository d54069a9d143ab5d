"""The catalog of an agent that does not lead its datacenter: reads and writes go to the servers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from pyconsul.agent.remote.requests import Rejected, ask, path
from pyconsul.agent.rpc.contract import AskServer
from pyconsul.agent.sync.anti_entropy.batch import Batch, Outcome, OwnedCheck
from pyconsul.agent.sync.anti_entropy.blocked import Blocked, Refusal
from pyconsul.agent.sync.anti_entropy.contract import NodeRows
from pyconsul.agent.sync.local_rows import CheckRow, ServiceRow
from pyconsul.agent.sync.local_state import Pending
from pyconsul.agent.sync.node_registration import NodeRegistration

FORBIDDEN = 403
MAX_REQUESTS = 32  # of one write at a time
UNKNOWN = "unknown"  # instead of the accessor ID of a token that does not exist

_encode = msgspec.json.Encoder().encode
_rows = msgspec.json.Decoder(NodeRows)
_outcome = msgspec.json.Decoder(Outcome)


class RemoteCatalog:
    """The catalog as the servers hold it.

    Each row is written with its own token, or else the one that Consul uses: for a service or check from a file
    `acl.tokens.config_file_service_registration`, for any `acl.tokens.default`; for the node and removals `acl.tokens.agent`.
    Rows that their tokens do not permit are logged, and left until the next full sync.
    """

    def __init__(self, servers: AskServer, own: Callable[[str], str]) -> None:
        """own: returns one of the agent's own tokens by its name (`AgentTokens.get`)."""
        self._servers, self._own = servers, own
        self._blocked = Blocked()

    async def node_rows(self, name: str) -> NodeRows:
        """Return the rows of a node that the agent's token may see; none if it may not see the node.  Raises Unavailable."""
        try:
            response = await ask(self._servers, "read", "GET", path("registrations", name), self._agent_token())
        except Rejected as error:
            if error.status != FORBIDDEN:
                raise
            return NodeRows()
        return _rows.decode(response.body)

    async def apply(self, registration: NodeRegistration, pending: Pending) -> None:
        """Write changes, with one request for each token.  The servers' own part of a registration is the leader's to write.

        Raises Unavailable when nothing can be written at present, Rejected when a row is refused for another reason than its token.
        """
        batches = self._batches(registration, pending)
        if pending.node and (own := batches.pop(self._agent_token(), None)) is not None:
            await self._write(self._agent_token(), own)
        if len(batches) == 1:
            ((token, batch),) = batches.items()
            await self._write(token, batch)
            return
        slots = asyncio.Semaphore(MAX_REQUESTS)
        tasks = [self._write_in_slot(slots, token, batch) for token, batch in batches.items()]
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _batches(self, registration: NodeRegistration, pending: Pending) -> dict[str, Batch]:
        """Return the changes by token; the agent's own is written first, since a service needs its node."""
        node, agent = registration.node, self._agent_token()
        services: dict[str, list[ServiceRow]] = {}
        checks: dict[str, list[tuple[CheckRow, ServiceRow | None]]] = {}
        for row in pending.services:
            services.setdefault(self._token_of(row), []).append(row)
        for check in pending.checks:
            checks.setdefault(self._token_of(check[0]), []).append(check)
        own = pending.node or pending.gone_services or pending.gone_checks
        return {
            token: Batch(
                node=node,
                writes_node=pending.node and token == agent,
                services=[row.service for row in services.get(token, ())],
                checks=[
                    OwnedCheck(check.check, owner.service if owner else None) for check, owner in checks.get(token, ())
                ],
                gone_services=pending.gone_services if token == agent else [],
                gone_checks=pending.gone_checks if token == agent else [],
            )
            for token in dict.fromkeys([*([agent] if own else []), *services, *checks])
        }

    def _agent_token(self) -> str:
        return self._own("agent") or self._own("default")

    def _token_of(self, row: ServiceRow | CheckRow) -> str:
        from_file = self._own("config_file_service_registration") if row.from_file else ""
        return row.token or from_file or self._own("default")

    async def _write_in_slot(self, slots: asyncio.Semaphore, token: str, batch: Batch) -> None:
        async with slots:
            await self._write(token, batch)

    async def _write(self, token: str, batch: Batch) -> None:
        target = path("registrations")
        try:
            response = await ask(self._servers, "write", "PUT", target, token, _encode(batch))
            refused = _outcome.decode(response.body).refused
        except Rejected as error:
            if error.status != FORBIDDEN:
                raise
            refused = _refused(error.body) or _all_refused(batch)
        for refusal in refused:
            self._blocked.refuse(refusal)
        denied = {(one.kind, one.row_id) for one in refused}
        for kind, row_id in _rows_of(batch):
            if (kind, row_id) not in denied:
                self._blocked.permit(kind, row_id)


def _rows_of(batch: Batch) -> list[tuple[str, str]]:
    """Return kind and ID of everything that a batch writes or removes."""
    return [
        *([("node", batch.node.node)] if batch.writes_node else []),
        *(("service", row.id) for row in batch.services),
        *(("check", one.check.check_id) for one in batch.checks),
        *(("service", service_id) for service_id in batch.gone_services),
        *(("check", check_id) for check_id in batch.gone_checks),
    ]


def _refused(body: bytes) -> list[Refusal]:
    """Return the refused rows that a response names."""
    try:
        return _outcome.decode(body).refused
    except msgspec.DecodeError:
        return []


def _all_refused(batch: Batch) -> list[Refusal]:
    """Return the refusals of a batch whose token does not exist."""
    node = batch.node.node
    found = [Refusal("node", node, UNKNOWN, "node", node)] if batch.writes_node else []
    found += [Refusal("service", row.id, UNKNOWN, "service", row.service) for row in batch.services]
    for one in batch.checks:
        resource, name = ("service", one.check.service_name) if one.check.service_id else ("node", node)
        found.append(Refusal("check", one.check.check_id, UNKNOWN, resource, name))
    found += [Refusal("service", one, UNKNOWN, "node", node, removes=True) for one in batch.gone_services]
    found += [Refusal("check", one, UNKNOWN, "node", node, removes=True) for one in batch.gone_checks]
    return found
