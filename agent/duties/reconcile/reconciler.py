"""Keeps the nodes of the catalog in line with the members of the LAN pool: at each member event, and periodically."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from pyconsul.agent.duties.contract import Commit
from pyconsul.agent.duties.reconcile.operations import Conflict, Deregister, MarkFailed, Operation, Register, apply
from pyconsul.agent.duties.reconcile.plan import Pool, id_of, plan, unknown_agents
from pyconsul.agent.gossip.membership import Membership, PoolEvent
from pyconsul.agent.gossip.serf.effects import MemberChanged
from pyconsul.agent.model.member import MemberEvent
from pyconsul.agent.state.schemas import NODES
from pyconsul.agent.state.store import Store
from pyconsul.agent.state.write_txn import WriteTxn

PERIOD_S = 60.0
MIN_INTERVAL_S = 0.05  # events that come sooner after a run wait for the next one
CATALOG_DELAY_S = 1.0  # after a change of a node: a late registration stays no longer than this
RETRY_S = 5.0  # after a failed commit
MAX_BATCH = 500  # members of one commit: others wait for it some 20 ms
MAX_DEPARTED = 4096  # remembered IDs of erased members

log = logging.getLogger("agent.catalog")


class Reconciler:
    """The duty.  The node of this server is left to anti-entropy."""

    def __init__(
        self,
        lan: Membership,
        store: Store,
        commit: Commit,
        datacenter: str,
        remove_unknown_after_s: float,
        clock: Callable[[], float],
    ) -> None:
        """clock: seconds that do not jump."""
        self._lan, self._store, self._commit, self._datacenter = lan, store, commit, datacenter
        self._remove_unknown_after_s, self._clock = remove_unknown_after_s, clock
        self._departed: dict[str, None] = {}
        self._unknown_since: dict[str, float] = {}
        self._conflicts: set[Conflict] = set()
        self._changed: set[str] = set()
        self._timer: asyncio.Handle | None = None
        self._due_at = 0.0  # of the timer
        self._full_at = self._ran_at = 0.0  # these three: the loop's time
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._is_running = False

    async def start(self) -> None:
        """Reconcile everything, and follow member events."""
        self._is_running = True
        self._unsubscribe = self._lan.subscribe(self._on_event)
        self._store.watches.add(self._on_nodes, ("nodes",))
        self._full_at = asyncio.get_running_loop().time() + PERIOD_S
        await self.reconcile()
        self._wake_within(PERIOD_S)

    async def stop(self) -> None:
        """Follow nothing any more, and end running work."""
        self._is_running = False
        self._unsubscribe()
        self._store.watches.remove(self._on_nodes, ("nodes",))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def reconcile(self, names: set[str] | None = None) -> None:
        """Bring members (names in lower case; None: everything) into line; errors are logged, and retried soon."""
        try:
            pool = Pool(
                self._lan.members(), datacenter=self._datacenter, local=self._lan.local.name, departed=self._departed
            )
            if names is None:
                self._note_unknown(unknown_agents(pool, self._store))
            operations = list(self._plan(pool, self._store, names))
            self._log_conflicts(operations, all_members=names is None)
            touched = sorted({_name(one) for one in operations if not isinstance(one, Conflict)})
            for start in range(0, len(touched), MAX_BATCH):
                await self._write(pool, set(touched[start : start + MAX_BATCH]))
        except Exception:
            log.exception("reconciling members with the catalog failed, retrying in %gs", RETRY_S)
            self._full_within(RETRY_S)

    def _plan(self, pool: Pool, view: Store | WriteTxn, names: set[str] | None) -> Iterator[Operation]:
        now = self._clock()
        return plan(
            pool,
            view,
            names=names,
            unknown_for_s={name: now - since for name, since in self._unknown_since.items()},
            remove_unknown_after_s=self._remove_unknown_after_s,
        )

    async def _write(self, pool: Pool, names: set[str]) -> None:
        """Write what is to be done for some names: in one commit or, if that fails, each by itself."""
        try:
            done = await self._commit(partial(self._operate, pool, names))
        except Exception as error:
            if len(names) == 1:
                log.warning("cannot reconcile a member, retrying in %gs: node=%s: %s", RETRY_S, *names, error)
                self._full_within(RETRY_S)
                return
            for name in sorted(names):
                await self._write(pool, {name})
            return
        for operation, was in done:
            self._report(operation, was)

    def _operate(self, pool: Pool, names: set[str], txn: WriteTxn) -> list[tuple[Operation, str]]:
        """Plan again over the state that is written to, and apply; returns operations with the node ID before each."""
        done: list[tuple[Operation, str]] = []
        for operation in self._plan(pool, txn, names):
            if not isinstance(operation, Conflict):
                node = txn[NODES].get(_name(operation))
                done.append((operation, node.id if node else ""))
                apply(txn, operation)
        return done

    def _report(self, operation: Operation, previous_id: str) -> None:
        if isinstance(operation, Register):
            node = operation.node
            if operation.takes_name:
                log.warning(
                    "member takes the name of another agent: node=%s id=%s was=%s", node.node, node.id, previous_id
                )
                self._note_departed(previous_id)
            log.info("member joined, marking health alive: node=%s address=%s", node.node, node.address)
        elif isinstance(operation, MarkFailed):
            log.info("member failed, marking health critical: node=%s reason=%s", operation.node, operation.reason)
        elif isinstance(operation, Deregister):
            log.info("deregistering member: node=%s reason=%s", operation.node, operation.reason)

    def _log_conflicts(self, operations: Iterable[Operation], *, all_members: bool) -> None:
        found = {one for one in operations if isinstance(one, Conflict)}
        for conflict in sorted(found - self._conflicts, key=lambda one: one.member):
            log.warning("member is not registered in the catalog: node=%r: %s", conflict.member, conflict.reason)
        self._conflicts = found if all_members else self._conflicts | found

    def _note_unknown(self, names: list[str]) -> None:
        now = self._clock()
        self._unknown_since = {name: self._unknown_since.get(name, now) for name in names}

    def _note_departed(self, node_id: str) -> None:
        if node_id:
            self._departed.pop(node_id.lower(), None)
            self._departed[node_id.lower()] = None
            if len(self._departed) > MAX_DEPARTED:
                del self._departed[next(iter(self._departed))]

    # --- when

    def _on_event(self, event: PoolEvent) -> None:
        if isinstance(event, MemberChanged):
            if event.event is MemberEvent.REAP:
                self._note_departed(id_of(event.member))
            self._changed.add(event.member.name.lower())
            self._wake_within(max(0.0, self._ran_at + MIN_INTERVAL_S - asyncio.get_running_loop().time()))

    def _on_nodes(self) -> None:
        if self._is_running and not self._store.watches.closed:
            self._store.watches.add(self._on_nodes, ("nodes",))
            self._full_within(CATALOG_DELAY_S)

    def _full_within(self, delay_s: float) -> None:
        self._full_at = min(self._full_at, asyncio.get_running_loop().time() + delay_s)
        self._wake_within(delay_s)

    def _wake_within(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        due_at = loop.time() + delay_s
        if not self._is_running or (self._timer is not None and self._due_at <= due_at):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._due_at = loop.call_later(delay_s, self._work), due_at

    def _work(self) -> None:
        """Begin the work that is due, unless work is being done; that ends by looking for more."""
        self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            names: set[str] | None = self._changed
            self._changed, self._ran_at = set(), loop.time()
            if loop.time() >= self._full_at:
                self._full_at, names = loop.time() + PERIOD_S, None
            elif not names:
                break
            await self.reconcile(names)
            await asyncio.sleep(self._ran_at + MIN_INTERVAL_S - loop.time())
        self._wake_within(self._full_at - loop.time())


def _name(operation: Operation) -> str:
    """Return the name (lower case) that an operation is about."""
    if isinstance(operation, Register):
        return operation.node.node.lower()
    return (operation.member if isinstance(operation, Conflict) else operation.node).lower()
