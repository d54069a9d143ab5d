"""The one table of pyconsul-template's options: flags, configuration keys, types, defaults and documentation."""

from __future__ import annotations

import re
from typing import Any

from pyconsul.agent.common.options import Kind, Option
from pyconsul.tools.options.child import EXEC
from pyconsul.tools.options.connection import CONNECTION
from pyconsul.tools.options.log_file import LOG_FILE_OPTIONS
from pyconsul.tools.options.restart_limit import RESTART_LIMIT_OPTIONS
from pyconsul.tools.options.run import PROCESS
from pyconsul.tools.options.settings import BOOL, COMMAND, DURATION, INT, SIGNAL, STRINGS, TEXT, WAIT_RANGE, Tree
from pyconsul.tools.options.unsupported import UNSUPPORTED
from pyconsul.tools.template.evaluate.field_safety.formats import FORMAT_NAMES
from pyconsul.tools.template.options.dedup import DEDUP_OPTIONS
from pyconsul.tools.template.options.fixture import FIXTURE_OPTIONS
from pyconsul.tools.template.options.guard import GUARD_OPTIONS
from pyconsul.tools.template.options.haproxy import HAPROXY_OPTIONS
from pyconsul.tools.template.options.status import STATUS_OPTIONS

#: What `-exec-reload` means without a value.
HAPROXY = "haproxy"


#: A destination that begins with a drive letter, and the command after it.
_DRIVE = re.compile(r"([A-Za-z]:[^:]+)(?::(.*))?", re.DOTALL)


def _template(value: Any) -> dict[str, Any]:
    """Parse `in:out[:command]`; the command may hold colons."""
    source, destination, command = _parts(str(value))
    if not source.strip():
        raise ValueError(f"invalid template {value!r}: use source:destination[:command]")
    return {"source": source, "destination": destination} | ({"command": (command,)} if command else {})


def _parts(text: str) -> tuple[str, str, str]:
    """Source, destination and command. Before the command, one letter and a colon are a drive, as in the original."""
    source, _, rest = text.partition(":")
    if (drive := _DRIVE.match(rest)) is not None:
        destination, command = drive.groups()
        return source, destination, command or ""
    destination, _, command = rest.partition(":")
    return source, destination, command


def _perms(value: Any) -> int:
    """Permission bits, written in octal; a number that is none in octal was written in decimal."""
    text = str(value)
    try:
        bits = int(text, 8) if set(text) <= set("01234567") else int(text)
    except ValueError:
        bits = -1
    if isinstance(value, bool) or not 0 <= bits <= 0o7777:
        raise ValueError(f'invalid permissions {value!r}: use octal digits, such as "0644"')
    return bits


def _syntax(value: Any) -> str:
    word = str(value).lower()
    if word not in ("go", "jinja2", "jinja"):
        raise ValueError(f"invalid syntax {value!r}: use go or jinja2")
    return "go" if word == "go" else "jinja2"


TEMPLATE = Kind("source:destination[:command]", _template)
PERMS = Kind("permissions", _perms)
SYNTAX = Kind("syntax", _syntax)
RELOAD = Kind("command", str, bare=HAPROXY)


def _format(value: Any) -> str:
    word = str(value).lower()
    if word not in FORMAT_NAMES:
        raise ValueError(f"invalid format {value!r}: use {', '.join(FORMAT_NAMES)}")
    return word


FORMAT = Kind("format", _format)


def _template_flag(tree: Tree, value: Any) -> None:
    tree.setdefault("template", []).append(value)


def _retry_flag(tree: Tree, value: Any) -> None:
    tree.setdefault("consul", {}).setdefault("retry", {}).update(backoff=value, max_backoff=value)


