"""Running the commands that follow a change: a shell line, or a program with its arguments; one after the other."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pyconsul.agent.common.process.child_process import SpawnError, argv_of
from pyconsul.agent.common.process.supervised_child import Child
from pyconsul.tools.options.child import select_environment
from pyconsul.tools.template.deploy.contract import CommandError

if TYPE_CHECKING:
    from pyconsul.tools.template.spec import Command, Environment

#: Seconds between the signal that ends a command that takes too long, and SIGKILL.
_GRACE = 2.0


def environment_of(chosen: Environment, variables: Mapping[str, str], consul: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a process: what is chosen of ours, where Consul is, the custom ones."""
    ours = select_environment(variables, chosen.pristine, (), chosen.allowlist, chosen.denylist)
    return select_environment({**ours, **consul}, False, chosen.custom, (), ())


class Commands:
    """`variables`: our own environment; `consul`: the variables that say where Consul is."""

    def __init__(self, variables: Mapping[str, str], consul: Mapping[str, str], rng: random.Random) -> None:
        self._variables = variables
        self._consul = consul
        self._rng = rng

    async def run(self, command: Command) -> None:
        """Run it to its end, at most for its timeout. Raises CommandError."""
        if command.splay > 0:
            await asyncio.sleep(self._rng.uniform(0, command.splay))
        environment = environment_of(command.environment, self._variables, self._consul)
        child = Child(
            argv_of(command.words),
            environment,
            rng=self._rng,
            kill_signal=signal.SIGTERM,
            kill_timeout=_GRACE,
        )
        try:
            await child.start()
            async with asyncio.timeout(command.timeout or None):
                status = await child.wait()
        except SpawnError as error:
            raise CommandError(str(error)) from error
        except TimeoutError:
            raise CommandError(f"command {command.shown!r} did not end within {command.timeout:g}s") from None
        finally:
            if child.running:
                await child.stop()
        if status != 0:
            raise CommandError(f"command {command.shown!r} failed with status {status}")
