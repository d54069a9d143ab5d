"""The plan of a command line and its configuration files, checked and parsed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyconsul.agent.common.lazy_log import LazyLog
from pyconsul.agent.common.structs import replace, struct
from pyconsul.tools.options.child import EXEC_COMMAND
from pyconsul.tools.options.connection import connection_of, consul_access_of, retry_of
from pyconsul.tools.options.log_file import log_target_of
from pyconsul.tools.options.restart_limit import RESTART_HOLD, RESTART_LIMIT
from pyconsul.tools.options.run import (
    KILL_SIGNAL,
    LOG_FORMAT,
    LOG_LEVEL,
    MAX_STALE,
    RELOAD_SIGNAL,
    SYSLOG_ENABLED,
    SYSLOG_FACILITY,
    SYSLOG_NAME,
)
from pyconsul.tools.options.settings import Call, Settings, Tree, load_settings
from pyconsul.tools.options.unsupported import warn_of_unsupported
from pyconsul.tools.process.log_setup import setup_logging
from pyconsul.tools.template.deploy.rendering import Rendering
from pyconsul.tools.template.deploy.unit import Unit
from pyconsul.tools.template.evaluate.contract import BrokenTemplate, TemplateError
from pyconsul.tools.template.evaluate.evaluator import Evaluator
from pyconsul.tools.template.evaluate.noted_environment import NotedEnviron
from pyconsul.tools.template.options.dedup import DEDUPLICATE_ENABLED, DEDUPLICATE_PREFIX, DEDUPLICATE_TTL
from pyconsul.tools.template.options.fixture import DATA, RECORD
from pyconsul.tools.template.options.guard import is_guarded
from pyconsul.tools.template.options.haproxy import EXEC_KEEP, HAPROXY_STATE_DIR
from pyconsul.tools.template.options.status import STATUS_ADDRESS
from pyconsul.tools.template.options.table import (
    BLOCK_QUERY_WAIT,
    DIFF,
    EXEC_RELOAD,
    HAPROXY,
    MISSING_AFTER,
    ONCE,
    OPTIONS,
)
from pyconsul.tools.template.spec import Group, Spec, SpecError, configuration_files
from pyconsul.tools.template.spec_reader import groups_of, specs_of

if TYPE_CHECKING:
    from pyconsul.tools.template.deploy.fanout import Fanout
    from pyconsul.tools.template.evaluate.guard import Guard
    from pyconsul.tools.template.fixture.fixture import Fixture

log = LazyLog("template")

#: Settings that cannot change during a run.
_FIXED = (
    BLOCK_QUERY_WAIT,
    MAX_STALE,
    KILL_SIGNAL,
    RELOAD_SIGNAL,
    RESTART_LIMIT,
    RESTART_HOLD,
    MISSING_AFTER,
    DIFF,
    RECORD,
    STATUS_ADDRESS,
    DEDUPLICATE_ENABLED,
    DEDUPLICATE_PREFIX,
    DEDUPLICATE_TTL,
)


@struct(frozen=True)
class Plan:
    """`deployables`: units and fan-outs in order, parsed and ready for their first evaluation. `environ`: the
    variables that templates see. `fixture`: takes Consul's place."""

    settings: Settings
    specs: list[Spec]
    deployables: list[Unit | Fanout]
    environ: NotedEnviron
    fixture: Fixture | None

    @property
    def once(self) -> bool:
        """Return whether it ends when each file has been written."""
        return _once(self.settings)

    @property
    def feeds(self) -> tuple[object, ...]:
        """The program that uses the files, and its settings; the next run can take it over when these are equal."""
        files = configuration_files(self.specs) if self.settings[EXEC_RELOAD] == HAPROXY else []
        return files, self.settings.tree.get("exec"), self.settings[HAPROXY_STATE_DIR]

    @property
    def base(self) -> tuple[object, ...]:
        """The settings that cannot change during a run."""
        given = self.settings.tree.get("exec"), tuple(self.settings[key] for key in _FIXED)
        files = [spec.destination for spec in self.specs] if self.settings.given(EXEC_RELOAD) else []
        return connection_of(self.settings), retry_of(self.settings), given, files


def load(call: Call) -> Settings:
    """Read the configuration and set up the log. Raises ConfigError."""
    settings = load_settings(OPTIONS, call, os.environ)
    consul_access_of(settings)
    facility = settings[SYSLOG_FACILITY] if settings[SYSLOG_ENABLED] else ""
    name = settings[SYSLOG_NAME] or "pyconsul-template"
    file = log_target_of(settings, "consul-template")
    setup_logging(settings[LOG_LEVEL], settings[LOG_FORMAT], facility, name, file)
    warn_of_unsupported(settings, log.warning)
    return settings


