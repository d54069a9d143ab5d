"""Joins the pool of other agents at the start, again and again until one of them answers (`retry_join`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from pyconsul.agent.common.go.durations import format_go_duration_s
from pyconsul.agent.config.config import Config
from pyconsul.agent.gossip.membership import JoinResult, Membership

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


def start(config: Config, lan: Membership, stop: Callable[[int], None], stack: AsyncExitStack) -> None:
    """Join as the settings ask for, in the background; without success `stop` ends the agent with status 1."""
    if not config.retry_join:
        return

    async def run() -> None:
        try:
            await join(lan.join, config.retry_join, interval_s=config.retry_interval, max_retries=config.retry_max)
        except JoinExhausted as error:
            log.error("Retry join failed", extra=_fields(error=str(error)))
            stop(1)

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

    max_retries: failures after the first one; 0: no limit. It is none if only this agent itself answers, whose address may stand
    among the others; then the others are tried again.   Raises JoinExhausted.
    """
    log.info("Joining cluster...")
    attempt = 0
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
        log.warning(
            "Join cluster failed, will retry",
            extra=_fields(retry_interval=format_go_duration_s(interval_s), error=reasons or "none", **fields),
        )
        await pause(interval_s)


def _fields(**fields: object) -> dict[str, object]:
    return {"fields": fields}
