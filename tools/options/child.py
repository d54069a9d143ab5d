"""Options of the child process, for both tools, and the environment that they select."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from signal import Signals
from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.options.settings import BOOL, COMMAND, DURATION, SIGNAL, STRINGS, Settings

EXEC_COMMAND = Option("exec.command", COMMAND, "Program to run; a single word is a shell line", (), flags=("exec",))
EXEC_ENABLED = Option("exec.enabled", BOOL, "Run the child process", True)
EXEC_KILL_SIGNAL = Option(
    "exec.kill_signal",
    SIGNAL,
    "Signal that stops the child",
    Signals.SIGINT,
    flags=("exec-kill-signal",),
)
EXEC_KILL_TIMEOUT = Option(
    "exec.kill_timeout",
    DURATION,
    "Grace period between that signal and SIGKILL",
    30.0,
    flags=("exec-kill-timeout",),
)
EXEC_RELOAD_SIGNAL = Option(
    "exec.reload_signal",
    SIGNAL,
    "Signal that reports a change to the child; without it the child is restarted",
    None,
    flags=("exec-reload-signal",),
)
EXEC_SPLAY = Option(
    "exec.splay",
    DURATION,
    "Maximum random delay before a change is reported to the child",
    0.0,
    flags=("exec-splay",),
)
EXEC_TIMEOUT = Option(
    "exec.timeout",
    DURATION,
    "Maximum run time of the command; 0 is unlimited",
    0.0,
    flags=("exec-timeout",),
)
EXEC_ENV_PRISTINE = Option(
    "exec.env.pristine",
    BOOL,
    "Give the child only the custom variables",
    False,
    flags=("exec-env-pristine",),
)
EXEC_ENV_CUSTOM = Option(
    "exec.env.custom",
    STRINGS,
    "Variable NAME=value of the child; may be repeated",
    (),
    flags=("exec-env-custom",),
)
EXEC_ENV_ALLOWLIST = Option(
    "exec.env.allowlist",
    STRINGS,
    "Pattern of variables that are passed to the child; may be repeated",
    (),
    flags=("exec-env-allowlist",),
)
EXEC_ENV_DENYLIST = Option(
    "exec.env.denylist",
    STRINGS,
    "Pattern of variables that are not passed to the child; may be repeated",
    (),
    flags=("exec-env-denylist",),
)
#: The child process.
EXEC: tuple[Option[Any], ...] = (
    EXEC_COMMAND,
    EXEC_ENABLED,
    EXEC_KILL_SIGNAL,
    EXEC_KILL_TIMEOUT,
    EXEC_RELOAD_SIGNAL,
    EXEC_SPLAY,
    EXEC_TIMEOUT,
    EXEC_ENV_PRISTINE,
    EXEC_ENV_CUSTOM,
    EXEC_ENV_ALLOWLIST,
    EXEC_ENV_DENYLIST,
)


def child_environment(settings: Settings, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the child gets according to `exec.env`."""
    return select_environment(
        variables,
        settings[EXEC_ENV_PRISTINE],
        settings[EXEC_ENV_CUSTOM],
        settings[EXEC_ENV_ALLOWLIST],
        settings[EXEC_ENV_DENYLIST],
    )


def select_environment(
    variables: Mapping[str, str], pristine: bool, custom: Sequence[str], allow: Sequence[str], deny: Sequence[str]
) -> dict[str, str]:
    """Return no variables when `pristine`, else those whose names the patterns allow; then `custom` is added.

    Without an allowlist all names are allowed; the denylist wins. `custom`: NAME=value.
    """
    from fnmatch import fnmatchcase

    def wanted(name: str) -> bool:
        allowed = not allow or any(fnmatchcase(name, pattern) for pattern in allow)
        return allowed and not any(fnmatchcase(name, pattern) for pattern in deny)

    kept = {} if pristine else {n: v for n, v in variables.items() if wanted(n)}
    for entry in custom:
        name, _, value = entry.partition("=")
        kept[name] = value
    return kept
