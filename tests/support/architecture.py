"""The rules of the architecture as tables: which room imports which, what may do IO, and each exception with its reason.

The tests in `unit/test_architecture.py` and `unit/test_budgets.py` hold the code against them.
"""

from __future__ import annotations

from pathlib import Path

PURE = {"model", "state", "acl", "filter", "health", "queries", "sync", "dnsd", "config", "reads"}
# What each room of the agent may import of the others; a room may always import itself.  `runtime` may import all of them.
ALLOWED: dict[str, set[str]] = {
    "common": set(),
    "model": set(),
    "state": {"model"},
    "filter": {"model"},
    "acl": {"model", "state", "config"},  # rules are HCL, as files are
    "gossip": {"model", "filter"},  # tag filters of queries are regular expressions
    "health": {"model", "filter"},
    "sync": {"model", "state", "health", "config", "acl"},  # registrations are authorized where they change
    "reads": {"model", "state", "acl", "filter", "events", "sync"},  # of the agent itself, too
    "dnsd": {"model", "state", "config", "acl", "queries", "reads"},
    "config": {"model"},
    "engine": {"model", "state"},
    "httpapi": {"model", "engine", "events", "gossip", "logs", "snapshot", "telemetry", *PURE},
    "telemetry": {"gossip", "model"},
    "watches": {"model"},
    "events": {"gossip", "model", "state", "filter", "acl"},
    "queries": {"model", "state", "filter"},
    "snapshot": {"model", "state", "acl", "filter", "queries"},
    "duties": {"engine", "gossip", "model", "snapshot", "state", "acl", "sync"},
    "cluster": {
        "engine",
        "gossip",
        "model",
        "state",
        "rpc",
        "duties",
        "httpapi",
    },  # requests of other servers, standing
    "rpc": {"gossip", "model", "httpapi"},
    "remote": {"gossip", "model", "httpapi", "rpc", "state", "acl", "sync", "dnsd", "reads", "config"},
    "logs": set(),
    "ui": {"httpapi", "model", "events", "gossip", "logs", "telemetry", *PURE},
}
# The gossip cores, and which of the others each may import.
GOSSIP_CORES: dict[str, set[str]] = {"wire": set(), "swim": {"wire"}, "serf": {"wire"}, "consul": {"wire", "serf"}}
# What the other rooms may know of gossip: its contract with the data that cross it, and Consul's rules for tags.
GOSSIP_CONTRACT = ("membership", "consul.tags", "serf.effects", "serf.events.EventTooLarge")
# Cores that are given time, randomness and answers, and do no IO.
NO_IO = ("state", "filter", "acl", "model", "queries", "reads", "events", "health", "sync", "config", "dnsd/wire")
# Their parts that do IO: file or folder -> what for.
DOES_IO = {
    "health/runners": "run the checks",
    "sync/anti_entropy/syncer.py": "timers and tasks",
    "sync/anti_entropy/catalog_writer.py": "time limits",
    "sync/anti_entropy/late_outputs.py": "timers",
    "sync/anti_entropy/retry_timer.py": "timers",
    "sync/anti_entropy/shared_write.py": "tasks",
    "sync/anti_entropy/short_wait.py": "timers and tasks",
    "sync/local_store.py": "delays writes of TTL reports",
    "sync/reap.py": "periodic task",
    "config/host.py": "name and addresses of the host, node ID",
    "config/resolve.py": "constants of address families",
}
MAX_MODULES = 15
# Larger folders -> why.
LARGE_FOLDERS: dict[str, str] = {}
# Import cycles that exist, functions' imports included -> why.
CYCLES: dict[tuple[str, ...], str] = {}
# Libraries that functions may import -> why not at the top of the module.
LAZY_LIBRARIES = {
    "asyncio": "25 ms; one-shot commands do without",
    "base64": "start-up of one-shot commands",
    "binascii": "start-up of one-shot commands",
    "click": "20 ms; only for help",
    "contextlib": "start-up of one-shot commands",
    "cryptography": "40 ms; only for JWT methods and the root certificate",
    "ctypes": "only where a child process is bound to its parent",
    "difflib": "only for suggestions in errors",
    "dns": "only for doctor and templates that look up names",
    "email": "only for dates of responses",
    "fnmatch": "start-up of one-shot commands",
    "grp": "only for ownership of files",
    "hashlib": "start-up of one-shot commands",
    "hcl2": "compiles a grammar; only for HCL that needs the parser",
    "importlib": "commands are found by name",
    "inspect": "only for documentation",
    "io": "start-up of one-shot commands",
    "json": "start-up of one-shot commands",
    "jwt": "imports cryptography",
    "lark": "imported with hcl2",
    "logging": "start-up of one-shot commands",
    "msgspec": "start-up of one-shot commands",
    "os": "start-up of one-shot commands",
    "prometheus_client": "30 ms; only for metrics in Prometheus format",
    "pwd": "only for ownership of files",
    "random": "start-up of one-shot commands",
    "re": "start-up of one-shot commands",
    "re2": "10 ms; only for regular expressions of users",
    "resource": "only for limits of child processes",
    "rich": "80 ms; only for output on a terminal",
    "shutil": "start-up of one-shot commands",
    "socket": "2 ms; one-shot commands use its C module",
    "ssl": "20 ms; only for TLS",
    "tempfile": "start-up of one-shot commands",
    "termios": "only on a terminal",
    "threading": "start-up of one-shot commands",
    "tty": "only on a terminal",
    "unicodedata": "only for widths of wide characters",
    "yaml": "20 ms; only for YAML",
}
# Modules, or folders, whose functions may import modules of ours -> why.
LAZY_IMPORTERS = {
    "agent/cluster/cluster.py": "gRPC takes 25 MB and 130 ms; a single server does without etcd",
    "agent/cluster/recovery.py": "gRPC, as above",
    "agent/common/http_answer.py": "start-up of one-shot commands",
    "agent/common/options.py": "start-up of one-shot commands",
    "agent/runtime/process.py": "an agent imports its own mode only: servers need gRPC, 25 MB",
    "agent/health/runners/h2": "imports h2 when the first such check runs",
    "agent/ui/routes.py": "Jinja2 takes 60 ms and 5 MB; an agent whose pages are not opened does without",
    "cli": "a one-shot command imports what it runs",
    "tools": "a program imports what its arguments ask for",
}
# Attributes may be assigned on `self` only: objects get their parts when they are made.  Variables that stand for an
# object under construction, or whose class belongs to the same module, by room -> why.
ASSIGNABLE = {
    "common": {"context": "ssl.SSLContext is configured by attributes"},
    "dnsd": {
        "reply": "builder",
        "kept": "own entry",
        "known": "own entry",
        "question.edns": "own copy",
        "turn": "own entry",
    },
    "engine": {"opened": "builder", "wrapped": "cause of an exception"},
    "filter": {"options": "re2.Options are configured by attributes"},
    "gossip": {
        "broadcast": "own entry",
        "contact": "own entry",
        "self._entry(name)": "own entry",
        "contents": "builder",
        "query": "own entry",
        "record": "own entry",
        "report": "builder",
        "self._contents": "own part",
    },
    "health": {"context": "ssl.SSLContext is configured by attributes", "entry": "own entry"},
    "httpapi": {
        "bodies": "shared budget",
        "budget": "shared budget",
        "question": "own entry",
        "reader": "own part",
        "request": "filled in while it is read and routed",
        "self._bodies": "shared budget",
        "self._reader": "own part",
        "source": "own entry",
        "waiter": "own entry",
        "watched": "own entry",
    },
    "rpc": {
        "asked": "own entry",
        "entry": "own entry",
        "request": "filled in while it is received",
        "served": "own entry",
        "shared": "own entry",
        "served.request": "filled in while it is received",
    },
    "remote": {"held": "own entry"},
    "ui": {"one": "builder", "request": "builder", "visit": "filled in while the page is found"},
    "snapshot": {"found": "builder", "member": "tarfile.TarInfo is configured by attributes"},
    "state": {"changeset": "encoded in place"},
    "sync": {"found": "builder"},
}
# The same for the tools and the command line, by file.
ASSIGNABLE_ELSEWHERE = {
    "tools/consul/long_poll_transport.py": {"response": "httpx.Response lets its stream be replaced"},
    "tools/gotemplate/functions/collections.py": {"changed": "own copy"},
    "tools/gotemplate/functions/scratch.py": {"Scratch": "table of its methods, which needs the class"},
    "tools/gotemplate/functions/sprig/semver.py": {"Version": "table of its methods, which needs the class"},
    "tools/gotemplate/functions/sprig/time.py": {
        "Time": "table of its methods, which needs the class",
        "named": "builder",
    },
    "tools/gotemplate/syntax/lexer.py": {"lexer": "own copy"},
    "tools/gotemplate/syntax/parser.py": {"self.pipelines": "own part", "self.stream": "own part"},
    "tools/gotemplate/syntax/pipeline_parser.py": {"self.stream": "shared with the parser, whose part it is"},
    "tools/gotemplate/text/fmt.py": {"flags": "builder"},
    "tools/gotemplate/text/regex.py": {"options": "re2.Options are configured by attributes"},
    "tools/options/settings.py": {"call": "builder"},
    "tools/registrator/engine.py": {"context": "ssl.SSLContext is configured by attributes"},
    "tools/registrator/reconciler.py": {"self.counts": "own part"},
    "tools/process/logs.py": {"handler": "handlers of logging are configured by attributes"},
    "tools/template/dedup/leaders.py": {"leader": "own entry"},
    "tools/template/dedup/shared_source.py": {"member": "own entry"},
    "tools/template/evaluate/guard.py": {"listing": "own entry", "state": "own entry"},
    "tools/template/evaluate/jinja_filters.py": {"digest": "documentation of a function"},
    "tools/template/evaluate/jinja_template.py": {"environment": "jinja2.Environment is configured by attributes"},
    "tools/template/feed/records.py": {"kind": "class decorator"},
    "tools/template/feed/streams.py": {"feed": "own entry"},
    "tools/template/fixture/case_report.py": {
        "ElementTree.SubElement(case, tag, message=_clean(message))": "elements of XML get their text by attribute"
    },
    "tools/template/fixture/gather.py": {"check": "builder", "datacenter": "builder", "instance": "builder"},
    "tools/template/fixture/recording.py": {"document": "builder"},
    "tools/template/fixture/yaml_source.py": {"source": "builder"},
    "tools/template/haproxy/config.py": {"section": "builder"},
    "tools/template/haproxy/difference.py": {"update": "builder"},
    "cli/commands/agent/debug.py": {"member": "tarfile.TarInfo is configured by attributes"},
    "cli/commands/catalog/health.py": {"shown": "tables of rich are configured by attributes"},
    "cli/commands/lock.py": {"killer": "threading.Timer is configured by attributes"},
    "cli/demo/containers.py": {"link": "tarfile.TarInfo is configured by attributes"},
    "cli/demo/screen.py": {"text": "texts of rich are configured by attributes"},
    "cli/go_regexp.py": {"options": "re2.Options are configured by attributes"},
    "cli/http/client.py": {"response": "builder"},
    "cli/kv/json_stream.py": {"text": "own part"},
    "cli/monitor/service_top.py": {"column": "columns of rich are configured by attributes"},
    "cli/output/render.py": {"screen": "consoles of rich are configured by attributes"},
}
# What each folder of the command line may import of the others, by the folders' names; every one may import the modules that
# stand beside them, apart from `main`.  `commands` may import all folders but `completion`.
CLI_ALLOWED: dict[str, set[str]] = {
    "acl": {"http", "output"},
    "completion": {"help", "http", "commands.agent"},  # the flags of `pyconsul agent`
    "demo": {"output"},
    "cluster_demo": set(),
    "doctor": set(),
    "help": {"http", "commands.agent"},
    "http": set(),
    "kv": {"http"},
    "lock": {"http"},
    "monitor": {"output"},
    "output": set(),
    "watch": {"http", "output"},
}
# Holds `__main__`; installed as the package `pyconsul` itself.
PROGRAM = Path("cli", "python_m")
CLI_COMMANDS_ALLOWED = {
    "acl",
    "demo",
    "cluster_demo",
    "doctor",
    "help",
    "http",
    "kv",
    "lock",
    "monitor",
    "output",
    "watch",
}
# Modules of other folders that a folder may know besides -> why.
CLI_CONTRACTS = {"pyconsul.cli.http.client": "the context holds the client"}
IO_MODULES = {"socket", "asyncio", "time", "random", "sqlite3", "subprocess", "threading", "httpx", "os"}
# The engines, and the modules outside `engine/` that choose one -> for what.
ENGINES = ("pyconsul.agent.engine.memory", "pyconsul.agent.engine.embedded")
CHOOSES_ENGINE = {
    "agent/runtime/modes/development.py": "state of a development agent",
    "agent/runtime/modes/server.py": "state of a server that is alone",
    "agent/runtime/data/local_registrations.py": "registrations of an earlier version",
}
# What every table of the state is built on; it knows no table but by its schema.
STATE_CORE = (
    "contract",
    "table",
    "changeset",
    "write_txn",
    "codec",
    "row_rules",
    "store",
    "watches",
    "topics",
    "schemas",
)
# The commands that run or check an agent are the only ones that may know it; another one reads snapshot files as the agent does.
CLI_MAY_IMPORT_AGENT = {"cli/commands/agent/run.py", "cli/commands/agent/validate.py"}
# The command that runs one of the tools.
CLI_MAY_IMPORT_TOOLS = {"cli/commands/registrator.py"}
CLI_MAY_READ_SNAPSHOTS = {"cli/commands/snapshot.py"}
# What agent, commands and tools share; it imports nothing of ours, so that it is cheap for all of them.
COMMON = "pyconsul.agent.common"
# The man page of the configuration is made from the declarations of settings.
READS_DECLARATIONS = {"tools/docs/agentconfig.py"}
# The status pages are served on the same HTTP connections as the agent's API.
HTTP_SERVERS = {"tools/pages/server.py"}

# Dependencies that nothing imports -> why they are declared.
NOT_IMPORTED = {
    "h11": "httpcore parses with it; older versions have a known hole",
    "sniffio": "httpcore looks for it at each step of a request; in vain, that costs a quarter of the request",
}
# Names of distributions whose modules have another name.
MODULES_OF = {
    "dnspython": "dns",
    "google-re2": "re2",
    "grpcio": "grpc",
    "prometheus-client": "prometheus_client",
    "pyjwt": "jwt",
    "python-hcl2": "hcl2",
    "pyyaml": "yaml",
}

# The folders of the HTTP API, and which of the others each may import; errors and responses are part of decoding, too.
HTTP_LAYERS: dict[str, set[str]] = {
    "server": set(),
    "codec": {"core.response"},
    "core": {"server"},
    "handlers": {"server", "codec", "core"},
    "routes": {"core.router", "handlers"},
}

# Sizes that are not reached: files, functions, methods of a class.
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_METHODS = 25
# Files -> what is larger in them (`*`: the file) -> why.
OVER_BUDGET: dict[str, dict[str, str]] = {}