_TEMPLATES: tuple[Option[Any], ...] = (
    Option(
        "template",
        TEMPLATE,
        "Template to render, as source:destination[:command]; may be repeated. A source named .ctmpl is a Go "
        "template, any other Jinja2; - stands for stdin and stdout",
        None,
        flags=("template",),
        flag_only=True,
        apply=_template_flag,
    ),
    Option("template[].source", TEXT, "File that holds the template", ""),
    Option(
        "template[].contents", TEXT, "Text of the template instead of a source; Go syntax unless syntax is set", None
    ),
    Option("template[].syntax", SYNTAX, "go or jinja2", None),
    Option("template[].destination", TEXT, "File to write", ""),
    Option("template[].create_dest_dirs", BOOL, "Create the folders of the destination", True),
    Option("template[].command", COMMAND, "Command to run after the file has changed", ()),
    Option("template[].command_timeout", DURATION, "Maximum run time of the command", 30.0),
    Option(
        "template[].perms", PERMS, "Permissions of the file, in octal. Default: unchanged, 0644 for a new file", None
    ),
    Option("template[].user", TEXT, "Owner of the file, by name or number", None),
    Option("template[].uid", INT, "Owner of the file, by number", None),
    Option("template[].group", TEXT, "Group of the file, by name or number", None),
    Option("template[].gid", INT, "Group of the file, by number", None),
    Option("template[].backup", BOOL, "Keep the previous file as DESTINATION.bak", False),
    Option("template[].left_delimiter", TEXT, "Delimiter that opens an expression", ""),
    Option("template[].right_delimiter", TEXT, "Delimiter that closes an expression", ""),
    Option("template[].error_on_missing_key", BOOL, "Treat a missing map key as an error (Go syntax)", False),
    Option("template[].error_fatal", BOOL, "Exit when the template fails", None),
    Option(
        "template[].function_denylist", STRINGS, "Functions, or patterns of them, that the template must not call", ()
    ),
    Option("template[].function_blacklist", STRINGS, "The older name of function_denylist", ()),
    Option("template[].sandbox_path", TEXT, "Folder that file() is restricted to", ""),
    Option("template[].wait", WAIT_RANGE, "As wait, for this template alone", None),
    Option(
        "template[].check",
        COMMAND,
        "Command that checks the new file before it replaces the old one; {{ path }} is its path",
        (),
    ),
    Option("template[].check_timeout", DURATION, "Maximum run time of the check", 30.0),
    Option("template[].rollback", BOOL, "As rollback, for this template alone", None),
    Option("template[].in_place", BOOL, "Write into the existing file, for bind mounts", False),
    Option(
        "template[].haproxy",
        BOOL,
        "The file configures HAProxy. Default: on for files named .cfg, or else for the first file",
        None,
    ),
    Option(
        "template[].format",
        FORMAT,
        "Format of the file: text, haproxy, nginx, shell, json or yaml. A rendering in which a field of the catalog would "
        "break a line, or become another word of that format, is refused; default: text, or haproxy for HAProxy's "
        "configuration",
        "",
    ),
    Option(
        "template[].for_each",
        TEXT,
        "Jinja2 expression whose value is a list, such as services() or ls('app/sites'): one file is rendered for each "
        "item, which is the variable item in the template and the destination",
        "",
    ),
    Option("template[].prune", BOOL, "With for_each: remove the files of former items", False),
    Option("template[].render_group", TEXT, "Group of templates that are rendered and promoted together", ""),
    Option("template[].exec.command", COMMAND, "As command", ()),
    Option("template[].exec.enabled", BOOL, "Run the command", True),
    Option("template[].exec.timeout", DURATION, "As command_timeout", None),
    Option("template[].exec.splay", DURATION, "Maximum random delay before the command", 0.0),
    Option("template[].exec.kill_signal", SIGNAL, "Signal that stops a command after its timeout", None),
    Option("template[].exec.kill_timeout", DURATION, "Grace period between that signal and SIGKILL", None),
    Option("template[].exec.reload_signal", SIGNAL, "Accepted without effect", None),
    Option("template[].exec.env.pristine", BOOL, "Give the command only the custom variables", False),
    Option("template[].exec.env.custom", STRINGS, "Variables NAME=value for the command", ()),
    Option("template[].exec.env.allowlist", STRINGS, "Patterns of variables that the command gets", ()),
    Option("template[].exec.env.denylist", STRINGS, "Patterns of variables that it does not get", ()),
)

_GROUPS: tuple[Option[Any], ...] = (
    Option("render_group[].name", TEXT, "Name of the group in the templates", ""),
    Option("render_group[].command", COMMAND, "Command to run once after any of its files has changed", ()),
    Option("render_group[].command_timeout", DURATION, "Maximum run time of the command", 30.0),
    Option(
        "render_group[].check",
        COMMAND,
        "Command that checks the new files together; {{ paths }} are their paths, in the templates' order",
        (),
    ),
    Option("render_group[].check_timeout", DURATION, "Maximum run time of the check", 30.0),
    Option("render_group[].wait", WAIT_RANGE, "As wait, for the whole group", None),
)

