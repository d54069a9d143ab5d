"""From a check's kind to what runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pyconsul.agent.health.definition import DEFAULT_OUTPUT_SIZE, CheckDefinition
from pyconsul.agent.health.runners.docker import run_docker
from pyconsul.agent.health.runners.h2.grpc import run_grpc
from pyconsul.agent.health.runners.h2.ping import run_h2ping
from pyconsul.agent.health.runners.http import run_http
from pyconsul.agent.health.runners.os_service import run_os_service
from pyconsul.agent.health.runners.result import Result
from pyconsul.agent.health.runners.script import run_script
from pyconsul.agent.health.runners.tcp import run_tcp
from pyconsul.agent.health.runners.tls import ContextMaker, TLSContexts, check_context
from pyconsul.agent.health.runners.udp import run_udp

Run = Callable[[CheckDefinition], Awaitable[Result]]


class Runners:
    """The runners of all kinds, with their shared TLS settings, HTTP clients and limit of output in bytes."""

    def __init__(self, tls_context: ContextMaker = check_context, output_max_size: int = DEFAULT_OUTPUT_SIZE) -> None:
        contexts = TLSContexts(tls_context)
        limit = output_max_size
        self._by_kind: dict[str, Run] = {
            "http": lambda definition: run_http(definition, contexts, limit),
            "tcp": lambda definition: run_tcp(definition, contexts),
            "udp": run_udp,
            "script": lambda definition: run_script(definition, limit),
            "docker": lambda definition: run_docker(definition, limit),
            "grpc": lambda definition: run_grpc(definition, contexts),
            "h2ping": lambda definition: run_h2ping(definition, contexts),
            "os_service": run_os_service,
        }

    def run(self, kind: str, definition: CheckDefinition) -> Awaitable[Result]:
        """Run a check once."""
        return self._by_kind[kind](definition)
