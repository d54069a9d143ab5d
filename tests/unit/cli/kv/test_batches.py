"""The number of transactions that changes need."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.cli.kv.apply import batches
from pyconsul.cli.kv.plan import BATCH, MAX_OCTETS, Change

CHANGES = st.builds(
    lambda kind, key, size: Change(kind, key, b"", b"x" * size, 2**64 - 1, 2**63),
    st.sampled_from("+~-"),
    st.text(min_size=1, max_size=300),
    st.integers(0, 300_000),
)


@given(st.lists(CHANGES, max_size=80))
def test_each_fits_into_a_request_and_none_is_lost(todo: list[Change]) -> None:
    found = batches(todo)
    assert sorted(map(id, todo)) == sorted(id(change) for batch in found for change in batch)
    kinds = [change.kind == "-" for batch in found for change in batch]
    assert kinds == sorted(kinds)
    for batch in found:
        assert 0 < len(batch) <= BATCH
        body = json.dumps([change.operation() for change in batch])
        assert len(batch) == 1 or len(body) <= MAX_OCTETS
