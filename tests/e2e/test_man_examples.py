"""The examples of the man pages are run as they stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pyconsul.tools.docs.program_sections import CLI_EXAMPLES, ENVCONSUL_EXAMPLES, TEMPLATE_EXAMPLES


def test_examples_of_the_command_line_and_the_tools(cli_agent: str, tmp_path: Path) -> None:
    (tmp_path / "web.j2").write_text('host {{ key("app/db/host") }}\n')
    (tmp_path / "web.ctmpl").write_text('host {{ key "app/db/host" }}\n')
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CONSUL_", "PYCONSUL_"))}
    environ |= {"CONSUL_HTTP_ADDR": cli_agent, "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}"}
    lines = (*CLI_EXAMPLES, *TEMPLATE_EXAMPLES, *ENVCONSUL_EXAMPLES)
    script = "set -e\n" + "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "this machine runs the job" in done.stdout
    assert (tmp_path / "web.conf").read_text() == (tmp_path / "web.txt").read_text() == "host 10.0.0.5\n"
    assert (tmp_path / "app.env").read_text() == "host=10.0.0.5\n"
    assert (tmp_path / "backup.snap").stat().st_size > 0
