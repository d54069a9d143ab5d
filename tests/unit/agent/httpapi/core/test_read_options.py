"""What a filter may cost."""

from __future__ import annotations

import pytest

from pyconsul.agent.httpapi.core import read_options
from pyconsul.agent.httpapi.core.read_options import filtering
from pyconsul.agent.httpapi.core.request import Request
from pyconsul.agent.httpapi.core.response import HTTPError


def test_a_filter_of_many_conditions_is_refused_where_there_are_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_options, "MAX_COMPARISONS", 300)
    rows = [{"Name": str(number)} for number in range(100)]
    two, four = (" or ".join(f"Name == {number}" for number in range(count)) for count in (2, 4))
    assert filtering(_get(two), dict)(rows) == rows[:2]
    assert filtering(_get(four), dict)(rows[:50]) == rows[:4]
    with pytest.raises(HTTPError, match="4 conditions, too many for 100 rows: at most 300 comparisons") as refused:
        filtering(_get(four), dict)(rows)
    assert refused.value.status == 400


def _get(text: str) -> Request:
    return Request("GET", b"/v1/catalog/nodes?filter=" + text.replace(" ", "+").encode(), {}, b"")
