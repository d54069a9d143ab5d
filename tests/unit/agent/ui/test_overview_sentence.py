"""The sentence of the overview."""

from __future__ import annotations

import pytest

from pyconsul.agent.ui.pages.overview import sentence

SAFE = "The quorum is safe: 1 of 3 servers may fail."


@pytest.mark.parametrize(
    ("services", "standing", "expected"),
    [
        (
            {"critical": 2, "passing": 15},
            SAFE,
            "2 of 17 services are failing; the quorum is safe: 1 of 3 servers may fail.",
        ),
        ({"critical": 1, "warning": 1}, "", "1 of 2 services is failing."),
        ({"warning": 3, "passing": 1}, "", "3 of 4 services have warnings."),
        ({"warning": 1, "passing": 1}, "", "1 of 2 services has a warning."),
        ({"passing": 12_000, "none": 1}, "", "All 12,001 services are healthy."),
        ({"passing": 1}, "", "The one service is healthy."),
        ({"critical": 1}, "", "The one service is failing."),
        ({}, SAFE, "No services are registered; the quorum is safe: 1 of 3 servers may fail."),
    ],
)
def test_the_sentence(services: dict[str, int], standing: str, expected: str) -> None:
    assert sentence(services, standing) == expected
