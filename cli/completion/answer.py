"""Answers a shell that completes a command line; the scripts in `completions/` call it.

`_PYCONSUL_COMPLETE=bash pyconsul WORD… CURRENT` prints a line for each possible word in place of CURRENT: the
word, for zsh and fish also a tab and its description. A first line `:files PREFIX` or `:folders PREFIX` asks the shell
for paths after PREFIX. `_PYCONSUL_COMPLETE=bash_source pyconsul` prints the shell's script.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyconsul.cli.completion import candidates
from pyconsul.cli.completion.candidates import (
    DATACENTERS,
    INSTANCES,
    KEYS,
    NODES,
    POLICIES,
    ROLES,
    SERVICES,
    SESSIONS,
)

if TYPE_CHECKING:
    from pyconsul.cli.http.client import Client

SHELLS = ("bash", "zsh", "fish")
#: Seconds that names from the agent may take; PYCONSUL_COMPLETE_TIMEOUT is another number, 0 never asks.
PATIENCE = 0.1


def main(words: Sequence[str]) -> int:
    """Print the answer and return the exit code."""
    shell, _, instruction = os.environ["_PYCONSUL_COMPLETE"].partition("_")
    if shell not in SHELLS or instruction not in ("", "source"):
        print(f"completions are for {', '.join(SHELLS)}, not for {shell}", file=sys.stderr)
        return 1
    if instruction:
        from pyconsul.cli.completion.shells import script

        sys.stdout.write(script(shell))
        return 0
    before, current = list(words[:-1]), words[-1] if words else ""
    answer = candidates.complete(before, current, _live)
    lines = [f":{answer.paths} {answer.prefix}"] if answer.paths else []
    lines += [word if shell == "bash" else f"{word}\t{about}" for word, about in answer.items if "\n" not in word]
    sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))
    sys.stdout.flush()
    os._exit(0)  # an agent that does not answer must not hold the shell up


def _live(kind: str, beginning: str, words: Sequence[str]) -> list[str]:
    """Return names from the agent, none when it does not answer in time; errors must not disturb the user."""
    import threading

    found: list[str] = []
    patience = _patience()
    if patience <= 0:
        return found

    def ask() -> None:
        try:
            found.extend(names(_client(words), kind, beginning))
        except Exception:
            found.clear()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience)
    return list(found)


def _patience() -> float:
    try:
        return float(os.environ.get("PYCONSUL_COMPLETE_TIMEOUT", PATIENCE))
    except ValueError:
        return PATIENCE


def _client(words: Sequence[str]) -> Client:
    """Return the agent that the environment, and the flags among the words, name."""
    from pyconsul.agent.common.options import parse
    from pyconsul.cli.http.client import Client
    from pyconsul.cli.http.flags import HTTP_FLAGS

    known = {flag.name: flag for flag in HTTP_FLAGS}
    given = []
    for word, after in zip(words, (*words[1:], ""), strict=False):
        name, equals, _ = word.lstrip("-").partition("=")
        if word[:1] == "-" and name in known:
            given.append(word if equals or known[name].kind.is_switch else f"{word}={after}")
    return Client.from_environ(parse(HTTP_FLAGS, given), os.environ)


def names(client: Client, kind: str, beginning: str) -> list[str]:
    """Return the names of a kind; keys up to the next `/` after the typed part. Raises CliError."""
    from pyconsul.agent.common.http_answer import quote

    if kind == KEYS:
        folder = beginning[: beginning.rfind("/") + 1]
        answer = client.request("GET", "/v1/kv/" + quote(folder), {"keys": "", "separator": "/"})
        return sorted(answer.json()) if answer.status == 200 else []
    if kind == NODES:
        return sorted(node["Node"] for node in client.get("/v1/catalog/nodes"))
    if kind == SESSIONS:
        return sorted(session["ID"] for session in client.get("/v1/session/list"))
    if kind in (POLICIES, ROLES):
        path = "/v1/acl/policies" if kind == POLICIES else "/v1/acl/roles"
        return sorted(one["Name"] for one in client.get(path))
    paths = {SERVICES: "/v1/catalog/services", INSTANCES: "/v1/agent/services", DATACENTERS: "/v1/catalog/datacenters"}
    return sorted(client.get(paths[kind]))
