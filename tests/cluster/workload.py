"""Clients of a cluster that write, read and wait through random agents, and record what they were told."""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from support.agent_process import AgentProcess
from support.eventually import eventually
from support.register_history import Call, CompareAndSet, Delete, Operation, Read, Write

REGISTERS, LEDGERS, WAITERS = 4, 2, 2  # clients of each kind
KEYS = 3  # registers at a time
KEY_LASTS_S = 5.0  # other registers are used then: a short history is checked faster
PAUSE_S = 0.01  # of a client between two requests
TIMEOUT_S = 15.0


class Answer(NamedTuple):
    """status: 0 without an answer.  is_certain: False when a request without success may have been carried out."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_certain: bool = True


class Pause(NamedTuple):
    """A time without a success: seconds, and when it began (`time.monotonic`)."""

    seconds: float
    began: float


class Workload:
    """Clients that use random agents of some.

    history: operations on registers.  acknowledged: keys and values of writes that were confirmed and that nobody overwrites.
    falls: indexes that a client saw fall.  successes: when a write was confirmed.  failures: answers that were no success.
    """

    def __init__(self, agents: Sequence[AgentProcess], seed: int = 0) -> None:
        self._agents, self._seed = list(agents), seed
        self.history: list[Operation] = []
        self.acknowledged: dict[str, str] = {}
        self.written: set[str] = set()  # values, confirmed or not
        self.falls: list[str] = []
        self.phantoms: list[str] = []  # values that were read and never written
        self.successes: list[float] = []
        self.failures: Counter[str] = Counter()
        self._stopped = threading.Event()
        kinds = ((_RegisterClient, REGISTERS), (_LedgerClient, LEDGERS), (_WaitingClient, WAITERS))
        self._clients = [
            kind(self, f"{kind.NAME}{number}", random.Random(f"{seed}/{kind.NAME}/{number}"))
            for kind, count in kinds
            for number in range(count)
        ]
        self._threads = [threading.Thread(target=self._run, args=(client,), daemon=True) for client in self._clients]

    @property
    def name(self) -> str:
        """The beginning of its keys."""
        return f"load-{id(self)}-{self._seed}"

    def use(self, agents: Sequence[AgentProcess]) -> None:
        """Let the clients use other agents from now on."""
        self._agents = list(agents)

    def pick(self, rng: random.Random) -> AgentProcess:
        """Return a random agent."""
        return rng.choice(self._agents)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End all clients, and wait for the answers to their last requests."""
        self._stopped.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)
            assert not thread.is_alive(), "a client hangs"

    def wait_for_progress(self, writes: int = 20) -> None:
        """Wait until that many more writes were confirmed."""
        goal = len(self.successes) + writes
        eventually(lambda: len(self.successes) >= goal, lambda: f"no writes: {dict(self.failures)}", patience=60)

    def longest_pause(self, since: float = 0.0) -> Pause:
        """Return the longest time without a confirmed write, after a moment."""
        moments = sorted(moment for moment in self.successes if moment >= since)
        return max((Pause(later - one, one) for one, later in itertools.pairwise(moments)), default=Pause(0, 0))

    def _run(self, client: _Client) -> None:
        while not self._stopped.wait(PAUSE_S):
            client.act()


@contextmanager
def load_on(agents: Sequence[AgentProcess], seed: int = 0) -> Iterator[Workload]:
    """Clients while the block runs; they have begun to write when it begins."""
    workload = Workload(agents, seed)
    workload.start()
    try:
        workload.wait_for_progress()
        yield workload
    finally:
        workload.stop()