def _once(settings: Settings) -> bool:
    return bool(settings[ONCE] or settings[DATA])


def make_plan(settings: Settings) -> Plan:
    """Read and parse the templates. Raises ConfigError, SpecError and TemplateError."""
    specs = specs_of(settings)
    if settings[EXEC_KEEP] and settings[EXEC_RELOAD] != HAPROXY:
        raise SpecError("-exec-keep is for HAProxy: it needs -exec-reload without a value")
    specs = _with_formats(specs, feeds_haproxy=settings[EXEC_RELOAD] == HAPROXY and not settings[EXEC_COMMAND])
    if settings[DEDUPLICATE_ENABLED] and _once(settings):
        log.info("-dedup has no effect here: what is rendered once asks once")
    elif settings[DEDUPLICATE_ENABLED]:
        specs = _sharing(specs)
    fixture = _fixture(settings[DATA])
    environ = NotedEnviron(os.environ if fixture is None else fixture.environ(os.environ))
    guards = [_guard(settings, block) for block in settings.blocks("template")]
    must_survive = bool(settings[EXEC_RELOAD])
    evaluators = [
        _evaluator(spec, environ, guard, must_survive=must_survive) for spec, guard in zip(specs, guards, strict=True)
    ]
    deployables = _deployables(specs, evaluators, groups_of(settings, specs), wait=not _once(settings))
    return Plan(settings, specs, deployables, environ, fixture)


def _with_formats(specs: Sequence[Spec], *, feeds_haproxy: bool) -> list[Spec]:
    """Return the templates with the formats that follow from what their files are for."""
    files = set(configuration_files(specs)) if feeds_haproxy else set()
    haproxy = [spec.haproxy or spec.destination in files for spec in specs]
    return [
        replace(spec, format="haproxy") if feeds and not spec.format else spec
        for spec, feeds in zip(specs, haproxy, strict=True)
    ]


def _sharing(specs: Sequence[Spec]) -> list[Spec]:
    from pyconsul.tools.template.dedup.share_identity import with_share_id

    return [with_share_id(spec) for spec in specs]


def _fixture(path: str) -> Fixture | None:
    if not path:
        return None
    from pyconsul.tools.template.fixture.fixture import load as load_fixture
    from pyconsul.tools.template.fixture.yaml_source import FixtureError

    try:
        return load_fixture(Path(path))
    except FixtureError as error:
        raise SpecError(str(error)) from error


def _evaluator(spec: Spec, environ: Mapping[str, str], guard: Guard | None, *, must_survive: bool) -> Evaluator:
    try:
        return Evaluator(spec, environ, guard)
    except TemplateError as error:
        fatal = not spec.survives_errors(must_survive=must_survive) if spec.error_fatal is None else spec.error_fatal
        raise (BrokenTemplate if fatal else type(error))(str(error)) from error


def _guard(settings: Settings, block: Tree) -> Guard | None:
    if not is_guarded(settings, block):
        return None
    from pyconsul.tools.template.evaluate.guard import Guard
    from pyconsul.tools.template.options.guard_rules import guard_rules

    rules = guard_rules(settings, block)
    return Guard(rules.limits) if rules is not None else None


def _deployables(
    specs: Sequence[Spec], evaluators: Sequence[Evaluator], groups: Mapping[str, Group], *, wait: bool
) -> list[Unit | Fanout]:
    """Return the units in the order of the templates; a group stands at the place of its first template."""
    members: dict[str, list[tuple[Spec, Evaluator]]] = {}
    for number, pair in enumerate(zip(specs, evaluators, strict=True)):
        members.setdefault(pair[0].render_group or f" {number}", []).append(pair)
    return [
        _fanout(*pairs[0], wait=wait)
        if pairs[0][0].for_each
        else Unit([Rendering(*pair) for pair in pairs], groups.get(name), wait=wait)
        for name, pairs in members.items()
    ]


def _fanout(spec: Spec, evaluator: Evaluator, *, wait: bool) -> Fanout:
    from pyconsul.tools.template.deploy.fanout import Fanout
    from pyconsul.tools.template.evaluate.item_evaluators import ItemsEvaluator

    return Fanout(spec, ItemsEvaluator(spec, evaluator), wait=wait)
