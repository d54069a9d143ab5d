"""A selection of the end-to-end tests against a server that follows and against a client agent.

All of them run so with `PYCONSUL_AGAINST=follower pytest tests/e2e` (or `client`), which takes too long for each change.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SELECTED = (
    "test_agent_own_services.py::test_a_registration_is_in_the_catalog_when_it_is_answered",
    "test_agent_own_services.py::test_a_blocked_reader_of_the_catalog_wakes",
    "test_acl_rights.py",
    "test_cli_kv.py",
)
LIMIT_S = 280

pytestmark = pytest.mark.single_server("starts the others itself")


@pytest.mark.parametrize("kind", ["follower", "client"])
def test_other_agents_pass_the_same_tests(kind: str) -> None:
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *(f"{HERE}/{name}" for name in SELECTED)]
    done = subprocess.run(
        argv,
        env={**os.environ, "PYCONSUL_AGAINST": kind},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout.splitlines()[-1]
