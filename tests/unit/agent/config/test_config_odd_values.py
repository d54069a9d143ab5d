"""Configuration files with numbers that no setting holds and texts that UTF-8 cannot hold."""

from __future__ import annotations

import pytest

from pyconsul.agent.config import coerce
from pyconsul.agent.config.readers.files import parse_text
from pyconsul.agent.config.table import Kind


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 1e300, 10**400, 1 << 63])
@pytest.mark.parametrize("kind", [Kind.INT, Kind.FLOAT])
def test_numbers_are_bounded(kind: Kind, value: float) -> None:
    with pytest.raises(ValueError, match="number"):
        coerce.typed(kind, value)


@pytest.mark.parametrize(
    ("text", "form"),
    [('{"node_name": "a\\ud800", "k\\udc00": []}', "json"), ('{"node_name": "a\\ud800", "k\\udc00": []}', "hcl")],
)
def test_lone_surrogates_become_the_replacement_character(text: str, form: str) -> None:
    assert parse_text(text, form, "x") == {"node_name": "a\ufffd", "k\ufffd": []}
