"""Registries of services: the agent's catalog, or keys. Each reads its present state and makes the writes of a look."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pyconsul.tools.consul.client import ConsulClient, ConsulError
from pyconsul.tools.registrator.desired.containers import Container
from pyconsul.tools.registrator.desired.diff import (
    Deregister,
    Memory,
    Options,
    Plan,
    Register,
    RemoveCheck,
    Report,
    SetMaintenance,
    diff,
    has_failed,
)
from pyconsul.tools.registrator.desired.kv import Put, engine_flags, keys_of_container, kv_diff, read_pairs
from pyconsul.tools.registrator.desired.ownership import STOPPING
from pyconsul.tools.registrator.desired.registrations import read_registrations
from pyconsul.tools.registrator.desired.services import Rules
from pyconsul.tools.registrator.operations import Write

#: Status of errors without a response of the agent.
NO_ANSWER = 0


@dataclass(frozen=True, slots=True)
class Look:
    """The result of one look. `stopping`: containers whose services are in maintenance because they are being stopped."""

    plan: Plan
    writes: Sequence[Write]
    stopping: frozenset[str] = frozenset()


class Registry(Protocol):
    """A place for services. Its methods raise ConsulError."""

    async def look(self, containers: Sequence[Container], rules: Rules, options: Options, memory: Memory) -> Look:
        """Return the difference between the containers and what is registered."""
        ...

    async def write(self, write: Write) -> None:
        """Make one write."""
        ...

    async def beat(self, plan: Plan) -> None:
        """Renew what ends by itself."""
        ...


class CatalogRegistry:
    """The services of the agent that is asked."""

    def __init__(self, client: ConsulClient) -> None:
        self._client = client

    async def look(self, containers: Sequence[Container], rules: Rules, options: Options, memory: Memory) -> Look:
        services, _ = await self._client.request("/v1/agent/services", {})
        checks, _ = await self._client.request("/v1/agent/checks", {})
        registrations = read_registrations(services, checks)
        plan = diff(containers, registrations, rules, options, memory)
        own = (one for one in registrations.values() if one.engine == rules.engine)
        stopping = frozenset(one.container for one in own if one.maintenance == STOPPING)
        return Look(plan, plan.operations, stopping)

    async def write(self, write: Write) -> None:
        match write:
            case Register(service, _):
                await self._put("/v1/agent/service/register", body=service.body)
            case Deregister(service_id, _):
                await self._put(f"/v1/agent/service/deregister/{service_id}")
            case RemoveCheck(check_id):
                await self._put(f"/v1/agent/check/deregister/{check_id}")
            case SetMaintenance(service_id, reason):
                parameters = {"enable": "true", "reason": reason} if reason else {"enable": "false"}
                await self._put(f"/v1/agent/service/maintenance/{service_id}", parameters)
            case Report(beat):
                body = {"Status": beat.status, "Output": beat.output}
                await self._put(f"/v1/agent/check/update/{beat.check_id}", body=body)

    async def beat(self, plan: Plan) -> None:
        failure: ConsulError | None = None
        for beat in (beat for service in plan.wanted.values() for beat in service.beats):
            try:
                await self.write(Report(beat))
            except ConsulError as error:  # of a check that the agent lacks: it must keep no other from being renewed
                if error.status == NO_ANSWER:
                    raise
                failure = error
        if failure is not None:
            raise failure

    async def _put(self, path: str, params: dict[str, str] | None = None, body: object = None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        await self._client.send("PUT", path, params or {}, data)


class KvRegistry:
    """Keys below a prefix; with a TTL they belong to a session, and end with it."""

    def __init__(self, client: ConsulClient, prefix: str, ttl_s: int = 0) -> None:
        self._client = client
        self._prefix = prefix
        self._ttl_s = ttl_s
        self._session = ""
        self._flags = 0

    async def look(self, containers: Sequence[Container], rules: Rules, options: Options, memory: Memory) -> Look:
        plan = diff(containers, {}, rules, options, memory)
        self._flags = engine_flags(rules.engine)
        if self._ttl_s and not await self._session_lives():
            session = {
                "Name": "pyconsul registrator",
                "TTL": f"{self._ttl_s}s",
                "Behavior": "delete",
                "LockDelay": "0s",
            }
            made = await self._client.send("PUT", "/v1/session/create", {}, json.dumps(session).encode())
            self._session = made["ID"]
        answer, _ = await self._client.request(f"/v1/kv/{self._prefix}", {"recurse": ""})
        pairs = read_pairs(answer)
        failed = [one.name for one in containers if options.keep_failed and has_failed(one)]
        keep = {key for name in failed for key in keys_of_container(pairs, rules.host, name)}
        writes = kv_diff(self._prefix, plan.wanted.values(), pairs, self._flags, self._session, keep)
        return Look(plan, writes)

    async def write(self, write: Write) -> None:
        if isinstance(write, Put):
            params = {"flags": str(self._flags)} | ({"acquire": self._session} if self._session else {})
            if await self._client.send("PUT", f"/v1/kv/{write.key}", params, write.value.encode()) is False:
                # Another session holds the key: that of a run that has ended, whose TTL is not over.
                await self._client.send("DELETE", f"/v1/kv/{write.key}", {})
                await self._client.send("PUT", f"/v1/kv/{write.key}", params, write.value.encode())
        elif not isinstance(write, Register | Deregister | RemoveCheck | SetMaintenance | Report):
            await self._client.send("DELETE", f"/v1/kv/{write.key}", {})

    async def beat(self, plan: Plan) -> None:
        if self._session and await self._client.send("PUT", f"/v1/session/renew/{self._session}", {}) is None:
            raise ConsulError("the session of -ttl has ended")

    async def _session_lives(self) -> bool:
        if not self._session:
            return False
        found, _ = await self._client.request(f"/v1/session/info/{self._session}", {})
        return bool(found)
