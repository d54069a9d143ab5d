"""Build the parts of a run: the watcher, the consumer, the deployer and the runner that composes them."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, Any

from pyconsul.agent.common.process.child_process import argv_of
from pyconsul.agent.common.process.supervised_child import Child
from pyconsul.agent.common.structs import replace
from pyconsul.tools.consul.client import Connection, ConsulClient, RetryPolicy
from pyconsul.tools.options.child import (
    EXEC_COMMAND,
    EXEC_ENABLED,
    EXEC_ENV_ALLOWLIST,
    EXEC_ENV_CUSTOM,
    EXEC_ENV_DENYLIST,
    EXEC_ENV_PRISTINE,
    EXEC_KILL_SIGNAL,
    EXEC_KILL_TIMEOUT,
    EXEC_RELOAD_SIGNAL,
    EXEC_SPLAY,
    EXEC_TIMEOUT,
)
from pyconsul.tools.options.connection import connection_of, retry_of
from pyconsul.tools.options.restart_limit import RESTART_LIMIT
from pyconsul.tools.options.run import KILL_SIGNAL, MAX_STALE
from pyconsul.tools.restart_limit import RestartGate, restart_limit_of
from pyconsul.tools.template.dedup.election import Election
from pyconsul.tools.template.dedup.heartbeat import BEATS_PER_TTL
from pyconsul.tools.template.dedup.shared_source import Dedup
from pyconsul.tools.template.deploy.commands import Commands, environment_of
from pyconsul.tools.template.deploy.consumer import ChildConsumer, CommandConsumer
from pyconsul.tools.template.deploy.deployer import Deployer
from pyconsul.tools.template.deploy.failure_policy import FailurePolicy
from pyconsul.tools.template.deploy.file_writer import RenderError
from pyconsul.tools.template.deploy.runner import Runner
from pyconsul.tools.template.deploy.stall_reporter import StallReporter
from pyconsul.tools.template.feed.answers import Answers
from pyconsul.tools.template.feed.handover import Handover
from pyconsul.tools.template.feed.watcher import Watcher
from pyconsul.tools.template.fixture.fixture_source import FixtureWatcher
from pyconsul.tools.template.fixture.record_option import Recorder
from pyconsul.tools.template.haproxy.consumer import HaproxyConsumer
from pyconsul.tools.template.haproxy.state_folder import base_folder
from pyconsul.tools.template.options.dedup import DEDUPLICATE_PREFIX, DEDUPLICATE_TTL
from pyconsul.tools.template.options.fixture import RECORD
from pyconsul.tools.template.options.haproxy import EXEC_KEEP, HAPROXY_RUNTIME, HAPROXY_STATE_DIR
from pyconsul.tools.template.options.table import BLOCK_QUERY_WAIT, DIFF, DRY, EXEC_RELOAD, HAPROXY, MISSING_AFTER
from pyconsul.tools.template.report.disclosure import Disclosure
from pyconsul.tools.template.spec import Command, Environment

if TYPE_CHECKING:
    from pyconsul.tools.options.settings import Settings
    from pyconsul.tools.template.deploy.contract import Consumer
    from pyconsul.tools.template.feed.answer_source import AnswerSource
    from pyconsul.tools.template.feed.lookups import Lookup
    from pyconsul.tools.template.plan import Plan
    from pyconsul.tools.template.report.counters import Counters

log = logging.getLogger("template")

_NO_RETRY = RetryPolicy(enabled=False)


def make_runner(
    plan: Plan, client: ConsulClient, rng: random.Random, counters: Counters, handover: Handover | None = None
) -> Runner:
    """Build a run with all its parts. Needs a running loop."""
    handover = handover or Handover()
    settings, news, answers = plan.settings, asyncio.Event(), handover.answers
    consul = consul_variables(client.connection)
    commands = Commands(os.environ, consul, rng)
    disclosure = Disclosure(answers, plan.environ.read)
    consumer = None if settings[DRY] else _consumer(plan, commands, consul, rng, counters, disclosure)
    failures = FailurePolicy(
        counters, disclosure, once=plan.once, must_survive=consumer is not None and consumer.must_survive
    )
    deployer = Deployer(
        answers,
        commands,
        consumer,
        failures,
        disclosure,
        counters,
        rng,
        environment=environment_of(Environment(), os.environ, consul),
        now=asyncio.get_running_loop().time,
        once=plan.once,
        dry=settings[DRY],
        diff=settings[DIFF],
        in_thread=_in_thread,
    )
    watcher = _source(plan, client, handover, news, rng)
    stalls = StallReporter(settings[MISSING_AFTER])
    gate = RestartGate(restart_limit_of(settings, rng, "pyconsul-template"), news.set)
    ends = {Signals.SIGTERM, settings[KILL_SIGNAL] or Signals.SIGTERM}
    recorder = Recorder(Path(settings[RECORD]), plan.environ) if settings[RECORD] else None
    return Runner(
        plan.deployables,
        watcher,
        answers,
        news,
        deployer,
        consumer,
        failures,
        stalls,
        gate,
        once=plan.once,
        in_thread=_in_thread,
        ends=ends,
        after_pass=None if recorder is None else lambda used: _record(recorder, answers, used),
    )


async def _in_thread(work: Callable[[], Any]) -> Any:
    """Run work on files in a thread. A cancelled caller waits for the end of the work: no other code may touch the files
    meanwhile."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


