"""Operations in words, for the log and -dry-run. Pure."""

from __future__ import annotations

from pyconsul.tools.registrator.desired.diff import Deregister, Operation, Register, RemoveCheck, SetMaintenance
from pyconsul.tools.registrator.desired.kv import Delete, Put
from pyconsul.tools.registrator.desired.metadata import one_line

Write = Operation | Put | Delete


def describe(write: Write) -> str:
    """Return what a write does, on one line."""
    return one_line(_described(write))


def _described(write: Write) -> str:
    match write:
        case Register(service, why):
            where = f"{service.body['Address']}:{service.body['Port']}"
            name = service.container.name
            return f"register {service.id}: service={service.name} address={where} container={name} ({why})"
        case Deregister(service_id, why):
            return f"deregister {service_id}: {why}"
        case RemoveCheck(check_id):
            return f"remove the check {check_id}: the service does not have it any more"
        case SetMaintenance(service_id, reason):
            return f"maintenance of {service_id}: {reason or 'ended'}"
        case Put(key, value):
            return f"write the key {key}: {value}"
        case Delete(key):
            return f"delete the key {key}: no running container has it"
    beat = write.beat
    return f"update the check {beat.check_id}: {beat.status}"


def subject(write: Write) -> str:
    """Return the ID of the service, or the key, that a write is about."""
    match write:
        case Register(service, _):
            return service.id
        case Deregister(service_id, _) | SetMaintenance(service_id, _):
            return service_id
        case Put(key, _) | Delete(key):
            return key
        case RemoveCheck(check_id):
            return service_of_check(check_id)
    return service_of_check(write.beat.check_id)


def service_of_check(check_id: str) -> str:
    """Return the ID of the service that one of registrator's checks belongs to."""
    return check_id.removeprefix("service:").removesuffix(":healthcheck").removesuffix(":registrator")
