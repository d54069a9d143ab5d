"""The hand-written sections of the programs' man pages: exit status, signals, files, environment, examples.

A test runs the examples; each is a shell line that ends with status 0 where an agent serves.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyconsul.agent.common.consul_environment import VARIABLES
from pyconsul.cli.exit_status import Status
from pyconsul.tools.docs.roff import Entry, Section
from pyconsul.tools.exit_codes import Exit

CLI_EXAMPLES = (
    "pyconsul kv put app/db/host 10.0.0.5",
    "pyconsul kv get app/db/host",
    "pyconsul kv export app/ > app.json",
    "pyconsul members -format=json",
    "pyconsul watch -type=keyprefix -prefix=app/ -once cat",
    "pyconsul lock jobs/nightly 'echo this machine runs the job'",
    "pyconsul snapshot save backup.snap",
)
AGENT_EXAMPLES = (
    "pyconsul agent -dev",
    "pyconsul agent -data-dir /var/lib/pyconsul -node db7",
    "pyconsul agent -config-dir /etc/consul.d",
    "pyconsul validate /etc/consul.d",
    "kill -HUP $(cat /run/pyconsul.pid)",
)
TEMPLATE_EXAMPLES = (
    "pyconsul-template -once -dry -template web.j2:web.conf",
    "pyconsul-template -once -template web.j2:web.conf:'echo changed'",
    "pyconsul-template -once -template 'web.ctmpl:web.txt' -log-level info",
    "echo '{{ key(\"app/db/host\") }}' | pyconsul-template -once -template=-:-",
)
ENVCONSUL_EXAMPLES = (
    "pyenvconsul -prefix app/db -upcase -once env",
    "pyenvconsul -prefix app/db -print docker > app.env",
    "pyenvconsul -prefix app/db -once 'echo $host | tr a-z A-Z'",
)

_DETAILED = "With -detailed-exitcode: "
_CLI_STATUS = {
    Status.OK: "The command succeeded.",
    Status.FAILURE: "The command failed; standard error has the reason.",
    Status.NO_MATCH: "members: no member matches. lock: the child failed, with -child-exit-code.",
    Status.NOT_FOUND: f"{_DETAILED}the named key, service, token or other object does not exist.",
    Status.UNREACHABLE: f"{_DETAILED}the agent does not answer.",
    Status.DENIED: f"{_DETAILED}the token lacks a permission.",
    Status.CONFLICT: f"{_DETAILED}a check-and-set failed, or another session holds the lock.",
    Status.USAGE: f"{_DETAILED}wrong flags or arguments.",
    Status.UNKNOWN_COMMAND: "There is no such command.",
    Status.INTERRUPTED: "The command was interrupted by SIGINT.",
}
_CONSUL_VARIABLES = {
    "address": "Address of the agent: host:port, http://, https:// or unix:///path. The default is 127.0.0.1:8500.",
    "token": "ACL token.",
    "token_file": "File that holds the ACL token; it wins over CONSUL_HTTP_TOKEN.",
    "auth": "HTTP basic authentication, as username:password.",
    "ssl": "true: use HTTPS.",
    "verify": "false: do not verify the certificate of the agent.",
    "ca_file": "File with the CA certificates that the agent's certificate is verified with.",
    "ca_path": "Folder with such certificates.",
    "cert": "Client certificate for HTTPS.",
    "key": "Key of the client certificate.",
    "server_name": "Name that the certificate of the agent must have.",
    "namespace": "Only default exists.",
    "partition": "Only default exists.",
}


def cli_sections() -> list[Section]:
    """Return the sections of pyconsul(1)."""
    signals = [
        ("SIGINT, SIGTERM", "End the command. lock and watch pass the signal to their child."),
        ("SIGHUP", "watch and kv watch: read the token file and the certificates again, and continue."),
    ]
    files = [
        ("FILE of watch -state-file", "Index and digest of the last change that was handled; with -diff its data."),
        ("FILE of login -token-sink-file", "The SecretID of the token; only its owner may read it."),
        (".NAME.XXXXXXXX.pyconsul-draft", "A file that is being written; a stale one is removed by a later run."),
    ]
    variables = [
        *((VARIABLES[name], text) for name, text in _CONSUL_VARIABLES.items()),
        ("PYCONSUL_DETAILED_EXITCODE", "1: exit statuses 3 to 7 as with -detailed-exitcode."),
        ("PYCONSUL_TRACEBACK", "1: show the traceback for a response of unknown form."),
        ("PYCONSUL_COMPLETE_TIMEOUT", "Seconds that completion waits for names from the agent; 0 disables it."),
        ("EDITOR, VISUAL", "Editor of kv edit. The default is vi."),
        ("SHELL", "Shell of lock and watch. The default is /bin/sh."),
        ("NO_COLOR, TERM", "No colors when NO_COLOR is set or TERM is dumb."),
    ]
    return [
        Section("EXIT STATUS", entries=[(str(int(status)), text) for status, text in _CLI_STATUS.items()]),
        Section("SIGNALS", entries=signals),
        Section("FILES", entries=files),
        Section("ENVIRONMENT", entries=variables),
        Section("EXAMPLES", literal=CLI_EXAMPLES),
    ]


def agent_sections() -> list[Section]:
    """Return the sections of pyconsul-agent(1)."""
    return [
        Section(
            "EXIT STATUS",
            entries=[
                ("0", "The agent was stopped, or left the cluster."),
                (
                    "1",
                    "The settings are wrong, the agent cannot start, or a signal stopped an agent with server = true or "
                    "-dev that does not leave on this signal (leave_on_terminate, skip_leave_on_interrupt).",
                ),
            ],
        ),
        Section(
            "SIGNALS",
            entries=[
                ("SIGHUP", "Read the configuration files again, as pyconsul reload does."),
                ("SIGTERM, SIGINT", "Answer the requests that run, then stop."),
            ],
        ),
        Section(
            "FILES",
            entries=[
                (
                    "DATA_DIR/raft, DATA_DIR/services, DATA_DIR/checks",
                    "The state; pyconsul-agent-config(5) lists all files.",
                ),
                ("FILE of -pid-file", "The process ID, while the agent runs."),
                ("FILE of -log-file", "The log. Rotated files are named NAME-TIME.log, in nanoseconds since 1970."),
            ],
        ),
        Section(
            "ENVIRONMENT",
            entries=[("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd: report readiness, status and signs of life.")],
        ),
        Section("EXAMPLES", literal=AGENT_EXAMPLES),
    ]


def template_sections(variables: Sequence[Entry]) -> list[Section]:
    """Return the sections of pyconsul-template(1)."""
    files = [
        (
            ".pyconsul-template.json",
            "The files that a template with for_each has made, in the folder of its destination.",
        ),
        ("DESTINATION.bak", "The previous file, with backup = true."),
        ("DESTINATION.rejected", "The last rendering that a check refused."),
        (".NAME.XXXXXXXX.pyconsul-draft", "A file that is being rendered; a stale one is removed by a later run."),
        ("FILE of -pid-file", "The process ID, while the program runs."),
    ]
    extra = [
        ("NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd: report readiness, status and signs of life."),
        ("RUNTIME_DIRECTORY, XDG_RUNTIME_DIR", "Where HAProxy's state is kept; haproxy.state_dir wins."),
    ]
    return [
        _tool_status("a template cannot be rendered, Consul does not answer, or a program cannot be started"),
        _tool_signals("the child of -exec"),
        Section("FILES", entries=files),
        Section("ENVIRONMENT", entries=sorted([*variables, *extra])),
        Section("EXAMPLES", literal=TEMPLATE_EXAMPLES),
    ]


def envconsul_sections(variables: Sequence[Entry]) -> list[Section]:
    """Return the sections of pyenvconsul(1)."""
    return [
        _tool_status("Consul does not answer, or the program cannot be started"),
        _tool_signals("the program"),
        Section("FILES", entries=[("FILE of -pid-file", "The process ID, while pyenvconsul runs.")]),
        Section("ENVIRONMENT", entries=variables),
        Section("EXAMPLES", literal=ENVCONSUL_EXAMPLES),
    ]


def _tool_status(run_errors: str) -> Section:
    entries = [
        (str(int(Exit.OK)), "Success."),
        (str(int(Exit.INTERRUPT)), "The kill signal ended the program."),
        (str(int(Exit.USAGE)), "The flags are wrong."),
        (str(int(Exit.RUN)), f"{run_errors[0].upper()}{run_errors[1:]}."),
        (str(int(Exit.CONFIG)), "The configuration is wrong."),
        ("255", "A signal killed the child."),
        ("other", "The exit status of the child."),
    ]
    return Section("EXIT STATUS", entries=entries)


def _tool_signals(child: str) -> Section:
    entries = [
        ("SIGINT (-kill-signal), SIGTERM", f"Stop {child}, then exit."),
        ("SIGHUP (-reload-signal)", "Read the configuration again."),
        ("SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH", f"Passed to {child}."),
    ]
    return Section("SIGNALS", entries=entries)
