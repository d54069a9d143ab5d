"""The program pyenvconsul: run a program with variables out of Consul, and again when they change.

Exit status: the program's own; 255 when a signal killed it; otherwise see `Exit`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from pyconsul.agent.common.lazy_log import configure_logging
from pyconsul.agent.common.option_help import option_rows, render_help
from pyconsul.agent.common.process.child_process import SpawnError
from pyconsul.agent.common.program import run_program
from pyconsul.tools.envconsul.options import DOCUMENTED, OPTIONS, PRINT
from pyconsul.tools.envconsul.plan import OverdueError, Plan, make_plan
from pyconsul.tools.envconsul.sources import QueryError
from pyconsul.tools.exit_codes import Exit
from pyconsul.tools.options.hcl_file import ConfigError
from pyconsul.tools.options.run import PID_FILE
from pyconsul.tools.options.settings import Call, UsageError, parse_flags
from pyconsul.tools.process.pid_file import pid_file

_USAGE = "pyenvconsul [options] program [argument …]"
_ABOUT = """Run a program with environment variables from Consul's KV store and catalog, and restart it when they change.
Several words are a program and its arguments, without a shell; one single word may be a shell line:

    pyenvconsul -prefix global/config -upcase app --port 80
    pyenvconsul -prefix global/config 'echo $name | tr a-z A-Z'"""


def main(argv: Sequence[str] | None = None) -> int:
    """Return the console script; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    return run_program("pyenvconsul", lambda: _main(words), Exit.RUN)


def _main(words: Sequence[str]) -> int:
    if "_PYENVCONSUL_COMPLETE" in os.environ:
        from pyconsul.tools.options.completion import print_script

        return print_script("pyenvconsul", "_PYENVCONSUL_COMPLETE", DOCUMENTED)
    try:
        call = parse_flags(OPTIONS, words)
        if call.help:
            print(render_help(_USAGE, _ABOUT, lists=[("Options", option_rows(DOCUMENTED))]), end="")
            return Exit.OK
        if call.tree.get("version"):
            print(f"pyenvconsul v{_version()}")
            return Exit.OK
        plan = make_plan(call)
    except QueryError as error:
        return _fail(str(error), Exit.RUN)
    except UsageError as error:
        return _fail(f"{error} (-h shows all flags)", Exit.USAGE)
    except ConfigError as error:
        return _fail(str(error), Exit.CONFIG)
    return _run(call, plan)


def _run(call: Call, plan: Plan) -> int:
    from pyconsul.tools.consul.connection import ConsulError
    from pyconsul.tools.envconsul.print_output import Unprintable

    try:
        with pid_file(plan.settings[PID_FILE]):
            return _run_plan(call, plan)
    except (ConsulError, SpawnError, OverdueError, Unprintable) as error:
        return _fail(str(error), Exit.RUN)
    except ConfigError as error:
        return _fail(str(error), Exit.CONFIG)
    except KeyboardInterrupt:  # before SIGINT was caught
        return Exit.INTERRUPT


def _run_plan(call: Call, plan: Plan) -> int:
    from pyconsul.tools.envconsul.one_shot_run import is_one_shot, run_once, show

    if plan.settings[PRINT]:
        return show(plan)
    while is_one_shot(plan):
        end = run_once(call, plan)
        if not isinstance(end, Plan):
            return end
        plan = end
    return _watch(call, plan)


def _watch(call: Call, plan: Plan) -> int:
    configure_logging()
    import asyncio
    import random

    from pyconsul.tools.envconsul.lifecycle import run_with_signals

    return asyncio.run(run_with_signals(call, plan, random.Random()))


def _fail(text: str, status: Exit) -> int:
    print(f"pyenvconsul: {text}", file=sys.stderr)
    return status


def _version() -> str:
    from importlib.metadata import version

    return version("pyconsul")


if __name__ == "__main__":
    sys.exit(main())
