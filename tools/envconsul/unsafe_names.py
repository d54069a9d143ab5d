"""Names of variables that change how programs start: a writer of such a key can run code in the program. Pure.

Sources: ld.so(8) and glibc's list of variables that it ignores for setuid programs; bash(1), dash(1); the manuals of the
interpreters.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from fnmatch import fnmatchcase

#: Left out unless they are allowed: the loader, the shells, and interpreters load or run what these name.
REFUSED: tuple[str, ...] = (
    *("LD_*", "DYLD_*", "GCONV_PATH", "GETCONF_DIR", "GLIBC_TUNABLES", "LOCPATH", "MALLOC_TRACE", "NIS_PATH"),
    *(
        "HOSTALIASES",
        "RESOLV_HOST_CONF",
        "BASH_ENV",
        "BASH_FUNC_*",
        "BASHOPTS",
        "SHELLOPTS",
        "IFS",
        "PS4",
        "PROMPT_COMMAND",
    ),
    *("ZDOTDIR", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT", "PYTHONBREAKPOINT", "PYTHONEXECUTABLE"),
    *("PYTHONPLATLIBDIR", "PYTHONUSERBASE", "PYTHONWARNINGS", "PERL5OPT", "PERL5DB", "PERL5LIB", "PERLLIB", "RUBYOPT"),
    *("RUBYLIB", "LUA_INIT*", "OPENSSL_CONF", "OPENSSL_ENGINES", "OPENSSL_MODULES", "GIT_SSH", "GIT_SSH_COMMAND"),
    *("GIT_EXEC_PATH",),
)
#: Reported, and left out with -safe-names: many programs are configured with these on purpose.
REPORTED: tuple[str, ...] = (
    *("PATH", "ENV", "CDPATH", "SHELL", "HOME", "TMPDIR", "PYTHONPATH", "NODE_OPTIONS", "NODE_PATH", "CLASSPATH"),
    *("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "GEM_HOME", "GEM_PATH", "LUA_PATH*", "LUA_CPATH*"),
    *(
        "PHPRC",
        "PHP_INI_SCAN_DIR",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "LESSOPEN",
        "LESSCLOSE",
        "TERMINFO",
        "TERMCAP",
        "TZDIR",
    ),
    *("LOCALDOMAIN", "RES_OPTIONS", "NLSPATH", "GODEBUG", "COR_PROFILER*", "CORECLR_PROFILER*", "DOTNET_STARTUP_HOOKS"),
)


class Verdict(enum.Enum):
    """The verdict on a variable."""

    TAKEN = enum.auto()
    REPORTED = enum.auto()
    REFUSED = enum.auto()


def judge(name: str, allowed: Iterable[str], *, strict: bool) -> Verdict:
    """Return the verdict on a name. `allowed`: names, or patterns of them. `strict`: refuse what is otherwise reported."""
    if not any(fnmatchcase(name, pattern) for pattern in (*REFUSED, *REPORTED)):
        return Verdict.TAKEN
    if any(fnmatchcase(name, pattern) for pattern in allowed):
        return Verdict.TAKEN
    if strict or any(fnmatchcase(name, pattern) for pattern in REFUSED):
        return Verdict.REFUSED
    return Verdict.REPORTED
