"""The one table of pyenvconsul's options: flags, configuration keys, types, defaults and documentation."""

from __future__ import annotations

from typing import Any

from pyconsul.agent.common.options import Option
from pyconsul.tools.options.child import EXEC
from pyconsul.tools.options.connection import CONNECTION
from pyconsul.tools.options.log_file import LOG_FILE_OPTIONS
from pyconsul.tools.options.restart_limit import RESTART_LIMIT_OPTIONS
from pyconsul.tools.options.run import PROCESS
from pyconsul.tools.options.settings import BOOL, STRINGS, TEXT, Tree
from pyconsul.tools.options.unsupported import UNSUPPORTED

#: The fields of a service instance that become variables.
SERVICE_FIELDS = ("id", "name", "address", "tag", "port")


def _prefix_flag(tree: Tree, value: Any) -> None:
    tree.setdefault("prefix", []).append({"path": value})


def _service_flag(tree: Tree, value: Any) -> None:
    tree.setdefault("service", []).append({"query": value})


def _secret_flag(tree: Tree, value: Any) -> None:
    tree.setdefault("secret", []).append({"path": value})


NO_PREFIX = Option("no_prefix", BOOL, "Leave the path of the prefix out of variable names", True, flags=("no-prefix",))
SANITIZE = Option(
    "sanitize", BOOL, "Replace characters other than letters, digits and _ in names by _", False, flags=("sanitize",)
)
UPCASE = Option("upcase", BOOL, "Convert names to upper case", False, flags=("upcase",))
SAFE_NAMES = Option(
    "safe_names",
    BOOL,
    "Refuse all variables whose names change how programs start, such as PATH and NODE_OPTIONS, instead of reporting "
    "some of them; names such as LD_PRELOAD and BASH_ENV are always refused",
    False,
    flags=("safe-names",),
)
ALLOW_NAME = Option(
    "allow_name",
    STRINGS,
    "Name, or pattern of names, that is taken although it changes how programs start; may be repeated",
    (),
    flags=("allow-name",),
)
PRISTINE = Option("pristine", BOOL, "Do not pass on the variables of this program", False, flags=("pristine",))
SERVICE_FORMATS = {
    name: Option(
        f"service_format_{name}",
        TEXT,
        f"Name of the variable with a service's {name}, such as {{{{service}}}}/{{{{key}}}}",
        None,
        flags=(f"service-format-{name}",),
        flag_only=True,
    )
    for name in SERVICE_FIELDS
}
_VARIABLES: tuple[Option[Any], ...] = (
    Option(
        "prefix",
        TEXT,
        "Folder of the KV store whose keys become variables, as path or path@datacenter; may be repeated, "
        "the right-most wins",
        None,
        flags=("prefix",),
        flag_only=True,
        apply=_prefix_flag,
    ),
    Option("prefix[].path", TEXT, 'The folder, or path@datacenter; {{ env "NAME" }} is replaced', ""),
    Option("prefix[].format", TEXT, 'Name of its variables, such as "app_{{ key }}"', ""),
    Option("prefix[].no_prefix", BOOL, "Leave the path out of the names; the default is no_prefix", None),
    NO_PREFIX,
    Option(
        "service",
        TEXT,
        "Service whose id, name, address, tag and port become variables, as [tag.]name[@datacenter]; may be repeated",
        None,
        flags=("service-query",),
        flag_only=True,
        apply=_service_flag,
    ),
    Option("service[].query", TEXT, "The service, as [tag.]name[@datacenter]", ""),
    *(
        Option(f"service[].format_{name}", TEXT, f"Name of the variable with the service's {name}", "")
        for name in SERVICE_FIELDS
    ),
    *SERVICE_FORMATS.values(),
    SANITIZE,
    UPCASE,
    SAFE_NAMES,
    ALLOW_NAME,
    PRISTINE,
)

ONCE = Option("once", BOOL, "Run the child once without watching for changes", False, flags=("once",))
PRINT = Option(
    "print",
    TEXT,
    "Write the variables to stdout as docker (for --env-file), dotenv, json, shell or systemd, instead of running a "
    "program",
    "",
    flags=("print",),
    flag_only=True,
)
_RUN: tuple[Option[Any], ...] = (
    ONCE,
    PRINT,
    Option("version", BOOL, "Show the version", False, flags=("version", "v"), flag_only=True),
)

_NO_VAULT = "Vault is not supported"


_SECRETS: tuple[Option[Any], ...] = (
    Option("secret", TEXT, _NO_VAULT, None, flags=("secret",), flag_only=True, apply=_secret_flag),
    Option("secret[].path", TEXT, _NO_VAULT, None),
    Option("secret[].format", TEXT, _NO_VAULT, None),
    Option("secret[].no_prefix", BOOL, _NO_VAULT, None),
)

_PROCESS = tuple(row.with_environ("ENVCONSUL_LOG") if row.key == "log_level" else row for row in PROCESS)

#: Options in help and documentation.
DOCUMENTED: tuple[Option[Any], ...] = (
    *_VARIABLES,
    *_RUN,
    *EXEC,
    *RESTART_LIMIT_OPTIONS,
    *_PROCESS,
    *LOG_FILE_OPTIONS,
    *CONNECTION,
)
#: All options.
OPTIONS: tuple[Option[Any], ...] = (*DOCUMENTED, *_SECRETS, *UNSUPPORTED)
