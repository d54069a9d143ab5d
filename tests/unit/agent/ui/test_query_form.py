"""The form of a prepared query and its definition."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pyconsul.agent.ui.pages.coordination import query_form

WORDS = st.text("ab!_-", min_size=1, max_size=5)
DEFINITIONS = st.fixed_dictionaries(
    {
        "Name": WORDS,
        "Template": st.fixed_dictionaries({"Type": st.just("name_prefix_match")}),
        "Service": st.fixed_dictionaries(
            {
                "Service": WORDS,
                "Tags": st.lists(WORDS),
                "OnlyPassing": st.booleans(),
                "NodeMeta": st.dictionaries(WORDS, WORDS),
                "Failover": st.fixed_dictionaries(
                    {"NearestN": st.integers(0, 1000), "Datacenters": st.lists(WORDS), "Targets": st.just([])}
                ),
            }
        ),
        "DNS": st.fixed_dictionaries({"TTL": st.sampled_from(["", "10s"])}),
    }
)


@given(DEFINITIONS)
def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(definition: dict[str, Any]) -> None:
    form = {one.name: one.value for one in query_form.fields_of(definition)}
    assert query_form.merged(form, definition) == query_form.given(definition)


def test_fields_that_the_form_lacks_are_named() -> None:
    definition = {
        "Name": "x",
        "Token": "t",
        "Service": {"Service": "web", "Connect": True, "Failover": {"NearestN": 1}},
    }
    assert query_form.others(definition) == ("Token", "Service.Connect")
