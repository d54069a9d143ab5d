"""Settings of the cluster that a server belongs to."""

from __future__ import annotations

import msgspec

from pyconsul.agent.cluster.etcd.member import DEFAULTS, MemberSettings
from pyconsul.agent.engine.contract import Limits
from pyconsul.agent.engine.etcd.settings import DEFAULT_LIMITS, NO_CREDENTIALS, Credentials

FRESH_S = 2.0  # after the last sign of a leader of etcd, it counts as known
PREFIX = "pyconsul"  # of all keys in a supervised etcd


class ExternalEtcd(msgspec.Struct, frozen=True):
    """An etcd that others run.  endpoints: `HOST:PORT`, or a URL.  prefix: of all keys of this datacenter."""

    endpoints: tuple[str, ...]
    credentials: Credentials = NO_CREDENTIALS
    prefix: str = PREFIX
    limits: Limits = DEFAULT_LIMITS


class ClusterSettings(msgspec.Struct, frozen=True):
    """Settings of a server.

    expect: `bootstrap_expect`; with 0 it waits until a cluster adds it.  is_bootstrapped: it has, or begins, a state alone.
    is_replica: it never founds a cluster and never leads alone, but waits until a cluster adds it.
    member: options of the supervised etcd.  external: use another etcd.
    """

    expect: int = 0
    is_bootstrapped: bool = False
    is_replica: bool = False
    member: MemberSettings = DEFAULTS
    external: ExternalEtcd | None = None
