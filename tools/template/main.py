"""The program pyconsul-template: render templates with data from Consul, and again when the data has changed.

Exit status: see `Exit`; with a child process, the child's own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyconsul.agent.common.lazy_log import configure_logging
from pyconsul.agent.common.option_help import option_rows, render_help
from pyconsul.agent.common.program import run_program
from pyconsul.tools.exit_codes import Exit
from pyconsul.tools.options.child import EXEC_COMMAND
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.run import PID_FILE
from pyconsul.tools.options.settings import Call, Settings, UsageError, parse_flags
from pyconsul.tools.process.pid_file import pid_file
from pyconsul.tools.template.options.table import DOCUMENTED, ONCE, OPTIONS, PARSE_ONLY

if TYPE_CHECKING:
    from pyconsul.tools.template.feed.handover import Handover
    from pyconsul.tools.template.plan import Plan

_USAGE = "pyconsul-template [options]"
_ABOUT = """Render templates with services, nodes and keys from Consul, again whenever these change:

    pyconsul-template -template haproxy.j2:/etc/haproxy/haproxy.cfg -exec-reload
    pyconsul-template -template 'n.ctmpl:/etc/nginx.conf:systemctl reload nginx'
    pyconsul-template -once -dry -template in.j2:out

Tests of templates, without Consul: pyconsul-template test -h"""


def main(argv: Sequence[str] | None = None) -> int:
    """Return the console script; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    # Objects of the start stay: to search them for garbage takes a tenth of a one-shot run.
    gc.disable()
    try:
        return run_program("pyconsul-template", lambda: _main(words), Exit.RUN)
    finally:
        gc.enable()


def _main(words: Sequence[str]) -> int:
    if "_PYCONSUL_TEMPLATE_COMPLETE" in os.environ:
        from pyconsul.tools.options.completion import print_script

        return print_script("pyconsul-template", "_PYCONSUL_TEMPLATE_COMPLETE", DOCUMENTED)
    if words[:1] == ["test"]:
        from pyconsul.tools.template.fixture.case_command import main as test

        return test(words[1:])
    try:
        call = parse_flags(OPTIONS, words)
        if call.help:
            print(render_help(_USAGE, _ABOUT, lists=[("Options", option_rows(DOCUMENTED))]), end="")
            return Exit.OK
        if call.tree.get("version"):
            print(f"pyconsul-template v{_version()}")
            return Exit.OK
        if call.arguments:
            raise UsageError(f"unexpected argument {call.arguments[0]!r}: use flags only")
    except UsageError as error:
        return _fail(f"{error} (-h shows all flags)", Exit.USAGE)
    return _start(call)


def _start(call: Call) -> int:
    from pyconsul.agent.common.process.child_process import SpawnError, argv_of
    from pyconsul.tools.consul.connection import ConsulError
    from pyconsul.tools.template.deploy.contract import CommandError, LoadError, Refused
    from pyconsul.tools.template.deploy.file_writer import RenderError
    from pyconsul.tools.template.evaluate.contract import TemplateError
    from pyconsul.tools.template.plan import load
    from pyconsul.tools.template.spec import SpecError

    try:
        settings = load(call)
        if not any(
            (settings.blocks("template"), argv_of(settings[EXEC_COMMAND]), settings[ONCE], settings[PARSE_ONLY])
        ):
            return _fail(
                "nothing to render: give -template source:destination, or -config with a file (-h shows all flags)",
                Exit.USAGE,
            )
        with pid_file(settings[PID_FILE]):
            return _run(call, settings)
    except ConfigError as error:
        return _fail(str(error), Exit.CONFIG)
    except (SpecError, TemplateError, RenderError, CommandError, LoadError, ConsulError, SpawnError, Refused) as error:
        return _fail(str(error), Exit.RUN)


def _run(call: Call, settings: Settings) -> int:
    from pyconsul.tools.template.plan import make_plan

    plan = make_plan(settings)
    if settings[PARSE_ONLY]:
        return Exit.OK
    handover = None
    if settings[ONCE]:
        from pyconsul.tools.template.one_shot_run import is_one_shot, run_once

        if is_one_shot(plan):
            _collect_garbage()
            end = run_once(plan)
            if isinstance(end, int):
                return end
            handover = end
    return _watch(call, plan, handover)


def _watch(call: Call, plan: Plan, handover: Handover | None) -> int:
    configure_logging()
    import asyncio

    from pyconsul.tools.template.lifecycle import run_with_signals

    _collect_garbage()
    _allow_files()
    return asyncio.run(run_with_signals(call, plan, handover))


def _collect_garbage() -> None:
    """Collect garbage from now on, but not among the objects of the start."""
    gc.freeze()
    gc.enable()


def _allow_files() -> None:
    """Let this process hold as many connections as the system allows it; the usual soft limit is 1024."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 65_536)), hard))


def _fail(text: str, status: Exit) -> int:
    print(f"pyconsul-template: {text}", file=sys.stderr)
    return status


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pyconsul")
    except PackageNotFoundError:
        return "unknown"
