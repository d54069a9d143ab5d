"""`pyconsul registrator`: containers become services. The program itself is one of the tools, imported when it runs."""

from __future__ import annotations

from pyconsul.agent.common.go.durations import parse_go_duration_s
from pyconsul.cli.context import Context
from pyconsul.cli.errors import CliError, UsageError
from pyconsul.cli.exit_status import Status
from pyconsul.cli.help.command import Command
from pyconsul.cli.http import flags as http
from pyconsul.tools.registrator.options import (
    CONSUL,
    DRAIN_FLAGS,
    FLAGS,
    STOP,
    UNDO,
    URIS,
    WAIT,
    Settings,
    SettingsError,
    StartFailed,
    read_settings,
    read_uri,
)

ABOUT = f"""Register the published ports of containers as services of an agent while the containers run, and remove them when
they end. Names, tags and checks come from SERVICE_ variables and labels, as gliderlabs/registrator takes them.

The engine is that of DOCKER_HOST, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH; without them the first of /var/run/docker.sock,
/run/podman/podman.sock and /tmp/docker.sock that exists.

The URI is one of {URIS}. Without a host it is that of CONSUL_HTTP_ADDR.

Once started, it waits for an engine or an agent that goes away. When it ends, the services stay. The exit status is 0 after
SIGTERM and SIGINT, 1 when it cannot start, 2 for wrong arguments."""

ABOUT_DRAIN = """Put the services of a container into maintenance, so that it gets no new requests, wait, and with -stop
stop it. Flags may follow the container's name."""

_CONNECTION = (
    http.TOKEN,
    http.TOKEN_FILE,
    http.CA_FILE,
    http.CA_PATH,
    http.CLIENT_CERT,
    http.CLIENT_KEY,
    http.TLS_SERVER_NAME,
)


def registrator(context: Context) -> int:
    """Run until a signal."""
    if len(context.args.rest) != 1:
        raise UsageError(f"give one URI after the flags: {URIS}")
    try:
        settings = read_settings(context.args, context.args.rest[0], context.environ)
    except SettingsError as error:
        raise CliError(str(error)) from None
    from pyconsul.tools.registrator.run import run

    try:
        return run(settings)
    except StartFailed as error:
        raise CliError(str(error)) from None


def drain(context: Context) -> int:
    """Drain one container."""
    args = context.args
    if len(args.rest) != 1:
        raise UsageError("give the name or ID of one container")
    if args[STOP] and args[UNDO]:
        raise UsageError("-stop and -undo contradict each other")
    try:
        settings = Settings(args, read_uri(args[CONSUL]), context.environ)
        wait_s = parse_go_duration_s(args[WAIT])
        if settings.target.prefix is not None:
            raise SettingsError(f"keys cannot be drained, only services: {args[CONSUL]}")
    except (SettingsError, ValueError) as error:
        raise CliError(str(error)) from None
    from pyconsul.tools.registrator.drain import drain as drain_container

    def say(line: str) -> None:
        context.out(line)
        context.stdout.flush()

    try:
        drain_container(settings, args.rest[0], wait_s, say)
    except StartFailed as error:
        raise CliError(str(error)) from None
    return int(Status.OK)


COMMANDS = {
    "registrator": Command(
        registrator, *FLAGS, *_CONNECTION, usage="URI", about=ABOUT, http=False, usage_status=Status.NO_MATCH
    ),
    "registrator drain": Command(
        drain, *DRAIN_FLAGS, *_CONNECTION, usage="CONTAINER", about=ABOUT_DRAIN, http=False, flags_anywhere=True
    ),
}
