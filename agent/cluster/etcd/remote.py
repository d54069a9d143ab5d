"""An etcd cluster that others run: servers keep nothing themselves, and any number of them may use it."""

from __future__ import annotations

from aetcd import rpc

from pyconsul.agent.cluster.settings import ExternalEtcd
from pyconsul.agent.engine.etcd import transaction
from pyconsul.agent.engine.etcd.client import Client
from pyconsul.agent.engine.etcd.engine import EtcdEngine
from pyconsul.agent.engine.etcd.layout import pointer_key
from pyconsul.agent.engine.history.contract import Retention


class RemoteEtcd:
    """Clients of that etcd."""

    def __init__(self, settings: ExternalEtcd, node_id: str) -> None:
        self._settings, self._node_id = settings, node_id
        self.prefix = settings.prefix
        self.client = self._connect()

    def _connect(self) -> Client:
        return Client(self._settings.endpoints, self._settings.credentials)

    async def stop(self) -> None:
        """Close the connections."""
        await self.client.close()

    def engine(self, retention: Retention) -> EtcdEngine:
        """Return an engine over this etcd, with separate connections."""
        settings = self._settings
        return EtcdEngine(self._connect(), settings.prefix, self._node_id, retention, settings.limits)

    async def has_leader(self) -> bool:
        """Return whether etcd answers with a quorum.  Raises EngineError."""
        await self.client.read(rpc.TxnRequest(success=[transaction.get(pointer_key(self.prefix))]))
        return True

    async def leads(self) -> bool:
        """Return that every server may lead at once: none has a member."""
        return True
