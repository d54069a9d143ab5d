"""What is kept of compiled filters is bounded in bytes."""

from __future__ import annotations

import tracemalloc

import pytest

from pyconsul.agent.filter import compile as compiling
from pyconsul.agent.filter.budget import BudgetCache
from pyconsul.agent.filter.compile import MAX_REGEXPS, PER_BYTE, PER_FILTER, compile_filter
from pyconsul.agent.filter.error import FilterError
from pyconsul.agent.model.node import Node


def test_the_values_used_last_stay() -> None:
    cache: BudgetCache[int] = BudgetCache(100)
    for number in range(10):
        cache.put(number, number, 20)
        assert cache.get(0) == 0
    assert len(cache) == 5
    assert cache.size == 100
    assert cache.get(1) is None
    cache.put(0, 7, 10)
    assert (cache.get(0), cache.size) == (7, 90)
    cache.put("large", 1, 26)
    assert cache.get("large") is None


@pytest.mark.parametrize("term", ["Node==a", "not Node==a", "Meta.a==b", '"a" in Meta', "(Node!=a)", "Meta is empty"])
def test_a_compiled_filter_takes_no_more_than_it_is_counted_with(term: str) -> None:
    text = " or ".join([term] * 200)
    compile_filter(term, Node)
    tracemalloc.start()
    found = compile_filter(text, Node)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is compile_filter(text, Node)
    assert taken < PER_FILTER + PER_BYTE * len(text)


def test_all_compiled_filters_together_are_bounded() -> None:
    for number in range(3000):
        compile_filter(" or ".join(["Node==a"] * 100) + f" or Node==x{number}", Node)
    assert compiling._compiled.size <= compiling.CACHED


def test_a_filter_has_some_regular_expressions_at_most() -> None:
    compile_filter(" or ".join(["Node matches a"] * MAX_REGEXPS), Node)
    compile_filter(" or ".join(["Node==matches"] * (MAX_REGEXPS + 1)), Node)
    with pytest.raises(FilterError, match="33 regular expressions; at most 32"):
        compile_filter(" or ".join(["Node not matches a"] * (MAX_REGEXPS + 1)), Node)
