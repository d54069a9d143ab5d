"""PUT /v1/txn: https://developer.hashicorp.com/consul/api-docs/txn"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from pyconsul.agent.acl.authorizer import Authorizer
from pyconsul.agent.common.steps import Steps, finish
from pyconsul.agent.httpapi.codec.decoding import GoType, decode_list
from pyconsul.agent.httpapi.core.context import Context
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import JSON, HTTPError, Response, bad_request, encode
from pyconsul.agent.httpapi.core.router import Route, Write
from pyconsul.agent.httpapi.core.validation import refuse_control_characters
from pyconsul.agent.httpapi.handlers.catalog.registration import (
    CheckInput,
    Index,
    ServiceInput,
    health_check,
    mesh_refusal,
    node_service,
)
from pyconsul.agent.httpapi.handlers.txn import access
from pyconsul.agent.httpapi.server.contract import BodyRule
from pyconsul.agent.model.node import Node
from pyconsul.agent.model.wire import camel
from pyconsul.agent.state import txn_operations
from pyconsul.agent.state.txn_operations import (
    CheckOperation,
    Failed,
    KVOperation,
    NodeOperation,
    Operation,
    ServiceOperation,
)
from pyconsul.agent.state.write_txn import WriteTxn

PREFIX = "Failed to parse body: "
MAX_OPERATIONS = 128
TOO_LARGE = (
    "Request body({size} bytes) too large, max size: {limit} bytes. "
    "See https://developer.hashicorp.com/docs/agent/config/config-files#txn_max_req_len."
)
WRITING = ("set", "cas", "delete", "delete-cas")


class KVInput(msgspec.Struct, kw_only=True, rename=camel):
    """An operation on a key."""

    go_name: ClassVar[str] = "api.KVTxnOp"
    verb: str = ""
    key: str = ""
    value: bytes | None = None
    flags: Annotated[int, GoType("uint64")] = 0
    index: Annotated[int, GoType("uint64")] = 0
    session: str = ""


class NodeInput(msgspec.Struct, kw_only=True, rename=camel):
    """A node, as an operation names or writes it."""

    go_name: ClassVar[str] = "api.Node"
    id: str = ""
    node: str = ""
    address: str = ""
    datacenter: str = ""
    tagged_addresses: dict[str, str] | None = None
    meta: dict[str, str] | None = None
    create_index: Index = 0
    modify_index: Index = 0
    peer_name: str = ""
    locality: dict[str, Any] | None = None


class NodeTxn(msgspec.Struct, kw_only=True, rename=camel):
    """An operation on a node."""

    verb: str = ""
    node: NodeInput = msgspec.field(default_factory=NodeInput)


class InstanceInput(ServiceInput, kw_only=True, rename=camel):
    """The instance of an operation; Go's client has further keys for what only responses hold."""

    go_name: ClassVar[str] = "api.AgentService"
    aliases: ClassVar[dict[str, str | None]] = {"ContentHash": None, "Datacenter": None}


class ServiceTxn(msgspec.Struct, kw_only=True, rename=camel):
    """An operation on an instance."""

    verb: str = ""
    node: str = ""
    service: InstanceInput = msgspec.field(default_factory=InstanceInput)


class CheckTxn(msgspec.Struct, kw_only=True, rename=camel):
    """An operation on a check."""

    verb: str = ""
    check: CheckInput = msgspec.field(default_factory=CheckInput)


class TxnInput(msgspec.Struct, kw_only=True, rename=camel):
    """One operation; of several kinds in one the first counts."""

    go_name: ClassVar[str] = "api.TxnOp"
    kv: KVInput | None = msgspec.field(name="KV", default=None)
    node: NodeTxn | None = None
    service: ServiceTxn | None = None
    check: CheckTxn | None = None


def body_rule(context: Context, request: Request) -> BodyRule:
    """Limit a transaction by `txn_max_req_len`."""
    return BodyRule(context.config.limits.txn_max_req_len, too_large=TOO_LARGE)


async def apply(context: Context, request: Request) -> Response:
    """Run a transaction: 200 with its results, or 409 with every failure."""
    limit = context.config.limits.txn_max_req_len
    if len(request.body) > limit:
        raise HTTPError(413, TOO_LARGE.format(size=len(request.body), limit=limit))
    operations = _operations(context, request.body)
    if len(operations) > MAX_OPERATIONS:
        raise HTTPError(413, f"Transaction contains too many operations ({len(operations)} > {MAX_OPERATIONS})")
    if unknown := txn_operations.unknown_verbs(operations):
        return _response(None, unknown, 0, False)
    caller = request.caller
    reads_only = txn_operations.reads_only(operations)
    if malformed := _malformed(operations):
        return _response(None, malformed, 0, False) if reads_only else _response(None, malformed)
    if reads_only:
        if (barrier := context.standing.barrier()) is not None:
            await barrier  # the leader of a moment ago may not lead any more
        return _read(context, operations, caller)

    def write(txn: WriteTxn) -> Steps[txn_operations.Rows]:
        if refused := access.denials(caller, txn, operations, context):
            raise Failed(refused)
        return txn_operations.apply_steps(
            txn, operations, lambda now, one: access.refusal(caller, now, one, context, again=True)
        )

    try:
        if txn_operations.is_long(operations):
            rows = await context.commit_steps(write)
        else:
            rows = await context.commit(lambda txn: finish(write(txn)))
        return _response(access.shown(caller, rows)[0], None)
    except Failed as error:
        return _response(None, error.errors)


