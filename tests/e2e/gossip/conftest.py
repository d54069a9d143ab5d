"""Pools on loopback addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support.gossip_pools import Pools, opened_pools


@pytest.fixture
async def pools() -> AsyncIterator[Pools]:
    async with opened_pools() as opened:
        yield opened