def _source(
    plan: Plan, client: ConsulClient, handover: Handover, news: asyncio.Event, rng: random.Random
) -> AnswerSource:
    settings, answers = plan.settings, handover.answers
    if plan.fixture is not None:
        return FixtureWatcher(plan.fixture, answers, news)
    shares = any(spec.share is not None for spec in plan.specs)
    consul_answers = Answers() if shares else answers
    wait = settings[BLOCK_QUERY_WAIT]
    watcher = Watcher(client, _retry(plan), consul_answers, news, rng=rng, wait=wait, filtered=handover.filtered)
    if not shares:
        return watcher
    host = socket.gethostname()
    prefix, ttl = settings[DEDUPLICATE_PREFIX], settings[DEDUPLICATE_TTL]
    election = Election(client, ttl=ttl, name=f"pyconsul-template on {host}", rng=rng)
    heartbeat = ttl / BEATS_PER_TTL
    return Dedup(
        watcher, consul_answers, answers, news, election, prefix=prefix, host=host, heartbeat_s=heartbeat, rng=rng
    )


def _record(recorder: Recorder, answers: Answers, used: set[Lookup]) -> None:
    try:
        recorder.save(answers, used)
    except RenderError as error:
        log.error("%s", error)


def _retry(plan: Plan) -> RetryPolicy:
    """Return the retry policy; a watching run waits without limit for an agent unless the settings say otherwise."""
    retry = retry_of(plan.settings)
    return retry if plan.once or retry.attempts is not None else replace(retry, attempts=0)


def make_client(settings: Settings, rng: random.Random) -> ConsulClient:
    """Return the connection to Consul. Raises ConsulError for one that makes no sense."""
    return ConsulClient(
        connection_of(settings), rng=rng, retry=_NO_RETRY, max_stale=settings[MAX_STALE], plain_reads=True
    )


def consul_variables(connection: Connection) -> dict[str, str]:
    """Return the variables that tell commands and children where Consul is. They get the token only by inheritance."""
    return {
        "CONSUL_HTTP_ADDR": connection.address,
        "CONSUL_HTTP_SSL": str(connection.tls.enabled).lower(),
        "CONSUL_HTTP_SSL_VERIFY": str(connection.tls.verify).lower(),
    }


def _consumer(
    plan: Plan,
    commands: Commands,
    consul: Mapping[str, str],
    rng: random.Random,
    counters: Counters,
    disclosure: Disclosure,
) -> Consumer | None:
    settings = plan.settings
    words, reload = settings[EXEC_COMMAND], settings[EXEC_RELOAD]
    chosen = Environment(
        settings[EXEC_ENV_PRISTINE],
        tuple(settings[EXEC_ENV_CUSTOM]),
        tuple(settings[EXEC_ENV_ALLOWLIST]),
        tuple(settings[EXEC_ENV_DENYLIST]),
    )
    environment = environment_of(chosen, os.environ, consul)
    timeout = settings[EXEC_TIMEOUT]
    command = Command((reload,), timeout, 0.0, chosen) if reload and reload != HAPROXY else None
    if settings[EXEC_ENABLED] and argv_of(words):
        return ChildConsumer(
            _child(settings, environment, rng), commands, command, limited=settings[RESTART_LIMIT] is not None
        )
    if command:
        return CommandConsumer(commands, command, once=plan.once)
    if reload:
        return HaproxyConsumer(
            plan.specs,
            environment,
            rng,
            state_dir=base_folder(settings[HAPROXY_STATE_DIR], os.environ),
            keep=settings[EXEC_KEEP],
            kill_signal=(settings.given(EXEC_KILL_SIGNAL) and settings[EXEC_KILL_SIGNAL]) or Signals.SIGTERM,
            kill_timeout=settings[EXEC_KILL_TIMEOUT],
            splay=settings[EXEC_SPLAY],
            once=plan.once,
            runtime=settings[HAPROXY_RUNTIME],
            counters=counters,
            conceal=disclosure.conceal_all,
        )
    return None


def _child(settings: Settings, environment: Mapping[str, str], rng: random.Random) -> Child:
    reload_signal = settings[EXEC_RELOAD_SIGNAL]
    if reload_signal is None and settings[EXEC_RELOAD] == HAPROXY:
        reload_signal = Signals.SIGHUP
    return Child(
        argv_of(settings[EXEC_COMMAND]),
        environment,
        rng=rng,
        kill_signal=settings[EXEC_KILL_SIGNAL] or Signals.SIGKILL,
        kill_timeout=settings[EXEC_KILL_TIMEOUT],
        reload_signal=reload_signal,
        splay=settings[EXEC_SPLAY],
    )
