"""What a command line and its configuration files ask for, checked and parsed, and how a runner is made of it."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from signal import Signals

from pyconsul.tools.consul import Connection, ConsulClient, RetryPolicy
from pyconsul.tools.logs import setup_logging
from pyconsul.tools.options import connection_of, retry_of
from pyconsul.tools.settings import Call, Settings, load_settings
from pyconsul.tools.supervise import Child, argv_of
from pyconsul.tools.template.answers import Answers
from pyconsul.tools.template.commands import Commands, environment_of
from pyconsul.tools.template.consumer import ChildConsumer, CommandConsumer, Consumer
from pyconsul.tools.template.evaluate import Evaluator
from pyconsul.tools.template.haproxy import HaproxyConsumer
from pyconsul.tools.template.options import HAPROXY, OPTIONS
from pyconsul.tools.template.rendering import Rendering
from pyconsul.tools.template.runner import Runner
from pyconsul.tools.template.spec import Command, Environment, Spec, specs_of
from pyconsul.tools.template.watcher import Watcher

_NO_RETRY = RetryPolicy(enabled=False)


@dataclass(frozen=True)
class Plan:
    """`evaluators`: the parsed templates, in the order of `specs`."""

    settings: Settings
    specs: list[Spec]
    evaluators: list[Evaluator]

    @property
    def once(self) -> bool:
        return bool(self.settings["once"])

    @property
    def base(self) -> tuple[object, ...]:
        """What a run cannot change while it goes on; another one needs another run."""
        fixed = ("block_query_wait", "max_stale", "kill_signal", "reload_signal")
        given = self.settings.tree.get("exec"), tuple(self.settings[key] for key in fixed)
        files = [spec.destination for spec in self.specs] if self.settings.given("exec.reload") else []
        return connection_of(self.settings), retry_of(self.settings), given, files

    def renderings(self) -> list[Rendering]:
        """The templates, ready to be evaluated for the first time."""
        pairs = zip(self.specs, self.evaluators, strict=True)
        return [Rendering(spec, evaluator, wait=not self.once) for spec, evaluator in pairs]


def load(call: Call) -> Settings:
    """Read the configuration and set up the log. Raises ConfigError."""
    settings = load_settings(OPTIONS, call, os.environ)
    facility = settings["syslog.facility"] if settings["syslog.enabled"] else ""
    name = settings["syslog.name"] or "pyconsul-template"
    setup_logging(settings["log_level"], settings["log_format"], facility, name)
    return settings


def make_plan(settings: Settings) -> Plan:
    """Read and parse the templates. Raises SpecError and TemplateError."""
    specs = specs_of(settings)
    return Plan(settings, specs, [Evaluator(spec, os.environ) for spec in specs])


def make_runner(plan: Plan, client: ConsulClient, rng: random.Random) -> Runner:
    """Everything that a run needs, put together."""
    settings, news, answers = plan.settings, asyncio.Event(), Answers()
    consul = consul_variables(client.connection)
    commands = Commands(os.environ, consul, rng)
    return Runner(
        plan.renderings(),
        Watcher(client, _retry(plan), answers, news, rng=rng, wait=settings["block_query_wait"]),
        answers,
        news,
        commands,
        None if settings["dry"] else _consumer(plan, commands, consul, rng),
        once=plan.once,
        dry=settings["dry"],
    )


def _retry(plan: Plan) -> RetryPolicy:
    """Unless it is said otherwise, what is to run for long waits for an agent that is not there yet, too."""
    retry = retry_of(plan.settings)
    return retry if plan.once or retry.attempts is not None else replace(retry, attempts=0)


def make_client(settings: Settings, rng: random.Random) -> ConsulClient:
    """The connection to Consul. Raises ConsulError for one that makes no sense."""
    return ConsulClient(connection_of(settings), rng=rng, retry=_NO_RETRY, max_stale=settings["max_stale"])


def consul_variables(connection: Connection) -> dict[str, str]:
    """What commands and children are told about Consul. The token is theirs only if they inherit it."""
    return {
        "CONSUL_HTTP_ADDR": connection.address,
        "CONSUL_HTTP_SSL": str(connection.tls.enabled).lower(),
        "CONSUL_HTTP_SSL_VERIFY": str(connection.tls.verify).lower(),
    }


def _consumer(plan: Plan, commands: Commands, consul: Mapping[str, str], rng: random.Random) -> Consumer | None:
    settings = plan.settings
    words, reload = settings["exec.command"], settings["exec.reload"]
    keys = ("pristine", "custom", "allowlist", "denylist")
    chosen = Environment(*(settings["exec.env." + key] for key in keys))
    environment = environment_of(chosen, os.environ, consul)
    timeout = settings["exec.timeout"]
    command = Command((reload,), timeout, 0.0, chosen) if reload and reload != HAPROXY else None
    if argv_of(words) and settings["exec.enabled"]:
        return ChildConsumer(_child(settings, environment, rng), commands, command, rng)
    if command:
        return CommandConsumer(commands, command, rng, once=plan.once)
    if reload:
        return HaproxyConsumer(
            plan.specs,
            environment,
            rng,
            kill_signal=settings["exec.kill_signal"] if settings.given("exec.kill_signal") else Signals.SIGTERM,
            kill_timeout=settings["exec.kill_timeout"],
            splay=settings["exec.splay"],
            once=plan.once,
        )
    return None


def _child(settings: Settings, environment: Mapping[str, str], rng: random.Random) -> Child:
    reload_signal = settings["exec.reload_signal"]
    if reload_signal is None and settings["exec.reload"] == HAPROXY:
        reload_signal = Signals.SIGHUP
    return Child(
        argv_of(settings["exec.command"]),
        environment,
        rng=rng,
        kill_signal=settings["exec.kill_signal"] or Signals.SIGKILL,
        kill_timeout=settings["exec.kill_timeout"],
        reload_signal=reload_signal,
        splay=settings["exec.splay"],
    )
