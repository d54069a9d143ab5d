"""Errors of requests to etcd."""

from __future__ import annotations

from pyconsul.agent.engine.contract import EngineError


class Rejected(EngineError):
    """etcd refused a request: nothing of it was done."""


class Unreachable(EngineError):
    """No answer: a request that writes may have been carried out, or may still be."""


class RevisionCompacted(EngineError):
    """etcd does not keep this revision any more."""