def _read(context: Context, operations: Sequence[Operation], caller: Authorizer) -> Response:
    """Run a transaction that writes nothing; it needs no commit."""
    txn = WriteTxn(context.view)
    index = context.view.index_of("kvs", "nodes", "services", "checks")
    if refused := access.denials(caller, context.view, operations, context):
        return _response(None, refused, 0, known_leader=False)
    try:
        rows, filtered = access.shown(caller, txn_operations.apply(txn, operations))
        return _response(rows, None, index, filtered=filtered and not caller.anonymous)
    except Failed as error:
        return _response(None, error.errors, index)


def _malformed(operations: Sequence[Operation]) -> list[tuple[int, str]]:
    errors = []
    for position, operation in enumerate(operations):
        if isinstance(operation, KVOperation) and not operation.key and operation.verb != "delete-tree":
            errors.append((position, "Must provide key"))
        elif isinstance(operation, ServiceOperation) and operation.verb in WRITING and _nameless(operation):
            errors.append((position, "Must provide service name (Service.Service) when service ID is provided"))
    return errors


def _nameless(operation: ServiceOperation) -> bool:
    return bool(operation.service.id) and not operation.service.service


def _response(
    results: txn_operations.Rows | None,
    errors: Sequence[tuple[int, str]] | None,
    read_index: int | None = None,
    known_leader: bool = True,
    filtered: bool = False,
) -> Response:
    """Return the response; only that of a read-only transaction states how fresh it is (`read_index`)."""
    body: dict[str, Any] = {
        "Results": None if results is None else [_shown(result) for result in results],
        "Errors": None if errors is None else [{"OpIndex": position, "What": what} for position, what in errors],
    }
    headers = JSON
    if read_index is not None:
        body |= {
            "Index": read_index, "LastContact": 0, "KnownLeader": known_leader, "ConsistencyLevel": "",
            "NotModified": False, "Backend": 0, "ResultsFilteredByACLs": filtered,
        }  # fmt: skip
        leader = b"true" if known_leader else b"false"
        headers = (*JSON, (b"X-Consul-KnownLeader", leader), (b"X-Consul-LastContact", b"0"))
    return Response(200 if errors is None else 409, encode(body), headers)


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result as Consul shows it: here, and only here, no tags are null instead of an empty list."""
    row, check = result.get("Service"), result.get("Check")
    if row is not None:
        return {"Service": row.service if row.service.tags else {**msgspec.to_builtins(row.service), "Tags": None}}
    if check is not None and not check.service_tags:
        return {"Check": msgspec.structs.replace(check, service_tags=None)}
    return result


def _operations(context: Context, body: bytes) -> list[Operation]:
    inputs = decode_list(body, TxnInput, "api.TxnOps", PREFIX)
    for position, one in enumerate(inputs):
        for kind, part in (
            ("Node", one.node),
            ("Service", one.service),
            ("Check", one.check),
        ):  # keys are not names of the catalog
            if part is not None and part.verb in ("set", "cas"):  # existing rows can be read and deleted
                refuse_control_characters(context, part, f"operation {position}: {kind}")
    return [made for one in inputs if (made := _operation(context, one)) is not None]


def _operation(context: Context, given: TxnInput) -> Operation | None:
    if given.kv is not None:
        op = given.kv
        return KVOperation(op.verb, op.key, op.value, op.flags, op.index, op.session)
    if given.node is not None:
        n = given.node.node
        datacenter = context.config.datacenter
        node = Node(n.id, n.node, n.address, datacenter, n.tagged_addresses, n.meta, n.create_index, n.modify_index)
        return NodeOperation(given.node.verb, node)
    if given.service is not None:
        if refused := mesh_refusal(given.service.service.kind, given.service.service.connect):
            raise bad_request(refused)
        service = msgspec.structs.replace(
            node_service(given.service.service), modify_index=given.service.service.modify_index
        )
        return ServiceOperation(given.service.verb, given.service.node, service)
    if given.check is not None:
        check = msgspec.structs.replace(
            health_check(given.check.check, ""), modify_index=given.check.check.modify_index
        )
        return CheckOperation(given.check.verb, check)
    return None


ROUTES = (Route("/v1/txn", {"PUT": Write(apply, "handler key:write")}, strict=True, body_rule=body_rule),)