DIFF = Option(
    "diff",
    BOOL,
    "Show the changes of a file as a unified diff without the values of keys: on stderr before the file is written; "
    "with -dry on stdout instead of the file",
    False,
    flags=("diff",),
)
ROLLBACK = Option(
    "rollback",
    BOOL,
    "Restore the last good file after a failed command or reload, and try again later. Default: on, but a failing "
    "command of a Go template exits the program",
    None,
    flags=("rollback",),
)
MISSING_AFTER = Option(
    "missing_after",
    DURATION,
    "Log the lookups that a template still waits for after this time; 0 disables",
    10.0,
    flags=("missing-after",),
)
DEFAULT_SYNTAX = Option(
    "default_syntax",
    SYNTAX,
    "Language of templates that are not named .ctmpl and set no syntax: go or jinja2",
    None,
    flags=("syntax",),
)
ONCE = Option("once", BOOL, "Render each template once, then exit", False, flags=("once",))
DRY = Option("dry", BOOL, "Write to stdout instead of files; run no commands", False, flags=("dry",), flag_only=True)
PARSE_ONLY = Option("parse_only", BOOL, "Only parse the templates", False, flags=("parse-only",))
EXEC_RELOAD = Option(
    "exec.reload",
    RELOAD,
    "Command that loads changed files. Without a value: the files configure HAProxy, which is started and supervised; "
    "each file is checked before it replaces the old one. Without a value and with -exec: the child gets the reload "
    "signal, SIGHUP by default",
    None,
    flags=("exec-reload",),
)
DEFAULT_DELIMITERS_LEFT = Option(
    "default_delimiters.left",
    TEXT,
    "Delimiter that opens an expression, for templates without their own",
    "",
    flags=("default-left-delimiter",),
)
DEFAULT_DELIMITERS_RIGHT = Option(
    "default_delimiters.right",
    TEXT,
    "Delimiter that closes an expression, for templates without their own",
    "",
    flags=("default-right-delimiter",),
)
TEMPLATE_ERROR_FATAL = Option(
    "template_error_fatal",
    BOOL,
    "Exit after an error in a template. Default: on, but a Jinja2 template that has been rendered before keeps its "
    "file, as do all templates of HAProxy",
    None,
    flags=("template-error-fatal",),
)
BLOCK_QUERY_WAIT = Option(
    "block_query_wait",
    DURATION,
    "Time that one query asks Consul to wait for a change. Default: longer with more lookups",
    None,
    flags=("block-query-wait",),
)
_RUN: tuple[Option[Any], ...] = (
    DIFF,
    ROLLBACK,
    MISSING_AFTER,
    DEFAULT_SYNTAX,
    ONCE,
    DRY,
    PARSE_ONLY,
    EXEC_RELOAD,
    DEFAULT_DELIMITERS_LEFT,
    DEFAULT_DELIMITERS_RIGHT,
    TEMPLATE_ERROR_FATAL,
    Option(
        "err_on_failed_lookup",
        BOOL,
        "Accepted; a failed lookup is always an error",
        None,
        flags=("err-on-failed-lookup",),
    ),
    BLOCK_QUERY_WAIT,
    Option(
        "retry",
        DURATION,
        "Backoff after a failed query: sets -consul-retry-backoff and -consul-retry-max-backoff",
        None,
        flags=("retry",),
        flag_only=True,
        apply=_retry_flag,
    ),
    Option("version", BOOL, "Show the version", False, flags=("version", "v"), flag_only=True),
)

#: Options in help and documentation.
DOCUMENTED: tuple[Option[Any], ...] = (
    *_TEMPLATES,
    *_GROUPS,
    *GUARD_OPTIONS,
    *_RUN,
    *DEDUP_OPTIONS,
    *RESTART_LIMIT_OPTIONS,
    *FIXTURE_OPTIONS,
    *STATUS_OPTIONS,
    *HAPROXY_OPTIONS,
    *LOG_FILE_OPTIONS,
    *EXEC,
    *PROCESS,
    *CONNECTION,
)
#: What is understood.
OPTIONS: tuple[Option[Any], ...] = (*DOCUMENTED, *UNSUPPORTED)
