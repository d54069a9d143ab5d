"""The name that a user may have meant."""

from __future__ import annotations

import pytest

from pyconsul.agent.common.suggest import nearest_name


@pytest.mark.parametrize(
    ("word", "name"), [("adress", "address"), ("address", "address"), ("prt", "port"), ("xyz", ""), ("", "")]
)
def test_the_nearest_name(word: str, name: str) -> None:
    assert nearest_name(word, iter(["port", "address", "name"])) == name
