"""Which of several files configure HAProxy, and which reload is chosen by the flags."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from pyconsul.tools.options.settings import parse_flags
from pyconsul.tools.template.assembly import make_client, make_runner
from pyconsul.tools.template.deploy.consumer import ChildConsumer, CommandConsumer
from pyconsul.tools.template.deploy.contract import Consumer
from pyconsul.tools.template.haproxy.consumer import HaproxyConsumer
from pyconsul.tools.template.options.table import OPTIONS
from pyconsul.tools.template.plan import load, make_plan
from pyconsul.tools.template.report.counters import Counters


async def _consumer(tmp_path: Path, *argv: str) -> Consumer | None:
    source = tmp_path / "in.j2"
    source.write_text("x")
    call = parse_flags(OPTIONS, ["-template", f"{source}:{tmp_path / 'out.cfg'}", *argv])
    plan = make_plan(load(call))
    client = make_client(plan.settings, random.Random())
    try:
        return make_runner(plan, client, random.Random(), Counters()).consumer
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        ([], type(None)),
        (["-exec", "sleep 1"], ChildConsumer),
        (["-exec-reload"], HaproxyConsumer),
        (["-exec-reload", "true"], CommandConsumer),
        (["-exec", "sleep 1", "-exec-reload"], ChildConsumer),
        (["-exec", "sleep 1", "-exec-reload", "true"], ChildConsumer),
        (["-exec-reload", "-dry"], type(None)),
    ],
)
async def test_the_consumer_that_flags_ask_for(tmp_path: Path, argv: list[str], kind: type) -> None:
    assert isinstance(await _consumer(tmp_path, *argv), kind)