class _Client:
    """One client; it does one thing at a time."""

    NAME = ""

    def __init__(self, workload: Workload, name: str, rng: random.Random) -> None:
        self.workload, self.name, self.rng = workload, name, rng
        self._count = 0
        self._indexes: dict[str, int] = {}  # of each path, the last one seen

    def act(self) -> None:
        """Do one thing."""
        raise NotImplementedError

    def value(self) -> str:
        """Return a value that no other client writes."""
        self._count += 1
        made = f"{self.workload.name}-{self.name}-{self._count}"
        self.workload.written.add(made)
        return made

    def ask(self, method: str, path: str, body: bytes | None = None, timeout: float = TIMEOUT_S) -> Answer:
        """Send a request to a random agent."""
        agent = self.workload.pick(self.rng)
        try:
            status, headers, data = agent.request(method, path, body, timeout=timeout)
        except (ConnectionRefusedError, FileNotFoundError):
            return self._failed("not reached", True)
        except (OSError, http.client.HTTPException) as error:
            return self._failed(type(error).__name__, False)
        if status not in (200, 404):
            return self._failed(f"{status} {data[:120]!r}", False)
        return Answer(status, headers, data)

    def _failed(self, reason: str, is_certain: bool) -> Answer:
        self.workload.failures[reason] += 1
        return Answer(0, {}, b"", is_certain)

    def saw_index(self, path: str, answer: Answer) -> int:
        """Record the index of an answer, and that it has fallen if it has."""
        index = int(answer.headers.get("x-consul-index", "0"))
        before = self._indexes.get(path, 0)
        if index < before:
            self.workload.falls.append(f"{self.name}: {path} from {before} to {index}")
        self._indexes[path] = index
        return index


class _RegisterClient(_Client):
    """Reads, writes, compares and deletes a few keys that others use as well."""

    NAME = "register"

    def act(self) -> None:
        era = int(time.monotonic() / KEY_LASTS_S)
        key = f"{self.workload.name}/{era}/{self.rng.randrange(KEYS)}"
        match self.rng.choices(("read", "stale", "write", "compare", "delete"), (4, 1, 2, 3, 1))[0]:
            case "read":
                self._read(key)
            case "stale":
                self._note_phantom(self.ask("GET", f"/v1/kv/{key}?stale"))
            case "write":
                value = self.value()
                self._change(key, Write(value), "PUT", "", value.encode())
            case "compare":
                read = self._read(key)
                if read is not None:
                    value = self.value()
                    self._change(key, CompareAndSet(value, read.index), "PUT", f"?cas={read.index}", value.encode())
            case _:
                self._change(key, Delete(), "DELETE", "", None)

    def _read(self, key: str) -> Read | None:
        begun = time.monotonic()
        mode = self.rng.choice(("", "?consistent"))
        answer = self.ask("GET", f"/v1/kv/{key}{mode}")
        ended = time.monotonic()
        if not answer.status:
            return None
        self.saw_index(key, answer)
        self._note_phantom(answer)
        row = json.loads(answer.body)[0] if answer.status == 200 else None
        read = Read(_value(row), row["ModifyIndex"]) if row else Read(None, 0)
        self.workload.history.append(Operation(self.name, key, read, begun, ended))
        return read

    def _change(self, key: str, call: Call, method: str, query: str, body: bytes | None) -> None:
        begun = time.monotonic()
        answer = self.ask(method, f"/v1/kv/{key}{query}", body)
        ended = time.monotonic()
        if answer.status == 200:
            if isinstance(call, CompareAndSet):
                call = CompareAndSet(call.value, call.index, answer.body.strip() == b"true")
            self.workload.history.append(Operation(self.name, key, call, begun, ended))
            self.workload.successes.append(ended)
        elif not answer.is_certain:
            self.workload.history.append(Operation(self.name, key, call, begun))

    def _note_phantom(self, answer: Answer) -> None:
        if answer.status == 200:
            value = _value(json.loads(answer.body)[0])
            if value not in self.workload.written:
                self.workload.phantoms.append(value)


class _LedgerClient(_Client):
    """Writes keys that no other client touches."""

    NAME = "ledger"

    def act(self) -> None:
        value = self.value()
        key = f"{self.workload.name}/ledger/{value}"
        answer = self.ask("PUT", f"/v1/kv/{key}", value.encode())
        if answer.status == 200 and answer.body.strip() == b"true":
            self.workload.successes.append(time.monotonic())
            self.workload.acknowledged[key] = value


class _WaitingClient(_Client):
    """Waits for the next change of any key, again and again."""

    NAME = "waiting"

    def act(self) -> None:
        path = f"/v1/kv/{self.workload.name}/?keys&separator=/"
        index = self._indexes.get(path, 0)
        answer = self.ask("GET", f"{path}&index={index}&wait=3s", timeout=TIMEOUT_S + 3)
        if answer.status:
            self.saw_index(path, answer)


def _value(row: dict[str, Any]) -> str:
    return base64.b64decode(row["Value"]).decode()
