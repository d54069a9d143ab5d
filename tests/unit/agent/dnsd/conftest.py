"""A catalog to ask about."""

from __future__ import annotations

import pytest
from support.dns_catalog import Catalog


@pytest.fixture
def catalog() -> Catalog:
    return Catalog()
