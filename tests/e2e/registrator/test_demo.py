"""`pyconsul demo -docker`: the demonstration with containers of a real engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.container_engine import ContainerEngine
from support.registrator import PYCONSUL, running

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")


def test_the_tour_with_containers(engine: ContainerEngine, tmp_path: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(tmp_path), "DOCKER_HOST": engine.host}
    argv = [PYCONSUL, "demo", "-docker", "-once"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web-2 fails its check: gone from HAProxy" in done.stdout
    assert "-wait 1s -stop`: web-1 is out of HAProxy, then stopped" in done.stdout
    assert re.search(r"\d+ requests answered, 0 failed", done.stdout)
    assert running(engine) == {}
    images = json.loads(engine.done("GET", "/images/json"))
    assert not [one for one in images if "pyconsul-demo:latest" in (one["RepoTags"] or ())]
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_does_not_answer(tmp_path: Path) -> None:
    environ = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none"}
    argv = [PYCONSUL, "demo", "-docker", "-once"]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"no container engine answers at {tmp_path}/none (DOCKER_HOST)" in done.stderr
