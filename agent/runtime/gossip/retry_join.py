"""Joins the pool of other agents (`retry_join`): at the start, until one of them answers, and whenever no server is left.

All servers may have moved to new addresses; host names are looked up again at every attempt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.config.config import Config
from pyconsul.agent.gossip.membership import JoinResult, Membership
from pyconsul.agent.rpc.contract import Servers

FIRST_RETRY_S = (
    1.0  # after a failure, or when the last server has gone; then twice as long each time, up to `retry_interval`
)
REPEAT_S = 60.0  # of waiting, before the same failure is written into the log again

log = logging.getLogger("agent")

# What to do about a reason, which contains the text.  The texts of reasons are those of Consul and memberlist.
_ADVICE = {
    "part of wrong datacenter": "set -datacenter to that of the other agent, or join agents of the same datacenter",
    "No installed keys could decrypt": "all agents need the same gossip key: set -encrypt to theirs",
    "encryption is not configured": "that agent uses a gossip key: set -encrypt to it",
    "remote state is not encrypted": "that agent uses no gossip key: start it with the -encrypt of this one",
    "conflicting node ID": "remove node-id from a copied data folder, or set another -node-id",
}


class JoinExhausted(Exception):
    """No attempt to join has succeeded."""

    def __init__(self) -> None:
        super().__init__("agent: max join retry exhausted, exiting")


def start(
    config: Config, lan: Membership, servers: Servers, stop: Callable[[int], None], stack: AsyncExitStack
) -> None:
    """Join as the settings ask for, in the background; when the first join fails for good, `stop` ends the agent with status 1."""
    if not config.retry_join:
        return
    changed = asyncio.Event()
    stack.callback(servers.subscribe(changed.set))

    def has_server() -> bool:
        return any(server.name != lan.local.name for server in servers.all())

    async def run() -> None:
        interval_s = config.retry_interval
        try:
            await join(lan.join, config.retry_join, interval_s=interval_s, max_retries=config.retry_max)
        except JoinExhausted as error:
            log.error("Retry join failed", extra=_fields(error=str(error)))
            stop(1)
            return
        while True:
            changed.clear()
            await rejoin(lan.join, config.retry_join, has_server, interval_s=interval_s)
            await changed.wait()

    stack.callback(asyncio.get_running_loop().create_task(run()).cancel)


async def join(
    join_once: Callable[[Sequence[str]], Awaitable[JoinResult]],
    addresses: Sequence[str],
    *,
    interval_s: float,
    max_retries: int,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Join until another agent answers; host names are looked up again at every attempt.

    max_retries: failures after the first one, `interval_s` apart; 0: no limit, and the first failures are tried again sooner.
    It is none if only this agent itself answers, whose address may stand among the others; then the others are tried again.
    Raises JoinExhausted.
    """
    log.info("Joining cluster...")
    attempt, wait_s = 0, interval_s if max_retries else min(FIRST_RETRY_S, interval_s)
    written, silent_s = "", 0.0  # the last failure in the log, and for how long it has been there
    while True:
        result = await join_once(addresses)
        if result.contacted > result.contacted_self or (result.contacted and not result.failures):
            log.info("Join cluster completed. Synced with initial agents", extra=_fields(num_agents=result.contacted))
            return
        attempt += not result.contacted
        if 0 < max_retries < attempt:
            raise JoinExhausted
        reasons = "; ".join(f"{failure.address}: {failure.reason}" for failure in result.failures)
        advice = [text for part, text in _ADVICE.items() if part in reasons]
        fields = {"hint": "; ".join(advice)} if advice else {}
        is_news = reasons != written or silent_s >= REPEAT_S
        written, silent_s = reasons, wait_s if is_news else silent_s + wait_s
        log.log(
            logging.WARNING if is_news else logging.DEBUG,
            "Join cluster failed, will retry",
            extra=_fields(retry_interval=format_go_duration_s(wait_s), error=reasons or "none", **fields),
        )
        await pause(wait_s)
        wait_s = min(2 * wait_s, interval_s)


async def rejoin(
    join_once: Callable[[Sequence[str]], Awaitable[JoinResult]],
    addresses: Sequence[str],
    has_server: Callable[[], bool],
    *,
    interval_s: float,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Join again and again until another server is known."""
    wait_s, is_logged = min(FIRST_RETRY_S, interval_s), False
    while not has_server():
        await pause(wait_s)
        wait_s = min(2 * wait_s, interval_s)
        if has_server():
            return
        if not is_logged:
            log.info("no other server is known, joining again until there is one")
            is_logged = True
        await join_once(addresses)


def _fields(**fields: object) -> dict[str, object]:
    return {"fields": fields}
